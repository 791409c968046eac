"""Which of many units resemble each other: stars and pairs, from candidates that share an element.

A unit is a record or a row with one set of hashes per compared column. Units with the same sets are walked as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import stars
from curate.errors import UserError
from curate.shingles import Ragged
from curate.stars import Indices, Shares
from curate.threads import spread, threads

# Units compared with the keepers before them at once: few, so that a keeper is soon known to all, but enough for the
# threads to have more to do than to wait.
_BLOCK = 1024
# Units whose pairs are written at a time, and room for so many pairs to begin with.
_PART, _ROOM = 2048, 1 << 16
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


# Gives elements as `curate.joins` takes them, of sets as `curate.overlap` does.
Elements = Callable[[tuple[Any, ...], Executor | None, int], tuple[Any, ...]]


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
        pairs = _pairs(whole, chosen, threshold, (pool, workers)) if every else None
        if pairs:
            keeper, best = joins.covered(size, (pairs.later, pairs.earlier, pairs.similarity))
        else:
            keeper, best = _cover(whole, chosen, threshold, (pool, workers))
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


def _emptied(elements: tuple[Any, ...], part: tuple[int, int]) -> tuple[Any, Any]:
    """Return an empty index with room for some units."""
    from curate import joins

    (spans, _, smaller), (first, stop) = elements, part
    whole = int(spans[2, stop - 1] - spans[0, first])
    short = int((spans[1, first:stop] - spans[0, first:stop])[smaller[first:stop]].sum())
    return joins.emptied(elements, part, False, _buckets(whole)), joins.emptied(elements, part, True, _buckets(short))


def _buckets(elements: int) -> int:
    """Return how many buckets an index has: a power of two above half of the number of elements, 256 at least.

    Raises:
        UserError: for more elements than an index has numbers for.
    """
    if elements >= 1 << 31:
        what = f"{elements:,} elements of texts are more than the {1 << 31:,} that one comparison can hold"
        raise UserError("near copies", what, "raise the threshold, or compare sources in runs of their own")
    return 1 << max(8, (elements // 2).bit_length())


def _cover(sets: tuple[Any, ...], elements: tuple[Any, ...], threshold: float, by: tuple[Any, int]) -> tuple[Any, Any]:
    """Return the keeper of each group, -1 for one that stays, and the similarity to it.

    With several threads the groups of a block look for keepers from before it together; those without one are walked;
    then the others look for keepers of the block together.
    """
    from curate import joins

    pool, workers = by
    size = sets[1].shape[1]
    index = _emptied(elements, (0, size))
    best, own = (np.full(size, -1, np.int32), np.zeros(size, np.float64)), _nobody(size)
    if pool is None:
        joins.settled(sets, elements, index, np.arange(size), threshold, (*best, own))
        return best
    seen: SimpleQueue[Any] = SimpleQueue()
    for _ in range(workers):
        seen.put(_nobody(size))
    counts = sets[2].sum(axis=0)

    def look(units: Indices, index: tuple[Any, Any]) -> None:
        def part(first: int, last: int) -> None:
            free = seen.get()
            joins.probed(sets, elements, index, units[first:last], threshold, (*best, free))
            seen.put(free)

        spread(part, counts[units], pool=pool, workers=workers)

    for start in range(0, size, _BLOCK):
        block = np.arange(start, min(size, start + _BLOCK))
        look(block, index)
        joined, alone = block[best[0][block] >= 0], block[best[0][block] < 0]
        near = _emptied(elements, (start, start + len(block)))
        joins.settled(sets, elements, near, alone, threshold, (*best, own))
        joins.indexed(elements, index, alone[best[0][alone] < 0])
        look(joined, near)
    return best


def _nobody(size: int) -> npt.NDArray[np.int32]:
    return np.full((2, size), -1, np.int32)


def _pairs(sets: tuple[Any, ...], elements: tuple[Any, ...], threshold: float, by: tuple[Any, int]) -> Pairs | None:
    """Return all pairs, None where they are too many."""
    from curate import joins

    pool, workers = by
    size, limit = sets[1].shape[1], PAIRS * sets[1].shape[1]
    index = _emptied(elements, (0, size))
    joins.indexed(elements, index, np.arange(size))
    seen: SimpleQueue[Any] = SimpleQueue()
    for _ in range(workers):
        seen.put(_nobody(size))

    def part(start: int) -> list[tuple[Any, ...]]:
        stop, room, free = min(size, start + _PART), _ROOM, seen.get()
        found: list[tuple[Any, ...]] = []
        while start < stop:
            out = (np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.float64))
            reached, used = joins.paired(sets, (elements, index), (start, stop), threshold, out, free)
            found.append(tuple(column[:used].copy() for column in out))
            # A single group with more pairs than there is room for is compared again with twice the room.
            room = room if reached > start else 2 * room
            start = reached
        seen.put(free)
        return found

    total = 0
    parts: list[tuple[Any, ...]] = []
    for found in (pool.map if pool else map)(part, range(0, size, _PART)):
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
