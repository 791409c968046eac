"""Measures of spread against published values and by their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import chance
from reports import spread


def unit(rows: int, *, dimensions: int = 8) -> np.ndarray:
    drawn = chance.generator(1, f"test {rows}").normal(size=(rows, dimensions))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def measured(vectors: np.ndarray, *sets: list[int]) -> list[dict[str, float]]:
    return spread._measured(np.asarray(vectors, dtype=np.float32), [np.array(one, dtype=np.int64) for one in sets])


def test_vendi_gives_the_published_values() -> None:
    points = np.array([0, 0, 10, 10, 20, 20], dtype=float)
    # Published as 2.9999, cut and not rounded: three pairs of copies, e^-10 alike.
    assert 2.9999 <= spread.vendi(np.exp(-np.abs(points[:, None] - points[None]))) < 3
    assert round(spread.vendi(np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])), 4) == 2.1573


@settings(max_examples=40)
@given(st.integers(1, 40))
def test_vendi_lies_between_one_and_n_and_copies_change_nothing(rows: int) -> None:
    vectors = unit(rows).astype(np.float64)
    score = spread.vendi(vectors @ vectors.T)
    assert 1 - 1e-9 <= score <= min(rows, 8) + 1e-6
    assert score == pytest.approx(spread.vendi(vectors.T @ vectors))  # the dual
    twice = np.vstack([vectors, vectors])
    assert score == pytest.approx(spread.vendi(twice.T @ twice))


def test_measures_of_three_axes_and_a_copy_can_be_counted_by_hand() -> None:
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    whole, two = measured(vectors, [0, 1, 2, 3], [0, 3])
    # rows 0 and 3 have a copy; of the 12 ordered pairs two have cosine 1
    assert whole["nearest"] == 0.5 and whole["similarity"] == pytest.approx(2 / 12)
    assert (whole["coverage"], whole["radius"]) == (1.0, 0.0)
    # two copies: as varied as one row; rows 1 and 2 lie at a right angle to them
    assert two["vendi"] == pytest.approx(1) and two["nearest"] == 0.0 and two["similarity"] == pytest.approx(1)
    assert (two["coverage"], two["radius"]) == (0.5, 1.0)


def test_more_rows_cover_more(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(60)
    few, more = measured(vectors, list(range(10)), list(range(30)))
    assert few["coverage"] < more["coverage"] < 1 and few["radius"] >= more["radius"]
    monkeypatch.setattr(spread, "BLOCK", 7)  # blocks must not show
    for one, other in zip(measured(vectors, list(range(10)), list(range(30))), (few, more), strict=True):
        assert one == pytest.approx(other, rel=1e-6)  # a float32 product rounds by its shape


def test_random_choices_are_the_same_each_time_and_differ_among_themselves() -> None:
    choices = spread._choices(3, 50, 20)
    assert all(np.array_equal(one, other) for one, other in zip(choices, spread._choices(3, 50, 20), strict=True))
    assert len(choices) == spread.DRAWS == len({one.tobytes() for one in choices})
    assert all(len(np.unique(one)) == 20 for one in choices)
