"""Compiled prefix filter: the rarest hashes of each set, so many that no two similar sets can have none in common.

As with `curate.kernels`, import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import similar
from curate.kernels import I64, U8, U32, U64, jit
from curate.overlap import Sets, least_common, least_shared
from curate.similar import Candidates, Elements, Part
from curate.threads import ahead, spread

U16 = npt.NDArray[np.uint16]
_U = np.uint64
# A key is the level in the highest byte and as much of the hash as there is room for.
_LEVEL = _U(56)
# Places of the table of counts are 2 to this at most: twice as many tell no more counts apart and leave the fast memory
# (200,000 rows of a published mix; 32 MiB).
_BITS = 24


def rarest(threshold: float) -> Elements:
    """Return how to choose the rarest hashes of each set as elements: no pair at the threshold can be missed."""

    def chosen(sets: tuple[Any, ...], pool: Executor | None, workers: int) -> Candidates:
        # With several columns the candidates of one are enough; the longest texts differ the most.
        column = int(sets[2].sum(axis=1).argmax())
        sizes = sets[2][column]
        total = int(sizes.sum())
        shift = np.uint64(64 - max(16, min(_BITS, total.bit_length())))

        def tally(start: int, stop: int) -> Any:
            table = np.zeros(1 << (64 - int(shift)), dtype=np.uint16)
            tallied(sets, column, (start, stop), shift, table)
            return table

        known = levels(tuple(table for _, _, table in spread(tally, sizes, pool=pool, workers=workers)))

        def part(start: int) -> Part:
            own = slice(start, start + similar.PART)
            spans, out = np.empty((3, len(sizes[own])), np.int64), np.empty(int(sizes[own].sum()), np.uint32)
            used = prefixes(sets, column, start, (shift, known, threshold), (spans, out))
            return start, spans, out[:used].copy()

        later = np.maximum.accumulate(sizes[::-1])[::-1]  # the largest set from each unit on
        # Of each set at most what `least_shared` and `least_common` leave, whatever a float rounds.
        most = (1 - threshold) * sizes + 2, (1 - threshold) / (1 + threshold) * sizes[sizes < later] + 2
        parts = ahead(part, range(0, len(sizes), similar.PART), workers=workers)
        return Candidates((int(most[0].sum()), int(most[1].sum())), sizes < later, parts)

    return chosen


@jit
def tallied(sets: Sets, column: int, part: tuple[int, int], shift: Any, table: U16) -> None:
    """Count the hashes of some sets in a table by their leading bits: too many only where two share one."""
    values, starts, sizes, _ = sets
    for unit in range(part[0], part[1]):
        for value in values[starts[column, unit] : starts[column, unit] + sizes[column, unit]]:
            place = value >> shift
            if table[place] < 65535:
                table[place] += 1


@jit
def levels(tables: tuple[U16, ...]) -> U8:
    """Return eight times the binary logarithm of the counts of some tables together, rounded down, 0 for 0 and 1.

    Steps of an octave leave a tenth more candidates to look at (200,000 rows of a published mix).
    """
    known = np.zeros(1 << 16, np.uint8)
    for size in range(2, len(known)):
        known[size] = np.uint8(8 * np.log2(size))
    found = np.empty(len(tables[0]), np.uint8)
    for place in range(len(found)):
        count: Any = np.int64(0)
        for table in tables:
            count += table[place]
        found[place] = known[min(count, len(known) - 1)]
    return found


@jit
def prefixes(sets: Sets, column: int, start: int, rarity: tuple[Any, U8, float], out: tuple[I64, U32]) -> int:
    """Write the rarest hashes of some sets, so many that any two sets at the threshold share one of theirs.

    Prefix filter (Chaudhuri et al., "A primitive operator for similarity joins", 2006; Bayardo et al., 2007): two sets
    of which the first needs s of its n elements in common share one of its n - s + 1 first ones in any one order of
    all elements. The order here is by level, then by hash. An element that no other set has cannot be shared and is
    left out. Of two sets the larger one may need fewer in common than the smaller one: with that, `short` ones of the
    smaller and all of the larger are enough.

    Args:
        sets: the sets.
        column: which of their columns.
        start: the first unit.
        rarity: shift as `tallied` took it, the `levels` of its table, and the threshold.
        out: of each unit from there on, where in the hashes the short ones start, where the others start, and where
            these end, (3, n); and room for one hash per element.

    Returns:
        How many hashes there are.
    """
    values, starts, sizes, _ = sets
    shift, known, threshold = rarity
    spans, chosen = out
    units = spans.shape[1]
    longest = 1
    for size in sizes[column, start : start + units]:
        longest = max(longest, size)
    keys, scratch = np.empty(longest, np.uint64), np.empty((2, longest), np.uint64)
    tally = np.zeros(256, np.int64)
    used = 0
    for unit in range(units):
        first, size = starts[column, start + unit], sizes[column, start + unit]
        count = 0
        # What no other set has is overwritten by the next: without a branch this takes three quarters of the time.
        for value in values[first : first + size]:
            level = known[value >> shift]
            keys[count] = _U(level) << _LEVEL | value >> _U(8)
            count += level > 0
        tally[:] = 0
        for key in keys[:count]:
            tally[key >> _LEVEL] += 1
        wanted = max(0, count - least_shared(size, threshold) + 1)
        short = max(0, count - least_common(size, size, threshold) + 1)
        if wanted:
            _rarest(keys[:count], tally, (short, wanted), scratch)
        chosen[used : used + wanted] = keys[:wanted].astype(np.uint32)
        spans[0, unit], spans[1, unit] = used, used + short
        used += wanted
        spans[2, unit] = used
    return used


@jit
def _rarest(keys: U64, tally: I64, sizes: tuple[int, int], scratch: U64) -> None:
    """Move the smallest keys to the front, so many as the second size says, the smallest of them first, as the first.

    Args:
        keys: with their levels.
        tally: how many there are of each level.
        sizes: of the smallest and of all that are wanted.
        scratch: room for the keys, twice.
    """
    short, wanted = sizes
    tied, others = scratch[0], scratch[1]
    level, before = 1, 0
    while before + tally[level] < short:
        before += tally[level]
        level += 1
    low = _U(level)
    while before + tally[level] < wanted:
        before += tally[level]
        level += 1
    high = _U(level)
    used, ties, rest = 0, 0, 0
    for key in keys:
        keys[used] = tied[ties] = others[rest] = key
        level = key >> _LEVEL
        used += level < low
        ties += level == low
        rest += (level > low) & (level <= high)
    _select(tied, ties, short - used)
    keys[used : used + ties] = tied[:ties]
    used += ties
    if used < wanted:
        _select(others, rest, wanted - used)
        keys[used:wanted] = others[: wanted - used]
    else:
        _select(keys[short:], used - short, wanted - short)


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
