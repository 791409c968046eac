from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import chance
from curate.errors import UserError
from curate.steps import diversity


def unit(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Give every text a direction of its own."""
    found = [chance.generator(0, text).normal(size=16) for text in texts]
    vectors = np.array(found, dtype=np.float32).reshape(len(texts), 16)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def frame(contents: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [f"{number:04}" for number in range(len(contents))], "content": contents},
        schema={"id": pl.String, "content": pl.String},
    )


def decided(rows: pl.DataFrame, **arguments: int) -> pl.DataFrame:
    return diversity.decide(rows.hstack(diversity.state(rows, vectors=unit)), **{"seed": 1, **arguments})


def plain(vectors: npt.NDArray[np.float64], start: int) -> tuple[list[int], list[float]]:
    order, far = [start], [0.0]
    apart = 0.5 * ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    while len(order) < len(vectors):
        near = apart[:, order].min(axis=1)
        near[order] = -1
        order.append(int(np.argmax(near)))
        far.append(float(near.max()))
    return order, far


@settings(max_examples=60)
@given(st.lists(st.sampled_from("abcdefghijklm"), min_size=1, max_size=30), st.integers(0, 5))
def test_ranks_are_those_of_plain_farthest_first(contents: list[str], seed: int) -> None:
    rows = frame(list(contents))
    found = decided(rows, seed=seed)
    order = found.with_row_index("row").sort("rank")["row"].to_list()
    expected, far = plain(diversity._rounded(unit(contents)).astype(np.float64), order[0])
    assert order == expected
    assert found.sort("rank")["distance"].to_list() == [None, *far[1:]]


def test_distances_fall_and_lie_in_range() -> None:
    found = decided(frame([str(number) for number in range(200)]), picks=50).sort("rank")
    assert found["rank"].to_list() == list(range(200))
    assert found["distance"][1:].is_sorted(descending=True)
    assert 0 <= found["distance"].min() <= found["distance"].max() <= 2


def test_beyond_the_picks_rows_are_ranked_by_distance_to_them() -> None:
    rows = frame([str(number) for number in range(60)])
    whole, part = decided(rows), decided(rows, picks=10)
    first = whole["rank"] < 10
    assert part.filter(first).equals(whole.filter(first))
    vectors = diversity._rounded(unit(rows["content"].to_list())).astype(np.float64)
    chosen = vectors[first.to_numpy()]
    near = 0.5 * ((vectors[:, None] - chosen[None]) ** 2).sum(axis=2).min(axis=1)
    rest = part.with_columns(near=pl.Series(near)).filter(~first)
    assert rest["near"].to_list() == rest["distance"].to_list()


def test_copies_come_last_by_id() -> None:
    found = decided(frame(["a", "b", "a", "b", "c", "c"]))
    last = found.with_row_index("row").filter(pl.col("rank") >= 3).sort("rank")
    assert last["row"].is_sorted()
    assert last["distance"].to_list() == [0.0, 0.0, 0.0]


def test_sums_on_the_grid_are_exact_in_any_order() -> None:
    vectors = diversity._rounded(unit([str(number) for number in range(50)]))
    shuffle = chance.generator(0, "columns").permutation(16)
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    assert np.array_equal(vectors @ vectors.T, exact)
    assert np.array_equal(vectors[:, shuffle] @ vectors[:, shuffle].T, exact)


def test_null_texts_have_no_rank_and_no_rows_no_signals() -> None:
    found = decided(frame([None, "a", None, "b"]))
    assert found["rank"].null_count() == 2
    assert found["rank"].sort().to_list() == [None, None, 0, 1]
    for rows in (frame([]), frame([None])):
        assert decided(rows).schema == {"rank": pl.UInt32, "distance": pl.Float64}


def test_picks_must_be_positive() -> None:
    with pytest.raises(UserError, match="picks = 0"):
        decided(frame(["a"]), picks=0)
