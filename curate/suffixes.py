"""Suffix arrays of many texts laid end to end, and what neighbours in them share.

Import this module only where it runs: numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curate.kernels import jit

Ints = npt.NDArray[np.int32]
# Up to this many, inserting one by one is faster than numpy's sort.
_LARGE = 32


def suffixes(words: Ints, ends: Ints) -> Ints:
    """Return the places in the order of what begins there up to the end of its stretch, of equals the first one first.

    Source: prefix doubling with groups that are refined in place (Larsson and Sadakane 2007).
    """
    sizes = np.bincount(words, minlength=1)
    order = np.argsort(words, kind="stable").astype(np.int32)
    # A rank is the number of places before those of that rank, so that it stays when they are told apart.
    rank = (np.cumsum(sizes) - sizes).astype(np.int32)[words]
    width = 1
    while _refine(order, rank, ends, width):
        width *= 2
    return order


@jit
def _refine(order: Ints, rank: Ints, ends: Ints, width: int) -> int:
    """Order places whose first `width` words are equal by the ranks that far behind; return how many these are.

    Ranks that this pass has refined already may be read: they only tell more apart. Places of a group that end within
    the width are equal to their ends, so they come first, as they stand, and need no further look.
    """
    total = len(order)
    looked, low = 0, 0
    while low < total:
        high = low + 1
        while high < total and rank[order[high]] == rank[order[low]]:
            high += 1
        if high - low > 1:
            looked += high - low
            keys = np.empty(high - low, np.int32)
            for at in range(low, high):
                behind = order[at] + width
                keys[at - low] = rank[behind] if behind < ends[order[at]] else -1
            _sort(order, keys, low)
            head = low
            for at in range(low, high):
                if keys[at - low] < 0 or keys[at - low] != keys[head - low]:
                    head = at
                rank[order[at]] = head
        low = high
    return looked


@jit
def _sort(order: Ints, keys: Ints, low: int) -> None:
    """Sort keys, and the part of `order` that begins at `low` with them; equal keys stay as they stand."""
    if len(keys) > _LARGE:
        sort = np.argsort(keys, kind="mergesort")
        order[low : low + len(keys)] = order[low : low + len(keys)][sort]
        keys[:] = keys[sort]
        return
    for at in range(1, len(keys)):
        key, place, free = keys[at], order[low + at], at
        while free > 0 and keys[free - 1] > key:
            keys[free], order[low + free] = keys[free - 1], order[low + free - 1]
            free -= 1
        keys[free], order[low + free] = key, place


@jit
def shared(order: Ints, words: Ints, ends: Ints) -> Ints:
    """Return how many words each suffix shares with the one before it in the order, (n,), 0 for the first."""
    found, place = np.zeros(len(order), np.int32), np.empty(len(order), np.int32)
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
