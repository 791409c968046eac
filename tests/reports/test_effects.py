"""Effect sizes against numbers worked out by hand or printed in their papers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import effects

SAMPLES = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


def floats(*values: float) -> effects.Floats:
    return np.sort(np.array(values, dtype=np.float64))


def test_distance_is_the_largest_gap() -> None:
    # Up to 2: half of the old rows, none of the new.
    assert effects.distance(floats(1, 2, 3, 4), floats(3, 4, 5, 6)) == 0.5
    assert effects.distance(floats(1, 2), floats(1, 2)) == 0
    assert effects.distance(floats(1, 2), floats(3)) == 1


def test_delta_counts_pairs() -> None:
    # Of the four pairs (1,2) (1,1) (2,2) (2,1) one is higher, one lower, two equal.
    assert effects.delta(floats(1, 2), floats(1, 2)) == 0
    # (1,2) (1,3) (2,3) higher, (2,2) equal.
    assert effects.delta(floats(1, 2), floats(2, 3)) == 0.75
    assert effects.delta(floats(5), floats(1, 2, 3)) == -1


@given(SAMPLES, SAMPLES)
def test_delta_agrees_with_all_pairs_and_turns_with_the_sides(old: list[int], new: list[int]) -> None:
    signs = [np.sign(b - a) for a in old for b in new]
    found = effects.delta(floats(*old), floats(*new))
    assert math.isclose(found, sum(signs) / len(signs), abs_tol=1e-12)
    assert math.isclose(effects.delta(floats(*new), floats(*old)), -found, abs_tol=1e-12)
    # P(new > old) − P(new < old) is an average of gaps between the two distribution functions, taken twice.
    assert abs(found) <= 2 * effects.distance(floats(*old), floats(*new)) + 1e-12


def test_values_are_compared_by_their_shares() -> None:
    old, new = np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.25, 0.25])
    assert effects.variation(old, new) == 0.25
    # ½ (0 + 0.0625 / 0.75 + 0.0625 / 0.25) = 1/6
    assert effects.association(old, new) == pytest.approx(math.sqrt(1 / 6))
    assert effects.association(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert effects.association(old, old) == 0


def test_association_is_cramers_v_of_equally_large_samples() -> None:
    counts = np.array([[30.0, 10.0], [10.0, 30.0]])
    # χ² of this table is 80 (30·30 − 10·10)² / 40⁴ = 20, V = √(20 / 80).
    assert effects.association(*(counts / 40)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("delta", "gap", "word"),
    [
        (0.146, 0.1, "negligible"),
        (-0.147, 0.0, "small"),
        (0.33, 0.0, "medium"),
        (-0.474, 0.0, "large"),
        (0, 0.24, "medium"),
    ],
)
def test_words_follow_the_conventions(delta: float, gap: float, word: str) -> None:
    assert effects.numeric_size(delta, gap, (10_000, 10_000)) == word


def test_a_pure_shift_of_a_normal_distribution_gets_one_word_from_both() -> None:
    def normal(z: float) -> float:
        return (1 + math.erf(z / math.sqrt(2))) / 2

    for bound, gap in zip(effects.DELTA, effects.DISTANCE, strict=True):
        shift = next(d / 10_000 for d in range(20_000) if 2 * normal(d / 10_000 / math.sqrt(2)) - 1 >= bound)
        assert 2 * normal(shift / 2) - 1 == pytest.approx(gap, abs=6e-4)


def test_few_rows_say_nothing() -> None:
    assert effects.numeric_size(0.5, 0.5, (5, 5)) == "negligible"
    assert effects.numeric_size(0.5, 0.5, (500, 500)) == "large"
    assert effects.table_size(0.4, (5, 5), 2) == "negligible"
    assert effects.table_size(0.4, (500, 500), 2) == "medium"


def test_chance_stays_below_its_limits_in_nineteen_of_twenty_draws() -> None:
    stream, inside = np.random.default_rng(5), []
    limit = effects.numeric_chance((200, 300))
    table = effects.table_chance((200, 300), 4)
    for _ in range(400):
        old, new = np.sort(stream.normal(size=200)), np.sort(stream.normal(size=300))
        shares = stream.multinomial(200, [0.25] * 4) / 200, stream.multinomial(300, [0.25] * 4) / 300
        inside.append(
            (
                abs(effects.delta(old, new)) < limit[0],
                effects.distance(old, new) < limit[1],
                effects.association(*shares) < table,
            )
        )
    assert (np.abs(np.mean(inside, axis=0) - 0.95) < 0.035).all()


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998 (two-sided intervals for the single proportion), table I: 81 of 263.
    low, high = effects.wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert effects.wilson(0, 0) == (0, 1)


def test_difference_of_shares_matches_the_published_example() -> None:
    # Newcombe 1998 (interval estimation for the difference), table II, example (a), method 10: 56/70 − 48/80.
    found = effects.difference_of_shares((48, 80), (56, 70))
    assert found is not None
    assert {key: round(value, 4) for key, value in found.items()} == {"difference": 0.2, "low": 0.0524, "high": 0.3339}
    assert effects.difference_of_shares((0, 0), (1, 2)) is None


def test_words_said_alike_score_nothing_and_others_lean_to_their_side() -> None:
    scores = effects.log_odds(np.array([50.0, 50.0, 10.0]), np.array([50.0, 10.0, 50.0]), prior=100)
    assert scores[0] == pytest.approx(0, abs=1e-9)
    assert scores[1] == pytest.approx(-scores[2]) and scores[2] > 4
    assert len(effects.log_odds(np.array([]), np.array([]), prior=100)) == 0
