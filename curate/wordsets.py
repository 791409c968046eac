"""The word shingles of many texts as sets of 64-bit hashes, from the bytes of a column, for any script."""

from __future__ import annotations

import mmap
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from curate import text
from curate.shingles import Ragged
from curate.threads import threads

# Bytes of text that are worked on at a time: more does not fit the fast memory, less costs calls.
_BLOCK = 1 << 24
_POINTS = 0x110000
Hashes = npt.NDArray[np.uint64]
# Characters that may compose with the one before, though they are no marks: vowels and final consonants of Hangul, and
# vowels of Kirat Rai.
_COMPOSING = (range(0x1161, 0x1176), range(0x11A8, 0x11C3), range(0x16D63, 0x16D6B))
# Marks that never compose: variation selectors, which follow many emoji.
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def word_sets(texts: pl.Series, *, width: int) -> tuple[pl.Series, pl.Series, Hashes]:
    """Return the distinct word shingles of each text as hashes, how many words it has, and what tells the set.

    Words are those of `text.words`. A text with fewer words than `width` is one shingle of all its words. Two
    different shingles share a hash with probability 2**-64.

    Args:
        texts: n texts; may hold nulls.
        width: words in a shingle, at least 1.

    Returns:
        Hashes (list[u64], distinct, in the order of the text, none is 0; null where the text is null), words (u32), and
        128 bits that are equal where the sets are, (n, 2) uint64.
    """
    known = texts.fill_null("")
    sizes = known.str.len_bytes().to_numpy().astype(np.int64)
    forms = _Forms()
    values = _room(int(sizes.sum()) // 2 + len(texts))
    ends, words = np.zeros(len(texts) + 1, dtype=np.int64), np.zeros(len(texts), dtype=np.uint32)
    sums = np.zeros((len(texts), 2), dtype=np.uint64)
    for start, stop in _blocks(sizes):
        from curate import kernels

        buffers = _folded(known[start:stop], forms)
        used = ends[start]
        values = _with_room(values, int(used), int((buffers[-1] + 1).sum()) // 2)
        room = values[used:]
        found = kernels.shingled(buffers, forms.table, width, room)
        ends[start + 1 : stop + 1], words[start:stop], sums[start:stop] = found
        ends[start + 1 : stop + 1] += used
    return lists(ends, values, nulls=texts.is_null()).alias("hashes"), pl.Series("words", words), sums


def lists(ends: npt.NDArray[np.int64], values: Hashes, *, nulls: pl.Series) -> pl.Series:
    """Return one list of hashes per text, from all of them end to end, without a copy.

    Args:
        ends: (n + 1,) where each list ends, with a 0 before.
        values: the hashes; what is behind the last list is left out.
        nulls: which of the texts are null.
    """
    # From buffers: pyarrow imports pandas, if it is there, to look at an array of numpy.
    offsets = pa.Array.from_buffers(pa.int64(), len(ends), [None, pa.py_buffer(ends)])
    hashes = pa.Array.from_buffers(pa.uint64(), int(ends[-1]), [None, pa.py_buffer(values)])
    found = pa.LargeListArray.from_arrays(offsets, hashes, mask=nulls.to_arrow())
    return pl.Series(pl.from_arrow(found), dtype=pl.List(pl.UInt64))


def _with_room(values: Hashes, used: int, more: int) -> Hashes:
    """Return the values with room for more: folding can make a text longer (a sign for "kilometre" is nine bytes)."""
    if used + more <= len(values):
        return values
    return np.concatenate([values[:used], np.empty(more + len(values) - used, dtype=np.uint64)])


def _room(size: int) -> Hashes:
    """Return room for hashes in pages of the usual size.

    numpy asks for huge ones, which a virtual machine has to find and clear first: for 300 MB, written once from end to
    end, that took 0.9 s of its time instead of 0.2 s (Linux 6.18, defragmentation on demand).
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.empty(size, dtype=np.uint64)
    pages = mmap.mmap(-1, 8 * max(1, size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype=np.uint64)


def ragged(sets: pl.Series, *, workers: int = 1) -> Ragged:
    """Return a column of lists end to end, without a copy where its memory is in one piece; a null is an empty list.

    Args:
        sets: lists of hashes.
        workers: threads that copy pieces together.
    """
    if sets.n_chunks() > 1:
        return _joined([ragged(piece) for piece in sets.get_chunks()], workers)
    lists: Any = sets.to_arrow()
    offsets = np.asarray(lists.offsets)
    if lists.null_count:
        lengths = np.where(sets.is_null().to_numpy(), 0, np.diff(offsets))
        if lengths.sum() != offsets[-1] - offsets[0]:
            return ragged(sets.fill_null([]))
    return Ragged(np.asarray(lists.values), offsets)


def _joined(pieces: Sequence[Ragged], workers: int) -> Ragged:
    """Return pieces of a column as one."""
    ends = np.cumsum([0, *(int(piece.offsets[-1] - piece.offsets[0]) for piece in pieces)])
    values = _room(int(ends[-1]))

    def copy(number: int) -> None:
        own = pieces[number]
        values[ends[number] : ends[number + 1]] = own.values[own.offsets[0] : own.offsets[-1]]

    with threads(workers) as pool:
        for _ in (pool.map if pool else map)(copy, range(len(pieces))):
            pass
    offsets = [piece.offsets[:-1] - piece.offsets[0] + end for piece, end in zip(pieces, ends, strict=False)]
    return Ragged(values, np.concatenate([*offsets, ends[-1:]]))


def _blocks(sizes: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut the texts where the bytes before reach the next multiple of a block."""
    places = np.cumsum(sizes) // _BLOCK
    cuts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(sizes)]
    yield from ((start, stop) for start, stop in pairwise(cuts) if stop > start)


def _folded(texts: pl.Series, forms: _Forms) -> tuple[Any, ...]:
    """Return the texts as bytes, and again in folded form those that must be folded as a whole.

    Returns:
        bytes of all texts, where they end (a 0 before), the folded bytes, where each text begins there (-1 for one that
        is folded character by character), and how many bytes each text has when folded.
    """
    lists: Any = texts.rechunk().to_arrow()
    _, offsets, data = lists.buffers()
    ends = np.frombuffer(offsets, np.int64)[lists.offset : lists.offset + len(lists) + 1]
    plain = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    firsts, sizes = np.full(len(texts), -1, dtype=np.int64), np.diff(ends)
    foreign = np.flatnonzero((texts.str.len_bytes() != texts.str.len_chars()).to_numpy())
    slow = forms.foreseen(plain, ends, foreign, sizes)
    # Marks and the like: the text has to be folded as a whole.
    pieces = [np.frombuffer(text.spaced_words(value), np.uint8) for value in texts.gather(slow).to_list()]
    sizes[slow] = [len(piece) for piece in pieces]
    firsts[slow] = np.cumsum(sizes[slow]) - sizes[slow]
    return plain, ends, np.concatenate([plain[:0], *pieces]), firsts, sizes


class _Forms:
    """What each character beyond ASCII that was met becomes: its folded form, blanks around it where it is a word."""

    def __init__(self) -> None:
        from curate import kernels

        self._seen = np.zeros(_POINTS, dtype=np.bool_)
        self._number = np.full(_POINTS, kernels.UNKNOWN, dtype=np.int32)
        self._pieces = [b" "]  # form 0: whatever is part of no word
        self._tabulate()

    def foreseen(self, data: Any, ends: Any, rows: Any, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Write the sizes of some texts when folded, and return those that must be folded as a whole."""
        from curate import kernels

        kernels.foreseen(data, ends, rows, self.table, self._seen, sizes)
        while len(ahead := rows[sizes[rows] == kernels.UNKNOWN]):
            for point in np.flatnonzero(self._seen).tolist():
                self._learn(point)
            self._seen[:] = False
            self._tabulate()
            kernels.foreseen(data, ends, ahead, self.table, self._seen, sizes)
        slow: npt.NDArray[np.int64] = rows[sizes[rows] == kernels.ENTANGLED]
        return slow

    def _learn(self, point: int) -> None:
        from curate import kernels

        form = folded(chr(point))
        if form is None:
            self._number[point] = kernels.ENTANGLED
        elif form.strip():
            self._number[point] = len(self._pieces)
            self._pieces.append(form.encode())
        else:
            self._number[point] = 0

    def _tabulate(self) -> None:
        starts = np.concatenate([[0], np.cumsum([len(piece) for piece in self._pieces])]).astype(np.int32)
        self.table = self._number, starts, np.frombuffer(b"".join(self._pieces), np.uint8)


def folded(character: str) -> str | None:
    """Return what a character adds to the words of a text, or None where that depends on its neighbours.

    NFKC and casefold work character by character but for those that compose with, or are ordered among, the ones
    before them.
    """
    normal = unicodedata.normalize("NFKC", character)
    if any(_entangled(one) for one in normal):
        return None
    parts = []
    for one in normal.casefold():
        if text.is_unspaced(one):
            parts.append(f" {one} ")
        else:
            parts.append(one if one.isalnum() or one == "_" else " ")
    return "".join(parts)


def _entangled(character: str) -> bool:
    """Tell whether a character may compose with the one before it or change places with it."""
    point = ord(character)
    if any(point in block for block in _SELECTORS):
        return False
    return unicodedata.category(character)[0] == "M" or any(point in block for block in _COMPOSING)
