"""What players of hand-made games are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune import coalitions

# The glove game: players 0 and 1 have a left glove, player 2 the only right one; a pair is worth 1.
GLOVES = {one: np.array(float(one & 4 > 0 and one & 3 > 0)) for one in range(8)}


def powers(exponent: int) -> dict[int, np.ndarray]:
    """Return the game of eight players of weights 1 to 8 whose sum, raised to a power, is the value."""
    sums = {one: sum(place + 1 for place in range(8) if one >> place & 1) for one in range(2**8)}
    return {one: np.array(float(value**exponent)) for one, value in sums.items()}


def test_who_can_be_replaced_loses_nothing_when_left_out_and_yet_has_a_share() -> None:
    assert coalitions.left_out(GLOVES, 3).tolist() == [0, 0, 1]
    assert coalitions.shapley(GLOVES, 3).tolist() == pytest.approx([1 / 6, 1 / 6, 4 / 6])


def test_a_null_player_is_worth_nothing_and_equal_players_as_much() -> None:
    # v = (members of 0 and 1)^2; player 2 changes nothing
    game = {one: np.array(float((one & 3).bit_count() ** 2)) for one in range(8)}
    assert coalitions.shapley(game, 3).tolist() == pytest.approx([2, 2, 0])
    assert coalitions.left_out(game, 3).tolist() == [3, 3, 0]


def test_of_an_additive_game_both_are_what_each_brings() -> None:
    weights = [0.5, -0.25, 0.125]
    game = {one: np.array(sum(weights[p] for p in range(3) if one >> p & 1)) for one in range(8)}
    assert coalitions.shapley(game, 3).tolist() == pytest.approx(weights)
    assert coalitions.left_out(game, 3).tolist() == pytest.approx(weights)


@given(st.integers(1, 5).flatmap(lambda n: st.lists(st.floats(-1, 1), min_size=2**n, max_size=2**n)))
def test_the_values_sum_to_what_all_add(values: list[float]) -> None:
    players = len(values).bit_length() - 1
    game = {one: np.array([value, 2 * value]) for one, value in enumerate(values)}
    found = coalitions.shapley(game, players)
    assert found.shape == (players, 2)
    assert found.sum(axis=0).tolist() == pytest.approx([values[-1] - values[0], 2 * (values[-1] - values[0])], abs=1e-9)


@given(st.integers(0, 50), st.integers(7, 12))
def test_some_orders_sum_to_it_too_and_need_few_coalitions(seed: int, players: int) -> None:
    over = coalitions.orders(players, seed=seed)
    assert over is not None
    assert all(sorted(order) == list(range(players)) for order in over)
    assert [order[::-1] for order in over[::2]] == over[1::2]
    needed = coalitions.needed(players, over)
    assert len(needed) <= 2 + players + len(over) * (players - 1)
    game = {one: np.array(math.sin(one)) for one in needed}  # any game: no other coalition is asked for
    total = game[2**players - 1] - game[0]
    assert coalitions.shapley(game, players, over).sum() == pytest.approx(total)
    assert coalitions.left_out(game, players).shape == (players,)


def test_few_players_are_valued_in_all_coalitions() -> None:
    assert coalitions.orders(6, seed=0) is None
    assert coalitions.needed(3, None) == list(range(8))


def test_an_order_and_its_reverse_are_exact_where_players_only_matter_in_pairs() -> None:
    # v = (sum of weights)^2: a player adds w^2 + 2 w (what came before); over both orders that is w times all weights
    over = coalitions.orders(8, seed=3)
    assert over is not None
    game = powers(2)
    assert coalitions.shapley(game, 8, over).tolist() == pytest.approx([36 * weight for weight in range(1, 9)])
    assert coalitions.sampling_error(game, 8, over).tolist() == pytest.approx([0] * 8, abs=1e-9)


def test_the_sampling_error_is_how_far_sampled_values_lie_from_the_true_ones() -> None:
    game, apart, told = powers(3), [], []
    true = coalitions.shapley(game, 8)
    for seed in range(300):
        over = coalitions.orders(8, seed=seed)
        apart.append(coalitions.shapley(game, 8, over) - true)
        told.append(coalitions.sampling_error(game, 8, over or []))
    ratio = np.square(apart).mean(axis=0) / np.square(told).mean(axis=0)
    assert ratio.tolist() == pytest.approx([1] * 8, abs=0.3)  # the mean of 300 variances of 3 degrees of freedom


def test_effects_are_paired_over_repetitions() -> None:
    # Two players, two repetitions; the items are 4 of the first and 6 of the second. Values: all, first's, second's.
    def game(both: float) -> coalitions.Game:
        parts = {0: (0.2, 0.2, 0.2), 1: (0.4, 0.7, 0.2), 2: (0.2, 0.2, 0.2), 3: (both, (both - 0.12) / 0.4, 0.2)}
        return {one: np.array(value) for one, value in parts.items()}

    first, second = coalitions.effects([game(0.5), game(0.6)], [None, None], items=[10, 4, 6])
    # left out: 0.5 - 0.2 and 0.6 - 0.2, so 0.35 with a standard error of 0.05; t(1) at 97.5 % is 12.706
    assert first["left_out"]["by_repetition"] == pytest.approx([0.3, 0.4])
    assert first["left_out"]["mean"] == pytest.approx(0.35)
    assert first["left_out"]["low"] == pytest.approx(0.35 - 12.7062 * 0.05, abs=1e-4)
    assert first["left_out"]["verdict"] == "inconclusive"
    # Shapley: half of 0.2 and 0.3, half of 0.2 and 0.4; all of it on its own items: 0.275 * 10 / 4
    assert first["shapley"]["by_repetition"] == pytest.approx([0.25, 0.3])
    assert first["shapley"]["own"] == pytest.approx(0.6875)
    assert first["shapley"]["others"] == pytest.approx(0, abs=1e-9)
    # the second brings 0 alone and 0.1 or 0.2 beside the first, on items of the first
    assert second["shapley"]["by_repetition"] == pytest.approx([0.05, 0.1])
    assert second["shapley"]["own"] == pytest.approx(0, abs=1e-9)
    assert second["shapley"]["others"] == pytest.approx(0.075 * 10 / 4)


def test_verdicts_are_given_where_the_interval_leaves_out_nothing() -> None:
    rise = [{0: np.array([0.0, 0.0]), 1: np.array([gain, gain])} for gain in (0.30, 0.31, 0.32)]
    fall = [{0: np.array([0.0, np.nan]), 1: np.array([-gain, np.nan])} for gain in (0.30, 0.31, 0.32)]
    (helps,), (harms,) = (coalitions.effects(games, [None] * 3, items=[5, n]) for games, n in ((rise, 5), (fall, 0)))
    assert (helps["left_out"]["verdict"], harms["shapley"]["verdict"]) == ("helps", "harms")
    assert helps["shapley"]["others"] is None and harms["shapley"]["own"] is None
    assert "sampling_error" not in helps["shapley"]
