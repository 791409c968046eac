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
# The highest bit of each of eight bytes, and what brings them together in one byte when they are multiplied with it.
_HIGHEST, _TOGETHER = _U(0x8080808080808080), _U(0x0002040810204081)
# Mark a character whose surroundings change what it becomes, see `curate.wordsets`, and one not looked up yet.
ENTANGLED, UNKNOWN = -1, -2

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
def _beyond(data: U8, at: int, stop: int) -> int:
    """Return the place of the first byte of some that is not ASCII, looking at 32 together."""
    while at + 32 <= stop:
        bits: Any = np.uint8(0)
        for place in range(at, at + 32):
            bits |= data[place]
        if bits >= 0x80:
            break
        at += 32
    while at < stop and data[at] < 0x80:
        at += 1
    return at


@jit
def foreseen(data: U8, ends: I64, rows: I64, forms: tuple[I32, I32, U8], seen: Flags, sizes: I64) -> None:
    """Write how many bytes the folded forms of some texts take; ASCII stays as it is.

    Args:
        data: the bytes of all texts.
        ends: where they end, with a 0 before.
        rows: the texts to look at.
        forms: what becomes of characters beyond ASCII: the number of the form by code point (`ENTANGLED` where the
            text must be folded as a whole, `UNKNOWN` where that was not looked up yet), and the forms end to end: form
            i is `bytes[starts[i]:starts[i + 1]]`.
        seen: one flag for each code point; those of unknown ones are set.
        sizes: of all texts; `UNKNOWN` where a character is, else `ENTANGLED` where the text must be folded as a whole.
    """
    number, starts, _ = forms
    for row in rows:
        size: Any = ends[row + 1] - ends[row]
        whole, unknown = False, False
        at = _beyond(data, ends[row], ends[row + 1])
        while at < ends[row + 1]:
            point, width = _decoded(data, at)
            form = number[point]
            if form == UNKNOWN:
                seen[point] = unknown = True
            elif form == ENTANGLED:
                whole = True
            else:
                size += starts[form + 1] - starts[form] - width
            at = _beyond(data, at + width, ends[row + 1])
        sizes[row] = UNKNOWN if unknown else (ENTANGLED if whole else size)


