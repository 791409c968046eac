"""How much harder a group is hit than all rows, at equal length of the response: ratio, interval and test.

The gate of a recipe and the report judge by these functions alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# With fewer rows an interval spans half of all shares; with fewer than five expected on either side the normal
# approximation of the test is poor (Cochran 1954, Biometrics 10).
ROWS, EXPECTED = 30, 5.0
# Ratio from which a difference matters, the usual bound of filter parity (its inverse is the four-fifths rule of the
# US Uniform Guidelines on Employee Selection Procedures, 1978), and the share of false alarms allowed.
RATIO, FALSE_SHARE = 1.25, 0.05
# Two-sided 95 % quantile of the normal distribution, and what lies beyond it on one side.
Z95, TAIL = 1.959963984540054, 0.025


@dataclass(frozen=True)
class Parity:
    """A group beside all rows.

    Args:
        rows: of the group.
        failed: of these.
        expected: how many would fail if each failed as often as all rows of its class of length.
        ratio: failed ÷ expected; None where nothing is expected.
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided, that the ratio is 1; None where there are too few rows to judge.
    """

    rows: int
    failed: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None
    p: float | None

    def exceeds(self, bound: float) -> bool:
        """Tell whether the ratio is above a bound, and its test beyond chance."""
        return self.p is not None and self.ratio is not None and self.p < FALSE_SHARE and self.ratio > bound


def octaves(lengths: npt.ArrayLike) -> Counts:
    """Return the class of each length: 0 for none, 1 for 1, 2 for 2 to 3, 3 for 4 to 7 and so on.

    Lengths spread over orders of magnitude; in a class they differ by less than twice. Measured where a rule drops
    by length alone and a group's texts are 1.6 times as long (`bench/checks_bias.py`): ratio 1.01 at equal length,
    1.36 as it stands. Classes are fixed, so that no ratio depends on what other rows a run has.

    Args:
        lengths: (n,), whole numbers from 0.

    Returns:
        (n,), int64.
    """
    found: Counts = np.frexp(np.asarray(lengths, dtype=np.float64))[1].astype(np.int64)
    return found


def by_class(mask: Mask, classes: Counts, *, size: int) -> Counts:
    """Count rows by class, (size,)."""
    found: Counts = np.bincount(classes[mask], minlength=size).astype(np.int64)
    return found


def compare(part: tuple[Counts, Counts], whole: tuple[Counts, Counts]) -> Parity:
    """Compare a group with all rows, class by class.

    The ratio is observed ÷ expected, where the rates of all rows are applied to the classes of the group (indirect
    standardisation; Breslow and Day, "Statistical methods in cancer research II", 1987, chapter 2). The test is that
    of Cochran (1954) and Mantel and Haenszel (1959, J. Natl. Cancer Inst. 22), without correction of continuity: its
    expectation is the same one, its variance that of the hypergeometric distribution in each class. The interval is by
    the delta method for the logarithm of the ratio, with binomial variances for the group (at its ratio times the rate
    of the class) and for all other rows, as both are part of what is expected. A group of which nothing failed gets
    the exact upper end for 0 of n (Clopper and Pearson 1934). Its coverage is measured in `bench/checks_bias.py`.

    Args:
        part: failed rows and rows of the group by class, each (k,).
        whole: failed rows and rows of all, the group among them, each (k,).

    Returns:
        The comparison; with one class, that without regard to length.
    """
    (failed, rows), (all_failed, all_rows) = part, whole
    hits, of = int(failed.sum()), int(rows.sum())
    total = np.maximum(all_rows, 1)
    rate = all_failed / total
    expected = float(rows @ rate)
    if not expected:
        return Parity(of, hits, 0.0, None, None, None, None)
    others, ratio = all_rows - rows, hits / expected
    spread = rows * others * all_failed * (all_rows - all_failed) / (total**2 * np.maximum(all_rows - 1, 1))
    enough = of >= ROWS and EXPECTED <= expected <= of - EXPECTED and spread.sum() > 0
    p = math.erfc(abs(hits - expected) / math.sqrt(2 * spread.sum())) if enough else None
    if not hits:
        return Parity(of, hits, expected, 0.0, 0.0, (1 - TAIL ** (1 / of)) * of / expected, p)
    share, own = rows / total / expected, np.minimum(1.0, ratio * rate)
    variance = (1 / hits - share) ** 2 * rows * own * (1 - own) + share**2 * others * rate * (1 - rate)
    factor = math.exp(Z95 * math.sqrt(float(variance.sum())))
    return Parity(of, hits, expected, ratio, ratio / factor, ratio * factor, p)


def discoveries(values: Sequence[float]) -> list[float]:
    """Return the q value of each p value: the smallest false discovery rate at which it counts as found.

    Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57): p times tests over rank, made monotone from the largest down.
    """
    found, least = [0.0] * len(values), 1.0
    for rank, place in sorted(enumerate(sorted(range(len(values)), key=lambda place: values[place]), 1), reverse=True):
        least = min(least, values[place] * len(values) / rank)
        found[place] = least
    return found


def pooled(counts: tuple[Counts, Counts]) -> tuple[Any, Any]:
    """Return counts by class as one class."""
    return counts[0].sum(keepdims=True), counts[1].sum(keepdims=True)
