"""Compiled greedy choice by facility location on a graph of neighbours.

As with `curate.kernels`, import this module only where it runs. The value of a choice is the sum over all rows of the
cosine to the most similar row chosen, none of them below 0; of each row only its nearest neighbours count. It is
monotone and submodular, so that the greedy choice has at least 1 - 1/e of the value of the best one of its size
(Nemhauser, Wolsey and Fisher, 1978). Cosines are multiples of 2**-22: their sums are exact in any order.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I64, jit

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]


def turned(rows: I32, cosines: F32) -> tuple[I64, I32, F32]:
    """Turn lists of neighbours about: of each row those that have it as one of theirs.

    Args:
        rows: (n, m) neighbours, -1 for none.
        cosines: (n, m) their cosines.

    Returns:
        Where the list of each row begins, with the end behind, (n + 1,); and all lists, rows and cosines above 0.
    """
    count = np.bincount(rows[(rows >= 0) & (cosines > 0)], minlength=len(rows))
    starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    owners, known = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1], dtype=np.float32)
    _fill(rows, cosines, (starts[:-1].copy(), owners, known))
    return starts, owners, known


@jit
def _fill(rows: I32, cosines: F32, out: tuple[I64, I32, F32]) -> None:
    """Write each pair to the list of its neighbour."""
    ends, owners, known = out
    for row in range(rows.shape[0]):
        for place in range(rows.shape[1]):
            other = rows[row, place]
            if other >= 0 and cosines[row, place] > 0:
                owners[ends[other]], known[ends[other]] = row, cosines[row, place]
                ends[other] += 1


@jit
def _gain(graph: tuple[I64, I32, F32], best: F32, row: Any) -> Any:
    """Return what a row would add to the value."""
    starts, owners, known = graph
    found = 0.0
    for place in range(starts[row], starts[row + 1]):
        more = known[place] - best[owners[place]]
        if more > 0:
            found += more
    return found


@jit
def _take(graph: tuple[I64, I32, F32], best: F32, row: Any) -> None:
    """Raise what is best for each row that has this one as a neighbour."""
    starts, owners, known = graph
    for place in range(starts[row], starts[row + 1]):
        if known[place] > best[owners[place]]:
            best[owners[place]] = known[place]


@jit
def lazy(graph: tuple[I64, I32, F32]) -> tuple[I64, F64]:
    """Return all rows in the order of the greedy choice, and what each added; of equals the first.

    Gains only fall, so an old gain is an upper bound: only the row with the largest is brought up to date, and taken
    when it still leads (Minoux, 1978).
    """
    size = len(graph[0]) - 1
    best = np.zeros(size, np.float32)
    heap = [(-_gain(graph, best, row), row) for row in range(size)]
    heapq.heapify(heap)
    order, gains = np.empty(size, np.int64), np.empty(size, np.float64)
    for pick in range(size):
        while True:
            bound, row = heap[0]
            now = -_gain(graph, best, row)
            if now == bound:
                break
            heapq.heapreplace(heap, (now, row))
        heapq.heappop(heap)
        _take(graph, best, row)
        order[pick], gains[pick] = row, -now
    return order, gains


@jit
def stochastic(graph: tuple[I64, I32, F32], draws: F64) -> tuple[I64, F64]:
    """Return all rows: the best of a few drawn, again and again, then the rest by what they would still add.

    Source: Mirzasoleiman et al., "Lazier than lazy greedy" (2015).

    Args:
        graph: what `turned` returned.
        draws: (picks, sample) numbers in [0, 1).
    """
    size = len(graph[0]) - 1
    best = np.zeros(size, np.float32)
    left = np.arange(size)
    order, gains = np.empty(size, np.int64), np.empty(size, np.float64)
    for pick in range(draws.shape[0]):
        most, chosen = -1.0, 0
        for draw in draws[pick]:
            place = int(draw * (size - pick))
            gain = _gain(graph, best, left[place])
            if gain > most or (gain == most and left[place] < left[chosen]):
                most, chosen = gain, place
        order[pick], gains[pick] = left[chosen], most
        _take(graph, best, left[chosen])
        left[chosen] = left[size - pick - 1]
    rest = np.sort(left[: size - draws.shape[0]])
    more = np.array([_gain(graph, best, row) for row in rest], np.float64)
    last = np.argsort(-more, kind="mergesort")
    order[draws.shape[0] :], gains[draws.shape[0] :] = rest[last], more[last]
    return order, gains
