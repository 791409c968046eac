"""Find markers of vernacular and regional English."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curate import rulebook, terms

RULES = {"lexicon": ("lexicons/dialect",)}
_SCHEMA: dict[str, pl.DataType] = {"markers": pl.UInt32(), "varieties": pl.List(pl.String)}


def dialect(rows: pl.DataFrame, *, column: str = "rendered", lexicon: Path | None = None) -> pl.DataFrame:
    """Find markers of vernacular and regional English.

    A marker is no fault: the signals are for seeing from whom other rules take (filters for quality and toxicity have
    been found to take more from African American English: Sap et al. 2019, Dodge et al. 2021). Most writing of
    speakers has none, most markers are shared, and quotations have them too: the word list says more. English only.

    Args:
        rows: instruction rows.
        column: the text to look at; prompt and response by default, since either may be in dialect.
        lexicon: a word list of your own with the ids of varieties; rules/lexicons/dialect.toml when left out.

    Signals:
        markers (u32): markers found; null where the text is null or in another language than the
            lexicon's (declared, or else recognised).
        varieties (list[str]): varieties of which there is a marker, sorted, each once; null where markers is.
    """
    words = rulebook.lexicon(lexicon or "dialect")
    folded = terms.judged(rows, column=column, language=words.language)
    measured = [
        (None, None) if value is None else (len(hits), sorted({str(hit.entry.id) for hit in hits}))
        for value, hits in zip(folded, terms.matcher(words).hits(folded), strict=True)
    ]
    return pl.DataFrame(measured, schema=_SCHEMA, orient="row")
