"""Whether one arm beats another: paired over seeds, with intervals, corrected, and honest about what was not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import chance

Floats = npt.NDArray[np.float64]
# Two-sided error of a contrast, and its power in the smallest detectable effect: the field's convention.
ALPHA, POWER = 0.05, 0.8
# Confirmatory contrasts at most: with more, Holm's first threshold falls below 0.8 % and ten seeds find only what
# needs no statistics.
CONFIRMATORY = 6
# Draws of the bootstrap: the ends of its interval then move by about 2 % of its width from seed to seed.
DRAWS = 4000
# Draws at once: 500 x 2,000 clusters of float64 are 8 MB.
_BLOCK = 500
BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = "better", "worse", "equivalent", "inconclusive"


@dataclass(frozen=True)
class Paired:
    """A paired t test over seeds.

    Args:
        mean: of the differences.
        sd: their standard deviation (n - 1).
        seeds: how many.
        t: statistic; 0 where all differences are 0, infinite where all are equal and not 0.
        p: two-sided.
        low, high: 95 % interval.
        low90, high90: 90 % interval, that of the two one-sided tests of equivalence.
    """

    mean: float
    sd: float
    seeds: int
    t: float
    p: float
    low: float
    high: float
    low90: float
    high90: float


def paired(differences: Sequence[float] | Floats) -> Paired:
    """Return the paired t test of differences, one for each seed (Student 1908).

    Args:
        differences: (seeds,), at least two, finite.

    Raises:
        ValueError: with fewer than two: one seed has no spread, and no significance is claimed from it.
    """
    found = np.asarray(differences, dtype=np.float64)
    if len(found) < 2:
        raise ValueError("a paired test needs two seeds or more")
    mean, sd, seeds = float(found.mean()), float(found.std(ddof=1)), len(found)
    if sd <= 1e-12 * max(1.0, abs(mean)):  # equal but for rounding
        t = 0.0 if abs(mean) < 1e-12 else math.copysign(math.inf, mean)
        return Paired(mean, 0.0, seeds, t, 1.0 if t == 0 else 0.0, mean, mean, mean, mean)
    law = _stats().t(seeds - 1)
    error = sd / math.sqrt(seeds)
    t = mean / error
    wide, narrow = (float(law.ppf(share)) * error for share in (1 - ALPHA / 2, 1 - ALPHA))
    bounds = (mean - wide, mean + wide, mean - narrow, mean + narrow)
    return Paired(mean, sd, seeds, t, float(2 * law.sf(abs(t))), *bounds)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm 1979): each may be compared with alpha.

    Args:
        probabilities: one for each confirmatory contrast.
    """
    order = sorted(range(len(probabilities)), key=lambda place: probabilities[place])
    adjusted, highest = [0.0] * len(order), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * probabilities[place]))
        adjusted[place] = highest
    return adjusted


