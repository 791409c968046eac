"""Duplicates, one meaning everywhere: a star has one keeper, which stays, and every other member names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.errors import UserError, suggest

Indices = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
# A unit, and what it may be compared with: keepers so far at or above the threshold, with their similarity.
Matches = Callable[[int], tuple[Indices, Shares]]

UNKNOWN = -1


@dataclass(frozen=True)
class Units:
    """What is compared: records or rows, ascending by their lowest id.

    Args:
        first: (m,) the place of each unit's row of lowest id.
        of: (n,) the unit of each row.
    """

    first: Indices
    of: Indices


@dataclass(frozen=True)
class Stars:
    """Who stays for whom.

    Args:
        keeper: (m,) the unit that stays: itself for a keeper, `UNKNOWN` for a unit without a text.
        similarity: (m,) to the keeper; anything where the unit is its own keeper.
    """

    keeper: Indices
    similarity: Shares


def columns(on: str | list[str]) -> list[str]:
    """Return the columns that `on` names.

    Raises:
        UserError: when it names none, or one twice.
    """
    named = [on] if isinstance(on, str) else list(on)
    if not named or len(set(named)) != len(named):
        raise UserError(f"on = {on!r}", "names no column, or one twice", 'for example on = "content"')
    return named


def units(state: pl.DataFrame, *, on: str | list[str]) -> Units:
    """Return the units of a state: records when contents are compared, rows otherwise.

    Renderings of one record have one content, so they share one fate; other columns differ from row to row. A record
    speaks through its row of lowest id.

    Args:
        state: n rows sorted by id, with `record`.
        on: the columns compared.
    """
    places = np.arange(state.height, dtype=np.int64)
    if columns(on) != ["content"]:
        return Units(places, places)
    records = state["record"]
    if records.is_sorted():  # as ids begin like their records, they are but for rows of records that begin alike
        # Slices are views; `shift` would copy the texts.
        begins = np.ones(len(records), dtype=np.bool_)
        begins[1:] = (records[1:] != records[:-1]).to_numpy()
        return Units(np.flatnonzero(begins), np.cumsum(begins) - 1)
    numbered = state.select("record", place=pl.Series(places))
    found = numbered.select(pl.col("place").min().over("record"))["place"].to_numpy()
    kept = np.unique(found)
    return Units(kept, np.searchsorted(kept, found).astype(np.int64))


# What a survivor may be preferred for, beside signals of earlier stages.
PREFERENCES = ("longest", "turns", "source=NAME")


def merits(rows: pl.DataFrame, lengths: pl.Series) -> pl.DataFrame:
    """Return what a row may be preferred for, whatever is compared: its length and how many turns it has, u32 each.

    Args:
        rows: n instruction rows.
        lengths: (n,) in whatever the step counts.
    """
    turns = rows["messages"].list.len() if "messages" in rows.columns else pl.repeat(0, rows.height, eager=True)
    return pl.DataFrame({"length": lengths.cast(pl.UInt32), "turns": turns.fill_null(0).cast(pl.UInt32)})


def order(state: pl.DataFrame, *, found: Units, prefer: str | list[str] = "longest") -> Indices:
    """Return all units, those that should stay first, then the lowest id: never the order in which rows came.

    Args:
        state: n rows sorted by id, with `length` and `turns` (see `merits`), `source` and the signals named.
        found: the units; a record speaks through its row of lowest id.
        prefer: `longest` (more of what the step counts), `turns` (more turns), `source=NAME` (rows of that source), or
            a numeric signal of an earlier stage (more of it, null last); the contrary with a minus before. Where the
            first ties, the next decides.

    Raises:
        UserError: for a preference that is none.
    """
    keys = []
    for name in [prefer] if isinstance(prefer, str) else prefer:
        wanted = name.removeprefix("-")
        if wanted.startswith("source="):
            value = state["source"] == wanted.removeprefix("source=")
        elif wanted in ("longest", "turns"):
            value = state["length" if wanted == "longest" else "turns"]
        elif "." in wanted and wanted in state.columns and _ordered(state[wanted].dtype):
            value = state[wanted]
        else:
            raise UserError(f"prefer = '{name}'", "is no numeric signal", suggest(wanted, PREFERENCES))
        keys.append(value.gather(found.first).cast(pl.Float64) * (-1.0 if name.startswith("-") else 1.0))
    own = np.arange(len(found.first), dtype=np.int64)
    if not keys:
        return own
    columns = {f"key_{number}": key for number, key in enumerate(keys)}
    frame = pl.DataFrame({**columns, "place": own})
    ordered = frame.sort([*columns], descending=True, nulls_last=True, maintain_order=True)["place"]
    return ordered.to_numpy().astype(np.int64)


def _ordered(kind: pl.DataType) -> bool:
    return kind.is_numeric() or kind == pl.Boolean


def cover(order: Indices, *, size: int, matches: Matches, admit: Callable[[int], None]) -> Stars:
    """Walk once and keep what no keeper so far resembles; the rest joins its most similar keeper, ties the lowest id.

    So whatever is removed has a kept neighbour at or above the threshold. In a chain A~B~C with A and C unlike, walked
    from an end, A and C stay; B alone stays where it is walked first, since both resemble it.

    Args:
        order: the units to walk, first ones first; units left out stay without being compared.
        size: how many units there are.
        matches: given a unit, the keepers so far that are similar enough, and how similar.
        admit: told each new keeper.
    """
    keeper = np.arange(size, dtype=np.int64)
    similarity = np.ones(size, dtype=np.float64)
    for unit in order.tolist():
        others, found = matches(unit)
        if not len(others):
            admit(unit)
            continue
        best = found.max()
        keeper[unit], similarity[unit] = others[found == best].min(), best
    return Stars(keeper, similarity)


def ranks(stars: Stars, *, order: Indices) -> Indices:
    """Return 0 for keepers and 1, 2, … for the members of each star in walking order, shape (m,).

    Args:
        stars: the stars.
        order: (m,) all units, first ones first.
    """
    walked = np.empty(len(order), dtype=np.int64)
    walked[order] = np.arange(len(order))
    member = stars.keeper != np.arange(len(order))
    by_star = np.lexsort((walked, member, stars.keeper))
    sorted_keeper = stars.keeper[by_star]
    start = np.searchsorted(sorted_keeper, sorted_keeper, side="left")
    rank = np.empty(len(order), dtype=np.int64)
    rank[by_star] = np.arange(len(order)) - start
    return rank


def signals(stars: Stars, *, found: Units, ids: pl.Series, order: Indices | None = None) -> pl.DataFrame:
    """Return cluster, rank, keeper and similarity of every row; all null for a unit without a text.

    Args:
        stars: who stays for whom.
        found: the units.
        ids: (n,) ids of the rows, ascending.
        order: (m,) all units as they were walked; by id when left out.
    """
    own = np.arange(len(found.first), dtype=np.int64)
    rank = ranks(stars, order=own if order is None else order)
    known = stars.keeper != UNKNOWN
    stays = stars.keeper == own
    # A keeper's own id differs among the rows of its record, so the cluster is the lowest of them.
    keepers = ids.gather(found.first[np.where(known, stars.keeper, 0)]) if len(own) else ids.clear()
    by_unit = pl.DataFrame(
        {
            "known": known,
            "stays": stays,
            "cluster": keepers,
            "rank": pl.Series(rank, dtype=pl.Int64),
            "similarity": pl.Series(stars.similarity, dtype=pl.Float64),
        }
    )[found.of]
    removed = pl.col("known") & ~pl.col("stays")
    return by_unit.select(
        cluster=pl.when("known").then("cluster"),
        rank=pl.when("known").then("rank").cast(pl.UInt32),
        keeper=pl.when(removed).then("cluster"),
        similarity=pl.when(removed).then("similarity"),
    )
