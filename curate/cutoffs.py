"""Bounds on a score, and how often they would be right: counted on scores of labelled texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.intervals import Z95, wilson

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
# Bounds that are shown: enough to draw a curve, few enough to read.
SHOWN = tuple(round(0.1 * step, 1) for step in range(1, 10))


@dataclass(frozen=True)
class Cut:
    """What a bound removes of n labelled texts.

    Args:
        at: the bound.
        right: texts removed that should go.
        wrong: texts removed that should stay.
        precision: of what would be removed from data of the stated share; None when nothing is.
        low: lower 95 % bound of the precision, None where that is.
        high: upper one.
        recall: share of the texts that should go, with its 95 % bounds.
    """

    at: float
    right: int
    wrong: int
    precision: float | None
    low: float | None
    high: float | None
    recall: tuple[float, float, float]

    def plain(self) -> dict[str, Any]:
        """Return the cut as JSON data."""
        return {**asdict(self), "recall": list(self.recall)}


def area(scores: Scores, wanted: Flags) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its 95 % bounds, for at least one text of either kind.

    The share of pairs in which the wanted text scores higher, ties counting half; the interval by Hanley and McNeil,
    "The meaning and use of the area under a ROC curve" (1982), which takes texts for independent.
    """
    yes, no = scores[wanted], np.sort(scores[~wanted])
    under = np.searchsorted(no, yes, side="left") + np.searchsorted(no, yes, side="right")
    found = float(under.sum()) / (2 * len(yes) * len(no))
    one, two = found / (2 - found), 2 * found**2 / (1 + found)
    spread = found * (1 - found) + (len(yes) - 1) * (one - found**2) + (len(no) - 1) * (two - found**2)
    reach = Z95 * sqrt(max(0.0, spread) / (len(yes) * len(no)))
    return round(found, 4), round(max(0.0, found - reach), 4), round(min(1.0, found + reach), 4)


def below(scores: Scores, faulty: Flags, *, at: float, share: float) -> Cut:
    """Return what the rule "at least `at`" removes: all that score less.

    Of data in which a share s is faulty, the precision is s·a ÷ (s·a + (1 − s)·b), with a the share of the faulty
    examples removed and b that of the sound ones; where s is their share among the examples, it is just what was
    counted. Its bounds join the less favourable ends of the Wilson intervals of a and b, so that none of n sound
    examples removed does not pass for never.

    Args:
        scores: (n,).
        faulty: (n,) whether a text should go.
        at: the bound.
        share: s.
    """
    gone = scores < at
    right, wrong = int((gone & faulty).sum()), int((gone & ~faulty).sum())
    return _cut(float(at), (right, int(faulty.sum())), (wrong, int((~faulty).sum())), share)


def _cut(at: float, faulty: tuple[int, int], sound: tuple[int, int], share: float) -> Cut:
    a, b = faulty[0] / max(1, faulty[1]), sound[0] / max(1, sound[1])
    (a_low, a_high), (b_low, b_high) = wilson(*faulty), wilson(*sound)
    recall = (round(a, 4), round(a_low, 4), round(a_high, 4))
    if not faulty[0] + sound[0]:
        return Cut(at, 0, 0, None, None, None, recall)
    found, low, high = (
        round(share * one / (share * one + (1 - share) * two), 4)
        for one, two in ((a, b), (a_low, b_high), (a_high, b_low))
    )
    return Cut(at, faulty[0], sound[0], found, low, high, recall)


def reached(scores: Scores, faulty: Flags, *, precision: float, share: float) -> Cut | None:
    """Return the highest bound whose removals are right with a precision, at the lower end of its interval, or None.

    Args:
        scores: (n,).
        faulty: (n,) whether a text should go.
        precision: in [0, 1].
        share: of faulty texts in the data to be judged, see `below`.
    """
    levels, place = np.unique(scores, return_inverse=True)
    # Removed by a bound at a level is what scores less: all levels before it.
    right = np.concatenate([[0], np.cumsum(np.bincount(place, faulty, len(levels)))[:-1]]).astype(int)
    wrong = np.concatenate([[0], np.cumsum(np.bincount(place, ~faulty, len(levels)))[:-1]]).astype(int)
    sizes = int(faulty.sum()), int((~faulty).sum())
    for number in range(len(levels) - 1, 0, -1):
        cut = _cut(float(levels[number]), (int(right[number]), sizes[0]), (int(wrong[number]), sizes[1]), share)
        if cut.low is not None and cut.low >= precision:
            return cut
    return None
