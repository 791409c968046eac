"""Windows of words by their hashes, and which of them recur; `curate.runs` then looks at the words themselves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import shingles
from curate.schema import digest
from curate.wordsets import lists

_Ints = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]


def name(words: Iterable[bytes]) -> str:
    """Return the name of a span: the hash of its words."""
    return digest(b" ".join(words))


def windows(texts: pl.Series, *, size: int) -> pl.Series:
    """Return the hash of each run of `size` words of each text, in order (list[u64]); null for a null text.

    A word weighs a power of the base by its place, and so does the difference of two sums up to a place; divided by the
    power of its first place (times its inverse), equal runs have equal hashes wherever they stand. All is modulo 2**64.
    """
    words = shingles.word_hashes(texts.to_list())
    hashes, counts = words.values, words.counts
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(hashes * _powers(shingles.BASE, len(hashes)))])
    runs = (sums[size:] - sums[:-size]) * _powers(pow(shingles.BASE, -1, 1 << 64), max(len(sums) - size, 0))
    ends = np.repeat(np.cumsum(counts), counts)[: len(runs)]
    inside = runs[np.arange(len(runs)) + size <= ends]
    offsets = np.concatenate([[0], np.cumsum(np.maximum(counts - size + 1, 0))]).astype(np.int64)
    return lists(offsets, inside, nulls=texts.is_null()).alias("windows")


def _powers(base: int, count: int) -> _Hashes:
    """Return base to the power of 0, 1, …, modulo 2**64, shape (count,)."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def stretches(windows: pl.Series, *, size: int, least: int) -> dict[int, list[tuple[int, int]]]:
    """Return the stretches of words in which windows recur, by text: first word and the one behind the last.

    Args:
        windows: what `windows` returned.
        size: words in a window.
        least: texts that must have a window.
    """
    counts = windows.list.len().fill_null(0).to_numpy().astype(np.int64)
    values = windows.filter(pl.Series(counts > 0)).explode().to_numpy().astype(np.uint64)
    owners = np.repeat(np.arange(len(counts)), counts)
    places = np.flatnonzero(_recurs(values, owners, least=least))
    if not len(places):
        return {}
    # Windows that share words, or stand side by side, are of one stretch.
    ends = np.append((np.diff(places) > size) | (np.diff(owners[places]) > 0), True)
    last = np.flatnonzero(ends)
    first = np.concatenate([[0], last[:-1] + 1])
    before = (np.cumsum(counts) - counts)[owners[places[first]]]
    found: dict[int, list[tuple[int, int]]] = {}
    columns = (owners[places[first]], places[first] - before, places[last] - before + size)
    for owner, start, stop in zip(*(column.tolist() for column in columns), strict=True):
        found.setdefault(owner, []).append((start, stop))
    return found


def _recurs(values: _Hashes, owners: _Ints, *, least: int) -> npt.NDArray[np.bool_]:
    """Tell which values at least so many owners have; owners ascend, shape (n,)."""
    # Those alone in their slot are alone; sorting the rest is far cheaper than sorting all.
    slots = (values >> np.uint64(64 - max(len(values), 1).bit_length())).astype(np.int64)
    some = np.flatnonzero(np.bincount(slots, minlength=1)[slots] > 1)
    order = some[np.argsort(values[some], kind="stable")]
    heads = np.append(True, values[order][1:] != values[order][:-1])[: len(order)]
    fresh = heads | np.append(True, owners[order][1:] != owners[order][:-1])[: len(order)]
    group = np.cumsum(heads) - 1
    found = np.zeros(len(values), dtype=bool)
    found[order] = np.bincount(group, weights=fresh, minlength=1)[group] >= least
    return found
