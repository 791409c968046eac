from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from curate import stars
from curate.errors import UserError

CHAIN = {0: {1: 0.9}, 1: {0: 0.9, 2: 0.8}, 2: {1: 0.8}}


def walk(order: list[int], near: dict[int, dict[int, float]]) -> stars.Stars:
    kept: list[int] = []

    def matches(unit: int) -> tuple[stars.Indices, stars.Shares]:
        found = [other for other in kept if other in near[unit]]
        return np.array(found, dtype=np.int64), np.array([near[unit][other] for other in found])

    return stars.cover(np.array(order), size=len(near), matches=matches, admit=kept.append)


@pytest.mark.parametrize(
    ("order", "keeper"),
    [([0, 1, 2], [0, 0, 2]), ([2, 1, 0], [0, 2, 2]), ([0, 2, 1], [0, 0, 2]), ([1, 0, 2], [1, 1, 1])],
)
def test_cover_of_a_chain_leaves_a_kept_neighbour_to_each_removed_one(order: list[int], keeper: list[int]) -> None:
    assert walk(order, CHAIN).keeper.tolist() == keeper


def test_cover_joins_the_most_similar_keeper_and_the_lowest_on_ties() -> None:
    near = {0: {3: 0.8}, 1: {3: 0.9}, 2: {3: 0.9}, 3: {0: 0.8, 1: 0.9, 2: 0.9}}
    found = walk([2, 1, 0, 3], near)
    assert found.keeper.tolist() == [0, 1, 2, 1]
    assert found.similarity[3] == 0.9


def test_ranks_follow_the_walk_inside_each_star() -> None:
    found = stars.Stars(np.array([0, 0, 2, 0]), np.ones(4))
    assert stars.ranks(found, order=np.array([2, 0, 3, 1])).tolist() == [0, 2, 0, 1]


def test_contents_are_compared_by_record_and_other_columns_by_row() -> None:
    state = pl.DataFrame({"id": ["a1", "b1", "a2"], "record": ["a", "b", "a"]})
    assert stars.units(state, on="content").first.tolist() == [0, 1]
    assert stars.units(state, on="content").of.tolist() == [0, 1, 0]
    assert stars.units(state, on="prompt").of.tolist() == [0, 1, 2]


def test_signals_give_all_rows_of_a_record_one_fate() -> None:
    found = stars.Units(np.array([0, 2]), np.array([0, 0, 1, 1]))
    shown = stars.signals(
        stars.Stars(np.array([0, 0]), np.array([1.0, 0.9])), found=found, ids=pl.Series(["a", "b", "c", "d"])
    )
    assert shown.to_dict(as_series=False) == {
        "cluster": ["a", "a", "a", "a"],
        "rank": [0, 0, 1, 1],
        "keeper": [None, None, "a", "a"],
        "similarity": [None, None, 0.9, 0.9],
    }


def test_signals_of_a_unit_without_a_text_are_null() -> None:
    found = stars.Units(np.array([0, 1]), np.array([0, 1]))
    shown = stars.signals(stars.Stars(np.array([-1, 1]), np.ones(2)), found=found, ids=pl.Series(["a", "b"]))
    assert shown.row(0) == (None, None, None, None)
    assert shown.row(1) == ("b", 0, None, None)


@pytest.mark.parametrize("on", [[], ["prompt", "prompt"]])
def test_on_needs_distinct_columns(on: list[str]) -> None:
    with pytest.raises(UserError, match="on = "):
        stars.columns(on)
