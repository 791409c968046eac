"""Compiled MinHash: signatures, the bands cut from them, and the true neighbours of a sample to measure them by.

Permutations are those of datasketch 2 (scheme `affine32`): x becomes a·x + b modulo 2**32, with a odd, after the 32-bit
finaliser of MurmurHash3. Import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.kernels import BASE, I32, I64, U32, U64, Flags, jit, mixed
from curate.overlap import least_shared, mask_of

_U = np.uint64
_NONE, _ONE = _U(0), _U(1)
_LAST = np.uint32(0xFFFFFFFF)
# A million flags: ten times the hashes of a sample of 500 texts of a paragraph.
_FLAGS, _FLAG = 1 << 20, _U(44)
_HALF, _LOW = np.uint32(16), np.uint32(13)
_FIRST, _SECOND = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


@jit
def _finished(value: Any, column: int) -> Any:
    """Return the lower half of a hash, told from other columns', after the finaliser."""
    low = np.uint32(value ^ _U(column) * BASE)
    low = np.uint32((low ^ (low >> _HALF)) * _FIRST)  # products of 32 bits become 64 here
    low = np.uint32((low ^ (low >> _LOW)) * _SECOND)
    return np.uint32(low ^ (low >> _HALF))


@jit
def _sign(values: U64, span: tuple[int, int], column: int, permutations: tuple[U32, U32], best: U32) -> None:
    """Lower a signature to the least value that each permutation gives a hash of one set.

    Four hashes at a time (at the end the last one again), as the signature is then read and written once for them.
    """
    factor, offset = permutations
    last = span[1] - 1
    for at in range(span[0], span[1], 4):
        one, two = _finished(values[at], column), _finished(values[min(at + 1, last)], column)
        three, four = _finished(values[min(at + 2, last)], column), _finished(values[min(at + 3, last)], column)
        for place in range(len(best)):
            by, plus = factor[place], offset[place]
            first = min(np.uint32(by * one + plus), np.uint32(by * two + plus))
            second = min(np.uint32(by * three + plus), np.uint32(by * four + plus))
            best[place] = min(best[place], min(first, second))


@jit
def signed(values: U64, ends: I64, permutations: tuple[U32, U32], out: U32) -> None:
    """Write the signature of each set, (n, permutations), the largest values for an empty one; `ends` begins with 0."""
    out[:] = _LAST
    for row in range(len(ends) - 1):
        _sign(values, (ends[row], ends[row + 1]), 0, permutations, out[row])


@jit
def banded(
    sets: tuple[U64, I64, I64], part: tuple[int, int], permutations: tuple[U32, U32], out: tuple[U64, int]
) -> None:
    """Write one hash for each band of the signature of each unit of a part; collisions only propose more.

    With several columns the hashes of all of them are signed together: two units that reach a similarity in every
    column reach it in the union too.

    Args:
        sets: all hashes, and where those of each unit start and stop, (f, m) each.
        part: first and one past the last unit.
        permutations: factors and offsets.
        out: room for the hashes of all units, (bands, m), and the place of the first one in it.
    """
    values, starts, stops = sets
    keys, before = out
    best = np.empty(len(permutations[0]), np.uint32)
    rows = len(best) // len(keys)
    for unit in range(part[0], part[1]):
        best[:] = _LAST
        for column in range(len(starts)):
            _sign(values, (starts[column, unit], stops[column, unit]), column, permutations, best)
        for band in range(len(keys)):
            key = _U(band)
            for place in range(band * rows, (band + 1) * rows):
                key = mixed(key + _U(best[place]))
            keys[band, before + unit] = key


@jit
def companions(keys: U64, units: I64, found: Flags) -> None:
    """Mark in `found`, one flag for each of some units, those whose key another of them has too."""
    mask = mask_of(len(units), 2)
    table = np.full(np.int64(mask) + 1, -1, np.int32)
    for place in range(len(units)):
        key = keys[units[place]]
        at = key & mask
        while table[at] >= 0 and keys[units[table[at]]] != key:
            at = (at + _ONE) & mask
        if table[at] < 0:
            table[at] = place
        else:
            found[place] = found[table[at]] = True


@jit
def neighbours(sample: tuple[U64, I64, I64], sets: tuple[U64, I64, I64], threshold: float, out: tuple[I32, I32]) -> int:
    """Write every pair of a sampled set and another at the threshold or above; return how many there are.

    Counts the hashes that each set shares with every sampled one through an inverted index of the sample.

    Args:
        sample: hashes of the sample, and where its sets start and stop.
        sets: the same of the others.
        threshold: least Jaccard similarity, above 0.
        out: room for the numbers in the sample and among the others; more are counted, but not written.
    """
    values, starts, stops = sets
    index = _inverted(sample)
    flags = _flags(sample)
    common, touched = np.zeros(len(sample[1]), np.int64), np.empty(len(sample[1]), np.int64)
    longest = 1
    for unit in range(len(starts)):
        longest = max(longest, stops[unit] - starts[unit])
    flagged = np.empty(longest, np.uint64)
    used = 0
    for unit in range(len(starts)):
        size = stops[unit] - starts[unit]
        many: Any = 0
        for at in range(starts[unit], stops[unit]):
            flagged[many] = values[at]
            place = values[at] >> _FLAG
            many += np.int64(flags[place >> _U(6)] >> (place & _U(63)) & _ONE)
        if many < least_shared(size, threshold):
            continue  # too few are in any sampled set
        met = _shared(flagged[:many], index, common, touched)
        for place in range(met):
            number = touched[place]
            length = sample[2][number] - sample[1][number]
            if common[number] / (size + length - common[number]) >= threshold:
                if used < len(out[0]):
                    out[0][used], out[1][used] = number, unit
                used += 1
            common[number] = 0
    return used


@jit
def _flags(sample: tuple[U64, I64, I64]) -> U64:
    """Return one bit for some bits of each hash of the sample: they stay in the fast memory."""
    values, starts, stops = sample
    flags = np.zeros(_FLAGS // 64, np.uint64)
    for number in range(len(starts)):
        for at in range(starts[number], stops[number]):
            place = values[at] >> _FLAG
            flags[place >> _U(6)] |= _ONE << (place & _U(63))
    return flags


@jit
def _inverted(sample: tuple[U64, I64, I64]) -> tuple[U64, I32, I32, I32]:
    """Return a hash table of the sample: its hashes, the last posting of each, the posting before it, its set."""
    values, starts, stops = sample
    total = 1
    for number in range(len(starts)):
        total += stops[number] - starts[number]
    mask = mask_of(total, 2)
    keys, heads = np.zeros(np.int64(mask) + 1, np.uint64), np.full(np.int64(mask) + 1, -1, np.int32)
    before, owner = np.empty(total, np.int32), np.empty(total, np.int32)
    used = 0
    for number in range(len(starts)):
        for at in range(starts[number], stops[number]):
            place = values[at] & mask
            while keys[place] != _NONE and keys[place] != values[at]:
                place = (place + _ONE) & mask
            keys[place] = values[at]
            before[used], owner[used] = heads[place], number
            heads[place] = used
            used += 1
    return keys, heads, before, owner


@jit
def _shared(values: U64, index: tuple[U64, I32, I32, I32], common: I64, touched: I64) -> int:
    """Count the hashes that one set shares with each sampled one; return how many share any, with their numbers."""
    keys, heads, before, owner = index
    mask = _U(len(keys) - 1)
    met = 0
    for value in values:
        place = value & mask
        while keys[place] != _NONE and keys[place] != value:
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
