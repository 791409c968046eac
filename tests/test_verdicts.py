"""The bench of verdicts counts as it says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(scope="module")
def hits() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        import hits as module
    finally:
        sys.path.remove(str(BENCH))
    return module


def told(verdict: str, sign: str, true: float | None = None, detectable: float = 0.05) -> dict[str, Any]:
    """Return what is told of a change; what it truly does only where that was measured."""
    one = {"verdict": verdict, "sign": sign, "detectable": detectable, "rows_differ": True}
    return one if true is None else {**one, "true": true}


def counts(found: dict[str, Any], name: str) -> tuple[int, int]:
    return found[name]["hits"], found[name]["of"]


def test_a_verdict_is_right_by_sign_and_half_of_the_margin(hits: ModuleType) -> None:
    changes = [
        told("better", "helpful", 0.005),
        told("worse", "harmful", -0.2),
        told("worse", "harmful", -0.004),  # too small
        told("better", "harmful", -0.1),  # the other way
        told("worse", "harmful"),  # not measured
        told("inconclusive", "harmful", -0.3),
    ]
    found = hits.counted(changes, margin=0.01)
    assert counts(found, "better_or_worse_right") == (2, 4)
    assert counts(found, "better_or_worse_as_the_key") == (4, 5)
    assert counts(found, "real_changes_decided") == (5, 6)
    assert found["said"] == {"better": 2, "worse": 3, "equivalent": 0, "inconclusive": 1}


def test_a_false_alarm_is_a_decision_on_what_the_key_calls_harmless(hits: ModuleType) -> None:
    changes = [
        told("equivalent", "harmless"),
        {**told("equivalent", "harmless"), "rows_differ": False},
        told("worse", "harmless", -0.02),  # although there is a true difference
        told("inconclusive", "harmless"),
        told("worse", "harmful"),
    ]
    found = hits.counted(changes, margin=0.01)
    assert counts(found, "false_alarms") == (1, 4)
    assert counts(found, "false_alarms_where_rows_differ") == (1, 3)


def test_inconclusive_is_true_below_the_margin_and_what_the_trial_could_detect(hits: ModuleType) -> None:
    changes = [told("inconclusive", "harmful", true, 0.05) for true in (-0.059, 0.061, 0.0)]
    found = hits.counted(
        [*changes, told("equivalent", "harmful", 0.009), told("equivalent", "small", 0.011)], margin=0.01
    )
    assert counts(found, "inconclusive_where_true") == (2, 3)
    assert counts(found, "equivalent_right") == (1, 2)


def test_of_what_matters_and_is_not_seen_inconclusive_is_the_honest_word(hits: ModuleType) -> None:
    changes = [
        told("inconclusive", "small", 0.04),
        told("better", "small", -0.03),  # luck that went wrong
        told("equivalent", "small", 0.02),
        told("inconclusive", "small", 0.005),  # does not matter
        told("better", "small", 0.06),  # is seen
    ]
    unseen = hits.counted(changes, margin=0.01)["unseen"]
    assert unseen["said"] == {"better": 1, "worse": 0, "equivalent": 1, "inconclusive": 1}
    assert unseen["of_wrong_sign"] == 1
    assert counts(unseen, "inconclusive") == (1, 3)


def test_nothing_told_has_no_share(hits: ModuleType) -> None:
    assert hits.counted([], margin=0.01)["false_alarms"] == {"hits": 0, "of": 0, "share": None, "interval": None}
