"""Word n-grams as 64-bit hashes, for many texts at once and without a string per n-gram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from curate import text

_U = np.uint64
# The odd 64-bit constant of Fibonacci hashing (2**64 divided by the golden ratio): its powers weigh the words of an
# n-gram by their place, so that another order of the same words has another hash; odd, so it has an inverse.
BASE = 0x9E3779B97F4A7C15
# The finaliser of MurmurHash3 (fmix64), a bijection in which every input bit moves every output bit.
_MIX = (_U(0xFF51AFD7ED558CCD), _U(0xC4CEB9FE1A85EC53), _U(33))


@dataclass(frozen=True)
class Ragged:
    """One list of hashes per text, laid end to end.

    Args:
        values: all hashes, uint64.
        offsets: (n + 1,) int64; text i has `values[offsets[i]:offsets[i + 1]]`.
    """

    values: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Return how many hashes each text has, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        """Return the hashes of some texts, one text after the other."""
        return self.values[spans(self.offsets[places], self.counts_of(places))]

    def counts_of(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return how many hashes some texts have, without looking at the others."""
        found: npt.NDArray[np.int64] = self.offsets[places + 1] - self.offsets[places]
        return found


class _Hashes(dict[str, int]):
    """Remember the hash of each distinct word: texts repeat their words far more often than they bring new ones."""

    def __missing__(self, word: str) -> int:
        value: int = xxhash.xxh3_64_intdigest(word.encode())
        self[word] = value
        return value


def spans(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the places start, start + 1, … of every span, one span after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    found: npt.NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - counts), counts)
    return found


def word_hashes(texts: Sequence[str | None]) -> Ragged:
    """Return the xxh3-64 hash of every word (see `text.words`) of every text; a null text has none."""
    table = _Hashes()
    values: list[int] = []
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    for number, value in enumerate(texts):
        if value:
            values.extend([table[word] for word in text.words(value)])
        offsets[number + 1] = len(values)
    return Ragged(np.array(values, dtype=np.uint64), offsets)


def windows(words: Ragged, *, n: int) -> Ragged:
    """Return the hash of every run of n words; a text with fewer words is one run of all its words.

    Two different runs share a hash with probability 2**-64 (the words' hashes are taken as random).

    Args:
        words: what `word_hashes` returned.
        n: words in a run, at least 1.
    """
    counts = words.counts
    runs = np.where(counts >= n, counts - n + 1, np.minimum(counts, 1))
    offsets = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
    values = np.empty(int(offsets[-1]), dtype=np.uint64)
    for width in np.unique(np.minimum(counts[counts > 0], n)).tolist():
        chosen = counts >= n if width == n else counts == width
        starts = spans(words.offsets[:-1][chosen], runs[chosen])
        values[spans(offsets[:-1][chosen], runs[chosen])] = _runs(words.values, starts, width)
    return Ragged(values, offsets)


def _runs(values: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.uint64]:
    """Return the hash of the run of `width` words at each start; the width is hashed too."""
    total = np.full(len(starts), width, dtype=np.uint64)
    for place in range(width):
        total += values[starts + place] * _U(pow(BASE, width - place, 1 << 64))
    return mixed(total)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return each value after the finaliser of MurmurHash3."""
    first, second, shift = _MIX
    values = (values ^ (values >> shift)) * first
    values = (values ^ (values >> shift)) * second
    return values ^ (values >> shift)
