"""How far the kept rows spread in the space of embeddings, beside random choices of equal size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from curate import chance
from reports import shown
from reports.view import View

_Vectors = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.float64]
_Rows = npt.NDArray[np.int64]
# Random choices compared with: the outer two of twenty are about the 2.5 and 97.5 % quantiles.
DRAWS = 20
# Rows compared with the whole sample at once: 512 x 5,000 float32 are 10 MB.
BLOCK = 512
# Name, title, whether more or less of it is more varied, and what it means.
MEASURES = (
    (
        "vendi",
        "Vendi score",
        "more",
        "as varied as so many rows that have nothing in common; from 1 to the number of rows, copies add nothing "
        "(Friedman and Dieng, 2023: exp of the entropy of the eigenvalues of the cosine matrix ÷ n)",
    ),
    ("nearest", "Distance to the nearest row", "more", "mean over the rows; 0 where every row has a copy"),
    ("similarity", "Self-similarity", "less", "mean cosine of two different rows"),
    ("coverage", "Coverage", "more", "mean cosine of a row of the whole sample with the most similar of these rows"),
    ("radius", "Coverage radius", "less", "distance of the worst covered row of the whole sample to these rows"),
)


def spread(view: View) -> dict[str, Any]:
    """Return the measures of the whole sample, of its kept rows and of random choices of as many."""
    name = map_step(view)
    table = view.run.table(f"{name}.vectors") if name else None
    if table is None or not table.height:
        return {"skipped": "no row was embedded; add the step `map` to the first stage of the recipe"}
    # Renderings of one record lie together and are mostly kept together: rows chosen at random would part them, and
    # look more varied for that alone.
    table = table.join(view.base.select("id", "record", "kept"), on="id", how="left")
    rows, table = table.height, table.sort("kept", "id", descending=[True, False]).unique("record", keep="first")
    table = table.sort("id")
    kept = np.flatnonzero(table["kept"].to_numpy())
    vectors = table["vector"].list.to_array(len(table["vector"][0])).to_numpy()
    settings = map_settings(view, name)
    facts = {
        "method": (
            f"{shown.count(rows)} rows drawn by chance of the {settings['rows']} alive at the stage of the step "
            f"`{name}`, one of each record: {shown.count(len(vectors))}; the first {settings['characters']} characters "
            f"of their {settings['column']} embedded, distance is 1 − cosine; the kept ones are compared with {DRAWS} "
            f"random choices of as many"
        ),
        "rows": rows,
        "records": len(vectors),
        "kept": len(kept),
        "draws": DRAWS,
    }
    comparable = 2 <= len(kept) < len(vectors)
    sets = [np.arange(len(vectors)), *([kept, *_choices(view.seed, len(vectors), len(kept))] if comparable else [])]
    with threadpool_limits(1):  # threads that wait for each other on a busy machine take two hundred times as long
        found = [_rounded(one) for one in _measured(vectors, sets)]
    return {**facts, "measures": [_compared(*about, found) for about in MEASURES]}


def map_step(view: View) -> str:
    """Return the name of the run's first step `map`, or nothing."""
    used = (step for stage in view.manifest["stages"] for step in stage["steps"] if step["step"] == "map")
    return str(next((step["as"] for step in used), ""))


def map_settings(view: View, name: str) -> Mapping[str, str]:
    """Return how the step made its sample, with large numbers made readable."""
    table = view.run.table(f"{name}.settings")
    known = dict(table.iter_rows()) if table is not None else {}
    return {
        key: shown.count(int(value)) if value.isdigit() else shown.clipped(value, 200) for key, value in known.items()
    }


def vendi(matrix: _Numbers) -> float:
    """Return the Vendi score: the effective number of different items, from 1 to their number.

    Args:
        matrix: similarities (n, n) with ones on the diagonal, or for unit vectors (n, d) their dual (d, d), which has
            the same eigenvalues but for zeros; positive semi-definite.
    """
    values = np.linalg.eigvalsh(matrix / np.trace(matrix))
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))


def _choices(seed: int, size: int, count: int) -> list[_Rows]:
    """Return random choices of `count` of `size` rows."""
    streams = (chance.generator(seed, f"random choice {draw}") for draw in range(DRAWS))
    return [np.sort(stream.choice(size, count, replace=False)) for stream in streams]


def _measured(vectors: _Vectors, sets: Sequence[_Rows]) -> list[dict[str, float]]:
    """Return the measures of each set of rows.

    Distances are half the squared distance of two vectors, which is 1 − cosine at unit length and exactly 0 between
    copies; on the grid of the step their float32 arithmetic is exact.
    """
    halves = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    near = np.empty((len(sets), len(vectors)), dtype=np.float64)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, start + BLOCK)
        apart = halves[block, None] + halves[None, :] - vectors[block] @ vectors.T
        rows = np.arange(len(apart))
        apart[rows, start + rows] = np.inf  # a row is no neighbour of itself
        for number, members in enumerate(sets):
            near[number, block] = apart[:, members].min(axis=1, initial=np.inf)
    return [_of(vectors[members].astype(np.float64), near[number], members) for number, members in enumerate(sets)]


def _of(vectors: _Numbers, near: _Numbers, members: _Rows) -> dict[str, float]:
    """Return the measures of one set from the distance of each row to its nearest other member."""
    count = len(vectors)
    covered = near.copy()
    covered[members] = 0.0
    whole = vectors.sum(axis=0)
    own = float((vectors**2).sum())
    small = vectors @ vectors.T if count < vectors.shape[1] else vectors.T @ vectors
    return {
        "vendi": vendi(small),
        "nearest": float(near[members].mean()) if count > 1 else 0.0,
        "similarity": (float(whole @ whole) - own) / (count * (count - 1)) if count > 1 else 1.0,
        "coverage": float(1 - covered.mean()),
        "radius": float(covered.max()),
    }


def _rounded(measures: Mapping[str, float]) -> dict[str, float]:
    """Round to where linear algebra libraries agree."""
    return {name: round(value, 4) + 0.0 for name, value in measures.items()}


def _compared(name: str, title: str, better: str, meaning: str, found: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return one measure: of all rows, of the kept ones, and mean and range of the random choices."""
    facts: dict[str, Any] = {"name": name, "title": title, "better": better, "meaning": meaning, "all": found[0][name]}
    if len(found) == 1:
        return {**facts, "kept": None, "random": None, "against": None}
    kept = found[1][name]
    values = np.array([one[name] for one in found[2:]])
    low, high = (round(float(bound), 4) for bound in np.quantile(values, (0.025, 0.975)))
    against = "less" if kept < low else "more" if kept > high else "within"
    random = {"mean": round(float(values.mean()), 4), "low": low, "high": high}
    return {**facts, "kept": kept, "random": random, "against": against}
