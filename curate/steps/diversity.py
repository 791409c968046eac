"""Rank rows so that every prefix is spread out: farthest first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, schema
from curate.errors import UserError

_Vectors = npt.NDArray[np.float32]
# Vectors are rounded to multiples of 2**-11 before they are compared: products are then multiples of 2**-22, and as the
# vectors have unit length every partial sum stays below 2, so float32 with its 24 bits adds them without rounding, in
# any order. The ranks therefore depend neither on threads nor on the linear algebra library; a cosine is off by less
# than 0.001 in practice.
_GRID = 2.0**11
# Rows compared with all chosen at once: 1,024 x 5,000 float32 are 20 MB.
_BLOCK = 1024


def state(rows: pl.DataFrame, *, vectors: Callable[[Sequence[str]], _Vectors], column: str = "content") -> pl.DataFrame:
    """Embed the text of each row.

    Args:
        rows: instruction rows.
        vectors: texts to vectors of unit length.
        column: the text that is spread out; the content by default, from which the template is subtracted: prompts
            would make a record with another template look new.

    Returns:
        vector: array of f32 of unit length; null where the text is null.
    """
    texts = schema.column_text(rows, column)
    known = texts.is_not_null()
    found = vectors(texts.drop_nulls().to_list())
    embedded = pl.Series("vector", found, dtype=pl.Array(pl.Float32, found.shape[1]))
    place = known.cum_sum().cast(pl.Int64) - 1
    return pl.DataFrame({"vector": embedded.gather(pl.select(pl.when(known).then(place)).to_series())})


def decide(state: pl.DataFrame, *, seed: int, picks: int = 5000) -> pl.DataFrame:
    """Take the row farthest from all taken so far, again and again (k-centre greedy, Gonzalez 1985).

    The first row is drawn by chance. Farthest-first covers the rows within twice the best possible radius; it does not
    promise better training than a random sample of the same size. Junk that lies far out is taken early: filter first.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        seed: draws the first row.
        picks: rows taken one by one; the rest is ranked by distance to these, the farthest first, without taking each
            other into account. 5,000, because a mix that is chosen for diversity is seldom larger, and the time grows
            with rows x picks (60,000 rows in 384 dimensions: a quarter of a minute on one core).

    Signals:
        rank (u32): 0 = taken first; ties of distance go by id; null where the text is null.
        distance (f64): 1 - cosine to the nearest row taken before, in [0, 2], rounded to 2**-22; beyond the picks to
            the nearest pick; null for the first row and where the text is null.
    """
    if picks < 1:
        raise UserError("diversity", f"picks = {picks} is not positive", "5000 is the default")
    known = np.flatnonzero(state["vector"].is_not_null().to_numpy())
    rank = np.zeros(state.height, dtype=np.int64)
    distance = np.zeros(state.height, dtype=np.float64)
    if len(known):
        vectors = state["vector"].gather(known).to_numpy()
        draws = chance.uniforms(seed, state["id"].gather(known).to_list(), "diversity")
        order, far = _farthest_first(_rounded(vectors), start=int(np.argmin(draws)), picks=picks)
        rank[known[order]] = np.arange(len(order))
        distance[known[order]] = far
    has_vector = pl.col("vector").is_not_null()
    return state.select(
        rank=pl.when(has_vector).then(pl.Series(rank)).cast(pl.UInt32),
        distance=pl.when(has_vector & (pl.Series(rank) > 0)).then(pl.Series(distance)),
    )


def _rounded(vectors: _Vectors) -> _Vectors:
    """Return vectors on the grid, see `_GRID`."""
    found: _Vectors = (np.rint(vectors * np.float32(_GRID)) / np.float32(_GRID)).astype(np.float32)
    return found


def _farthest_first(
    vectors: _Vectors, *, start: int, picks: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return all rows in the order they are taken, and the distance of each when it was taken.

    Distances only shrink as rows are taken, so an old distance is an upper bound: only the row with the largest bound
    is brought up to date, and taken when it still leads. Same order as updating every row after every pick.
    """
    halves = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64) / 2
    chosen = np.empty((min(picks, len(vectors)), vectors.shape[1]), dtype=np.float32)
    chosen_halves = np.empty(len(chosen), dtype=np.float64)
    order, far = [start], [0.0]
    chosen[0], chosen_halves[0] = vectors[start], halves[start]
    seen = np.zeros(len(vectors), dtype=np.int64)
    bounds = [(-np.inf, row) for row in range(len(vectors)) if row != start]
    while bounds and len(order) < len(chosen):
        bound, row = bounds[0]
        count = len(order)
        if seen[row] < count:
            new = slice(int(seen[row]), count)
            near = float((halves[row] + chosen_halves[new] - chosen[new] @ vectors[row]).min())
            seen[row] = count
            heapq.heapreplace(bounds, (max(bound, -near), row))
            continue
        heapq.heappop(bounds)
        chosen[count], chosen_halves[count] = vectors[row], halves[row]
        order.append(row)
        far.append(-bound)
    rest = np.array(sorted(row for _, row in bounds), dtype=np.int64)
    near_rest = _nearest(vectors, rest, halves, (chosen[: len(order)], chosen_halves[: len(order)]))
    last = np.lexsort((rest, -near_rest))
    found = np.concatenate([far, near_rest[last]])
    return np.concatenate([order, rest[last]]).astype(np.int64), np.clip(found, 0.0, 2.0)


def _nearest(
    vectors: _Vectors,
    rest: npt.NDArray[np.int64],
    halves: npt.NDArray[np.float64],
    chosen: tuple[_Vectors, npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    """Return the distance of each remaining row to the nearest chosen one."""
    centres, centre_halves = chosen
    near = np.empty(len(rest), dtype=np.float64)
    for start in range(0, len(rest), _BLOCK):
        rows = rest[start : start + _BLOCK]
        apart = halves[rows][:, None] + centre_halves[None, :] - vectors[rows] @ centres.T
        near[start : start + _BLOCK] = apart.min(axis=1)
    return near
