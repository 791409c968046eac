"""What rows may share with held-out ones, however they are worded: a whole record, or a passage of it."""

from __future__ import annotations

import orjson
import polars as pl

COLUMNS = ("id", "source", "content", "slots")
# Words from which on a shared text is no chance: the n of Tulu 3 (Lambert et al. 2024), as in the step `leak`.
WORDS = 8


def pieces(rows: pl.DataFrame) -> pl.DataFrame:
    """Return hashes of what rows may share.

    Args:
        rows: with id, source, slots and content.

    Returns:
        id, source, kind, key, each once: `record` for all slots together, `passage` for each slot (or, of instruction
        data, each line of its content) of 8 words or more. Words are compared without case and punctuation.
    """
    words = pl.col("text").str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ").str.strip_chars(" ")
    slots = [_texts(*texts) for texts in rows.select("slots", "content").iter_rows()]
    told = rows.select("id", "source", "content").with_columns(texts=pl.Series(slots, dtype=pl.List(pl.String)))
    whole = told.select("id", "source", kind=pl.lit("record"), text="content")
    long = told.select("id", "source", kind=pl.lit("passage"), text="texts").explode("text")
    found = pl.concat([whole, long.filter(pl.col("text").is_not_null())]).with_columns(words)
    fits = (pl.col("text") != "") & (
        (pl.col("kind") == "record") | (pl.col("text").str.count_matches(" ") >= WORDS - 1)
    )
    # Two hashes of 64 bits: by chance no two of a billion texts have both alike.
    key = pl.concat_str(pl.col("text").hash(1).cast(pl.String), pl.col("text").hash(2).cast(pl.String), separator=" ")
    return found.filter(fits).select("id", "source", "kind", key=key).unique()


def _texts(slots: str | None, content: str | None) -> list[str]:
    """Return the texts of a row without its template: of its slots, or the lines of instruction data."""
    values = orjson.loads(slots or "{}")
    if values:
        listed = [one for value in values.values() for one in (value if isinstance(value, list) else [value])]
        return [one for one in listed if isinstance(one, str)]
    return (content or "").split("\n")
