"""Texts as numbers, and which pieces stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import shingles

# A word that no piece has.
UNKNOWN = -1
# Texts looked at together, and room for what is found in them to begin with: a few MB each.
_PART, _ROOM = 4096, 1 << 16
# What a word weighs beside its letters: rare words are long (Zipf 1935), and they make the difference. Of short texts
# that differ in a word or two, half as many are taken for copies as where all words weigh alike, and of planted copies
# nearly as many are found. Rarity among the items did no better, and knows nothing where there are few.
_BESIDE = 6
# A value counts words in its lower bits, so that one search tells both.
_SHIFT = 20
_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """The words of some texts as numbers, where each text begins, and what each number is worth.

    Args:
        words: of all texts, -1 for a word that no piece has.
        offsets: (texts + 1,), a 0 first.
        worth: (numbers,), the weight of each word above its lower 20 bits, in which is a 1.
    """

    words: _Numbers
    offsets: _Numbers
    worth: _Numbers

    @property
    def sizes(self) -> _Numbers:
        """Return the number of words of each text."""
        return np.diff(self.offsets)

    def taken(self, places: _Numbers) -> Texts:
        """Return some of the texts, copied."""
        counts = self.sizes[places]
        words = self.words[shingles.spans(self.offsets[places], counts)]
        return Texts(words, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), self.worth)


def numbers(pieces: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return a number for each word of some pieces, in their order."""
    found: dict[str, int] = {}
    for words in pieces:
        for word in words:
            found.setdefault(word, len(found))
    return found


def numbered(texts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> Texts:
    """Return the words of texts as numbers."""
    values: list[int] = []
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    number = vocabulary.get
    for place, words in enumerate(texts):
        values.extend([number(word, UNKNOWN) for word in words])
        offsets[place + 1] = len(values)
    weights = np.array([len(word) + _BESIDE for word in vocabulary], dtype=np.int64)
    return Texts(np.array(values, dtype=np.int64), offsets, (weights << _SHIFT) + 1)


def hits_of(given: Texts, pieces: Texts, chosen: _Numbers, *, n: int, align: bool) -> pl.DataFrame:
    """Return which of the chosen pieces share runs of n words with the texts, and how much of them is there.

    Args:
        given: the texts.
        pieces: all pieces, numbered alike.
        chosen: the pieces that are sought.
        n: words in a run.
        align: whether words are also compared one by one in the best window, where that can matter.

    Returns:
        row, piece: place of the text and of the piece; begin, end: the best window, in words of the text; size,
        covered, words: words of the piece, in shared runs, and found; missing: weight of those that are missing from
        the window in their order, as a share of all, or their number where they were not compared one by one.
    """
    from curate import covers

    own = pieces.taken(chosen)
    keys = covers.keys(own.words, own.offsets, n)
    distinct = np.unique(keys[keys > 0])
    table = covers.tabled(distinct)
    index = _index(own, covers.numbered(keys, *table), grams=len(distinct))
    grams = covers.numbered(covers.keys(given.words, given.offsets, n), *table)
    size, start, room = len(given.sizes) if len(chosen) else 0, 0, _ROOM
    parts = [np.zeros((6, 0), dtype=np.int64)]
    while start < size:
        out: Any = np.empty((6, room), dtype=np.int64)
        part = (start, min(size, start + _PART))
        reached, used = covers.found((given.words, grams, given.offsets), (n, align), index, part, tuple(out))
        parts.append(out[:, :used].copy())
        # A single text with more hits than there is room for is looked at again with twice the room.
        room = room if reached > start else 2 * room
        start = reached
    row, at, covered, aligned, begin, end = np.concatenate(parts, axis=1)
    return _told(own, row, at, covered, aligned).with_columns(
        piece=pl.Series(chosen[at]), begin=pl.Series(begin), end=pl.Series(end)
    )


def _told(own: Texts, row: _Numbers, at: _Numbers, covered: _Numbers, aligned: _Numbers) -> pl.DataFrame:
    """Return the hits with the words found and the share that is missing."""
    sizes, weights = own.sizes, np.concatenate([[0], np.cumsum(own.worth[own.words] >> _SHIFT)])
    totals = (weights[own.offsets[1:]] - weights[own.offsets[:-1]])[at]
    compared = aligned >= 0
    missing = np.where(compared, 1 - (aligned >> _SHIFT) / totals, 1 - covered / sizes[at])
    words = np.where(compared, np.maximum(covered, aligned & ((1 << _SHIFT) - 1)), covered)
    return pl.DataFrame({"row": row, "size": sizes[at], "covered": covered, "words": words, "missing": missing})


def _index(own: Texts, mine: npt.NDArray[np.int32], *, grams: int) -> tuple[Any, ...]:
    """Return the pieces by the rarer half of their grams: whoever shares most of a piece shares some of these."""
    owner = np.repeat(np.arange(len(own.sizes)), own.sizes)
    known = pl.DataFrame({"piece": owner, "gram": mine}).filter(pl.col("gram") >= 0).unique()
    ranked = known.with_columns(often=pl.len().over("gram")).sort("piece", "often", "gram")
    ranked = ranked.with_columns(at=pl.int_range(pl.len()).over("piece"), many=pl.len().over("piece"))
    rare = ranked.filter(pl.col("at") <= (pl.col("many") + 1) // 2)
    # After edits to one word in ten six in ten grams are left; a quarter leaves room for the luck of the draw.
    need = np.maximum(1, np.bincount(rare["piece"].to_numpy(), minlength=len(own.sizes)) // 4).astype(np.int32)
    posted = rare.sort("gram", "piece")
    starts = np.concatenate([[0], np.cumsum(np.bincount(posted["gram"].to_numpy(), minlength=grams))]).astype(np.int64)
    return starts, posted["piece"].to_numpy().astype(np.int32), need, own.offsets, own.words, mine, own.worth
