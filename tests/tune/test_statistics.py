from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune import statistics

pytest.importorskip("scipy", reason="statistics need scipy; install curatune[tune]")


def test_the_paired_t_of_a_textbook() -> None:
    found = statistics.paired([1, 2, 3, 4, 5])
    # mean 3, sd sqrt(2.5), error sqrt(0.5), t(4) at 97.5 % is 2.776
    assert (found.mean, found.seeds) == (3, 5)
    assert found.t == pytest.approx(3 / math.sqrt(0.5))
    assert found.low == pytest.approx(3 - 2.7764451 * math.sqrt(0.5))
    assert found.high90 == pytest.approx(3 + 2.1318468 * math.sqrt(0.5))


def test_one_seed_is_no_test() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        statistics.paired([0.4])


def test_seeds_that_all_agree_need_no_spread() -> None:
    assert statistics.paired([0.0, 0.0]).p == 1
    assert statistics.paired([0.1, 0.1, 0.1]).p == 0


def test_holm_as_published() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(values: list[float]) -> None:
    adjusted = statistics.holm(values)
    assert all(one >= other for one, other in zip(adjusted, values, strict=True))
    order = sorted(range(len(values)), key=lambda place: values[place])
    assert [adjusted[place] for place in order] == sorted(adjusted)


def test_items_of_a_record_count_together() -> None:
    apart = np.array([[1.0, 1.0, 0.0, 0.0]])
    alone = statistics.items_only(apart, ["a", "b", "c", "d"])
    together = statistics.items_only(apart, ["a", "a", "b", "b"])
    assert together[1] - together[0] > alone[1] - alone[0]
    low, high = statistics.two_level(np.repeat(apart, 4, axis=0), ["a", "a", "b", "b"], seed=1)
    assert (low, high) == (0, 1)


def test_the_smallest_detectable_effect_of_the_field() -> None:
    # 3.3, 1.7, 1.0 and 0.66 standard deviations with 3, 5, 10 and 20 seeds at 80 % power
    found = [statistics.detectable(1, seeds) for seeds in (3, 5, 10, 20)]
    assert found == pytest.approx([3.26, 1.68, 1.0, 0.66], abs=0.02)
    assert statistics.seeds_needed(1, 1.0) == 10
    assert statistics.detectable(1, 5, contrasts=6) > found[1]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.10, 0.12, 0.11, 0.09], "better"),
        ([-0.10, -0.12, -0.11, -0.09], "worse"),
        ([0.001, 0.002, 0.001, 0.002], "equivalent"),  # surely above 0, surely too small to matter
        ([0.3, -0.2, 0.1, -0.1], "inconclusive"),
    ],
)
def test_the_four_verdicts(differences: list[float], expected: str) -> None:
    found = statistics.paired(differences)
    assert statistics.verdict(found, adjusted=found.p, margin=0.01) == expected


def test_filter_efficiency_is_a_share_of_what_an_oracle_gains() -> None:
    raw, oracle = np.array([0.5, 0.6, 0.55]), np.array([0.7, 0.8, 0.75])
    half = statistics.efficiency((raw + oracle) / 2, raw, oracle, seed=0)
    assert half["value"] == pytest.approx(0.5)
    assert statistics.efficiency(raw, raw, raw, seed=0)["value"] is None
