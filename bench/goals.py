"""A figure of a benchmark: a value with its interval, held against a goal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.intervals import wilson

Figure = dict[str, Any]
Scores = npt.NDArray[np.float64]
DRAWS, SEED = 200, 13


def area(positive: Scores, negative: Scores) -> float:
    """Return the AUROC: the share of pairs in order, ties counting half (Mann and Whitney 1947)."""
    ranks = pl.Series(np.concatenate([positive, negative])).rank("average").to_numpy()
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def auroc(name: str, positive: Scores, negative: Scores, goal: str | None = None, draws: int = DRAWS) -> Figure:
    """Return the AUROC with its 95 % interval, by a bootstrap of both sides."""
    drawn = np.random.Generator(np.random.PCG64(SEED))
    areas = [area(drawn.choice(positive, len(positive)), drawn.choice(negative, len(negative))) for _ in range(draws)]
    low, high = np.quantile(areas, [0.025, 0.975])
    return figure(f"AUROC, {name}", area(positive, negative), len(positive) + len(negative), (low, high), goal)


def share(name: str, hits: int, n: int, goal: str | None = None) -> Figure:
    """Return a share with its 95 % Wilson interval."""
    return figure(name, int(hits) / n if n else 0.0, n, wilson(int(hits), n), goal)


def figure(
    name: str, value: float, n: int, interval: tuple[float | None, float | None] = (None, None), goal: str | None = None
) -> Figure:
    """Return a number, held against a goal such as `>= 0.9` where there is one."""
    met = None
    if goal:
        sign, bound = goal.split()
        met = bool(value >= float(bound) if sign == ">=" else value <= float(bound))
    low, high = (None if end is None else round(float(end), 4) for end in interval)
    return {"name": name, "value": round(float(value), 4), "low": low, "high": high, "n": n, "goal": goal, "met": met}
