"""Bars and tables of values."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.distribution import distribution

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
INTEGERS = st.lists(st.integers(0, 10_000), min_size=1, max_size=60)


@given(FLOATS, st.floats(-1e6, 1e6))
def test_bars_hold_every_value_on_its_side(values: list[float], bound: float) -> None:
    series = pl.Series(values, dtype=pl.Float64)
    found = distribution(series, series > bound, bounds=[bound], closed="right")
    assert sum(bar["passed"] + bar["failed"] for bar in found["bars"]) == len(values)
    assert sum(bar["failed"] for bar in found["bars"]) == sum(value > bound for value in values)
    assert len(found["bars"]) <= 3 * 24 + 3
    assert all(before["high"] == after["low"] for before, after in zip(found["bars"], found["bars"][1:], strict=False))


@given(INTEGERS, st.integers(0, 10_000))
def test_whole_numbers_have_whole_bars(values: list[int], bound: int) -> None:
    series = pl.Series(values, dtype=pl.UInt32)
    found = distribution(series, series < bound, bounds=[float(bound)])
    assert sum(bar["passed"] + bar["failed"] for bar in found["bars"]) == len(values)
    assert all(bar["low"] == int(bar["low"]) >= 0 for bar in found["bars"])


def test_the_bar_that_fails_is_apart_even_when_it_is_rare() -> None:
    words = pl.Series([0, 0, *range(1, 300)], dtype=pl.UInt32)
    found = distribution(words, words < 1, bounds=[1.0])
    assert [bar["failed"] for bar in found["bars"]][:2] == [2, 0]
    assert found["bars"][0]["passed"] == 0 and found["bars"][0]["low"] == 0


def test_the_few_are_seen_beside_the_many() -> None:
    scores = pl.Series([0.0] * 999 + [0.75])
    found = distribution(scores, scores > 0.5, bounds=[0.5], closed="right")
    assert (found["bars"][0]["passed"], found["bars"][-1]["failed"]) == (999, 1)
    assert len(found["bars"]) > 10


def test_small_whole_numbers_get_a_bar_each() -> None:
    found = distribution(pl.Series([0, 0, 1, 3], dtype=pl.UInt32))
    assert [(bar["low"], bar["passed"]) for bar in found["bars"]] == [(0, 2), (1, 1), (2, 0), (3, 1)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([True, False, True]), [("true", 2), ("false", 1)]),
        (pl.Series(["en", None, "fr", "en"]), [("en", 2), ("fr", 1)]),
        (pl.Series([["a", "b"], [], ["a", "a"]], dtype=pl.List(pl.String)), [("a", 2), ("(none)", 1), ("b", 1)]),
    ],
)
def test_other_values_are_counted_once_per_row(values: pl.Series, expected: list[tuple[str, int]]) -> None:
    assert [(one["value"], one["rows"]) for one in distribution(values)["values"]] == expected


def test_texts_that_a_single_row_has_are_counted_not_shown() -> None:
    found = distribution(pl.Series([f"secret {number}" for number in range(50)]))
    assert (found["values"], found["distinct"], found["others"]) == ([], 50, 50)


def test_no_value_is_said_to_be_none() -> None:
    assert distribution(pl.Series([None, None], dtype=pl.Float64)) == {"known": 0, "unknown": 2, "kind": "empty"}
