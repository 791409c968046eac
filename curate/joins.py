"""Compiled set-similarity joins: which of many units reach a Jaccard similarity, and who stays for whom.

Candidates are units that share an *element*: one of the rarest hashes of their sets (no pair can be missed then) or a
band of their signatures. Every candidate is verified on the sets themselves (`curate.overlap`).

Units are numbered in the order of the walk. Their elements come in parts of consecutive units: the first unit; where
the short elements of each unit start, where its others start, and where these end, (3, n) int64; and 32 bits of each
element, uint32. `smaller` is which units are smaller than a later one, (m,) bool.

An index has one bucket for some of the low bits of an element: (b, 2) uint32, where its postings start, or the only one
itself, and how many there are; and room for the others, uint32, with how much of it is used, (1,) int64. A posting is a
unit, and above it as many bits of the element as there is room for, so that two elements in one bucket seldom propose a
candidate (without those bits two in three proposed ones shared nothing: 200,000 rows of a published mix). An index has
two halves: all elements of its units, where the short ones of a unit are looked up, and the short ones of smaller
units, where the others are (see `curate.rarity.prefixes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I32, I64, U32, U64, Flags, jit
from curate.overlap import Sets, distance, mark, similarity, table_for, unmark

F64 = npt.NDArray[np.float64]
Part = tuple[int, I64, U32]
Postings = tuple[U32, U32, I64]
Index = tuple[Postings, Postings]
Pairs = tuple[I32, I32, F64]
# A unit's most similar keeper so far (-1 for none) and the similarity, (m,) each.
Best = tuple[I32, F64]
# The same and the notes of a thread, (2, m): by whom each unit was met last (-1 for nobody), and room for those met.
State = tuple[I32, F64, I32]

_START, _SIZE = 0, 1
_BY, _MET = 0, 1
_ONE = np.uint64(1)


@jit
def indexed(part: Part, smaller: Flags, index: Index) -> None:
    """Add the units of a part to an index, after all those before them."""
    for unit in _numbers(part):
        _indexed(part, smaller, index, unit)


@jit
def _numbers(part: Part) -> I64:
    """Return the units of a part."""
    return np.arange(part[0], part[0] + part[1].shape[1])


@jit
def _indexed(part: Part, smaller: Flags, index: Index, unit: int) -> None:
    first, spans, wanted = part
    low, place = _units(len(smaller)), unit - first
    _post(wanted[spans[0, place] : spans[2, place]], index[0], unit, low)
    if smaller[unit]:
        _post(wanted[spans[0, place] : spans[1, place]], index[1], unit, low)


@jit
def _units(count: int) -> Any:
    """Return the bits of a posting that number its unit, the lowest ones; the others are the element's."""
    low = np.uint32(0)
    while low < count - 1:
        low = np.uint32(2 * low + 1)
    return low


@jit
def _post(wanted: U32, postings: Postings, unit: int, low: Any) -> None:
    """Add a posting for each element; a bucket that holds a power of two of them moves to where twice as many fit."""
    buckets, room, used = postings
    mask = np.uint32(len(buckets) - 1)
    for element in wanted:
        bucket = element & mask
        posting, size = element & ~low | np.uint32(unit), np.uint64(buckets[bucket, _SIZE])
        if size == 0:
            buckets[bucket, _START] = posting
        else:
            if size & (size - _ONE) == 0:
                first, to = np.uint64(buckets[bucket, _START]), np.uint64(used[0])
                used[0] += np.int64(2 * size)
                for place in range(size):
                    room[to + place] = room[first + place] if size > _ONE else np.uint32(first)
                buckets[bucket, _START] = to
            room[np.uint64(buckets[bucket, _START]) + size] = posting
        buckets[bucket, _SIZE] = size + _ONE


@jit
def settled(sets: Sets, part: Part, smaller: Flags, index: Index, threshold: float, state: State) -> None:
    """Walk the units of a part: whoever resembles no keeper becomes one.

    Args:
        sets: of all units.
        part: elements of the units to walk.
        smaller: of all units.
        index: of the keepers before them; those among them are added.
        threshold: least similarity, above 0.
        state: of all units.
    """
    scratch = (_room(part), table_for(sets, _numbers(part)))
    for unit in _numbers(part):
        _probe(sets, part, index, unit, threshold, (state, scratch))
        if state[0][unit] < 0:
            _indexed(part, smaller, index, unit)


@jit
def _room(part: Part) -> U32:
    """Return room for the bucket of each element of one of some units."""
    spans = part[1]
    most = 1
    for place in range(spans.shape[1]):
        most = max(most, spans[2, place] - spans[0, place])
    return np.empty((2, most), np.uint32)


