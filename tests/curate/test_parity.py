"""Ratio, interval and test of a group beside all rows, at equal length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import parity


def counts(*values: int) -> parity.Counts:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("length", "octave"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (1023, 10)])
def test_classes_are_octaves(length: int, octave: int) -> None:
    assert parity.octaves([length]).tolist() == [octave]


def test_one_class_is_the_pooled_test_of_two_shares() -> None:
    # 20 of 100 beside 30 of 400: chi-square by hand with N - 1, (N-1)(ad-bc)² ÷ (n1 n0 m1 m0).
    found = parity.compare((counts(20), counts(100)), (counts(50), counts(500)))
    square = 499 * (20 * 370 - 30 * 80) ** 2 / (100 * 400 * 50 * 450)
    assert found.expected == 10 and found.ratio == 2
    assert found.p == pytest.approx(math.erfc(math.sqrt(square / 2)))
    assert found.low is not None and found.high is not None and 1 < found.low < 2 < found.high
    assert found.low * found.high == pytest.approx(4)  # symmetric in factors


def test_equal_rates_in_every_class_are_a_ratio_of_one() -> None:
    found = parity.compare((counts(50, 1), counts(100, 10)), (counts(60, 100), counts(120, 1000)))
    assert found.ratio == pytest.approx(1) and found.p == pytest.approx(1)


def test_a_group_of_which_nothing_failed_has_the_exact_upper_end() -> None:
    found = parity.compare((counts(0), counts(100)), (counts(100), counts(1000)))
    assert (found.ratio, found.low) == (0, 0)
    assert found.high == pytest.approx(0.0362 * 100 / 10, abs=1e-3)  # 1 - 0.025 ** (1 / 100) is 3.62 %


@pytest.mark.parametrize("rows", [(3, 10), (4, 40)])
def test_few_rows_or_failures_are_not_judged(rows: tuple[int, int]) -> None:
    failed, of = rows
    found = parity.compare((counts(failed), counts(of)), (counts(100), counts(1000)))
    assert found.p is None and not found.exceeds(1)


def test_nothing_expected_is_no_ratio() -> None:
    assert parity.compare((counts(0), counts(50)), (counts(0), counts(100))).ratio is None


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), min_size=1))
def test_the_interval_holds_the_ratio_and_classes_of_nobody_do_not_matter(
    cells: list[tuple[int, int, int, int]],
) -> None:
    failed, passed, others_failed, others_passed = (counts(*column) for column in zip(*cells, strict=True))
    part, whole = (failed, failed + passed), (failed + others_failed, failed + passed + others_failed + others_passed)
    found = parity.compare(part, whole)
    if found.ratio is not None and found.low is not None and found.high is not None:
        assert found.low <= found.ratio <= found.high
    wider = (np.append(failed, 0), np.append(part[1], 0)), (np.append(whole[0], 7), np.append(whole[1], 9))
    assert parity.compare(*wider).expected == pytest.approx(found.expected)
