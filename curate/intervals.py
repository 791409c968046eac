"""How sure a counted share or a mean is."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

# Two-sided 95 % quantile of the normal distribution.
Z95 = 1.959963984540054
# Resamples of a bootstrap: percentiles of 1,000 are good to a fortieth of the interval (Efron and Tibshirani 1993,
# chapter 14); drawn in parts of so many numbers, 32 MB.
RESAMPLES, _PART = 1_000, 1 << 22


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share.

    It never leaves [0, 1] and covers as promised also for few trials and shares near 0 or 1, where the textbook
    interval is [1, 1] after three successes. Source: Wilson, "Probable inference, the law of succession, and
    statistical inference" (1927); recommended by Brown, Cai and DasGupta (2001) for n up to 40 and more.

    Args:
        successes: from 0 to n; no whole number where trials of one cluster are counted as one.
        n: trials; without any, all is possible: (0, 1).

    Returns:
        Lower and upper bound, rounded to six digits.
    """
    if not n:
        return 0.0, 1.0
    share, weight = successes / n, Z95**2 / n
    centre = share + weight / 2
    spread = Z95 * sqrt(share * (1 - share) / n + weight / (4 * n))
    low, high = (centre - spread) / (1 + weight), (centre + spread) / (1 + weight)
    return round(max(0.0, low), 6), round(min(1.0, high), 6)


def clustered(
    values: npt.ArrayLike, clusters: Sequence[Any] | npt.NDArray[Any], *, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean, by a bootstrap that draws whole clusters.

    Values of one cluster are no independent observations (Cameron, Gelbach and Miller 2008; of evaluations, Miller
    2024). One cluster alone tells nothing of the spread: its interval is the mean itself.

    Args:
        values: (n,), at least one.
        clusters: (n,), which cluster each belongs to.
        generator: from `chance`.

    Returns:
        Lower and upper bound.
    """
    found = np.asarray(values, dtype=np.float64)
    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    sums, sizes = np.bincount(place, found), np.bincount(place).astype(np.float64)
    means = []
    for low in range(0, RESAMPLES, step := max(1, _PART // len(sums))):
        drawn = generator.integers(0, len(sums), size=(min(step, RESAMPLES - low), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low_end, high_end = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low_end), float(high_end)
