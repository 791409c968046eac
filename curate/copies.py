"""What the steps that compare word shingles share: the state of a row, and signals and tables from its stars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import schema, similar, stars, wordsets
from curate.errors import UserError
from curate.schema import Measured
from curate.shingles import BASE, Ragged, mixed
from curate.similar import Groups, Pairs


def state(rows: pl.DataFrame, *, on: str | list[str], shingle: int) -> pl.DataFrame:
    """Return the hashes of the shingles of each compared text, and what a row may be preferred for.

    Args:
        rows: instruction rows.
        on: what is compared.
        shingle: words in a shingle.

    Returns:
        Per column k of `on`: hashes_k (list[u64], distinct; null where the text is null); known (bool, whether none
        is), print_0 and print_1 (u64, 128 bits that are equal where all sets are), length (u32, words of all columns)
        and turns (u32).
    """
    if shingle < 1:
        raise UserError(f"shingle = {shingle}", "must be at least 1", "leave it out for 3")
    found, lengths = {}, pl.repeat(0, rows.height, dtype=pl.UInt32, eager=True)
    prints = np.zeros((rows.height, 2), dtype=np.uint64)
    for number, column in enumerate(stars.columns(on)):
        found[f"hashes_{number}"], words, sums = wordsets.word_sets(schema.column_text(rows, column), width=shingle)
        lengths, prints = lengths + words, mixed(prints * np.uint64(BASE) + sums)
    known = pl.DataFrame(found).select(known=pl.all_horizontal(pl.all().is_not_null()))
    told = pl.DataFrame({f"print_{half}": prints[:, half] for half in range(2)})
    return pl.DataFrame(found).hstack(known).hstack(told).hstack(stars.merits(rows, lengths))


def columns(state: pl.DataFrame, on: str | list[str], *, workers: int = 1) -> list[Ragged]:
    """Return the sets of each column."""
    return [wordsets.ragged(state[f"hashes_{number}"], workers=workers) for number in range(len(stars.columns(on)))]


def prints(state: pl.DataFrame, places: stars.Indices) -> npt.NDArray[np.uint64]:
    """Return what tells the sets of the units at some places, (m, 2)."""
    return np.stack([state[f"print_{half}"].to_numpy()[places] for half in range(2)], axis=1)


def require(threshold: float) -> None:
    """Refuse a threshold outside (0, 1].

    Raises:
        UserError: for one that is.
    """
    if not 0 < threshold <= 1:
        raise UserError(f"threshold = {threshold}", "is not in (0, 1]", "0.8 is the default")


def measured(
    state: pl.DataFrame,
    compared: tuple[stars.Units, Groups, stars.Stars, Pairs | None],
    *,
    order: stars.Indices,
    facts: Mapping[str, Any],
) -> Measured:
    """Return the signals of the rows and the tables `pairs` and `join`.

    Args:
        state: of n rows.
        compared: the units, their groups, the stars of the groups, and all pairs of groups where they are known.
        order: all units as they were walked.
        facts: more columns of the table `join`.
    """
    found, grouped, walked, pairs = compared
    result = similar.expanded(walked, grouped)
    keeper = np.where(state["known"].to_numpy()[found.first], result.keeper, stars.UNKNOWN)
    signals = stars.signals(stars.Stars(keeper, result.similarity), found=found, ids=state["id"], order=order)
    whole = pairs is not None
    known = pairs or _with_keepers(walked)
    table = _table(known, grouped, order, state["id"].gather(found.first))
    join = {"units": len(found.first), "texts": len(grouped.walked), "pairs": table.height, "complete": whole}
    return Measured(signals, {"pairs": table, "join": pl.DataFrame([{**facts, **join}])})


def _with_keepers(walked: stars.Stars) -> Pairs:
    """Return the pairs of every removed group with its keeper."""
    removed = np.flatnonzero(walked.keeper != np.arange(len(walked.keeper)))
    earlier = walked.keeper[removed].astype(np.int32)
    return Pairs(removed.astype(np.int32), earlier, walked.similarity[removed])


def _table(pairs: Pairs, grouped: Groups, order: stars.Indices, ids: pl.Series) -> pl.DataFrame:
    """Return the pairs of groups and of each unit with the one that speaks for its group, as ids.

    Returns:
        id, other: the later and the earlier unit; similarity (f64); place, other_place (u32): theirs in the walk.
    """
    spoken = np.where(grouped.of >= 0, grouped.of, 0)
    own = np.arange(len(grouped.of), dtype=np.int64)
    leader = grouped.walked[spoken] if len(grouped.walked) else own
    same = np.flatnonzero((grouped.of >= 0) & (leader != own))
    later = np.concatenate([grouped.walked[pairs.later], same])
    earlier = np.concatenate([grouped.walked[pairs.earlier], leader[same]])
    place = np.empty(len(order), dtype=np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    return pl.DataFrame(
        {
            "id": ids.gather(later),
            "other": ids.gather(earlier),
            "similarity": np.concatenate([pairs.similarity, np.ones(len(same))]),
            "place": place[later],
            "other_place": place[earlier],
        }
    )