@jit
def shingled(
    texts: tuple[U8, I64, U8, I64, I64], forms: tuple[I32, I32, U8], width: int, out: U64
) -> tuple[I64, U32, U64]:
    """Write the distinct shingle hashes of each text to `out`, in the order in which they first occur.

    A word is a run of ASCII letters, in lower case, digits and `_`, and of bytes beyond ASCII of the folded text,
    hashed eight bytes at a time. A shingle's words are weighed by powers of `BASE` by their place, and their number
    counts; two different shingles share a hash with probability 2**-64. No hash is 0. A text with fewer words than
    `width` is one shingle of all its words.

    Args:
        texts: bytes of all texts and where they end, with a 0 before; bytes of those folded as a whole, where each text
            begins there (-1 for others); bytes of each folded text.
        forms: what becomes of characters beyond ASCII, see `foreseen`.
        width: words in a shingle, at least 1.
        out: room for half as many as the folded texts have bytes: a word and a blank are two.

    Returns:
        Where the hashes of each text end, (n,) int64, how many words it has, (n,) uint32, and what `summed` says of its
        hashes, (n, 2) uint64.
    """
    raw, edges, whole, firsts, sizes = texts
    rows = len(firsts)
    longest = 2
    for row in range(rows):
        longest = max(longest, sizes[row])
    ring = np.zeros(min(width, longest), np.uint64)
    table, stamps = np.empty(_room(longest), np.uint64), np.zeros(_room(longest), np.int32)
    letters = np.zeros(8 * (longest // 64 + 2), np.uint64)  # whole marks, and a number to read beyond
    marks = np.zeros(longest // 64 + 1, np.uint64)
    spelled = letters.view(np.uint8)
    ends, words, sums = np.zeros(rows, np.int64), np.zeros(rows, np.uint32), np.zeros((rows, 2), np.uint64)
    used = 0
    for row in range(rows):
        size, before = sizes[row], used
        if firsts[row] >= 0:
            _lower(whole[firsts[row] : firsts[row] + size], spelled)
        else:
            _spell(raw[edges[row] : edges[row + 1]], forms, spelled)
        spelled[size : 64 * (size // 64 + 1)] = 0
        _mark(letters, size, marks)
        scratch = (ring, table[: _room(size)], stamps, row + 1)
        used, words[row] = _shingle((letters, marks), size, width, scratch, out, used)
        ends[row], sums[row] = used, summed(out[before:used])
    return ends, words, sums


@jit
def summed(values: U64) -> tuple[Any, Any]:
    """Return 128 bits that tell sets of hashes from each other, in whatever order they are."""
    first, second = _U(0), _U(len(values))
    for value in values:
        first += value
        second += mixed(value ^ BASE)
    return first, second


@jit
def _lower(data: U8, spelled: U8) -> None:
    """Write letters in lower case, digits, `_`, and bytes beyond ASCII as they are, and 0 for the rest."""
    for at in range(len(data)):
        byte = data[at]
        lower = byte | np.uint8(32)
        letter = np.uint8(lower - np.uint8(97)) < np.uint8(26)
        digit = np.uint8(byte - np.uint8(48)) < np.uint8(10)
        stays = digit | (byte == np.uint8(95)) | (byte >= np.uint8(128))
        spelled[at] = lower if letter else (byte if stays else np.uint8(0))


@jit
def _spell(data: U8, forms: tuple[I32, I32, U8], spelled: U8) -> None:
    """Write the letters of a text, characters beyond ASCII as their forms."""
    number, starts, pieces = forms
    bits: Any = np.uint8(0)
    for byte in data:
        bits |= byte
    if bits < 0x80:
        _lower(data, spelled)
        return
    used, at = 0, 0
    while at < len(data):
        stop = _beyond(data, at, len(data))
        _lower(data[at:stop], spelled[used:])
        used += stop - at
        at = stop
        if at < len(data):
            point, width = _decoded(data, at)
            form = number[point]
            size = starts[form + 1] - starts[form]
            _lower(pieces[starts[form] : starts[form + 1]], spelled[used:])
            used += size
            at += width


@jit
def _room(size: int) -> int:
    """Return the least power of two that is not below a size, at least 2."""
    places = 2
    while places < size:
        places *= 2
    return places


@jit
def _mark(letters: U64, size: int, marks: U64) -> None:
    """Set a bit for each byte of some letters that is not 0, and leave at least one behind them that is not set."""
    bits = marks.view(np.uint8)
    for place in range(8 * (size // 64 + 1)):
        filled = ((letters[place] & ~_HIGHEST) + ~_HIGHEST | letters[place]) & _HIGHEST
        bits[place] = np.uint8(filled * _TOGETHER >> _U(56))


@jit
def ones(bits: Any) -> Any:
    """Return how many of 64 bits are set (by halves: Warren, "Hacker's Delight", 5-1)."""
    bits -= bits >> _ONE & _U(0x5555555555555555)
    bits = (bits & _U(0x3333333333333333)) + (bits >> _U(2) & _U(0x3333333333333333))
    bits = bits + (bits >> _U(4)) & _U(0x0F0F0F0F0F0F0F0F)
    return bits * _U(0x0101010101010101) >> _U(56)


@jit
def _shingle(
    text: tuple[U64, U64], size: int, width: int, scratch: tuple[U64, U64, I32, int], out: U64, used: int
) -> tuple[int, int]:
    """Append the shingles of one text to the `used` ones in `out`; return how many there are, and the words."""
    letters, marks = text
    ring, table, stamps, stamp = scratch
    top = _ONE
    for _ in range(len(ring)):
        top *= BASE
    ring[:] = 0
    count, place = 0, 0
    begin: Any = -1
    total, last = _U(0), _U(0)
    for block in range(size // 64 + 1):
        edges = marks[block] ^ (marks[block] << _ONE | last)
        last = marks[block] >> _U(63)
        while edges:
            edge: Any = 64 * block + np.int64(ones(~edges & (edges - _ONE)))
            edges &= edges - _ONE
            if begin < 0:
                begin = edge
                continue
            value = _word(letters, begin, edge)
            begin = -1
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
def _word(letters: U64, at: int, stop: int) -> Any:
    """Return the hash of the word between two places, looking at eight bytes together."""
    value = _U(0)
    while True:
        shift = _U((at & 7) * 8)
        # The second is shifted in two steps: by 64 places at once is undefined.
        chunk = letters[at >> 3] >> shift | (letters[(at >> 3) + 1] << _ONE) << (_U(63) - shift)
        if stop - at < 8:
            break
        value = mixed((value ^ chunk) * BASE)
        at += 8
    filled = _U(stop - at)
    return mixed((value ^ chunk & ((_ONE << filled * _BYTE) - _ONE)) * BASE + filled)


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
