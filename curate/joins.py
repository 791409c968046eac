"""Compiled set-similarity joins: which of many units reach a Jaccard similarity, and who stays for whom.

Candidates are units that share an *element*: one of the rarest hashes of their sets (no pair can be missed then) or a
band of their signatures. Every candidate is verified on the sets themselves (`curate.overlap`).

Units are numbered in the order of the walk. `elements` is where the short ones of each unit start, where its others
start, and where these end, (3, m) int64; 32 bits of each element, uint32; and which units are smaller than a later one.
An index has one bucket for some of the low bits of an element: where its postings start and stop, (b, 2) int32, and the
postings of all buckets, uint32: the units, ascending in each bucket, and above as many bits of the element as there is
room for, so that two elements in one bucket seldom propose a candidate (without those bits two in three proposed ones
shared nothing: 200,000 rows of a published mix). It has two halves: all elements of all units, where the short ones of
a unit are looked up, and the short ones of smaller units, where the others are (see `curate.rarity.prefixes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I32, I64, U32, U64, Flags, jit
from curate.overlap import Sets, distance, mark, similarity, table_for, unmark

F64 = npt.NDArray[np.float64]
Elements = tuple[I64, U32, Flags]
Postings = tuple[I32, U32]
Index = tuple[Postings, Postings]
Pairs = tuple[I32, I32, F64]
# A unit's most similar keeper so far (-1 for none) and the similarity, (m,) each.
Best = tuple[I32, F64]
# The same and the notes of a thread, (2, m): by whom each unit was met last (-1 for nobody), and room for those met.
State = tuple[I32, F64, I32]

_START, _STOP = 0, 1
_BY, _MET = 0, 1


@jit
def emptied(elements: Elements, part: tuple[int, int], short: bool, buckets: int) -> Postings:
    """Return half of an index with room for some units, but none in it: the short elements of smaller ones, or all."""
    spans, wanted, smaller = elements
    slots = np.zeros((buckets, 2), np.int32)
    mask = np.uint32(buckets - 1)
    for unit in range(part[0], part[1]):
        if smaller[unit] or not short:
            for element in wanted[spans[0, unit] : spans[1 if short else 2, unit]]:
                slots[element & mask, _STOP] += 1
    reached = 0
    for bucket in range(buckets):
        size = slots[bucket, _STOP]
        slots[bucket, _START] = slots[bucket, _STOP] = reached
        reached += size
    return slots, np.empty(reached, np.uint32)


@jit
def indexed(elements: Elements, index: Index, units: I64) -> None:
    """Add some units to an index, after all those before them."""
    for unit in units:
        _indexed(elements, index, unit)


@jit
def _indexed(elements: Elements, index: Index, unit: int) -> None:
    spans, wanted, smaller = elements
    low = _units(len(smaller))
    _post(wanted[spans[0, unit] : spans[2, unit]], index[0], unit, low)
    if smaller[unit]:
        _post(wanted[spans[0, unit] : spans[1, unit]], index[1], unit, low)


@jit
def _units(count: int) -> Any:
    """Return the bits of a posting that number its unit, the lowest ones; the others are the element's."""
    low = np.uint32(0)
    while low < count - 1:
        low = np.uint32(2 * low + 1)
    return low


@jit
def _post(wanted: U32, postings: Postings, unit: int, low: Any) -> None:
    slots, units = postings
    mask = np.uint32(len(slots) - 1)
    for element in wanted:
        bucket = element & mask
        units[slots[bucket, _STOP]] = element & ~low | np.uint32(unit)
        slots[bucket, _STOP] += 1


@jit
def probed(sets: Sets, elements: Elements, index: Index, units: I64, threshold: float, state: State) -> None:
    """Find the most similar keeper of some units among those indexed, ties the first one; improves `state`.

    Args:
        sets: of all units.
        elements: of all units.
        index: of some keepers; those from a unit on do not count for it.
        units: those to look at.
        threshold: least similarity, above 0.
        state: of all units.
    """
    scratch = (_room(elements, units), table_for(sets, units))
    for unit in units:
        _probe(sets, elements, index, unit, threshold, (state, scratch))


