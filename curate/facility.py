"""Compiled greedy choice by facility location on a graph of neighbours, kept as varied as random rows.

As with `curate.kernels`, import this module only where it runs. The value of a choice is the sum over all rows of the
cosine to the most similar row chosen, none of them below 0; of each row only its nearest neighbours count. It is
monotone and submodular, so that the greedy choice has at least 1 - 1/e of the value of the best one of its size
(Nemhauser, Wolsey and Fisher, 1978). Cosines are multiples of 2**-22: their sums are exact in any order.

Rows that stand for many lie close to the middle and to each other: of few picks they are less varied than random rows.
So where the pairs taken are more alike than pairs of all rows are on average, by the mean of their squared cosines (of
which the Vendi score of order 2 is the reciprocal; Pasarkar and Dieng, 2024), the farthest row comes next.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.kernels import I64, Flags, jit
from curate.neighbours import BLOCK

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
# Rows among which the farthest is sought: all of 100,000 would take eight seconds more.
OUTER = 10_000


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


def alikeness(vectors: F32) -> float:
    """Return the mean squared cosine of two different rows.

    Args:
        vectors: (n, d) of unit length, n at least 2.
    """
    moment, own = np.zeros((vectors.shape[1], vectors.shape[1])), 0.0
    for start in range(0, len(vectors), BLOCK):
        wide = vectors[start : start + BLOCK].astype(np.float64)
        moment += wide.T @ wide
        own += float((np.einsum("ij,ij->i", wide, wide) ** 2).sum())
    # Rounded to where linear algebra libraries agree.
    return round((float((moment * moment).sum()) - own) / (len(vectors) * (len(vectors) - 1)), 9)


@jit
def lazy(graph: tuple[I64, I32, F32], vectors: F32, picks: int, alike: float, outer: int = OUTER) -> tuple[I64, F64]:
    """Return all rows in the order of the greedy choice, and what each added; of equals the first.

    Gains only fall, so an old gain is an upper bound: only the row with the largest is brought up to date, and taken
    when it still leads (Minoux, 1978). The same holds of the distance to the rows taken, where the farthest is asked.

    Args:
        graph: what `turned` returned.
        vectors: (n, d) of unit length.
        picks: the first rows, which are to be no more alike than random ones; 0 for the greedy choice alone.
        alike: the mean squared cosine of their pairs above which the farthest row comes next.
        outer: rows among which that one is sought, evenly spaced, at least.
    """
    size, width = len(graph[0]) - 1, vectors.shape[1]
    best, taken = np.zeros(size, np.float32), np.zeros(size, np.bool_)
    leaders = [(-_gain(graph, best, row), row) for row in range(size)]
    heapq.heapify(leaders)
    far = [(-2.0, row) for row in range(0, size, max(1, size // outer))]
    seen = np.zeros(size, np.int64)
    moment, total = np.zeros((width, width)), 0.0
    order, gains = np.empty(size, np.int64), np.empty(size, np.float64)
    for pick in range(size):
        row = -1
        if pick < picks and total > alike * pick * (pick - 1):
            row = _farthest(vectors, (far, seen, taken), order[:pick])
        if row < 0:
            row = _leader(graph, best, leaders, taken)
        order[pick], gains[pick], taken[row] = row, _gain(graph, best, row), True
        _take(graph, best, row)
        if pick < picks:
            total += 2 * _added(moment, vectors[row])
    return order, gains


@jit
def _leader(graph: tuple[I64, I32, F32], best: F32, leaders: list[tuple[float, int]], taken: Flags) -> Any:
    """Return the row with the largest gain."""
    while True:
        bound, row = leaders[0]
        now = -_gain(graph, best, row)
        if not taken[row] and now == bound:
            return row
        if taken[row]:
            heapq.heappop(leaders)
        else:
            heapq.heapreplace(leaders, (now, row))


@jit
def _farthest(vectors: F32, state: tuple[list[tuple[float, int]], I64, Flags], chosen: I64) -> Any:
    """Return the row whose largest cosine to the rows chosen is least, -1 when all that are asked are taken."""
    far, seen, taken = state
    while len(far):
        bound, row = far[0]
        if taken[row]:
            heapq.heappop(far)
            continue
        if seen[row] == len(chosen):
            return row
        for place in range(seen[row], len(chosen)):
            bound = max(bound, np.dot(vectors[row], vectors[chosen[place]]))
        seen[row] = len(chosen)
        heapq.heapreplace(far, (bound, row))
    return -1


@jit
def _added(moment: F64, vector: F32) -> Any:
    """Return the sum of the squared cosines to the rows taken before, and take this one.

    Their moment is the sum of x x' over these rows x: v' moment v is the sum of (x' v)**2.
    """
    found = 0.0
    for place in range(len(vector)):
        one = np.float64(vector[place])
        part = 0.0
        for other in range(len(vector)):
            part += moment[place, other] * vector[other]
            moment[place, other] += one * vector[other]
        found += one * part
    return found


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
