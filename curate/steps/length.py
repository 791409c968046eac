"""Count words, characters and estimated tokens."""

from __future__ import annotations

import polars as pl

from curate import schema, text

# `text.tokens` in the dialect of polars: Rust's \s lacks the four separators U+001C to U+001F that Python's has.
TOKEN = text.TOKEN.pattern.replace(r"\s", r"\s\x1c-\x1f")


def length(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Count words, characters and estimated tokens.

    Args:
        rows: instruction rows.
        column: the text to measure; the response by default, since that is what the model learns to write.

    Signals:
        words (u32): pieces between blanks, each character one in scripts without blanks; null where the text is null.
        chars (u32): Unicode code points; null where the text is null.
        tokens (u32): UTF-8 bytes / 4, rounded up; an estimate; null where the text is null.
    """
    found = schema.column_text(rows, column).alias("text").to_frame()
    value = pl.col("text").str
    return found.select(
        words=value.count_matches(TOKEN).cast(pl.UInt32),
        chars=value.len_chars().cast(pl.UInt32),
        tokens=((value.len_bytes() + (schema.BYTES_PER_TOKEN - 1)) // schema.BYTES_PER_TOKEN).cast(pl.UInt32),
    )
