"""Compiled loops over the bytes of texts: characters, words and the hashes of shingles.

Import this module only where it runs: numba takes half a second to load. The compiled code is cached beside the file,
or where NUMBA_CACHE_DIR says. Every function releases the interpreter lock, so that threads share the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from curate import shingles

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_U = np.uint64
BASE = _U(shingles.BASE)
# The finaliser of MurmurHash3 (fmix64), a bijection in which every input bit moves every output bit.
_FIRST, _SECOND, _SHIFT = _U(0xFF51AFD7ED558CCD), _U(0xC4CEB9FE1A85EC53), _U(33)
_ONE, _BYTE = _U(1), _U(8)
# The lowest and the highest bit of each of eight bytes.
_LOWEST, _HIGHEST = _U(0x0101010101010101), _U(0x8080808080808080)
# Marks a character whose surroundings change what it becomes, see `curate.wordsets`.
ENTANGLED = -1

_Function = TypeVar("_Function", bound=Callable[..., Any])


def jit(function: _Function) -> _Function:
    """Compile a function when it is first called, keep the code in the cache, and release the interpreter lock."""
    compiled: _Function = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")(function)
    return compiled


@jit
def mixed(value: Any) -> Any:
    """Return one 64-bit value after the finaliser of MurmurHash3."""
    value = (value ^ (value >> _SHIFT)) * _FIRST
    value = (value ^ (value >> _SHIFT)) * _SECOND
    return value ^ (value >> _SHIFT)


@jit
def _decoded(data: U8, at: int) -> tuple[Any, int]:
    """Return the code point that begins at a byte of valid UTF-8, and how many bytes it takes."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | np.int64(data[at + 1]) & 0x3F, 2
    if lead < 0xF0:
        tail = (np.int64(data[at + 1]) & 0x3F) << 6 | np.int64(data[at + 2]) & 0x3F
        return (lead & 0x0F) << 12 | tail, 3
    tail = (np.int64(data[at + 1]) & 0x3F) << 12 | (np.int64(data[at + 2]) & 0x3F) << 6 | np.int64(data[at + 3]) & 0x3F
    return (lead & 0x07) << 18 | tail, 4


@jit
def occurring(data: U8, ends: I64, rows: I64, seen: Flags) -> None:
    """Mark in `seen`, one flag for each code point, those that occur in some texts."""
    for row in rows:
        at = ends[row]
        while at < ends[row + 1]:
            if data[at] < 0x80:
                at += 1
                continue
            point, width = _decoded(data, at)
            seen[point] = True
            at += width


@jit
def folded(data: U8, ends: I64, rows: I64, forms: tuple[I32, I32, U8], out: U8) -> tuple[I64, Flags]:
    """Write the folded form of some texts to `out`, one after the other; ASCII stays as it is.

    Args:
        data: the bytes of all texts.
        ends: where they end, with a 0 before.
        rows: the texts to fold.
        forms: what becomes of characters beyond ASCII: the number of the form by code point (`ENTANGLED` where the
            text must be folded as a whole), and the forms end to end: form i is `bytes[starts[i]:starts[i + 1]]`.
        out: room for the longest result.

    Returns:
        Where each ends in `out`, with a 0 before, (r + 1,) int64, and which are entangled (those are left empty).
    """
    number, starts, pieces = forms
    reached, entangled = np.zeros(len(rows) + 1, np.int64), np.zeros(len(rows), np.bool_)
    for place in range(len(rows)):
        used = reached[place]
        at = ends[rows[place]]
        while at < ends[rows[place] + 1]:
            if data[at] < 0x80:
                out[used] = data[at]
                used += 1
                at += 1
                continue
            point, width = _decoded(data, at)
            at += width
            form = number[point]
            if form == ENTANGLED:
                entangled[place] = True
                used = reached[place]
                break
            for piece in range(starts[form], starts[form + 1]):
                out[used] = pieces[piece]
                used += 1
        reached[place + 1] = used
    return reached, entangled


@jit
def most(texts: tuple[U8, I64, U8, I64, I64]) -> int:
    """Return how many shingles some texts (see `shingled`) can have at the most: a word and a blank are two bytes."""
    _, edges, _, firsts, lasts = texts
    total = 0
    for row in range(len(firsts)):
        size = lasts[row] - firsts[row] if firsts[row] >= 0 else edges[row + 1] - edges[row]
        total += (size + 1) // 2
    return total


