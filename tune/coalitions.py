"""Games of coalitions: what a player adds, when it joins last and on average over all orders of joining."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import chance
from tune.statistics import paired

Floats = npt.NDArray[np.float64]
Orders = Sequence[Sequence[int]]
# What a coalition is worth, by its members: bit g of the number stands for player g. Each value may be an array.
Game = Mapping[int, Floats]
# Players of whom all coalitions are valued: 64 trainings for each seed.
EXACT = 6
# With more players about as many coalitions are valued; four orders at least, two pairs, so that the error is known.
_LEAST = 4
HELPS, HARMS, UNSURE = "helps", "harms", "inconclusive"


def orders(players: int, *, seed: int) -> list[list[int]] | None:
    """Return orders of joining to average over, None where all coalitions are few enough to be valued.

    Each order drawn is followed by its reverse: who came early comes late, which makes their mean steadier than that of
    two independent orders (antithetic sampling; Mitchell et al. 2022, "Sampling permutations for Shapley value
    estimation").

    Args:
        players: how many, at least one.
        seed: of the draw.
    """
    if players <= EXACT:
        return None
    count = max(_LEAST, 2 * (2**EXACT // (players - 1) // 2))
    drawn = (chance.shuffled(seed, str(number), "order of joining", size=players) for number in range(count // 2))
    return [each for one in drawn for each in (one, one[::-1])]


def needed(players: int, over: Orders | None) -> list[int]:
    """Return the coalitions to be valued, ascending: none, all, all but one, and what the orders pass through."""
    everyone = 2**players - 1
    if over is None:
        return list(range(2**players))
    found = {0, everyone, *(everyone ^ 1 << player for player in range(players))}
    return sorted(found.union(*(_joined(order) for order in over)))


def left_out(game: Game, players: int) -> Floats:
    """Return what the whole loses without each player, (players, …): v(all) - v(all but the player)."""
    everyone = 2**players - 1
    return np.stack([game[everyone] - game[everyone ^ 1 << player] for player in range(players)])


def shapley(game: Game, players: int, over: Orders | None = None) -> Floats:
    """Return the Shapley value of each player, (players, …); they sum to v(all) - v(none).

    The sum over coalitions S without the player of |S|! (n - |S| - 1)! / n! (v(S with it) - v(S)) (Shapley 1953; of
    data, Ghorbani and Zou 2019), or the mean over some orders of what it adds where it joins.

    Args:
        game: values of the coalitions that `needed` names.
        players: how many.
        over: the orders, None for all coalitions.
    """
    if over is not None:
        mean: Floats = by_order(game, players, over).mean(axis=0)
        return mean
    found = []
    for player in range(players):
        without = [one for one in range(2**players) if not one >> player & 1]
        weights = (1 / (players * math.comb(players - 1, one.bit_count())) for one in without)
        parts = [weight * (game[one | 1 << player] - game[one]) for one, weight in zip(without, weights, strict=True)]
        found.append(np.sum(parts, axis=0))
    return np.stack(found)


def by_order(game: Game, players: int, over: Orders) -> Floats:
    """Return what each player adds in each order, (orders, players, …)."""
    found = []
    for order in over:
        steps = [0, *_joined(order)]
        added = {player: game[new] - game[old] for player, old, new in zip(order, steps, steps[1:], strict=False)}
        found.append(np.stack([added[player] for player in range(players)]))
    return np.stack(found)


def sampling_error(game: Game, players: int, over: Orders) -> Floats:
    """Return the standard error that the draw of orders gives each value, (players, …), from pairs of orders.

    Args:
        game: values of the coalitions.
        players: how many.
        over: at least two pairs of an order and its reverse, as `orders` draws them.
    """
    each = by_order(game, players, over)
    pairs = (each[::2] + each[1::2]) / 2
    error: Floats = pairs.std(axis=0, ddof=1) / math.sqrt(len(pairs))
    return error


def effects(games: Sequence[Game], over: Sequence[Orders | None], *, items: Sequence[int]) -> list[dict[str, Any]]:
    """Return what each player adds, with intervals over repetitions of a game.

    Args:
        games: one for each repetition, such as a seed; a value is (1 + players,): the mean over all items, and the mean
            over the items of each player, NaN where it has none.
        over: the orders of each, None where all coalitions are valued.
        items: (1 + players,) how many items: all, and of each player.

    Returns:
        For each player `left_out` and `shapley`: mean, low, high (95 %, paired t over repetitions), p, verdict (helps
        or harms where the interval leaves out 0, else inconclusive), own and others (the mean over the items of the
        player and over all others, None without any), by_repetition; of a sampled value also sampling_error, the part
        of its standard error that the draw of orders has.
    """
    players = len(items) - 1
    lost = np.stack([left_out(game, players) for game in games])
    shares = np.stack([shapley(game, players, some) for game, some in zip(games, over, strict=True)])
    drawn = [(game, some) for game, some in zip(games, over, strict=True) if some is not None]
    found = []
    for place in range(players):
        one = {"left_out": _effect(lost[:, place], place, items), "shapley": _effect(shares[:, place], place, items)}
        if drawn:
            errors = [sampling_error(game, players, some)[place, 0] for game, some in drawn]
            one["shapley"]["sampling_error"] = float(np.sqrt(np.square(errors).sum())) / len(errors)
        found.append(one)
    return found


def _effect(values: Floats, place: int, items: Sequence[int]) -> dict[str, Any]:
    """Return what is told of one player's values, (repetitions, 1 + players)."""
    test = paired(values[:, 0])
    whole, mine = items[0], items[place + 1]
    own = float(values[:, place + 1].mean()) if mine else None
    rest = (test.mean * whole - (own or 0.0) * mine) / (whole - mine) if whole > mine else None
    return {
        "mean": test.mean, "low": test.low, "high": test.high, "p": test.p,
        "verdict": HELPS if test.low > 0 else HARMS if test.high < 0 else UNSURE, "own": own, "others": rest,
        "by_repetition": values[:, 0].tolist(),
    }  # fmt: skip


def _joined(order: Sequence[int]) -> list[int]:
    """Return the coalitions that an order passes through, the empty one left out."""
    found = [0]
    for player in order:
        found.append(found[-1] | 1 << player)
    return found[1:]
