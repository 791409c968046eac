"""Count the records that speak in a row, as exemplars or parts, and were dropped."""

from __future__ import annotations

import polars as pl


def state(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the records that also speak in each row.

    Returns:
        parents: list of record ids.
    """
    return rows.select("parents")


def decide(state: pl.DataFrame) -> pl.DataFrame:
    """Count the parents of each row of which no row is alive.

    Signals:
        dropped (u32): records among `parents` without a living row, each once; 0 for a row without parents.
    """
    pairs = state.select("id", parent="parents").explode("parent").drop_nulls().unique()
    missing = pairs.join(state.select("record"), left_on="parent", right_on="record", how="anti")
    counts = missing.group_by("id").agg(dropped=pl.len().cast(pl.UInt32))
    found = state.select("id").join(counts, on="id", how="left", maintain_order="left")
    return found.select(pl.col("dropped").fill_null(0))
