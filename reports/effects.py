"""How far two samples lie apart, in figures that do not grow with the number of rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from curate.intervals import wilson

Floats = npt.NDArray[np.float64]
SIZES = ("negligible", "small", "medium", "large")
# Cliff's delta: Romano, Kromrey, Coraggio & Skowronek, "Appropriate statistics for ordinal level data" (2006).
DELTA = (0.147, 0.33, 0.474)
# The Kolmogorov-Smirnov distance that two normal distributions of equal spread have at these deltas: 2 Φ(d/2) − 1 with
# d from delta = 2 Φ(d/√2) − 1. Read so, a pure shift gets the same word from both.
DISTANCE = (0.104, 0.237, 0.346)
# Cramér's V of a table with two rows is Cohen's w: "Statistical power analysis for the behavioral sciences" (1988).
ASSOCIATION = (0.1, 0.3, 0.5)
# Two-sided 95 per cent of the normal distribution, and of Kolmogorov's.
Z, K = 1.959964, 1.358099
# Rows a side below which nothing is read: from eight on the normal law of the pairs holds (Mann & Whitney 1947).
LEAST = 8
# What 95 per cent of samples of one normal distribution stay below.
_Z_UPPER = 1.644854


def distance(old: Floats, new: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance: the largest gap between the shares of rows up to a value.

    Args:
        old: (n,) sorted, n > 0.
        new: (m,) sorted, m > 0.

    Returns:
        In [0, 1].
    """
    places = np.concatenate([old, new])
    places.sort()
    gap = np.searchsorted(old, places, side="right") / old.size - np.searchsorted(new, places, side="right") / new.size
    return float(np.abs(gap).max())


def delta(old: Floats, new: Floats) -> float:
    """Return Cliff's delta: P(new > old) − P(new < old) for a row drawn from each (Cliff 1993).

    Args:
        old: (n,) sorted, n > 0.
        new: (m,) sorted, m > 0.

    Returns:
        In [−1, 1]; above 0 where the new values are higher. Half of it plus ½ is the common-language effect size.
    """
    below = int(np.searchsorted(old, new, side="left").sum(dtype=np.int64))
    above = old.size * new.size - int(np.searchsorted(old, new, side="right").sum(dtype=np.int64))
    return (below - above) / (old.size * new.size)


def variation(old: Floats, new: Floats) -> float:
    """Return the total variation distance of two distributions over the same values.

    Args:
        old: (k,) shares that add up to 1.
        new: (k,) likewise.

    Returns:
        In [0, 1]: the share of rows that would have to take another value to make both alike.
    """
    return float(np.abs(old - new).sum() / 2)


def association(old: Floats, new: Floats) -> float:
    """Return Cramér's V between side and value, both sides weighing the same whatever their number of rows.

    V² = ½ Σ (p − q)² / (p + q): what χ² / n is for two equally large samples with the shares p and q. The raw χ² / n of
    a large mix and a small sample would be near 0 however unlike they are.

    Args:
        old: (k,) shares that add up to 1.
        new: (k,) likewise.

    Returns:
        In [0, 1], 1 where no value is common.
    """
    both = old + new
    known = both > 0
    return float(math.sqrt(((old - new)[known] ** 2 / both[known]).sum() / 2))


def numeric_size(difference: float, gap: float, counts: tuple[int, int]) -> str:
    """Return the word for a numeric shift: the larger of what Cliff's delta and the distance of a sample say.

    Args:
        difference: Cliff's delta.
        gap: Kolmogorov-Smirnov distance.
        counts: rows of both sides.
    """
    if min(counts) < LEAST:
        return SIZES[0]
    limits = numeric_chance(counts)
    read = _word(abs(difference), DELTA, limits[0]), _word(gap, DISTANCE, limits[1])
    return max(read, key=SIZES.index)


def numeric_chance(counts: tuple[int, int]) -> tuple[float, float]:
    """Return what |delta| and distance two samples of one distribution stay below in 95 of 100 cases.

    Mann & Whitney (1947) give the variance of U, Smirnov (1948) the law of the distance, both without ties; with ties
    the limits are wider than needed.
    """
    n, m = counts
    return Z * math.sqrt((n + m + 1) / (3 * n * m)), K * math.sqrt((n + m) / (n * m))


def table_size(value: float, counts: tuple[int, int], values: int) -> str:
    """Return the word for Cramér's V of so many different values."""
    return _word(value, ASSOCIATION, table_chance(counts, values)) if min(counts) >= LEAST else SIZES[0]


def table_chance(counts: tuple[int, int], values: int) -> float:
    """Return what V two samples of one distribution stay below in 95 of 100 cases.

    4 V² / (1/n + 1/m) is near χ² with one degree of freedom less than there are values, whose quantile is taken from
    Wilson & Hilferty (1931).
    """
    if values < 2:
        return 0.0
    spread = 2 / (9 * (values - 1))
    quantile = (values - 1) * (1 - spread + _Z_UPPER * math.sqrt(spread)) ** 3
    return math.sqrt(quantile * (1 / counts[0] + 1 / counts[1]) / 4)


def _word(value: float, bounds: tuple[float, ...], chance: float) -> str:
    """Return the word for a size; what is within reach of chance is negligible."""
    return SIZES[sum(value >= bound for bound in bounds)] if value > chance else SIZES[0]


def difference_of_shares(old: tuple[int, int], new: tuple[int, int]) -> dict[str, float] | None:
    """Return how much a share rose, with Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10).

    Args:
        old: part and whole.
        new: part and whole.

    Returns:
        `difference`, `low` and `high` of the 95 per cent interval, in [−1, 1]; None when a side counted nothing.
    """
    if not old[1] or not new[1]:
        return None
    p, q = old[0] / old[1], new[0] / new[1]
    (p_low, p_high), (q_low, q_high) = wilson(*old), wilson(*new)
    low = q - p - math.hypot(q - q_low, p_high - p)
    high = q - p + math.hypot(q_high - q, p - p_low)
    return {"difference": q - p, "low": max(-1.0, low), "high": min(1.0, high)}


def log_odds(old: Floats, new: Floats, *, prior: float) -> Floats:
    """Return for each word how much more the new side says it, in standard errors.

    Log odds ratio with informative Dirichlet prior: Monroe, Colaresi & Quinn, "Fightin' Words" (2008), equations 16
    to 22; the prior spreads over the words as both sides together do.

    Args:
        old: (k,) counts.
        new: (k,) counts.
        prior: how many words the prior counts as.

    Returns:
        (k,) z scores, above 0 for the words of the new side; empty when there are no words.
    """
    pooled = old + new
    expected = prior * pooled / max(1.0, float(pooled.sum()))

    def logit(counts: Floats) -> Floats:
        said = counts + expected
        return np.asarray(np.log(said / np.maximum(said.sum() - said, 1e-9)))

    error = np.sqrt(1 / np.maximum(old + expected, 1e-9) + 1 / np.maximum(new + expected, 1e-9))
    return np.asarray((logit(new) - logit(old)) / error)
