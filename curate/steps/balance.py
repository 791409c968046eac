"""Rank the rows of each group by chance, so that one bound evens the groups out."""

from __future__ import annotations

import polars as pl

from curate import chance
from curate.errors import UserError, suggest


def state(rows: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Draw a number for each row.

    Returns:
        draw: f64 in [0, 1), from seed and row id alone. By row and not by record, so that a small group keeps many
            records with one rendering each instead of a few with all of theirs.
    """
    return pl.DataFrame({"draw": pl.Series(chance.uniforms(seed, rows["id"].to_list(), "balance"), dtype=pl.Float64)})


def decide(state: pl.DataFrame, *, by: str | list[str] = "task") -> pl.DataFrame:
    """Rank by chance within each group: `rank max = N-1` keeps N rows of every group at most.

    Args:
        state: what `state` returned for all living rows, with id, source, task, template, lang, cluster and the signals
            that `by` names, sorted by id.
        by: what makes a group: task (the default, as mixes are planned per task), source, cluster, template, lang, a
            signal of an earlier stage, or a list of these. Rows without a value are one group.

    Signals:
        rank (u32): 0, 1, … within the group, in an order that depends on seed and ids alone.
        size (u32): rows of the group that were alive here.
    """
    keys = [by] if isinstance(by, str) else list(by)
    for key in keys:
        if key not in state.columns or key == "draw":
            known = [name for name in state.columns if name != "draw"]
            raise UserError("balance", f"by = '{key}' is no column", suggest(key, known))
    if not keys:
        raise UserError("balance", "by = [] names no column", 'for example by = "task"')
    # Ids settle the ties that 53 bits of chance may leave.
    ranked = state.with_row_index("place").sort("draw", "id")
    rank = pl.int_range(pl.len()).over(keys).cast(pl.UInt32)
    return ranked.select("place", rank=rank, size=pl.len().over(keys).cast(pl.UInt32)).sort("place").drop("place")
