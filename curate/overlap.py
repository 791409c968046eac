"""Compiled comparison of sets of hashes: the exact Jaccard similarity of two of many, at the cost of a glance for most.

Throughout, `sets` is a tuple: all hashes end to end (uint64, none is 0), where the set of each unit starts in them, (f,
m) int64 for f columns that must all be similar, how many hashes it has, (f, m) int32, and its bitmap (`mapped`). As
with `curate.kernels`, import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import BASE, I32, I64, U64, jit, mixed, ones, summed

Maps = npt.NDArray[np.uint64]
Sets = tuple[U64, I64, I32, Maps]

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
# 512 bits are one line of the cache. On 200,000 rows of a published mix they reject nine in ten of the candidates that
# are not similar; 1,024 bits reject one in twenty more and take twice the memory.
WORDS = 8
_LINE = _U(64 * WORDS - 1)
# Places of a table for each element of a set: one look finds most (twice as many are no faster).
_SPREAD = 4


@jit
def fingerprinted(values: U64, starts: I64, stops: I64) -> U64:
    """Return 128 bits for the sets of each unit, (m, 2), that do not depend on the order of their hashes."""
    known = np.zeros((starts.shape[1], 2), np.uint64)
    for column in range(len(starts)):
        for unit in range(len(known)):
            first, second = summed(values[starts[column, unit] : stops[column, unit]])
            known[unit, 0] = mixed(known[unit, 0] * BASE + first)
            known[unit, 1] = mixed(known[unit, 1] * BASE + second)
    return known


@jit
def leaders(known: U64, order: I64) -> I64:
    """Return for each unit the first of `order` that has the same fingerprint, (m,); itself where not in `order`."""
    mask = mask_of(len(order), 2)
    table, leader = np.full(np.int64(mask) + 1, -1, np.int64), np.arange(len(known))
    for unit in order:
        at = known[unit, 0] & mask
        while table[at] >= 0:
            other = table[at]
            if known[other, 0] == known[unit, 0] and known[other, 1] == known[unit, 1]:
                break
            at = (at + _ONE) & mask
        if table[at] < 0:
            table[at] = unit
        leader[unit] = table[at]
    return leader


@jit
def mapped(values: U64, starts: I64, sizes: I32, units: I64, maps: Maps) -> None:
    """Write for each set of some units the parity of how many of its hashes fall on each of 512 bits, (f, m, 8) uint64.

    Where two of them differ, the sets differ: the bits that do are at most as many as the hashes that only one of the
    two sets has (Sandes, Teodoro and Melo, "Bitmap filter: speeding up exact set similarity joins", 2017).
    """
    for column in range(len(starts)):
        for unit in units:
            own = maps[column, unit]
            for value in values[starts[column, unit] : starts[column, unit] + sizes[column, unit]]:
                bit = value >> _U(40) & _LINE
                own[bit >> _U(6)] ^= _ONE << (bit & _U(63))


@jit
def _apart(first: U64, second: U64) -> Any:
    """Return in how many bits two bitmaps differ."""
    total = _NONE
    for word in range(WORDS):
        total += ones(first[word] ^ second[word])
    return np.int64(total)


@jit
def least_shared(size: int, threshold: float) -> int:
    """Return how many elements a set of `size` must share with any set to reach the threshold: at least one."""
    least = max(1, int(threshold * size) - 1)
    while least / size < threshold:
        least += 1
    return least


@jit
def least_common(first: int, second: int, threshold: float) -> int:
    """Return how many common elements make the Jaccard similarity of two sets, as a double, reach the threshold."""
    both = first + second
    least = max(1, int(threshold / (1 + threshold) * both) - 1)
    while least / (both - least) < threshold:
        least += 1
    return least


@jit
def mask_of(size: int, spread: int) -> Any:
    """Return one less than the power of two that holds `spread` places for each of `size` elements."""
    places = 16
    while places < spread * size:
        places *= 2
    return _U(places - 1)


@jit
def table_for(sets: Sets, units: I64) -> U64:
    """Return an empty table, (f, places) uint64, that holds the largest set of each column among some units."""
    sizes = sets[2]
    longest = 1
    for column in range(len(sizes)):
        for unit in units:
            longest = max(longest, sizes[column, unit])
    return np.zeros((len(sizes), np.int64(mask_of(longest, _SPREAD)) + 1), np.uint64)


@jit
def mark(sets: Sets, unit: int, table: U64) -> None:
    """Put the sets of a unit into an empty table."""
    values, starts, sizes, _ = sets
    for column in range(len(starts)):
        mask, own = mask_of(sizes[column, unit], _SPREAD), table[column]
        for value in values[starts[column, unit] : starts[column, unit] + sizes[column, unit]]:
            at = value & mask
            while own[at] != _NONE:
                at = (at + _ONE) & mask
            own[at] = value


@jit
def unmark(sets: Sets, unit: int, table: U64) -> None:
    """Empty the table of a unit."""
    sizes = sets[2]
    for column in range(len(sizes)):
        places = np.int64(mask_of(sizes[column, unit], _SPREAD)) + 1
        table[column, :places] = _NONE


@jit
def distance(sets: Sets, unit: int, other: int, threshold: float) -> int:
    """Return in how many bits the bitmaps of two units differ, -1 where they or sizes rule out the threshold."""
    _, _, sizes, maps = sets
    total = 0
    for column in range(len(sizes)):
        size, length = sizes[column, unit], sizes[column, other]
        if min(size, length) / max(size, length) < threshold:
            return -1
        spare = size + length - 2 * least_common(size, length, threshold)
        bits = _apart(maps[column, unit], maps[column, other])
        if bits > spare:
            return -1
        total += bits
    return total


@jit
def similarity(sets: Sets, unit: int, other: int, threshold: float, table: U64) -> float:
    """Return the exact Jaccard similarity to the marked unit, the least of all columns, or 0 where below the threshold.

    Args:
        sets: of all units.
        unit: the one marked in the table.
        other: the one to compare.
        threshold: least similarity that matters, above 0.
        table: where the unit is marked.
    """
    values, starts, sizes, _ = sets
    least = 1.0
    for column in range(len(starts)):
        size, length = sizes[column, unit], sizes[column, other]
        if min(size, length) / max(size, length) < threshold:
            return 0.0
        spare = length - least_common(size, length, threshold)
        both = length
        mask, marked = mask_of(size, _SPREAD), table[column]
        for value in values[starts[column, other] : starts[column, other] + length]:
            at = value & mask
            while marked[at] != value and marked[at] != _NONE:
                at = (at + _ONE) & mask
            if marked[at] == _NONE:
                both -= 1
                spare -= 1
                if spare < 0:
                    return 0.0
        least = min(least, both / (size + length - both))
    return least
