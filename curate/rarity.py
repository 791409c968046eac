"""Compiled prefix filter: the rarest hashes of each set, so many that no two similar sets can have none in common.

As with `curate.kernels`, import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I64, U8, U32, U64, jit
from curate.overlap import Sets, least_shared
from curate.similar import Elements
from curate.threads import spread

U16 = npt.NDArray[np.uint16]
_U = np.uint64
# Places of the table of counts are 2 to this at most: twice as many tell no more counts apart and leave the fast memory
# (200,000 rows of a published mix; 32 MiB).
_BITS = 24


def rarest(threshold: float) -> Elements:
    """Return how to choose the rarest hashes of each set as elements: no pair at the threshold can be missed."""

    def chosen(sets: tuple[Any, ...], pool: Executor | None, workers: int) -> tuple[Any, Any]:
        sizes = sets[2] - sets[1]
        # With several columns the candidates of one are enough; the longest texts differ the most.
        column = int(sizes.sum(axis=1).argmax())
        counts = sizes[column]
        total = int(counts.sum())
        shift = np.uint64(64 - max(16, min(_BITS, total.bit_length())))

        def tally(start: int, stop: int) -> Any:
            table = np.zeros(1 << (64 - int(shift)), dtype=np.uint16)
            tallied(sets, column, (start, stop), shift, table)
            return table

        known = levels(tuple(table for _, _, table in spread(tally, counts, pool=pool, workers=workers)))

        def part(start: int, stop: int) -> tuple[Any, Any]:
            out = np.empty(int(counts[start:stop].sum()), dtype=np.uint32)
            ends = prefixes(sets, column, (start, stop), (shift, known, threshold), out)
            return ends[1:], out[: ends[-1]]

        parts = [found for _, _, found in spread(part, counts, pool=pool, workers=workers)]
        before = np.cumsum([0, *(len(out) for _, out in parts)])
        ends = [reached + start for (reached, _), start in zip(parts, before, strict=False)]
        values = parts[0][1] if len(parts) == 1 else np.concatenate([out for _, out in parts])
        return np.concatenate([np.zeros(1, np.int64), *ends]), values

    return chosen


@jit
def tallied(sets: Sets, column: int, part: tuple[int, int], shift: Any, table: U16) -> None:
    """Count the hashes of some sets in a table by their leading bits: too many only where two share one."""
    values, starts, stops, _ = sets
    for unit in range(part[0], part[1]):
        for at in range(starts[column, unit], stops[column, unit]):
            place = values[at] >> shift
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
def prefixes(sets: Sets, column: int, part: tuple[int, int], rarity: tuple[Any, U8, float], out: U32) -> I64:
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
    keys, ranks, last = np.empty(longest, np.uint64), np.empty(longest, np.uint8), np.empty(longest, np.uint64)
    ends = np.zeros(part[1] - part[0] + 1, np.int64)
    tally = np.zeros(256, np.int64)
    used = 0
    for unit in range(part[0], part[1]):
        first, stop = starts[column, unit], stops[column, unit]
        tally[:] = 0
        count = 0
        # What no other set has is overwritten by the next: without a branch this takes three quarters of the time.
        for at in range(first, stop):
            level = known[values[at] >> shift]
            keys[count], ranks[count] = values[at] >> _U(8), level
            tally[level] += 1
            count += level > 0
        wanted = count - least_shared(stop - first, threshold) + 1
        if wanted > 0:
            used += _rarest(keys[:count], ranks, tally, wanted, last, out[used:])
        ends[unit - part[0] + 1] = used
    return ends


@jit
def _rarest(keys: U64, ranks: U8, tally: I64, wanted: int, last: U64, out: U32) -> int:
    """Write the keys of the lowest ranks, the smallest of the last rank that is needed; return how many: `wanted`."""
    level, before = 1, 0
    while before + tally[level] < wanted:
        before += tally[level]
        level += 1
    written, ties = 0, 0
    for at in range(len(keys)):
        out[written], last[ties] = np.uint32(keys[at]), keys[at]
        written += ranks[at] < level
        ties += ranks[at] == level
    _select(last, ties, wanted - before)
    for at in range(wanted - before):
        out[written + at] = np.uint32(last[at])
    return wanted


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
