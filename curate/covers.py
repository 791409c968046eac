"""Compiled search for pieces of text in longer texts: how much of a piece stands together in one place.

A *piece* is a run of words that is looked for, a *gram* a run of n words that pieces have. As with `curate.kernels`,
import this module only where it runs; every function releases the interpreter lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.kernels import BASE, I32, I64, U64, jit, mixed

# Where the pieces of each gram are (with a 0 before), those pieces, how many such grams a candidate must share, where
# the words of each piece begin (with the end of the last), their words, the gram that begins at each, and what each
# word is worth.
Index = tuple[I64, I32, I32, I64, I64, I32, I64]
# Words of all texts, the gram that begins at each (-1 for none that a piece has), where each text begins.
Texts = tuple[I64, I32, I64]
# Text, piece, words of the piece in grams that the text has too, what the words in order in the best window are worth
# (-1 where they were not looked at one by one), and where that window begins and ends in the text: (room,) each.
Hits = tuple[I64, I64, I64, I64, I64, I64]

_U = np.uint64
_NONE = _U(0)
# Pieces that are looked up in one text: of a thousand items in one wording the nearest are enough.
MOST = 256
# Words up to which a piece is aligned word by word; in longer ones runs of words tell nearly the same at less cost.
ALIGNED = 2000
# Words beside the best window that are aligned too: two neighbours that changed places leave three without a gram.
EDGE = 3
# A piece of so many words is aligned only where it can matter, as that takes most of the time: where as many of them
# lie in grams as after far more edits than one word in ten (seven in ten then do), and not nearly all.
SHORT, PROMISING, CERTAIN = 24, 0.4, 0.9


@jit
def keys(words: I64, offsets: I64, n: int) -> U64:
    """Return the hash of the run of n words that begins at each word, 0 where it holds an unknown word or no n follow.

    Args:
        words: numbers of words, -1 for one that no piece has.
        offsets: (texts + 1,) where each text begins.
        n: words in a run.
    """
    found = np.zeros(len(words), np.uint64)
    for text in range(len(offsets) - 1):
        known = 0
        for at in range(offsets[text], offsets[text + 1]):
            known = known + 1 if words[at] >= 0 else 0
            if known >= n:
                total = _U(n)
                for place in range(at - n + 1, at + 1):
                    total = mixed(total * BASE + _U(words[place]))
                found[at - n + 1] = max(total, _U(1))
    return found


@jit
def numbered(wanted: U64, table: U64, numbers: I32) -> I32:
    """Return the number of each hash in an open table, -1 for one that it does not have."""
    mask = _U(len(table) - 1)
    found = np.full(len(wanted), -1, np.int32)
    for place in range(len(wanted)):
        if wanted[place] == _NONE:
            continue
        at = wanted[place] & mask
        while table[at] != wanted[place] and table[at] != _NONE:
            at = (at + _U(1)) & mask
        if table[at] != _NONE:
            found[place] = numbers[at]
    return found


@jit
def tabled(distinct: U64) -> tuple[U64, I32]:
    """Return an open table of distinct hashes, none of them 0, and the number of each."""
    size = 16
    while size < 2 * len(distinct):
        size *= 2
    table, numbers, mask = np.zeros(size, np.uint64), np.zeros(size, np.int32), _U(size - 1)
    for number in range(len(distinct)):
        at = distinct[number] & mask
        while table[at] != _NONE:
            at = (at + _U(1)) & mask
        table[at], numbers[at] = distinct[number], number
    return table, numbers


@jit
def found(texts: Texts, how: tuple[int, bool], index: Index, part: tuple[int, int], out: Hits) -> tuple[int, int]:
    """Write for some texts which pieces stand in them, and how much of each.

    Args:
        texts: all texts.
        how: words in a gram, and whether edited copies are sought, whose words are aligned one by one.
        index: of the pieces.
        part: first and one past the last text.
        out: room for the hits.

    Returns:
        The first text that was not looked at for want of room, and how many hits were written.
    """
    words, grams, offsets = texts
    n, align = how
    starts, _, _, edges, _, _, worth = index
    pieces, longest = len(edges) - 1, 1
    for piece in range(pieces):
        longest = max(longest, edges[piece + 1] - edges[piece])
    shared, seen = np.zeros(pieces, np.int32), np.empty(pieces, np.int64)
    heads, counts = np.full(len(starts) - 1, -1, np.int32), np.zeros(len(starts) - 1, np.int32)
    scratch = (heads, counts, np.empty(longest, np.int32), np.zeros(longest, np.int32))
    used = 0
    for text in range(part[0], part[1]):
        first, stop = offsets[text], offsets[text + 1]
        wanted = _candidates(grams[first:stop], index, shared, seen)
        if used + len(wanted) > len(out[0]):
            return text, used
        for piece in wanted:
            covered, begin, end = _window(grams[first:stop], n, index, piece, scratch)
            size = edges[piece + 1] - edges[piece]
            aligned = np.int64(-1)
            if align and size <= ALIGNED and (size < SHORT or PROMISING * size <= covered < CERTAIN * size):
                near = words[max(first, first + begin - EDGE) : min(stop, first + end + EDGE)]
                aligned = _aligned(near, index[4][edges[piece] : edges[piece + 1]], worth)
            out[0][used], out[1][used], out[2][used], out[3][used] = text, piece, covered, aligned
            out[4][used], out[5][used] = begin, end
            used += 1
    return part[1], used


@jit
def _candidates(grams: I32, index: Index, shared: I32, seen: I64) -> I64:
    """Return the pieces that share enough grams with a text; `shared` is 0 throughout before and after."""
    starts, postings, need, _, _, _, _ = index
    met = 0
    for gram in grams:
        if gram >= 0:
            for place in range(starts[gram], starts[gram + 1]):
                piece = postings[place]
                if shared[piece] == 0:
                    seen[met] = piece
                    met += 1
                shared[piece] += 1
    wanted = _nearest(seen[:met], shared, need)
    for place in range(met):
        shared[seen[place]] = 0
    return wanted


@jit
def _nearest(seen: I64, shared: I32, need: I32) -> I64:
    """Return the pieces that share as many grams as they need, ascending; of too many those that share most."""
    enough = np.empty(len(seen), np.int64)
    used = 0
    for piece in seen:
        if shared[piece] >= need[piece]:
            enough[used] = piece
            used += 1
    enough = np.sort(enough[:used])
    if used <= MOST:
        return enough
    shares = np.empty(used, np.float64)
    for place in range(used):
        shares[place] = -shared[enough[place]] / need[enough[place]]
    return np.sort(enough[np.argsort(shares, kind="mergesort")[:MOST]])


@jit
def _window(grams: I32, n: int, index: Index, piece: int, scratch: tuple[I32, I32, I32, I32]) -> tuple[Any, int, int]:
    """Return how many words of a piece lie in grams of the best window of a text, and where that begins and ends.

    A window has the words of the piece, an eighth more, and two: room for insertions into one word in ten.
    """
    _, _, _, edges, _, own, _ = index
    heads, counts, following, covers = scratch
    first, size = edges[piece], edges[piece + 1] - edges[piece]
    for place in range(size - n, -1, -1):
        gram = own[first + place]
        following[place], heads[gram] = heads[gram], place
    width = size + size // 8 + 3 - n
    total, most, begin, end, left = np.int64(0), np.int64(0), 0, 0, 0
    for at in range(len(grams)):
        if at - left >= width:
            if grams[left] >= 0 and heads[grams[left]] >= 0:
                total += _turned(grams[left], -1, n, scratch)
            left += 1
        # The call costs more than the look, and most grams are other pieces'.
        if grams[at] >= 0 and heads[grams[at]] >= 0:
            total += _turned(grams[at], 1, n, scratch)
            if total > most:
                most, end, begin = total, at + n, left
    while begin < end and (grams[begin] < 0 or heads[grams[begin]] < 0):
        begin += 1
    for place in range(size - n + 1):
        heads[own[first + place]], counts[own[first + place]] = -1, 0
    covers[:size] = 0
    return most, begin, end


@jit
def _turned(gram: int, step: int, n: int, scratch: tuple[I32, I32, I32, I32]) -> Any:
    """Let a gram enter (1) or leave (-1) the window; return by how many words what is covered changes."""
    heads, counts, following, covers = scratch
    words = np.int64(0)
    counts[gram] += step
    if counts[gram] != (1 if step == 1 else 0):
        return words
    at = heads[gram]
    while at >= 0:
        for place in range(at, at + n):
            covers[place] += step
            if covers[place] == (1 if step == 1 else 0):
                words += step
        at = following[at]
    return words


@jit
def _aligned(text: I64, piece: I64, worth: I64) -> Any:
    """Return what the words are worth that two runs have in common in the same order (heaviest common subsequence)."""
    row = np.zeros(len(piece) + 1, np.int64)
    for word in text:
        if word < 0:
            continue
        before = np.int64(0)
        for place in range(len(piece)):
            above = row[place + 1]
            if piece[place] == word:
                row[place + 1] = before + worth[word]
            elif row[place] > above:
                row[place + 1] = row[place]
            before = above
    return row[len(piece)]