@jit
def shingled(texts: tuple[U8, I64, U8, I64, I64], plain: U8, width: int, out: U64) -> tuple[I64, U32]:
    """Write the distinct shingle hashes of each text to `out`, in the order in which they first occur.

    A word is a run of bytes that `plain` does not map to 0, hashed as mapped, eight bytes at a time. A shingle's words
    are weighed by powers of `BASE` by their place, and their number counts; two different shingles share a hash with
    probability 2**-64. No hash is 0. A text with fewer words than `width` is one shingle of all its words.

    Args:
        texts: bytes of all texts and where they end, with a 0 before; folded bytes, where each text begins there (-1
            for one that is not folded) and ends.
        plain: (256,) what each byte counts as.
        width: words in a shingle, at least 1.
        out: room for as many as `most` says.

    Returns:
        Where the hashes of each text end, (n,) int64, and how many words it has, (n,) uint32.
    """
    raw, edges, smooth, firsts, lasts = texts
    rows = len(firsts)
    longest = 1
    for row in range(rows):
        size = lasts[row] - firsts[row] if firsts[row] >= 0 else edges[row + 1] - edges[row]
        longest = max(longest, (size + 1) // 2)
    ring = np.zeros(min(width, longest), np.uint64)
    table, stamps = np.empty(_room(2 * longest), np.uint64), np.zeros(_room(2 * longest), np.int32)
    letters = np.zeros(longest // 4 + 3, np.uint64)  # twice as many bytes as words, and two more numbers to read beyond
    ends, words = np.zeros(rows, np.int64), np.zeros(rows, np.uint32)
    used = 0
    for row in range(rows):
        data = smooth if firsts[row] >= 0 else raw
        first = firsts[row] if firsts[row] >= 0 else edges[row]
        stop = lasts[row] if firsts[row] >= 0 else edges[row + 1]
        _spell(data[first:stop], plain, letters)
        scratch = (ring, table[: _room(stop - first)], stamps, row + 1)
        used, words[row] = _shingle(letters, stop - first, width, scratch, out, used)
        ends[row] = used
    return ends, words


@jit
def _spell(data: U8, plain: U8, letters: U64) -> None:
    """Write what each byte counts as, eight to a number, and sixteen zeros."""
    spelled = letters.view(np.uint8)
    for at in range(len(data)):
        spelled[at] = plain[data[at]]
    spelled[len(data) : len(data) + 16] = 0


@jit
def _room(size: int) -> int:
    """Return the least power of two that is not below a size, at least 2."""
    places = 2
    while places < size:
        places *= 2
    return places


@jit
def _shingle(
    letters: U64, size: int, width: int, scratch: tuple[U64, U64, I32, int], out: U64, used: int
) -> tuple[int, int]:
    """Append the shingles of one text to the `used` ones in `out`; return how many there are, and the words."""
    ring, table, stamps, stamp = scratch
    spelled = letters.view(np.uint8)
    top = _ONE
    for _ in range(len(ring)):
        top *= BASE
    ring[:] = 0
    count, place, at = 0, 0, 0
    total = _U(0)
    while at < size:
        if spelled[at] == 0:
            at += 1
            continue
        value, at = _word(letters, at)
        total = total * BASE + value - ring[place] * top
        ring[place] = value
        place = place + 1 if place + 1 < len(ring) else 0
        count += 1
        if count >= width:
            used = _add(mixed(total + _U(width)), stamp, table, stamps, out, used)
    if 0 < count < width:
        used = _add(mixed(total + _U(count)), stamp, table, stamps, out, used)
    return used, count


@jit
def _word(letters: U64, at: int) -> tuple[Any, Any]:
    """Return the hash of the word that begins at a letter, and the place one past the sign that ends it.

    Eight bytes are looked at together; how the first zero among them is found: Warren, "Hacker's Delight", 6-1.
    """
    value = _U(0)
    while True:
        shift = _U((at & 7) * 8)
        # The second is shifted in two steps: by 64 places at once is undefined.
        chunk = letters[at >> 3] >> shift | (letters[(at >> 3) + 1] << _ONE) << (_U(63) - shift)
        empty = (chunk - _LOWEST) & ~chunk & _HIGHEST
        if empty:
            break
        value = mixed((value ^ chunk) * BASE)
        at += 8
    below = ((empty & (~empty + _ONE)) >> _U(7)) - _ONE  # all bits of the bytes before it
    filled = (below & _LOWEST) * _LOWEST >> _U(56)
    return mixed((value ^ chunk & below) * BASE + filled), at + np.int64(filled) + 1


@jit
def _add(value: Any, stamp: int, table: U64, stamps: I32, out: U64, used: int) -> int:
    """Append a value unless this text has it; return how many there are."""
    value = max(value, _ONE)
    mask = _U(len(table) - 1)
    at = value & mask
    while stamps[at] == stamp:
        if table[at] == value:
            return used
        at = (at + _ONE) & mask
    table[at], stamps[at] = value, stamp
    out[used] = value
    return used + 1
