"""Where two texts share runs of words, and the parts of a text around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce

import numpy as np

from curate import shingles
from curate import text as kernel
from reports import shown

# Characters shown before, between and after what is shared.
AROUND = 90
# Characters of an excerpt at most.
LONGEST = 1200
_TOKEN = re.compile(kernel.TOKEN.pattern)
Piece = list[str]


def shared(one: str, other: str, *, n: int) -> tuple[list[Piece], list[Piece]]:
    """Return both texts cut around the word n-grams that they share.

    Words are compared as `curate.text.words` sees them, without case and punctuation; shown is the text as it is. When
    one of the texts has fewer than n words, all of its words are the run.

    Args:
        one: a text.
        other: another.
        n: words in a run.

    Returns:
        For each text pieces in order: `same` (plain), `mark` (shared) and `gap` (how many characters are left out).
    """
    words = [_words(text) for text in (one, other)]
    size = max(1, min(n, *(len(found) for found in words)))
    runs = [{tuple(word for word, _, _ in found[at : at + size]) for at in _starts(found, size)} for found in words]
    common = runs[0] & runs[1]
    first, second = (
        _pieces(text, _places(found, common, size)) for text, found in zip((one, other), words, strict=True)
    )
    return first, second


def longest(texts: Sequence[str]) -> str:
    """Return the longest run of words that all texts share, of several the first of the first text, in normal form."""
    words = shingles.word_hashes(texts)
    low, high, start = 0, int(words.counts.min()), 0
    while low < high:  # what shares a run shares every shorter one
        size = (low + high + 1) // 2
        runs = shingles.windows(words, n=size)
        each = np.split(runs.values, runs.offsets[1:-1])
        common = reduce(np.intersect1d, each)
        if len(common):
            low, start = size, int(np.flatnonzero(np.isin(each[0], common))[0])
        else:
            high = size - 1
    return " ".join(kernel.words(texts[0])[start : start + low]) if low else ""


def _words(text: str) -> list[tuple[str, int, int]]:
    """Return the words of a text, each with start and end of the piece between blanks that it stands in."""
    found = []
    for match in _TOKEN.finditer(text):
        found += [(word, match.start(), match.end()) for word in kernel.words(match[0])]
    return found


def _starts(words: Sequence[tuple[str, int, int]], size: int) -> range:
    return range(len(words) - size + 1)


def _places(words: Sequence[tuple[str, int, int]], common: set[tuple[str, ...]], size: int) -> list[tuple[int, int]]:
    """Return start and end of each stretch of shared runs, overlapping ones as one."""
    places: list[tuple[int, int]] = []
    for at in _starts(words, size):
        if tuple(word for word, _, _ in words[at : at + size]) in common:
            start, end = words[at][1], words[at + size - 1][2]
            if places and start <= places[-1][1]:
                places[-1] = (places[-1][0], end)
            else:
                places.append((start, end))
    return places


def _pieces(text: str, places: Sequence[tuple[int, int]]) -> list[Piece]:
    """Return marked and plain pieces; long stretches between them are left out, and all after the longest excerpt."""
    pieces: list[Piece] = []
    done, used = 0, 0
    for start, end in places:
        if used >= LONGEST:
            break
        pieces += _plain(text[done:start], first=not done)
        stop = min(end, start + LONGEST)
        pieces.append(["mark", shown.visible(text[start:stop])])
        used += stop - start + 2 * AROUND
        done = stop
    return pieces + _plain(text[done:], first=not done, last=True)


def _plain(text: str, *, first: bool, last: bool = False) -> list[Piece]:
    """Return a stretch without marks, of a long one only what stands beside a mark."""
    head, tail = (0 if first and not last else AROUND), (0 if last else AROUND)
    head += AROUND if first and last else 0
    if len(text) <= head + tail + AROUND:
        return [["same", shown.visible(text)]] if text else []
    left = len(text) - head - tail
    parts = [["same", shown.visible(text[:head])], ["gap", shown.plural(left, "character")]]
    parts += [["same", shown.visible(text[len(text) - tail :])]] if tail else []
    return [part for part in parts if part[1]]