@jit
def _met(part: Part, index: Index, unit: int, notes: I32, room: U32) -> int:
    """Write the indexed units before this one that share an element with it; return how many.

    Args:
        part: with the elements of the unit.
        index: of some units.
        unit: the unit.
        notes: of this thread.
        room: for the buckets of the elements of this unit.
    """
    first, spans, wanted = part
    place = unit - first
    met = _meet(wanted[spans[0, place] : spans[1, place]], index[0], unit, 0, (notes, room))
    return _meet(wanted[spans[1, place] : spans[2, place]], index[1], unit, met, (notes, room))


@jit
def _meet(wanted: U32, postings: Postings, unit: int, met: int, notes: tuple[I32, U32]) -> int:
    buckets, units, _ = postings
    known, room = notes
    mask, low = np.uint32(len(buckets) - 1), _units(known.shape[1])
    # In a loop of its own, as the memory then looks up many at a time.
    for place in range(len(wanted)):
        bucket = wanted[place] & mask
        room[_START, place], room[_SIZE, place] = buckets[bucket, _START], buckets[bucket, _SIZE]
    for place in range(len(wanted)):
        # Unsigned: else numba asks of each place whether it counts from the end.
        first, size = np.uint64(room[_START, place]), np.uint64(room[_SIZE, place])
        for at in range(size):
            posting = units[first + at] if size > _ONE else room[_START, place]
            if posting ^ wanted[place] > low:
                continue  # another element
            other = np.int64(posting & low)
            if other < unit and known[_BY, other] != unit:
                known[_BY, other] = unit
                known[_MET, met] = other
                met += 1
    return met


@jit
def _probe(
    sets: Sets,
    part: Part,
    index: Index,
    unit: int,
    threshold: float,
    state: tuple[State, tuple[U32, U64]],
) -> None:
    """Improve the best keeper of one unit; with the state come room for buckets and an empty table."""
    (found, similar, notes), (room, table) = state
    met = _plausible(sets, unit, threshold, notes, _met(part, index, unit, notes, room))
    if met:
        mark(sets, unit, table)
    for at in range(met):
        other = notes[_MET, at]
        least = max(threshold, similar[unit])
        if at and distance(sets, unit, other, least) < 0:
            continue
        share = similarity(sets, unit, other, least, table)
        if share > similar[unit] or (share > 0 and share == similar[unit] and other < found[unit]):
            found[unit], similar[unit] = other, share
    if met:
        unmark(sets, unit, table)


@jit
def _plausible(sets: Sets, unit: int, threshold: float, notes: I32, met: int) -> int:
    """Keep of the units met those that may reach the threshold, the closest in front; return how many."""
    kept, closest = 0, 0
    for at in range(met):
        other = notes[_MET, at]
        bits = distance(sets, unit, other, threshold)
        if bits < 0:
            continue
        notes[_MET, kept] = other
        # The sooner the most similar one is known, the fewer of the others need a closer look.
        if kept == 0 or bits < closest:
            notes[_MET, kept], notes[_MET, 0], closest = notes[_MET, 0], other, bits
        kept += 1
    return kept


@jit
def paired(
    sets: Sets, candidates: tuple[Part, Index], start: int, threshold: float, out: Pairs, notes: I32
) -> tuple[int, int]:
    """Compare the units of a part with all before them that share an element, and write every pair at the threshold.

    Args:
        sets: of all units.
        candidates: elements of the units to compare, and the index of all units.
        start: the first unit of the part to compare.
        threshold: least similarity, above 0.
        out: room for the later and the earlier unit of each pair and their similarity.
        notes: of this thread.

    Returns:
        The first unit that was not compared for want of room, and how many pairs were written.
    """
    part, index = candidates
    later, earlier, similar = out
    stop = part[0] + part[1].shape[1]
    room, table = _room(part), table_for(sets, _numbers(part))
    used = 0
    for unit in range(start, stop):
        met = _met(part, index, unit, notes, room)
        if used + met > len(later):
            notes[_BY] = -1  # the unit is looked at again
            return unit, used
        met = _plausible(sets, unit, threshold, notes, met)
        if met:
            mark(sets, unit, table)
        for at in range(met):
            other = notes[_MET, at]
            share = similarity(sets, unit, other, threshold, table)
            if share > 0:
                later[used], earlier[used], similar[used] = unit, other, share
                used += 1
        if met:
            unmark(sets, unit, table)
    return stop, used


@jit
def covered(size: int, pairs: Pairs) -> Best:
    """Walk once and keep what no keeper so far resembles; the rest joins the most similar keeper, ties the first one.

    Args:
        size: how many units there are.
        pairs: all at the threshold or above, ascending by the later unit.

    Returns:
        The keeper of each unit, -1 for one that stays, and the similarity to it.
    """
    later, earlier, similar = pairs
    keeper, best = np.full(size, -1, np.int32), np.zeros(size, np.float64)
    for place in range(len(later)):
        unit, other, share = later[place], earlier[place], similar[place]
        closer = share > best[unit] or (share == best[unit] and other < keeper[unit])
        if keeper[other] < 0 and closer:
            keeper[unit], best[unit] = other, share
    return keeper, best
