"""Runs of words that recur, by a suffix array over many texts laid end to end.

Import this module only where it runs: numba takes half a second to load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

I64 = npt.NDArray[np.int64]
_Function = TypeVar("_Function", bound=Callable[..., I64 | tuple[I64, I64, I64]])


def jit(function: _Function) -> _Function:
    """Compile a function when it is first called, and keep the result beside the file."""
    compiled: _Function = njit(cache=True, nogil=True)(function)
    return compiled


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

    first: I64
    sizes: I64
    owners: I64
    groups: I64
    starts: I64
    number: I64
    having: I64


def recurring(words: I64, ends: I64, owners: I64, *, groups: I64, least: int, length: int) -> Runs:
    """Return the maximal runs of words that recur: those that `least` owners have.

    A run is maximal when its occurrences differ in the word before it and in the word behind it; the ends of a stretch
    differ from everything. At a place it is outermost when there neither word can join it without leaving too few
    owners. All is read off the suffix array (Manber and Myers 1993) and the beginnings that neighbours in it share
    (Kasai et al. 2001): the maximal runs are those of its intervals (Abouelhoda et al. 2004) with different words
    before.

    Args:
        words: (n,) a number for each word, at least 0, equal for equal words.
        ends: (n,) where the stretch of each place ends, ascending: no run crosses it.
        owners: (n,) whose stretch it is, ascending from 0.
        groups: (number of owners,) the group of each owner, from 0.
        least: owners of a run, at least 2.
        length: least words of a run.
    """
    order = suffixes(words, ends)
    shared = _shared(order, words, ends)
    sizes, low, high = _maximal(order, shared, words, ends, length=length)
    counted = _different(owners[order], low, high)
    enough = counted >= least
    sizes, low, high, counted = sizes[enough], low[enough], high[enough], counted[enough]
    reach, place = np.empty(len(words), dtype=np.int64), np.empty(len(words), dtype=np.int64)
    reach[order], place[order] = _longest(shared, owners[order], least), np.arange(len(words))
    inner = np.zeros(len(words), dtype=bool)
    inner[1:] = (ends[1:] == ends[:-1]) & (reach[:-1] == reach[1:] + 1)
    starts = np.flatnonzero((reach >= length) & ~inner).astype(np.int64)
    # A run is told by its words: by the beginning of its interval and its length.
    key = low * (len(words) + 1) + sizes
    sort = np.argsort(key)
    by_place = np.argsort(place[starts])
    begins = np.empty(len(starts), dtype=np.int64)
    begins[by_place] = _begins(shared, place[starts][by_place], reach[starts][by_place])
    number = sort[np.searchsorted(key[sort], begins * (len(words) + 1) + reach[starts])]
    having = np.empty(len(words), dtype=np.int64)
    having[order] = _having(shared, owners[order], length)
    having[reach < length] = 0
    different = _different(groups[owners[order]], low, high)
    return Runs(_least(order, low, high), sizes, counted, different, starts, number.astype(np.int64), having)


def suffixes(words: I64, ends: I64) -> I64:
    """Return the places in the order of what begins there up to the end of its stretch, of equals the first one first.

    Ranks by 1, 2, 4, … words, each from two ranks of half as many; ranks of places alone in theirs are final, so only
    the others are sorted again.
    """
    sizes = np.bincount(words, minlength=1)
    # A rank is one more than the number of places before those of that rank, so that it stays when they are told apart.
    rank = (np.cumsum(sizes) - sizes)[words] + 1
    loose = np.arange(len(words), dtype=np.int64)
    longest = int((ends - np.arange(len(words))).max(initial=0))
    width = 1
    while width < longest and len(loose):
        beyond = loose + width
        second = np.where(beyond < ends[loose], rank[np.minimum(beyond, len(words) - 1)], 0)
        sort = np.argsort(rank[loose] * (len(words) + 1) + second)
        loose, second = loose[sort], second[sort]
        old = rank[loose]
        head = np.append(True, old[1:] != old[:-1])
        part = head | np.append(True, second[1:] != second[:-1])
        at = np.arange(len(loose))
        rank[loose] = old + np.maximum.accumulate(np.where(part, at, 0)) - np.maximum.accumulate(np.where(head, at, 0))
        alone = part & np.append(part[1:], True)
        loose = loose[~alone]
        width *= 2
    return np.argsort(rank, kind="stable").astype(np.int64)


def _maximal(order: I64, shared: I64, words: I64, ends: I64, *, length: int) -> tuple[I64, I64, I64]:
    """Return words, first and last place in the order of each maximal run of `length` words or more; by the last."""
    sizes, low, high = _intervals(shared, length)
    outside = -1 - np.arange(len(words))
    before = np.append(outside[:1], np.where(ends[1:] == ends[:-1], words[:-1], outside[1:]))[order][: len(words)]
    changes = np.cumsum(np.append(False, before[1:] != before[:-1])[: len(words)])
    differ = changes[low] < changes[high]
    return sizes[differ], low[differ], high[differ]


def _least(values: I64, low: I64, high: I64) -> I64:
    """Return the least of values[low:high + 1] for each pair: two overlapping blocks of a power of two cover it."""
    found = np.empty(len(low), dtype=np.int64)
    level = np.frexp((high - low + 1).astype(np.float64))[1] - 1
    block = values
    for power in range(int(level.max(initial=-1)) + 1):
        if power:
            half = 1 << (power - 1)
            block = np.minimum(block[:-half], block[half:])
        here = level == power
        found[here] = np.minimum(block[low[here]], block[high[here] + 1 - (1 << power)])
    return found


@jit
def _shared(order: I64, words: I64, ends: I64) -> I64:
    """Return how many words each suffix shares with the one before it in the order, (n,), 0 for the first."""
    found, place = np.zeros(len(order), np.int64), np.empty(len(order), np.int64)
    for at in range(len(order)):
        place[order[at]] = at
    size = 0
    for start in range(len(order)):
        if place[start] == 0:
            size = 0
            continue
        other = order[place[start] - 1]
        while start + size < ends[start] and other + size < ends[other] and words[start + size] == words[other + size]:
            size += 1
        found[place[start]] = size
        size = max(size - 1, 0)
    return found


@jit
def _longest(shared: I64, owners: I64, least: int) -> I64:
    """Return for each suffix the longest beginning that `least` owners have, (n,).

    For each suffix as the last of an interval, the shortest such interval with enough owners shares most; those before
    it share that as far as they share with their neighbours.
    """
    total = len(shared)
    found = np.zeros(total, np.int64)
    held = np.zeros(owners.max() + 1 if total else 0, np.int64)
    # Places in the interval whose `shared` is less than that of all behind: the first one is the least.
    rising, head, tail = np.empty(total, np.int64), 0, 0
    left, different = 0, 0
    for right in range(total):
        while tail > head and shared[rising[tail - 1]] >= shared[right]:
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
            found[right] = shared[rising[head]]
    for at in range(total - 2, -1, -1):
        found[at] = max(found[at], min(found[at + 1], shared[at + 1]))
    return found


@jit
def _begins(shared: I64, at: I64, lengths: I64) -> I64:
    """Return the first place of the suffixes up to `at` that all begin with the same `lengths` words; `at` ascends."""
    found = np.empty(len(at), np.int64)
    # Places whose `shared` is less than that of all behind: what lies before the last one below a length is cut off.
    rising, used, done = np.empty(len(shared) + 1, np.int64), 0, 0
    for query in range(len(at)):
        while done <= at[query]:
            while used and shared[rising[used - 1]] >= shared[done]:
                used -= 1
            rising[used] = done
            used += 1
            done += 1
        low, high = 0, used
        while low < high:
            middle = (low + high) // 2
            if shared[rising[middle]] < lengths[query]:
                low = middle + 1
            else:
                high = middle
        found[query] = rising[low - 1] if low else 0
    return found


@jit
def _having(shared: I64, owners: I64, length: int) -> I64:
    """Return for each suffix how many owners have its first `length` words, (n,)."""
    total = len(shared)
    found, last = np.zeros(total, np.int64), np.full(owners.max() + 1 if total else 0, -1, np.int64)
    begin = 0
    for at in range(total + 1):
        if at == total or shared[at] < length:
            found[begin:at] = found[at - 1] if at else 0
            begin = at
        if at < total:
            found[at] = (found[at - 1] if at > begin else 0) + (last[owners[at]] < begin)
            last[owners[at]] = at
    return found


@jit
def _intervals(shared: I64, length: int) -> tuple[I64, I64, I64]:
    """Return words, first and last place of each interval of suffixes that share more than those around it."""
    total = len(shared)
    sizes, low, high = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    # The open intervals, each inside of the one below it.
    depth, begin, top = np.zeros(total + 1, np.int64), np.zeros(total + 1, np.int64), 0
    used = 0
    for at in range(1, total + 1):
        here = shared[at] if at < total else 0
        left = at - 1
        while here < depth[top]:
            left = begin[top]
            if depth[top] >= length:
                sizes[used], low[used], high[used] = depth[top], left, at - 1
                used += 1
            top -= 1
        if here > depth[top]:
            top += 1
            depth[top], begin[top] = here, left
    return sizes[:used], low[:used], high[:used]


@jit
def _different(labels: I64, low: I64, high: I64) -> I64:
    """Return how many different labels stand in labels[low:high + 1] for each pair; `high` ascends.

    A Fenwick tree (1994) holds a 1 where each label was last seen: those from `low` on are the different ones.
    """
    found, tree = np.zeros(len(low), np.int64), np.zeros(len(labels) + 1, np.int64)
    last = np.full(labels.max() + 1 if len(labels) else 0, -1, np.int64)
    done = 0
    for query in range(len(low)):
        while done <= high[query]:
            for place, change in ((last[labels[done]], -1), (done, 1)):
                at = place + 1
                while 0 < at <= len(labels):
                    tree[at] += change
                    at += at & -at
            last[labels[done]] = done
            done += 1
        for place, sign in ((high[query] + 1, 1), (low[query], -1)):
            at = place
            while at > 0:
                found[query] += sign * tree[at]
                at -= at & -at
    return found
