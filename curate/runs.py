"""Runs of words that recur, read off a suffix array.

Import this module only where it runs: numba takes half a second to load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import jit
from curate.suffixes import Ints, shared, suffixes


@dataclass(frozen=True)
class Runs:
    """Runs of words that recur.

    Args:
        first: (k,) where each maximal run first stands.
        sizes: (k,) its words.
        owners: (k,) owners that have it.
        groups: (k,) groups of owners that have it.
        starts: (m,) places of the outermost runs, ascending.
        number: (m,) which run stands there, 0 to k - 1.
        having: (n,) owners that have the `length` words that begin at each place, 0 where too few have.
    """

    first: Ints
    sizes: Ints
    owners: Ints
    groups: Ints
    starts: Ints
    number: Ints
    having: Ints


def recurring(words: Ints, ends: Ints, owners: Ints, *, groups: Ints, least: int, length: int) -> Runs:
    """Return the maximal runs of words that recur: those that `least` owners have.

    At a place a run is outermost when there neither word beside it can join it without leaving too few owners. A run is
    maximal when it is outermost somewhere, or when its occurrences differ in the word before them (the ends of a
    stretch differ from everything) and every word behind loses an owner: so a word a thousand times over is one run
    and not a thousand. All is read off the suffix array (Manber and Myers 1993), the beginnings that neighbours in it
    share (Kasai et al. 2001), and its intervals of equal beginnings (Abouelhoda et al. 2004).

    Args:
        words: (n,) a number for each word, at least 0, equal for equal words.
        ends: (n,) where the stretch of each place ends, ascending: no run crosses it.
        owners: (n,) whose stretch it is, ascending from 0.
        groups: (number of owners,) the group of each owner, from 0.
        least: owners of a run, at least 2.
        length: least words of a run.
    """
    order = suffixes(words, ends)
    common = shared(order, words, ends)
    reach, having = np.empty_like(words), np.empty_like(words)
    reach[order] = _longest(common, owners[order], least)
    having[order] = _having(common, owners[order], length)
    having[reach < length] = 0
    inner = (ends[1:] == ends[:-1]) & (reach[:-1] == reach[1:] + 1)
    starts = np.flatnonzero((reach >= length) & ~np.append(False, inner)[: len(words)]).astype(np.int32)
    sizes, low, high, counted = _intervals(common, owners[order], length)
    number = _numbered(starts, reach[starts], order, common, (low, sizes))
    told = (counted >= least) & _vary(order, words, ends, (low, high)) & ~_outdone(low, counted)
    told[number] = True
    number = (np.cumsum(told, dtype=np.int32) - 1)[number]
    sizes, low, high, counted = sizes[told], low[told], high[told], counted[told]
    different = _intervals(common, groups[owners[order]], length)[3][told]
    return Runs(_least(order, low, high), sizes, counted, different, starts, number, having)


def _numbered(starts: Ints, lengths: Ints, order: Ints, common: Ints, runs: tuple[Ints, Ints]) -> Ints:
    """Return which run begins at each place: a run is told by the beginning of its interval and its length."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order), dtype=np.int32)
    sort = np.argsort(place[starts])
    begins = np.empty_like(starts)
    begins[sort] = _begins(common, place[starts][sort], lengths[sort])
    low, sizes = runs
    keys = low.astype(np.int64) << 32 | sizes
    by_key = np.argsort(keys)
    return by_key[np.searchsorted(keys[by_key], begins.astype(np.int64) << 32 | lengths)].astype(np.int32)


def _vary(order: Ints, words: Ints, ends: Ints, intervals: tuple[Ints, Ints]) -> npt.NDArray[np.bool_]:
    """Tell in which intervals the word before is not the same throughout, (k,)."""
    # The ends of a stretch differ from each other and from every word.
    before = -1 - np.arange(len(words), dtype=np.int32)
    np.copyto(before[1:], words[:-1], where=ends[1:] == ends[:-1])
    before = before[order]
    changes = np.cumsum(np.append(False, before[1:] != before[:-1])[: len(words)], dtype=np.int32)
    low, high = intervals
    return np.asarray(changes[low] < changes[high])


def _least(values: Ints, low: Ints, high: Ints) -> Ints:
    """Return the least of values[low:high + 1] for each pair: two overlapping blocks of a power of two cover it."""
    found = np.empty(len(low), dtype=np.int32)
    level = np.frexp(high - low + 1.0)[1] - 1
    block = values
    for power in range(int(level.max(initial=-1)) + 1):
        if power:
            half = 1 << (power - 1)
            block = np.minimum(block[:-half], block[half:])
        here = level == power
        found[here] = np.minimum(block[low[here]], block[high[here] + 1 - (1 << power)])
    return found