@jit
def settled(sets: Sets, elements: Elements, index: Index, units: I64, threshold: float, state: State) -> None:
    """Walk some units, of which none resembles a keeper of before: whoever resembles no keeper becomes one.

    Args:
        sets: of all units.
        elements: of all units.
        index: of none of the units; the keepers among them are added.
        units: those to walk, ascending.
        threshold: least similarity, above 0.
        state: of all units.
    """
    scratch = (_room(elements, units), table_for(sets, units))
    for unit in units:
        _probe(sets, elements, index, unit, threshold, (state, scratch))
        if state[0][unit] < 0:
            _indexed(elements, index, unit)


@jit
def _room(elements: Elements, units: I64) -> I32:
    """Return room for the postings of each element of one of some units: where they start and where they stop."""
    spans = elements[0]
    most = 1
    for unit in units:
        most = max(most, spans[2, unit] - spans[0, unit])
    return np.empty((2, most), np.int32)


@jit
def _met(elements: Elements, index: Index, unit: int, notes: I32, room: I32) -> int:
    """Write the indexed units before this one that share an element with it; return how many.

    Args:
        elements: of all units.
        index: of some of them.
        unit: the unit.
        notes: of this thread.
        room: for the postings of the elements of this unit.
    """
    spans, wanted, _ = elements
    met = _meet(wanted[spans[0, unit] : spans[1, unit]], index[0], unit, 0, (notes, room))
    return _meet(wanted[spans[1, unit] : spans[2, unit]], index[1], unit, met, (notes, room))


@jit
def _meet(wanted: U32, postings: Postings, unit: int, met: int, notes: tuple[I32, I32]) -> int:
    slots, units = postings
    known, room = notes
    mask, low = np.uint32(len(slots) - 1), _units(known.shape[1])
    # In a loop of its own, as the memory then looks up many at a time.
    for place in range(len(wanted)):
        bucket = wanted[place] & mask
        room[_START, place], room[_STOP, place] = slots[bucket, _START], slots[bucket, _STOP]
    for place in range(len(wanted)):
        # Unsigned: else numba asks of each place whether it counts from the end.
        first, at = np.uint64(room[_START, place]), np.uint64(room[_STOP, place])
        while at > first:
            at -= np.uint64(1)
            if units[at] ^ wanted[place] > low:
                continue  # another element
            other = np.int64(units[at] & low)
            if other < unit and known[_BY, other] != unit:
                known[_BY, other] = unit
                known[_MET, met] = other
                met += 1
    return met


@jit
def _probe(
    sets: Sets,
    elements: Elements,
    index: Index,
    unit: int,
    threshold: float,
    state: tuple[State, tuple[I32, U64]],
) -> None:
    """Improve the best keeper of one unit; with the state come room for postings and an empty table."""
    (found, similar, notes), (room, table) = state
    met = _plausible(sets, unit, threshold, notes, _met(elements, index, unit, notes, room))
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
    sets: Sets, candidates: tuple[Elements, Index], part: tuple[int, int], threshold: float, out: Pairs, notes: I32
) -> tuple[int, int]:
    """Compare some units with all before them that share an element, and write every pair at the threshold or above.

    Args:
        sets: of all units.
        candidates: elements and index of all units.
        part: first and one past the last unit to compare.
        threshold: least similarity, above 0.
        out: room for the later and the earlier unit of each pair and their similarity.
        notes: of this thread.

    Returns:
        The first unit that was not compared for want of room, and how many pairs were written.
    """
    later, earlier, similar = out
    units = np.arange(part[0], part[1])
    room, table = _room(candidates[0], units), table_for(sets, units)
    used = 0
    for unit in range(part[0], part[1]):
        met = _met(candidates[0], candidates[1], unit, notes, room)
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
    return part[1], used


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
