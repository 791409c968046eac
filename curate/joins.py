"""Compiled set-similarity joins: which of many units reach a Jaccard similarity, and who stays for whom.

Candidates are units that share an *element*: one of the rarest hashes of their sets (no pair can be missed then) or a
band of their signatures. Every candidate is verified on the sets themselves (`curate.overlap`).

Units are numbered in the order of the walk. `elements` is where those of each unit end, with a 0 before, and the
elements themselves: (m + 1,) int64 and uint64. An index is the last posting of each bucket (int32, -1 for none) and
the postings, (p, 3) int32: the posting before it in its bucket, 32 bits of the element, and the unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I32, I64, U8, U64, jit
from curate.overlap import Sets, alike, least_shared, mark, similarity, table_for, unmark

F64 = npt.NDArray[np.float64]
U16 = npt.NDArray[np.uint16]
Elements = tuple[I64, U64]
Index = tuple[I32, I32]
Pairs = tuple[I32, I32, F64]
# A unit's most similar keeper so far (-1 for none) and the similarity, (m,) each.
Best = tuple[I32, F64]
# The same and by whom each unit was seen last, -1 for nobody: (m,) each, the last one for each thread.
State = tuple[I32, F64, I32]

_U = np.uint64
# The low bits of an element choose its bucket; these tell it from the others there.
_TAG = _U(32)
_BEFORE, _SIGN, _UNIT = 0, 1, 2


@jit
def tallied(sets: Sets, column: int, shift: Any, table: U16) -> None:
    """Count the hashes of all sets in a table by their leading bits: too many only where two share one."""
    values, starts, stops, _ = sets
    for unit in range(starts.shape[1]):
        for at in range(starts[column, unit], stops[column, unit]):
            place = values[at] >> shift
            if table[place] < 65535:
                table[place] += 1


@jit
def levels(table: U16) -> U8:
    """Return eight times the binary logarithm of each count, rounded down, 0 for 0 and 1.

    Steps of an octave leave a tenth more candidates to look at (200,000 rows of a published mix).
    """
    known = np.zeros(1 << 16, np.uint8)
    for count in range(2, len(known)):
        known[count] = np.uint8(8 * np.log2(count))
    found = np.empty(len(table), np.uint8)
    for place in range(len(table)):
        found[place] = known[table[place]]
    return found


@jit
def prefixes(sets: Sets, column: int, part: tuple[int, int], rarity: tuple[Any, U8, float], out: U64) -> I64:
    """Write the rarest hashes of some sets to `out`, so many that any two sets at the threshold share one of theirs.

    Prefix filter (Chaudhuri et al., "A primitive operator for similarity joins", 2006; Bayardo et al., 2007): two sets
    of which the first needs s of its n elements in common share one of its n - s + 1 first ones in any one order of
    all elements. The order here is by level, then by hash. An element that no other set has cannot be shared and is
    left out.

    Args:
        sets: the sets.
        column: which of their columns.
        part: first and one past the last unit.
        rarity: shift as `tallied` took it, the `levels` of its table, and the threshold.
        out: room for one hash per element.

    Returns:
        Where the hashes of each unit of the part end, with a 0 before.
    """
    values, starts, stops, _ = sets
    shift, known, threshold = rarity
    longest = 1
    for unit in range(part[0], part[1]):
        longest = max(longest, stops[column, unit] - starts[column, unit])
    keys = np.empty(longest, np.uint64)
    ends = np.zeros(part[1] - part[0] + 1, np.int64)
    used = 0
    for unit in range(part[0], part[1]):
        size, count = stops[column, unit] - starts[column, unit], 0
        # What no other set has is overwritten by the next: without a branch this takes three quarters of the time.
        for at in range(starts[column, unit], stops[column, unit]):
            level = known[values[at] >> shift]
            keys[count] = _U(level) << _U(56) | values[at] >> _U(8)
            count += level > 0
        wanted = count - least_shared(size, threshold) + 1
        if wanted > 0:
            _select(keys, count, wanted)
            out[used : used + wanted] = keys[:wanted]
            used += wanted
        ends[unit - part[0] + 1] = used
    return ends


@jit
def _select(keys: U64, count: int, wanted: int) -> None:
    """Move the `wanted` smallest of the first `count` keys to the front (Hoare's selection)."""
    low, high = 0, count - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while keys[left] < pivot:
                left += 1
            while keys[right] > pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if wanted <= right + 1:
            high = right
        elif wanted > left:
            low = left
        else:
            return


@jit
def probed(
    sets: Sets, elements: Elements, index: Index, part: tuple[int, int, int], threshold: float, state: State
) -> None:
    """Find the most similar keeper of each unit of a part among those indexed, ties the first one; improves `state`.

    Args:
        sets: of all units.
        elements: of all units.
        index: of the keepers so far.
        part: first and one past the last unit, and the first posting that counts.
        threshold: least similarity, above 0.
        state: of all units.
    """
    table = table_for(sets, part[0], part[1])
    for unit in range(part[0], part[1]):
        _probe(sets, elements, index, (unit, part[2]), threshold, (state[0], state[1], state[2], table))


@jit
def settled(
    sets: Sets, elements: Elements, index: Index, part: tuple[int, int, int, int], threshold: float, state: State
) -> int:
    """Walk a part: whoever resembles no keeper becomes one and is indexed; return how many postings there are then.

    Args:
        sets: of all units.
        elements: of all units.
        index: of the keepers so far; those of the part are added.
        part: first and one past the last unit, the first posting that counts (what lies before is in `state` already),
            and how many postings there are.
        threshold: least similarity, above 0.
        state: of all units.
    """
    heads, postings = index
    ends, wanted = elements
    mask = _U(len(heads) - 1)
    table = table_for(sets, part[0], part[1])
    used = part[3]
    for unit in range(part[0], part[1]):
        _probe(sets, elements, index, (unit, part[2]), threshold, (state[0], state[1], state[2], table))
        if state[0][unit] >= 0:
            continue
        for place in range(ends[unit], ends[unit + 1]):
            bucket = wanted[place] & mask
            postings[used, _BEFORE], postings[used, _UNIT] = heads[bucket], unit
            postings[used, _SIGN] = np.int32(wanted[place] >> _TAG)
            heads[bucket] = used
            used += 1
    return used


@jit
def _probe(
    sets: Sets,
    elements: Elements,
    index: Index,
    which: tuple[int, int],
    threshold: float,
    state: tuple[I32, F64, I32, U64],
) -> None:
    """Improve the best keeper of one unit; state is `best`, who was seen by whom, and an empty table."""
    heads, postings = index
    ends, wanted = elements
    found, similar, seen, table = state
    unit, floor = which
    mask = _U(len(heads) - 1)
    marked = False
    for place in range(ends[unit], ends[unit + 1]):
        at, sign = heads[wanted[place] & mask], np.int32(wanted[place] >> _TAG)
        while at >= floor:
            other = postings[at, _UNIT]
            if postings[at, _SIGN] == sign and seen[other] != unit:
                seen[other] = unit
                least = max(threshold, similar[unit])
                if alike(sets, unit, other, least):
                    if not marked:
                        mark(sets, unit, table)
                        marked = True
                    share = similarity(sets, unit, other, least, table)
                    if share > similar[unit] or (share > 0 and share == similar[unit] and other < found[unit]):
                        found[unit], similar[unit] = other, share
            at = postings[at, _BEFORE]
    if marked:
        unmark(sets, unit, table)


@jit
def chained(elements: Elements, mask: Any) -> I32:
    """Return the postings of all units, one per element in their order."""
    ends, wanted = elements
    heads = np.full(np.int64(mask) + 1, -1, np.int32)
    postings = np.empty((len(wanted), 3), np.int32)
    for unit in range(len(ends) - 1):
        for place in range(ends[unit], ends[unit + 1]):
            bucket = wanted[place] & mask
            postings[place, _BEFORE], postings[place, _UNIT] = heads[bucket], unit
            postings[place, _SIGN] = np.int32(wanted[place] >> _TAG)
            heads[bucket] = place
    return postings


@jit
def paired(
    sets: Sets, elements: tuple[I64, I32], part: tuple[int, int], threshold: float, out: Pairs, seen: I32
) -> tuple[int, int]:
    """Compare some units with all before them that share an element, and write every pair at the threshold or above.

    Args:
        sets: of all units.
        elements: where those of each unit end, with a 0 before, and what `chained` returned for them.
        part: first and one past the last unit to compare.
        threshold: least similarity, above 0.
        out: room for the later and the earlier unit of each pair and their similarity.
        seen: by whom each unit was seen last, (m,), -1 for nobody.

    Returns:
        The first unit that was not compared for want of room, and how many pairs were written.
    """
    later, earlier, similar = out
    ends, postings = elements
    table = table_for(sets, part[0], part[1])
    used = 0
    for unit in range(part[0], part[1]):
        opened, marked = used, False
        for place in range(ends[unit], ends[unit + 1]):
            at, sign = postings[place, _BEFORE], postings[place, _SIGN]
            while at >= 0:
                other = postings[at, _UNIT]
                if postings[at, _SIGN] == sign and seen[other] != unit:
                    seen[other] = unit
                    if alike(sets, unit, other, threshold):
                        if not marked:
                            mark(sets, unit, table)
                            marked = True
                        share = similarity(sets, unit, other, threshold, table)
                        if share > 0:
                            if used == len(later):
                                seen[:] = -1  # the unit is compared again
                                return unit, opened
                            later[used], earlier[used], similar[used] = unit, other, share
                            used += 1
                at = postings[at, _BEFORE]
        if marked:
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