def two_level(
    differences: Floats, clusters: Sequence[Any] | npt.NDArray[Any], *, seed: int, draws: int = DRAWS
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a bootstrap over seeds and over clusters of items.

    Seeds and clusters are drawn independently, each with replacement (the two-way bootstrap of Owen 2007, which is
    conservative: it counts the spread of single items twice).

    Args:
        differences: (seeds, items).
        clusters: (items,) what belongs together, such as the record.
        seed: of the draws.
        draws: how many.
    """
    sums, sizes = _clustered(differences, clusters)
    seeds, count = sums.shape
    random = chance.generator(seed, "two-level bootstrap")
    found = np.empty(draws)
    for start in range(0, draws, _BLOCK):
        some = min(_BLOCK, draws - start)
        chosen = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=some)
        items = random.multinomial(count, np.full(count, 1 / count), size=some)
        found[start : start + some] = ((chosen @ sums) * items).sum(axis=1) / (seeds * (items @ sizes))
    low, high = np.quantile(found, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)


def items_only(differences: Floats, clusters: Sequence[Any] | npt.NDArray[Any]) -> tuple[float, float]:
    """Return the 95 % interval over items alone, clustered (Miller 2024): it speaks of these models and no others.

    Args:
        differences: (seeds, items).
        clusters: (items,).
    """
    sums, sizes = _clustered(differences.mean(axis=0, keepdims=True), clusters)
    mean, count = float(differences.mean()), len(sizes)
    if count < 2:
        return mean, mean
    apart = sums[0] - mean * sizes
    error = math.sqrt(count / (count - 1) * float((apart**2).sum())) / float(sizes.sum())
    half = float(_stats().t.ppf(1 - ALPHA / 2, count - 1)) * error
    return mean - half, mean + half


def _clustered(differences: Floats, clusters: Sequence[Any] | npt.NDArray[Any]) -> tuple[Floats, Floats]:
    """Return sums (seeds, clusters) and sizes (clusters,)."""
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    sums: Floats = np.stack([np.bincount(place, weights=row, minlength=len(names)) for row in differences])
    return sums, np.bincount(place, minlength=len(names)).astype(np.float64)


def detectable(sd: float, seeds: int, *, contrasts: int = 1) -> float:
    """Return the smallest true difference that a paired t test finds with 80 % power, by the noncentral t.

    Args:
        sd: of the differences between seeds, from a pilot.
        seeds: that will be run.
        contrasts: that share the error; the first of Holm's thresholds is used.
    """
    law = _stats()
    freedom, critical = seeds - 1, _critical(seeds, contrasts)
    low, high = 0.0, 2.0
    while law.nct.sf(critical, freedom, high) < POWER:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if law.nct.sf(critical, freedom, middle) >= POWER else (middle, high)
    return high * sd / math.sqrt(seeds)


def _critical(seeds: int, contrasts: int) -> float:
    """Return the two-sided critical value of t for one of several contrasts."""
    return float(_stats().t.ppf(1 - ALPHA / contrasts / 2, seeds - 1))


def seeds_needed(sd: float, effect: float, *, contrasts: int = 1, most: int = 200) -> int | None:
    """Return how many seeds find a difference with 80 % power; None when more than `most`.

    Args:
        sd: of the differences between seeds.
        effect: the difference to be found, positive.
        contrasts: that share the error.
        most: where to give up.
    """
    fits = (seeds for seeds in range(2, most + 1) if detectable(sd, seeds, contrasts=contrasts) <= effect)
    return next(fits, None)


def verdict(test: Paired, *, adjusted: float, margin: float) -> str:
    """Return better, worse, equivalent or inconclusive.

    Equivalence is asked first: a difference that is surely smaller than the margin is no reason to change a recipe,
    however sure its sign (two one-sided tests, Schuirmann 1987).

    Args:
        test: of the differences, a rise being an improvement.
        adjusted: its p after Holm; as it is for a contrast that was not declared.
        margin: the smallest difference that matters.
    """
    if -margin < test.low90 and test.high90 < margin:
        return EQUIVALENT
    if adjusted < ALPHA and test.mean != 0:
        return BETTER if test.mean > 0 else WORSE
    return INCONCLUSIVE


def efficiency(filtered: Floats, raw: Floats, oracle: Floats, *, seed: int) -> dict[str, float | None]:
    """Return which share of what perfect dropping would gain a filter gains: (filtered - raw) / (oracle - raw).

    Args:
        filtered: (seeds,) scores, paired by seed with the others.
        raw: (seeds,) without any filter.
        oracle: (seeds,) without the planted rows.
        seed: of the bootstrap over seeds.

    Returns:
        value, low, high (95 %, percentile); all None where the oracle is not surely above raw: nothing to gain.
    """
    gain, whole = filtered - raw, oracle - raw
    if paired(whole).low <= 0:
        return {"value": None, "low": None, "high": None}
    random = chance.generator(seed, "filter efficiency")
    picks = random.integers(0, len(gain), size=(DRAWS, len(gain)))
    below = whole[picks].mean(axis=1)
    ratios = gain[picks].mean(axis=1)[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, [ALPHA / 2, 1 - ALPHA / 2])
    return {"value": float(gain.mean() / whole.mean()), "low": float(low), "high": float(high)}


def _stats() -> Any:
    """Return scipy's distributions, imported only where they are used."""
    import scipy.stats

    return scipy.stats
