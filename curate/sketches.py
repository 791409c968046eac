"""Compiled MinHash: signatures, the bands cut from them, and the true neighbours of a sample to measure them by.

Permutations are those of datasketch 2 (scheme `affine32`): x becomes a·x + b modulo 2**32, with a odd, after the 32-bit
finaliser of MurmurHash3. Import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.kernels import I32, I64, U32, U64, jit, mixed
from curate.overlap import Sets, mark, mask_of, similarity, table_for, unmark

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_LAST = np.uint32(0xFFFFFFFF)
_HALF, _LOW = np.uint32(16), np.uint32(13)
_FIRST, _SECOND = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


@jit
def _sign(values: U64, span: tuple[int, int], permutations: tuple[U32, U32], best: U32) -> None:
    """Write the signature of one set: the least value of each permutation, the largest possible for an empty set."""
    factor, offset = permutations
    best[:] = _LAST
    for at in range(span[0], span[1]):
        low = np.uint32(values[at])
        low = np.uint32((low ^ (low >> _HALF)) * _FIRST)  # products of 32 bits become 64 here
        low = np.uint32((low ^ (low >> _LOW)) * _SECOND)
        low = np.uint32(low ^ (low >> _HALF))
        for place in range(len(best)):
            best[place] = min(best[place], np.uint32(factor[place] * low + offset[place]))


@jit
def signed(values: U64, ends: I64, permutations: tuple[U32, U32], out: U32) -> None:
    """Write the signature of each set, (n, permutations); `ends` is where the sets end, with a 0 before."""
    for row in range(len(ends) - 1):
        _sign(values, (ends[row], ends[row + 1]), permutations, out[row])


@jit
def banded(sets: Sets, which: tuple[int, int, int], permutations: tuple[U32, U32], bands: int, out: U64) -> None:
    """Write one hash for each band of the signature of some units, (units · bands,); collisions only propose more.

    Args:
        sets: of all units.
        which: the column, the first and one past the last unit.
        permutations: factors and offsets.
        bands: into how many bands the signature is cut.
        out: room for them.
    """
    values, starts, stops, _ = sets
    column, first, last = which
    best = np.empty(len(permutations[0]), np.uint32)
    rows = len(best) // bands
    for unit in range(first, last):
        _sign(values, (starts[column, unit], stops[column, unit]), permutations, best)
        for band in range(bands):
            key = _U(band)
            for place in range(band * rows, (band + 1) * rows):
                key = mixed(key + _U(best[place]))
            out[(unit - first) * bands + band] = key


@jit
def neighbours(sets: Sets, column: int, sample: I64, threshold: float, out: tuple[I32, I32]) -> int:
    """Write every pair of a sampled unit and another one at the threshold or above; return how many there are.

    Counts the common hashes of each unit with every sampled one through an inverted index of the sample.

    Args:
        sets: of all units.
        column: whose hashes are counted; other columns are verified.
        sample: the sampled units.
        threshold: least similarity.
        out: room for the sampled and the other unit of each pair; more are counted, but not written.
    """
    _, starts, stops, _ = sets
    index = _inverted(sets, column, sample)
    common, touched = np.zeros(len(sample), np.int64), np.empty(len(sample), np.int64)
    table = table_for(sets, 0, starts.shape[1])
    used = 0
    for unit in range(starts.shape[1]):
        size = stops[column, unit] - starts[column, unit]
        met = _shared(sets, (column, unit), index, common, touched)
        for place in range(met):
            number = touched[place]
            other, both = sample[number], common[number]
            common[number] = 0
            length = stops[column, other] - starts[column, other]
            if other == unit or both / (size + length - both) < threshold:
                continue
            if len(starts) > 1:
                mark(sets, unit, table)
                share = similarity(sets, unit, other, threshold, table)
                unmark(sets, unit, table)
                if share == 0:
                    continue
            if used < len(out[0]):
                out[0][used], out[1][used] = other, unit
            used += 1
    return used


@jit
def _inverted(sets: Sets, column: int, sample: I64) -> tuple[U64, I32, I32, I32]:
    """Return a hash table of the sample: its hashes, the last posting of each, the posting before it, its unit."""
    values, starts, stops, _ = sets
    total = 1
    for unit in sample:
        total += stops[column, unit] - starts[column, unit]
    mask = mask_of(total, 2)
    keys, heads = np.zeros(np.int64(mask) + 1, np.uint64), np.full(np.int64(mask) + 1, -1, np.int32)
    before, owner = np.empty(total, np.int32), np.empty(total, np.int32)
    used = 0
    for number in range(len(sample)):
        for at in range(starts[column, sample[number]], stops[column, sample[number]]):
            place = values[at] & mask
            while keys[place] != _NONE and keys[place] != values[at]:
                place = (place + _ONE) & mask
            keys[place] = values[at]
            before[used], owner[used] = heads[place], number
            heads[place] = used
            used += 1
    return keys, heads, before, owner


@jit
def _shared(sets: Sets, which: tuple[int, int], index: tuple[U64, I32, I32, I32], common: I64, touched: I64) -> int:
    """Count how many hashes each sampled unit shares with one unit; return how many share any, with their numbers."""
    values, starts, stops, _ = sets
    column, unit = which
    keys, heads, before, owner = index
    mask = _U(len(keys) - 1)
    met = 0
    for at in range(starts[column, unit], stops[column, unit]):
        place = values[at] & mask
        while keys[place] != _NONE and keys[place] != values[at]:
            place = (place + _ONE) & mask
        if keys[place] == _NONE:
            continue
        posting: Any = heads[place]
        while posting >= 0:
            number = owner[posting]
            if common[number] == 0:
                touched[met] = number
                met += 1
            common[number] += 1
            posting = before[posting]
    return met