@jit
def _longest(common: Ints, owners: Ints, least: int) -> Ints:
    """Return for each suffix the longest beginning that `least` owners have, (n,).

    For each suffix as the last of an interval, the shortest such interval with enough owners shares most; those before
    it share that as far as they share with their neighbours.
    """
    total = len(common)
    found = np.zeros(total, np.int32)
    held = np.zeros(owners.max() + 1 if total else 0, np.int32)
    # Places in the interval whose `common` is less than that of all behind: the first one is the least.
    rising, head, tail = np.empty(total, np.int32), 0, 0
    left, different = 0, 0
    for right in range(total):
        while tail > head and common[rising[tail - 1]] >= common[right]:
            tail -= 1
        rising[tail] = right
        tail += 1
        different += held[owners[right]] == 0
        held[owners[right]] += 1
        while different - (held[owners[left]] == 1) >= least:
            held[owners[left]] -= 1
            different -= held[owners[left]] == 0
            left += 1
        # The interval shares what its places but the first share with the one before them.
        while head < tail and rising[head] <= left:
            head += 1
        if different >= least:  # of two owners at least, so that the interval has a second place
            found[right] = common[rising[head]]
    for at in range(total - 2, -1, -1):
        found[at] = max(found[at], min(found[at + 1], common[at + 1]))
    return found


@jit
def _begins(common: Ints, at: Ints, lengths: Ints) -> Ints:
    """Return the first place of the suffixes up to `at` that all begin with the same `lengths` words; `at` ascends."""
    found = np.empty(len(at), np.int32)
    # Places whose `common` is less than that of all behind: what lies before the last one below a length is cut off.
    rising, used, done = np.empty(len(common) + 1, np.int32), 0, 0
    for query in range(len(at)):
        while done <= at[query]:
            while used and common[rising[used - 1]] >= common[done]:
                used -= 1
            rising[used] = done
            used += 1
            done += 1
        low, high = 0, used
        while low < high:
            middle = (low + high) // 2
            if common[rising[middle]] < lengths[query]:
                low = middle + 1
            else:
                high = middle
        found[query] = rising[low - 1] if low else 0
    return found


@jit
def _having(common: Ints, owners: Ints, length: int) -> Ints:
    """Return for each suffix how many owners have its first `length` words, (n,)."""
    total = len(common)
    found, last = np.zeros(total, np.int32), np.full(owners.max() + 1 if total else 0, -1, np.int32)
    begin = 0
    for at in range(total + 1):
        if at == total or common[at] < length:
            found[begin:at] = found[at - 1] if at else 0
            begin = at
        if at < total:
            found[at] = (found[at - 1] if at > begin else 0) + (last[owners[at]] < begin)
            last[owners[at]] = at
    return found


@jit
def _intervals(common: Ints, labels: Ints, length: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the intervals of suffixes that share more words than with those around them, inner ones before outer ones.

    Of each its words (at least `length`), its first and last place, and how many different labels stand in it: as many
    as places, less one for each place whose label was seen before inside of it (Hui 1992).
    """
    total = len(common)
    sizes, low, high = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
    counted, used = np.empty(total, np.int32), 0
    # The open intervals, each inside of the one below it.
    depth, begin, again = np.zeros(total + 1, np.int32), np.zeros(total + 1, np.int32), np.zeros(total + 1, np.int32)
    top = 0
    last = np.full(labels.max() + 1 if total else 0, -1, np.int32)
    for at in range(total + 1):
        here = common[at] if at < total else 0
        left, carried = max(at - 1, 0), 0
        while here < depth[top]:
            left, carried = begin[top], carried + again[top]
            if depth[top] >= length:
                sizes[used], low[used], high[used], counted[used] = depth[top], left, at - 1, at - left - carried
                used += 1
            top -= 1
        if here > depth[top]:
            top += 1
            depth[top], begin[top], again[top] = here, left, 0
        again[top] += carried
        if at < total:
            if last[labels[at]] >= 0:
                # The innermost open interval that the label was seen in: begins ascend.
                inside = np.searchsorted(begin[: top + 1], last[labels[at]], side="right") - 1
                again[inside] += 1
            last[labels[at]] = at
    return sizes[:used], low[:used], high[:used], counted[:used]


@jit
def _outdone(low: Ints, counted: Ints) -> Any:
    """Tell which intervals hold a longer one of as many owners, (k,) bool; each comes behind those inside of it."""
    found = np.zeros(len(low), np.bool_)
    waiting, used = np.empty(len(low), np.int32), 0
    for at in range(len(low)):
        while used and low[waiting[used - 1]] >= low[at]:
            used -= 1
            found[at] |= counted[waiting[used]] == counted[at]
        waiting[used] = at
        used += 1
    return found
