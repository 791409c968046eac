"""Chance is a hash: the same everywhere, uniform, independent by purpose."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate import chance


@given(st.integers(0, 2**31), st.text(), st.text())
def test_numbers_lie_in_the_half_open_unit_interval(seed: int, key: str, purpose: str) -> None:
    assert 0.0 <= chance.uniform(seed, key, purpose) < 1.0
    assert 0 <= chance.pick(seed, key, purpose, size=3) < 3


def test_numbers_are_uniform_and_change_with_seed_key_and_purpose() -> None:
    keys = [str(i) for i in range(20_000)]
    draws = chance.uniforms(1, keys, "a")
    # a mean of 20,000 uniform draws has standard deviation 0.00204
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.abs(np.histogram(draws, 10, (0, 1))[0] - 2000).max() < 250
    assert (draws != chance.uniforms(2, keys, "a")).all()
    assert (draws != chance.uniforms(1, keys, "b")).all()


def test_key_and_purpose_do_not_run_together() -> None:
    assert chance.uniform(1, "ab", "c") != chance.uniform(1, "a", "bc")


def test_shuffles_are_permutations_that_differ_by_key() -> None:
    orders = {tuple(chance.shuffled(0, str(key), "options", size=4)) for key in range(200)}
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(orders) == 24


def test_generators_repeat() -> None:
    assert (
        chance.generator(5, "x").integers(0, 1000, 5).tolist() == chance.generator(5, "x").integers(0, 1000, 5).tolist()
    )
