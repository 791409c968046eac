"""Count what was decoded with the wrong encoding."""

from __future__ import annotations

import polars as pl
from ftfy.badness import BADNESS_RE

from curate import schema

_SCHEMA = {"count": pl.UInt32, "lost": pl.UInt32}


def mojibake(rows: pl.DataFrame, *, column: str = "rendered") -> pl.DataFrame:
    """Count what was decoded with the wrong encoding.

    Nothing is changed: the step `repair` proposes how to mend it, `clean = ["mojibake"]` does so at ingest, and what is
    still counted then is beyond mending. Any language: the signs are sequences of characters that no language writes.

    Args:
        rows: instruction rows.
        column: the text to look at; prompt and response by default.

    Signals:
        count (u32): sequences that ftfy takes for misread UTF-8, such as Ã© or â€™ (its measure of badness); null where
            the text is null.
        lost (u32): replacement characters (U+FFFD), each a letter that is gone; null where the text is null.
    """
    values = schema.column_text(rows, column).alias("text")
    suspects = values.str.contains(r"[^\x00-\x7f]").fill_null(False)
    counts = [
        (None if value is None else 0) if not suspect or value is None else len(BADNESS_RE.findall(value))
        for value, suspect in zip(values, suspects, strict=True)
    ]
    lost = values.str.count_matches("\ufffd")
    return pl.DataFrame({"count": counts, "lost": lost}, schema=_SCHEMA)
