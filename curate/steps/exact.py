"""Find exact copies: texts equal but for case, Unicode form and blanks."""

from __future__ import annotations

import numpy as np
import polars as pl

from curate import schema, stars, text


def state(rows: pl.DataFrame, *, on: str | list[str] = "content", punctuation: bool = True) -> pl.DataFrame:
    """Hash the normalised text.

    Args:
        rows: instruction rows.
        on: what is compared. "content" (the default, as templates would make different records look alike and equal
            ones different) compares records; "prompt", "response" or "rendered" compare rows; a list requires all.
        punctuation: whether punctuation counts. It does by default, because "2 + 2" and "2 - 2" differ in it alone.

    Returns:
        key: BLAKE2b-128 hex of the normalised texts; null where one is null.
    """
    texts = [schema.column_text(rows, column).to_list() for column in stars.columns(on)]
    keys = [
        None if any(value is None for value in values) else schema.digest(*(_form(v, punctuation) for v in values))
        for values in zip(*texts, strict=True)
    ]
    return pl.DataFrame({"key": pl.Series(keys, dtype=pl.String)})


def _form(value: str, punctuation: bool) -> str:
    """Return what two copies have in common; a text of punctuation alone keeps it."""
    return text.normalise(value) if punctuation else " ".join(text.words(value)) or text.normalise(value)


def decide(state: pl.DataFrame, *, on: str | list[str] = "content") -> pl.DataFrame:
    """Keep the copy of lowest id. Blank texts are copies of each other.

    Signals:
        cluster (str): id of the copy that stays, its own for one that stays; null where the text is null.
        rank (u32): 0 = stays, then 1, 2, … by id; all rows of a record share it; null where the text is null.
        keeper (str): id of the copy that stays; null for a row that stays.
        similarity (f64): 1 for a row with a keeper; null for a row that stays.
    """
    found = stars.units(state, on=on)
    size = len(found.first)
    compared = pl.DataFrame({"unit": np.arange(size), "key": state["key"].gather(found.first)})
    keeper = pl.when(pl.col("key").is_null()).then(stars.UNKNOWN).otherwise(pl.col("unit").min().over("key"))
    kept = compared.select(keeper.cast(pl.Int64).alias("keeper"))["keeper"].to_numpy()
    return stars.signals(stars.Stars(kept, np.ones(size)), found=found, ids=state["id"])
