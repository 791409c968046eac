"""How varied a choice of rows is, beside the whole, random rows and the longest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import text
from curate.neighbours import Indices, Numbers, Vectors

# Random choices compared with: the outer two of twenty are about the 2.5 and 97.5 % quantiles.
DRAWS = 20
# Rows whose distance to a choice is measured: the mean over 2,000 is steady within 0.005 (its standard deviation is
# about 0.2), and 100,000 rows take no longer than a few seconds. A radius over them is that of the worst of these.
REFERENCES = 2000
# Members of a choice that are looked at for near copies, and for pairs of words.
MEMBERS, READ = 1000, 300
# Characters of a text that are read: a few book-length answers would otherwise be all the words there are.
CUT = 2000
# Cosine from which two rows are near copies: the default of the step `semantic`.
COPY = 0.95
# References compared with all rows at once: 64 x 100,000 float32 are 26 MB.
_BLOCK = 64
MEASURES = ("radius", "distance", "facility", "vendi", "copies_share", "distinct_2", "tasks")
_SCHEMA = {"equal": pl.String, "choice": pl.String, "rows": pl.Int64, "tokens": pl.Int64} | dict.fromkeys(
    MEASURES, pl.Float64
)


@dataclass(frozen=True)
class Pool:
    """What is chosen from.

    Args:
        vectors: (n, d) on the grid.
        tokens: (n,) int64.
        tasks: (n,) the number of each row's task.
        texts: rows to their texts.
    """

    vectors: Vectors
    tokens: Indices
    tasks: Indices
    texts: Callable[[Sequence[int]], Sequence[str | None]]


def compared(pool: Pool, orders: Mapping[str, Sequence[Indices]], *, count: int) -> pl.DataFrame:
    """Return the measures of prefixes of equal rows, and of equal tokens.

    Args:
        pool: what is chosen from.
        orders: by name, `chosen` among them, one or more orders of all rows; of several, mean and 2.5 and 97.5 %
            quantiles are told (`NAME`, `NAME low`, `NAME high`).
        count: rows of the choice.

    Returns:
        equal (all, rows, tokens), choice, rows, tokens and the `MEASURES`: radius and mean distance (1 - cosine to the
        nearest row chosen, over a sample of all rows), facility (mean cosine there, none below 0), the Vendi score
        (Friedman and Dieng, 2023), the share of rows with another one chosen at a cosine of 0.95, distinct-2 (Li et
        al., 2016; over equally many pairs of words of each choice) and tasks (exp of the entropy of their shares).
    """
    if not len(pool.vectors):
        return pl.DataFrame(schema=_SCHEMA)
    spent = int(pool.tokens[orders["chosen"][0][:count]].sum())
    sets: list[tuple[str, str, Indices]] = [("all", "all", np.arange(len(pool.vectors)))]
    flat = [(name, order) for name, found in orders.items() for order in found]
    sets += [("rows", name, np.sort(order[:count])) for name, order in flat]
    sets += [("tokens", name, np.sort(order[: _reach(pool.tokens[order], spent)])) for name, order in flat]
    values = _measured(pool, [members for _, _, members in sets])
    lines = []
    for equal, name in dict.fromkeys((equal, name) for equal, name, _ in sets):
        own = [place for place, one in enumerate(sets) if one[:2] == (equal, name)]
        sizes = [(len(sets[place][2]), int(pool.tokens[sets[place][2]].sum())) for place in own]
        size = [round(float(mean)) for mean in np.mean(sizes, axis=0)]
        lines.append((equal, name, *size, *_rounded(values[own].mean(axis=0))))
        if len(own) > 1:
            for end, at in (("low", 0.025), ("high", 0.975)):
                lines.append((equal, f"{name} {end}", *size, *_rounded(np.quantile(values[own], at, axis=0))))
    return pl.DataFrame(lines, schema=_SCHEMA, orient="row")


def _reach(tokens: Indices, spent: int) -> int:
    """Return how many rows fit into so many tokens, one at least."""
    return max(1, int(np.searchsorted(np.cumsum(tokens), spent, side="right")))


def _rounded(values: Numbers) -> list[float]:
    """Round to where linear algebra libraries agree."""
    return [round(float(value), 4) + 0.0 for value in values]


def _measured(pool: Pool, sets: Sequence[Indices]) -> Numbers:
    """Return the measures of each set of rows, shape (s, m)."""
    nearest = _nearest(pool.vectors, sets)
    distinct = _distinct(pool, sets)
    lines = []
    for members, near, different in zip(sets, nearest, distinct, strict=True):
        found = (near.max(), near.mean(), np.maximum(1 - near, 0).mean())
        shares = np.unique(pool.tasks[members], return_counts=True)[1] / len(members)
        tasks = np.exp(-(shares * np.log(shares)).sum())
        lines.append((*found, _vendi(pool.vectors[members]), _copies(pool.vectors[members]), different, tasks))
    return np.array(lines, dtype=np.float64)


def _spaced(count: int, most: int) -> Indices:
    """Return numbers below `count`, evenly spaced: a fair sample, as rows are in the order of their ids, hashes."""
    return np.arange(0, count, max(1, -(-count // most)))


def _nearest(vectors: Vectors, sets: Sequence[Indices]) -> npt.NDArray[np.float64]:
    """Return the distance of some rows to the nearest member of each set, 0 between equal ones, shape (s, r)."""
    halves = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    rows = _spaced(len(vectors), REFERENCES)
    near = np.empty((len(sets), len(rows)), dtype=np.float64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        apart = halves - vectors[rows[block]] @ vectors.T + halves[rows[block], None]
        for number, members in enumerate(sets):
            near[number, block] = apart[:, members].min(axis=1)
    return np.maximum(near, 0.0)


def _vendi(vectors: Vectors) -> float:
    """Return exp of the entropy of the eigenvalues of the cosines / n, through the smaller of the two products."""
    wide = vectors.astype(np.float64)
    small = wide @ wide.T if len(wide) < wide.shape[1] else wide.T @ wide
    values = np.linalg.eigvalsh(small / np.trace(small))
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))


def _copies(vectors: Vectors) -> float:
    """Return the share of rows with another one that is a near copy."""
    some = _spaced(len(vectors), MEMBERS)
    hits = 0
    for start in range(0, len(some), _BLOCK):
        block = some[start : start + _BLOCK]
        cosines = vectors[block] @ vectors.T
        cosines[np.arange(len(block)), block] = -1
        hits += int((cosines.max(axis=1) >= COPY).sum())
    return hits / len(some)


def _distinct(pool: Pool, sets: Sequence[Indices]) -> list[float]:
    """Return the share of different pairs of words that follow each other, among equally many of each set."""
    read = [members[_spaced(len(members), READ)] for members in sets]
    rows = sorted({int(row) for part in read for row in part})
    pairs = {row: _pairs(value) for row, value in zip(rows, pool.texts(rows), strict=True)}
    told = [[pair for row in part.tolist() for pair in pairs[row]] for part in read]
    count = min(map(len, told))
    return [len(set(found[:count])) / count if count else 0.0 for found in told]


def _pairs(value: str | None) -> list[tuple[str, str]]:
    words = text.words((value or "")[:CUT])
    return list(pairwise(words))
