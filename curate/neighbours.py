"""Nearest rows among many by cosine, and clusters of rows: the same on every machine."""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt

from curate import chance

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
# Vectors are rounded to multiples of 2**-11 before they are compared: products are then multiples of 2**-22, and as the
# vectors have unit length every partial sum stays below 2, so float32 with its 24 bits adds them without rounding, in
# any order. What is computed from them depends neither on threads nor on the linear algebra library; a cosine is off
# by less than 0.001 in practice.
GRID = 2.0**11
# Rows compared with others at once: 1,024 x 5,000 float32 are 20 MB.
BLOCK = 1024
# Rows up to which all pairs are compared: beyond it searching near clusters alone is faster (bench/selection.py).
EXACT = 4_000
# Clusters are so many times the square root of the rows, and so many are searched for the neighbours of one, itself
# among them. Facility location on 6,572 rows of a published mix (64 neighbours, a tenth chosen) then has 0.9959 of the
# value of all pairs, and 100,000 rows take 9 s of one core; with 1 and 32 it is 0.9966 and 16 s, with 2 and 48 0.9969
# and 14 s.
CELLS, PROBES = 2, 32
# Rows that each centre learns from, and how often: with 64 rows, or ten rounds, the share of the 64 nearest rows that
# was found there changed by less than 0.01.
LEARNT, ROUNDS = 16, 4


def gridded(vectors: Vectors) -> Vectors:
    """Return vectors on the grid, see `GRID`."""
    found: Vectors = (np.rint(vectors * np.float32(GRID)) / np.float32(GRID)).astype(np.float32)
    return found


def kmeans(vectors: Vectors, *, starts: Indices, seed: int, learnt: int, rounds: int) -> tuple[Indices, Vectors]:
    """Return the k-means cluster of each row by cosine, and the centres (spherical k-means; Dhillon and Modha, 2001).

    Args:
        vectors: (n, d) on the grid.
        starts: (c,) rows that the centres start from.
        seed: draws the rows that they learn from.
        learnt: how many for each centre.
        rounds: how often.

    Returns:
        (n,) numbers of clusters and (c, d) centres, on the grid. A cluster may be empty.
    """
    draw = chance.generator(seed, "clusters")
    sample = np.sort(draw.choice(len(vectors), min(len(vectors), len(starts) * learnt), replace=False))
    centres = vectors[starts]
    for _ in range(rounds):
        labels = _nearest(vectors, centres, rows=sample)
        order = np.argsort(labels, kind="stable")
        there, first = np.unique(labels[order], return_index=True)
        # Whole numbers, as their sums are exact in any order.
        whole = np.rint(vectors[sample[order]] * GRID).astype(np.int64)
        sums = np.add.reduceat(whole, first, axis=0)
        lengths = np.sqrt((sums * sums).sum(axis=1).astype(np.float64))
        found = (sums / np.maximum(lengths, 1.0)[:, None]).astype(np.float32)
        centres[there] = gridded(found)
    return _nearest(vectors, centres), centres


def _nearest(vectors: Vectors, centres: Vectors, *, rows: Indices | None = None) -> Indices:
    """Return the nearest centre of each row, of equals the first."""
    rows = np.arange(len(vectors)) if rows is None else rows
    found = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        found[start : start + BLOCK] = (vectors[rows[start : start + BLOCK]] @ centres.T).argmax(axis=1)
    return found


def nearest_before(vectors: Vectors, order: Indices, *, picks: int) -> Numbers:
    """Return the distance of each row to the nearest one that comes before it, of the first so many.

    Distance is half the squared distance, at unit length 1 - cosine, and exactly 0 between equal vectors.

    Args:
        vectors: (n, d) on the grid.
        order: (n,) all rows.
        picks: rows of the order that others are compared with.

    Returns:
        (n,) in [0, 2], rounded to 2**-22, by row; infinite for the first.
    """
    halves = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    near = np.full(len(vectors), np.inf)
    for start in range(0, len(order), BLOCK):
        rows = order[start : start + BLOCK]
        for place in range(0, min(start + len(rows), picks), BLOCK):
            some = order[place : min(place + BLOCK, picks)]
            apart = halves[some] - vectors[rows] @ vectors[some].T
            if place == start:
                apart[np.arange(len(some))[None, :] >= np.arange(len(rows))[:, None]] = np.inf
            near[rows] = np.minimum(near[rows], apart.min(axis=1).astype(np.float64) + halves[rows])
    found: Numbers = np.maximum(near, 0.0)
    return found


def graph(vectors: Vectors, *, count: int, seed: int) -> tuple[npt.NDArray[np.int32], Vectors]:
    """Return the rows nearest to each row, itself among them, and their cosines.

    Up to `EXACT` rows all pairs are compared. Beyond, rows are parted into clusters, and neighbours are
    looked for in the nearest clusters alone, as an inverted file does (Jégou et al., 2011).

    Args:
        vectors: (n, d) on the grid.
        count: m, neighbours of each row.
        seed: starts the clusters.

    Returns:
        (n, m) rows, -1 where there are no more, of equal ones those that come first; and (n, m) cosines, 0 there.
    """
    cells = CELLS * isqrt(len(vectors)) if len(vectors) > EXACT else 1
    starts = np.sort(chance.generator(seed, "starts").choice(len(vectors), min(cells, len(vectors)), replace=False))
    labels, centres = kmeans(vectors, starts=starts, seed=seed, learnt=LEARNT, rounds=ROUNDS if cells > 1 else 0)
    members = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[members], np.arange(cells + 1))
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :PROBES]
    rows = np.full((len(vectors), count), -1, dtype=np.int32)
    cosines = np.zeros((len(vectors), count), dtype=np.float32)
    for cell in range(cells):
        own = members[ends[cell] : ends[cell + 1]]
        others = np.sort(np.concatenate([members[ends[one] : ends[one + 1]] for one in {cell, *near[cell].tolist()}]))
        theirs = vectors[others]
        for start in range(0, len(own), BLOCK // 2):
            part = own[start : start + BLOCK // 2]
            best, found = _best(vectors[part] @ theirs.T, count)
            rows[part, : best.shape[1]], cosines[part, : best.shape[1]] = others[best], found
    return rows, cosines


def _best(cosines: Vectors, count: int) -> tuple[Indices, Vectors]:
    """Return the columns with the largest numbers of each row, in no order, of equal numbers the first ones."""
    columns = np.arange(cosines.shape[1])
    if len(columns) <= count:
        return np.broadcast_to(columns, cosines.shape), cosines
    # Cosines are multiples of 2**-22: the place, far below that, settles who is taken of equals.
    told = cosines - columns * 2.0**-50
    best = np.argpartition(told, len(columns) - count, axis=1)[:, -count:]
    return best, np.take_along_axis(cosines, best, axis=1)
