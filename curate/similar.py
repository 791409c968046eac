"""Which of many units resemble each other: stars and pairs, from candidates that share an element.

A unit is a record or a row with one set of hashes per compared column. Units with the same sets are walked as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import stars
from curate.errors import UserError
from curate.shingles import Ragged
from curate.stars import Indices, Shares
from curate.threads import spread, threads

# Units whose elements are chosen and whose pairs are written at a time: few, so that the walk begins soon, but enough
# for the threads to have more to do than to wait. And room for so many pairs to begin with.
PART, _ROOM = 2048, 1 << 16
# Pairs kept for each unit at most: a star of n members has n² / 2 pairs, and thousands of near copies of one text would
# fill the memory with what nobody reads.
PAIRS = 10


@dataclass(frozen=True)
class Units:
    """The sets of m units, f columns each.

    Args:
        values: all hashes, uint64, none is 0.
        starts, stops: (f, m) int64, where each set lies in them; an empty one marks a column without words.
    """

    values: npt.NDArray[np.uint64]
    starts: Indices
    stops: Indices

    def take(self, places: Indices) -> Units:
        """Return some of the units."""
        return Units(self.values, self.starts[:, places], self.stops[:, places])

    def compiled(self, maps: Any) -> tuple[Any, ...]:
        """Return the sets as `curate.overlap` takes them."""
        return self.values, self.starts, self.counts.astype(np.int32), maps

    @property
    def counts(self) -> Indices:
        """Return how many hashes each set has, (f, m)."""
        found: Indices = self.stops - self.starts
        return found

    @property
    def worded(self) -> npt.NDArray[np.bool_]:
        """Return which units have words in every column, (m,)."""
        found: npt.NDArray[np.bool_] = np.min(self.counts, axis=0) > 0
        return found


@dataclass(frozen=True)
class Pairs:
    """Pairs of groups at the threshold or above, ascending by the later one.

    Args:
        later, earlier: (p,) places in the walk.
        similarity: (p,) exact.
    """

    later: npt.NDArray[np.int32]
    earlier: npt.NDArray[np.int32]
    similarity: Shares


@dataclass(frozen=True)
class Groups:
    """Units with the same sets, walked as one.

    Args:
        walked: (g,) the unit that speaks for each group, in the order of the walk.
        of: (m,) the group of each unit, -1 for one without words, which resembles nothing.
    """

    walked: Indices
    of: Indices


# The first unit, where its elements and those of the next lie, and the elements: see `curate.joins`.
Part = tuple[int, Indices, npt.NDArray[np.uint32]]


@dataclass(frozen=True)
class Candidates:
    """What makes two of m units candidates, as `curate.joins` takes it.

    Args:
        most: how many elements there are at most, and how many short ones of smaller units.
        smaller: (m,) which units are smaller than a later one.
        parts: all elements, in the order of the walk; while some are walked, the next may be chosen.
    """

    most: tuple[int, int]
    smaller: npt.NDArray[np.bool_]
    parts: Iterable[Part]


# Gives what makes two units candidates, of sets as `curate.overlap` takes them.
Elements = Callable[[tuple[Any, ...], Executor | None, int], Candidates]


def units(columns: Sequence[Ragged], *, places: Indices) -> Units:
    """Return the units at some places of columns of sets; a single column is not copied.

    Args:
        columns: f columns of n sets.
        places: (m,) the place of each unit.
    """
    ends = np.cumsum([0, *(len(column.values) for column in columns)])
    if not columns:
        return Units(np.zeros(0, np.uint64), np.zeros((1, 0), np.int64), np.zeros((1, 0), np.int64))
    values = columns[0].values if len(columns) == 1 else np.concatenate([column.values for column in columns])
    starts = np.stack([column.offsets[:-1][places] + end for column, end in zip(columns, ends, strict=False)])
    stops = np.stack([column.offsets[1:][places] + end for column, end in zip(columns, ends, strict=False)])
    return Units(values, starts.astype(np.int64), stops.astype(np.int64))


def groups(sets: Units, *, order: Indices) -> Groups:
    """Group the units by their sets; the first of each group in the order speaks for it."""
    if not len(order):
        return Groups(order, order)
    from curate import overlap

    return led(overlap.fingerprinted(sets.values, sets.starts, sets.stops), sets.worded, order)


def led(prints: npt.NDArray[np.uint64], worded: npt.NDArray[np.bool_], order: Indices) -> Groups:
    """Group the units by their fingerprints (m, 2); one without words in some column belongs to no group."""
    from curate import overlap

    order = order[worded[order]]
    leader = overlap.leaders(prints, order)
    walked = order[leader[order] == order]
    number = np.full(len(leader), -1, dtype=np.int64)
    number[walked] = np.arange(len(walked))
    return Groups(walked, np.where(worded, number[leader], -1))


def walked(
    sets: Units, *, elements: Elements, threshold: float, workers: int = 1, every: bool = False
) -> tuple[stars.Stars, Pairs | None]:
    """Walk the groups and keep what no keeper so far resembles; the rest joins its most similar keeper, ties the first.

    So whatever is removed has a kept neighbour at the threshold or above, and no two kept groups that share an element
    reach it. In a chain A~B~C with A and C unlike, walked from an end, A and C stay.

    Args:
        sets: of the groups, in the order of the walk.
        elements: what makes two groups candidates.
        threshold: least Jaccard similarity, in (0, 1].
        workers: threads; the result does not depend on how many.
        every: whether all pairs are wanted, also those of two removed groups.

    Returns:
        The stars, and all pairs; None instead of them where they were not wanted or are more than `PAIRS` per group.
    """
    size = sets.starts.shape[1]
    if not size:
        empty = np.zeros(0, np.int32)
        return stars.Stars(np.zeros(0, np.int64), np.zeros(0)), Pairs(empty, empty, np.zeros(0)) if every else None
    from curate import joins

    with threads(workers) as pool:
        whole = sets.compiled(_bitmaps(sets, pool, workers))
        chosen = elements(whole, pool, workers)
        if every:
            chosen = replace(chosen, parts=list(chosen.parts))
        pairs = _pairs(whole, chosen, threshold, (pool, workers)) if every else None
        if pairs:
            keeper, best = joins.covered(size, (pairs.later, pairs.earlier, pairs.similarity))
        else:
            keeper, best = _cover(whole, chosen, threshold)
    own = np.arange(size, dtype=np.int64)
    return stars.Stars(np.where(keeper < 0, own, keeper), np.where(keeper < 0, 1.0, best)), pairs


def _bitmaps(sets: Units, pool: Executor | None, workers: int) -> Any:
    from curate import overlap

    maps = np.zeros((*sets.starts.shape, overlap.WORDS), np.uint64)
    sizes = sets.counts.astype(np.int32)
    laid = np.argsort(sets.starts[0])  # what lies side by side is read sooner than what does not

    def part(start: int, stop: int) -> None:
        overlap.mapped(sets.values, sets.starts, sizes, laid[start:stop], maps)

    spread(part, sizes.sum(axis=0)[laid], pool=pool, workers=workers)
    return maps


def _emptied(most: tuple[int, int]) -> tuple[Any, ...]:
    """Return an empty index with room for so many elements.

    Raises:
        UserError: for more elements than an index has numbers for.
    """
    if most[0] >= 1 << 30:
        what = f"{most[0]:,} elements of texts are more than the {1 << 30:,} that one comparison can hold"
        raise UserError("near copies", what, "raise the threshold, or compare sources in runs of their own")
    # A power of two above a quarter of the elements: hardly more than half of them are posted, those of keepers. The
    # room that buckets were moved from stays empty: in all they take less than four times what is in them at last.
    return tuple(
        (
            np.zeros((1 << max(8, (size // 4).bit_length()), 2), np.uint32),
            np.empty(4 * size, np.uint32),
            np.zeros(1, np.int64),
        )
        for size in most
    )


def _cover(sets: tuple[Any, ...], candidates: Candidates, threshold: float) -> tuple[Any, Any]:
    """Return the keeper of each group, -1 for one that stays, and the similarity to it."""
    from curate import joins

    size = sets[1].shape[1]
    index, notes = _emptied(candidates.most), _nobody(size)
    best = np.full(size, -1, np.int32), np.zeros(size, np.float64)
    for part in candidates.parts:
        joins.settled(sets, part, candidates.smaller, index, threshold, (*best, notes))
    return best


def _nobody(size: int) -> npt.NDArray[np.int32]:
    return np.full((2, size), -1, np.int32)


def _pairs(sets: tuple[Any, ...], candidates: Candidates, threshold: float, by: tuple[Any, int]) -> Pairs | None:
    """Return all pairs, None where they are too many."""
    from curate import joins

    pool, workers = by
    size, limit = sets[1].shape[1], PAIRS * sets[1].shape[1]
    index = _emptied(candidates.most)
    for part in candidates.parts:
        joins.indexed(part, candidates.smaller, index)
    seen: SimpleQueue[Any] = SimpleQueue()
    for _ in range(workers):
        seen.put(_nobody(size))

    def compared(part: Part) -> list[tuple[Any, ...]]:
        start, stop, room, free = part[0], part[0] + part[1].shape[1], _ROOM, seen.get()
        found: list[tuple[Any, ...]] = []
        while start < stop:
            out = (np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.float64))
            reached, used = joins.paired(sets, (part, index), start, threshold, out, free)
            found.append(tuple(column[:used].copy() for column in out))
            # A single group with more pairs than there is room for is compared again with twice the room.
            room = room if reached > start else 2 * room
            start = reached
        seen.put(free)
        return found

    total = 0
    parts: list[tuple[Any, ...]] = []
    for found in (pool.map if pool else map)(compared, candidates.parts):
        parts += found
        total += sum(len(columns[0]) for columns in found)
        if total > limit:
            return None
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def expanded(found: stars.Stars, grouped: Groups) -> stars.Stars:
    """Return the stars of the units: the others of a keeper's group join it at similarity 1, or share their fate."""
    own = np.arange(len(grouped.of), dtype=np.int64)
    known = grouped.of >= 0
    group = np.where(known, grouped.of, 0)
    if not len(grouped.walked):
        return stars.Stars(own, np.ones(len(own)))
    keeper = np.where(known, grouped.walked[found.keeper[group]], own)
    return stars.Stars(keeper, np.where(known, found.similarity[group], 1.0))
