from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import chance
from curate.errors import UserError
from curate.neighbours import gridded
from curate.schema import Measured
from curate.steps import diversity

METHODS = ("facility", "stochastic", "k-centre", "threshold", "dpp", "random", "longest")


def unit(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Give every text a direction of its own."""
    found = [chance.generator(0, text).normal(size=16) for text in texts]
    vectors = np.array(found, dtype=np.float32).reshape(len(texts), 16)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def frame(contents: Sequence[str | None], **columns: list[Any]) -> pl.DataFrame:
    rows = pl.DataFrame(
        {"id": [f"{number:04}" for number in range(len(contents))], "content": contents},
        schema={"id": pl.String, "content": pl.String},
    )
    rows = rows.with_columns(prompt=pl.lit("ask"), response="content", task=pl.lit("qa"), lang=pl.lit(None, pl.String))
    return rows.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def measured(rows: pl.DataFrame, *, vectors: Any = unit, **arguments: Any) -> Measured:
    state = rows.drop("content", "prompt", "response").hstack(diversity.state(rows, vectors=vectors))

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}).join(
            rows, on="id", how="left", maintain_order="left"
        )

    return diversity.decide(state, texts=texts, **{"seed": 1, **arguments})


def decided(rows: pl.DataFrame, **arguments: Any) -> pl.DataFrame:
    return measured(rows, **arguments).signals


def in_order(found: pl.DataFrame) -> list[int]:
    """Return the numbers of the rows by rank."""
    return found.with_row_index("row").drop_nulls("rank").sort("rank")["row"].to_list()


def numbers(count: int) -> pl.DataFrame:
    return frame([str(number) for number in range(count)])


def cosines(rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    vectors = gridded(unit(rows["content"].to_list())).astype(np.float64)
    return np.asarray(vectors @ vectors.T)


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
def test_k_centre_is_plain_farthest_first(contents: list[str], seed: int) -> None:
    rows = frame(list(contents))
    found = decided(rows, seed=seed, method="k-centre")
    order = in_order(found)
    expected, far = plain(gridded(unit(contents)).astype(np.float64), order[0])
    assert order == expected
    assert found.sort("rank")["distance"].to_list() == [None, *far[1:]]


def test_beyond_the_picks_rows_are_ranked_by_distance_to_them() -> None:
    rows = numbers(60)
    whole, part = decided(rows, method="k-centre"), decided(rows, method="k-centre", picks=10)
    first = whole["rank"] < 10
    assert part.filter(first).equals(whole.filter(first))
    near = 1 - cosines(rows)[:, in_order(whole)[:10]].max(axis=1)
    rest = part.with_columns(near=pl.Series(near)).filter(~first).sort("rank")
    assert rest["distance"].is_sorted(descending=True)
    assert np.allclose(rest["near"], rest["distance"], atol=2e-3)


def value(similar: npt.NDArray[np.float64], chosen: Sequence[int]) -> float:
    """Return the facility-location value: of every row the cosine to the most similar one chosen, none below 0."""
    return float(np.maximum(similar[:, list(chosen)].max(axis=1), 0).sum())


@settings(max_examples=30)
@given(st.integers(2, 10), st.integers(1, 5), st.integers(0, 1000))
def test_facility_location_is_within_the_bound_of_the_best_choice(size: int, count: int, salt: int) -> None:
    rows = frame([f"{salt} {number}" for number in range(size)])
    similar, count = cosines(rows), min(count, size)
    order = in_order(decided(rows, varied=False))[:count]
    best = max(value(similar, some) for some in combinations(range(size), count))
    assert value(similar, order) >= (1 - 1 / np.e) * best


@settings(max_examples=30)
@given(st.lists(st.sampled_from("abcdefghijklm"), min_size=1, max_size=25))
def test_lazy_greedy_takes_what_plain_greedy_takes(contents: list[str]) -> None:
    rows = frame(contents)
    similar, order, gains = cosines(rows), list[int](), list[float]()
    while len(order) < len(contents):
        before = value(similar, order) if order else 0.0
        left = [row for row in range(len(contents)) if row not in order]
        more = [value(similar, [*order, row]) - before for row in left]
        order.append(left[int(np.argmax(np.round(more, 9)))])
        gains.append(max(more))
    found = decided(rows, varied=False)
    assert in_order(found) == order
    assert np.allclose(found.sort("rank")["gain"], gains)


def crowded(count: int) -> npt.NDArray[np.float32]:
    """Return vectors around one direction, some near it and some far."""
    vectors = unit([str(number) for number in range(count)])
    vectors = unit(["middle"]) + np.linspace(0.5, 2, count)[:, None] * vectors
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def squares(similar: npt.NDArray[np.float64], rows: Sequence[int]) -> float:
    """Return the mean squared cosine of the pairs of some rows."""
    return float(np.mean([similar[one, other] ** 2 for one, other in combinations(rows, 2)]))


def test_where_picks_are_more_alike_than_all_rows_the_farthest_comes_next() -> None:
    count, vectors = 60, crowded(60)
    similar = gridded(vectors).astype(np.float64) @ gridded(vectors).astype(np.float64).T
    limit, order, far = squares(similar, range(count)), list[int](), list[int]()
    while len(order) < 20:
        left = [row for row in range(count) if row not in order]
        if len(order) > 1 and squares(similar, order) > limit:
            order.append(min(left, key=lambda row: similar[row, order].max()))
            far.append(order[-1])
        else:
            order.append(max(left, key=lambda row: value(similar, [*order, row])))
    given: dict[str, Any] = {"vectors": lambda texts: vectors, "picks": 20}
    found = in_order(decided(numbers(count), **given))
    assert found[:20] == order and 0 < len(far) < 10
    alone = in_order(decided(numbers(count), **given, varied=False))
    assert squares(similar, found[:8]) < squares(similar, alone[:8])


def test_alikeness_is_the_mean_squared_cosine_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate import facility

    monkeypatch.setattr(facility, "BLOCK", 7)
    vectors = gridded(crowded(30))
    similar = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    assert facility.alikeness(vectors) == pytest.approx(squares(similar, range(30)), abs=1e-9)


def test_the_farthest_is_sought_among_evenly_spaced_rows() -> None:
    """When all of these are taken, it is the turn of the greedy choice."""
    from curate import facility
    from curate.neighbours import graph

    vectors = gridded(crowded(40))
    near = facility.turned(*graph(vectors, count=40, seed=0))
    # Below any mean of squares, so that the farthest row comes next as soon as there is a pair.
    order = facility.lazy(near, vectors, 40, -1.0, 5)[0].tolist()
    assert set(order[2:7]) | set(order[:2]) >= {0, 8, 16, 24, 32}
    assert sorted(order) == list(range(40))


def test_a_sample_of_all_rows_is_the_greedy_choice() -> None:
    from curate import facility
    from curate.neighbours import graph

    vectors = gridded(unit([str(number) for number in range(40)]))
    near = facility.turned(*graph(vectors, count=40, seed=0))
    # Forty draws that reach every place whatever is left.
    draws = np.tile(np.linspace(0, 1, 4000, endpoint=False), (10, 1))
    assert facility.stochastic(near, draws)[0][:10].tolist() == facility.lazy(near, vectors, 0, 0.0)[0][:10].tolist()


def test_gains_never_rise() -> None:
    for method in ("facility", "dpp"):
        gains = decided(numbers(120), method=method, varied=False).sort("rank")["gain"]
        assert gains.is_sorted(descending=True)


def test_a_row_that_stands_for_many_comes_before_one_that_lies_far() -> None:
    """Facility location starts in the crowd; farthest-first takes the two outliers at once."""
    crowd = np.zeros((12, 16), dtype=np.float32)
    crowd[:10, 0], crowd[:10, 1:11] = 0.8, np.eye(10) * 0.6
    crowd[10, 14], crowd[11, 15] = 1.0, 1.0
    rows = frame([str(number) for number in range(12)])
    given: dict[str, Any] = {"vectors": lambda texts: crowd[[int(text) for text in texts]]}
    assert in_order(decided(rows, **given))[0] < 10
    assert {10, 11} <= set(in_order(decided(rows, **given, method="k-centre"))[:3])


def test_the_threshold_walks_by_preference_and_takes_what_is_far_enough() -> None:
    rows = numbers(80).with_columns(pl.Series("score.value", [float(number % 10) for number in range(80)]))
    similar = cosines(rows)
    found = in_order(decided(rows, method="threshold", threshold=0.3, prefer="score.value"))
    walk = sorted(range(80), key=lambda row: -(row % 10))
    assert found[0] % 10 == 9 and rows["score.value"][found[0]] == rows["score.value"][walk[0]]
    taken = [found[0]]
    for row in found[1:]:
        if similar[row, taken].max() >= 0.3:
            break
        taken.append(row)
    passed = found[len(taken) :]
    assert len(taken) > 3 and passed
    assert all(similar[row, taken].max() >= 0.3 for row in passed)
    kept = [row % 10 for row in taken]
    assert kept == sorted(kept, reverse=True)


def test_a_threshold_that_nothing_reaches_is_plain_top_k() -> None:
    rows = numbers(30).with_columns(pl.Series("score.value", [float(number) for number in range(30)]))
    assert in_order(decided(rows, method="threshold", threshold=1.1, prefer="score.value")) == list(range(29, -1, -1))
    assert in_order(decided(rows, method="threshold", threshold=1.1, prefer="-score.value")) == list(range(30))


def test_the_determinant_of_the_first_is_that_of_plain_greedy() -> None:
    rows = numbers(25)
    similar = cosines(rows) + 0.1 * np.eye(25)
    order: list[int] = []
    for _ in range(20):  # more than the 16 dimensions
        left = [row for row in range(25) if row not in order]
        volumes = [np.linalg.slogdet(similar[np.ix_([*order, row], [*order, row])])[1] for row in left]
        order.append(left[int(np.argmax(volumes))])
    assert in_order(decided(rows, method="dpp"))[:20] == order


def test_the_longest_come_first_and_equals_by_id() -> None:
    rows = frame(["aa", "bbbb", "c", "dddd"])
    assert in_order(decided(rows, method="longest")) == [1, 3, 0, 2]


def test_random_rows_differ_with_the_seed_alone() -> None:
    first, second = (in_order(decided(numbers(50), method="random", seed=seed)) for seed in (1, 2))
    assert first != second and first == in_order(decided(numbers(50), method="random", seed=1))


@pytest.mark.parametrize("method", METHODS)
def test_ranks_are_a_permutation_and_tokens_add_up(method: str) -> None:
    rows = frame([f"{number} " * (1 + number % 7) for number in range(60)])
    found = decided(rows, method=method).with_columns(
        tokens=((rows["prompt"].str.len_bytes() + rows["response"].str.len_bytes() + 3) // 4).cast(pl.Int64)
    )
    found = found.sort("rank")
    assert found["rank"].to_list() == list(range(60))
    assert found["tokens_before"].to_list() == [0, *found["tokens"].cum_sum()[:-1]]


@pytest.mark.parametrize("method", METHODS)
def test_copies_that_come_later_lie_at_no_distance(method: str) -> None:
    found = decided(frame(["a", "b", "a", "b", "c", "c"]), method=method)
    assert sorted(found["distance"].fill_null(2.0).to_list())[:3] == [0.0, 0.0, 0.0]


def test_groups_have_equal_shares_of_every_prefix_until_they_run_out() -> None:
    rows = frame([str(number) for number in range(40)], task=["big"] * 30 + ["small"] * 8 + ["tiny"] * 2)
    order = in_order(decided(rows, by="task", power=0.0))
    named = [rows["task"][row] for row in order]
    assert named[0] == "big" and sorted(named[:3]) == ["big", "small", "tiny"]
    assert [named[:6].count(name) for name in ("big", "small", "tiny")] == [2, 2, 2]
    assert [named[:18].count(name) for name in ("big", "small", "tiny")] == [8, 8, 2]
    alone = in_order(decided(rows))
    assert [row for row in order if row < 30] == [row for row in alone if row < 30]


def test_shares_follow_a_power_of_the_size() -> None:
    rows = frame([str(number) for number in range(100)], task=["big"] * 64 + ["mid"] * 32 + ["low"] * 4)
    named = [rows["task"][row] for row in in_order(decided(rows, by=["task"], power=0.5))]
    # 8 : 5.66 : 2
    assert [named[:15].count(name) for name in ("big", "mid", "low")] == [8, 5, 2]
    same = [rows["task"][row] for row in in_order(decided(rows, by="task", power=1.0))]
    assert [same[:50].count(name) for name in ("big", "mid", "low")] == [32, 16, 2]


def test_groups_of_equal_share_come_farthest_first() -> None:
    places = {"a": 0.0, "b": 0.1, "c": 1.5}
    angles = [places[name] for name in "aaabbc"]
    plane = np.zeros((6, 16), dtype=np.float32)
    plane[:, 0], plane[:, 1] = np.cos(angles), np.sin(angles)
    rows = frame([str(number) for number in range(6)], task=list("aaabbc"))
    found = decided(rows, vectors=lambda texts: plane[[int(text) for text in texts]], by="task", power=0.0)
    assert [rows["task"][row] for row in in_order(found)[:3]] == ["a", "c", "b"]


def test_clusters_part_what_lies_apart_and_can_be_groups() -> None:
    rows = frame([f"{'xyz'[number % 3]} {number}" for number in range(60)])

    def three(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        centres = unit([text[0] for text in texts]) + 0.1 * unit(texts)
        return np.asarray(centres / np.linalg.norm(centres, axis=1, keepdims=True), dtype=np.float32)

    found = decided(rows, vectors=three, method="random", by="cluster", clusters=3, power=0.0)
    parts = rows.hstack(found).group_by("cluster").agg(pl.col("content").str.slice(0, 1).n_unique())
    assert parts["content"].to_list() == [1, 1, 1]
    assert sorted(found.sort("rank")["cluster"].head(3)) == [0, 1, 2]


def test_null_texts_have_no_rank_and_no_rows_no_signals() -> None:
    found = decided(frame([None, "a", None, "b"]))
    assert found["rank"].to_list().count(None) == 2
    assert found["rank"].sort().to_list() == [None, None, 0, 1]
    for rows in (frame([]), frame([None])):
        found = decided(rows)
        assert found.columns == ["rank", "distance", "gain", "tokens_before", "cluster"]
        assert found.null_count().row(0) == (rows.height,) * 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"picks": 0}, "picks = 0"),
        ({"budget": 0}, "budget = 0"),
        ({"neighbours": -1}, "neighbours = -1"),
        ({"power": 1.5}, "power = 1.5"),
        ({"by": "tusk"}, "did you mean 'task'"),
        ({"prefer": "length.words"}, "no numeric signal"),
    ],
)
def test_values_that_mean_nothing_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        decided(frame(["a"]), **arguments)


def test_the_choice_stands_beside_random_rows_and_the_longest() -> None:
    rows = frame([f"{number} " * (1 + number % 9) for number in range(90)])
    tables = measured(rows, budget=20).tables
    found = tables["choices"]
    kinds = ["chosen", "random", "random low", "random high", "longest"]
    assert found["choice"].to_list() == ["all", *kinds, *kinds]
    sizes = {(one["equal"], one["choice"]): (one["rows"], one["tokens"]) for one in found.iter_rows(named=True)}
    assert sizes["all", "all"][0] == 90
    assert {sizes["rows", name][0] for name in ("chosen", "random", "longest")} == {20}
    assert sizes["tokens", "chosen"] == sizes["rows", "chosen"]
    # the longest reach the tokens of the choice with fewer rows, and do not go beyond
    assert sizes["tokens", "longest"][0] < 20 < sizes["rows", "longest"][1]
    assert sizes["tokens", "longest"][1] <= sizes["tokens", "chosen"][1]
    whole = found.row(0, named=True)
    assert (whole["radius"], whole["distance"], whole["tasks"]) == pytest.approx((0, 0, 1), abs=2e-3)
    settings = dict(tables["settings"].iter_rows())
    assert (settings["choice"], settings["different"]) == ("20", "90")
    by_name = {one["choice"]: one for one in found.filter(pl.col("equal") == "rows").iter_rows(named=True)}
    assert by_name["random low"]["facility"] <= by_name["random"]["facility"] <= by_name["random high"]["facility"]
    assert by_name["chosen"]["facility"] > by_name["random high"]["facility"]


def test_a_budget_of_tokens_buys_the_rows_that_start_within_it() -> None:
    rows = frame([f"{number:08}" * 5 for number in range(30)])  # 11 tokens each: 3 + 40 bytes
    tables = measured(rows, budget=110, unit="tokens").tables
    assert dict(tables["settings"].iter_rows())["choice"] == "11"


def test_renderings_of_one_record_count_once_and_come_last() -> None:
    found = measured(frame([f"text {number // 2}" for number in range(40)]), budget=30)
    assert dict(found.tables["settings"].iter_rows())["different"] == "20"
    chosen = found.tables["choices"].filter(equal="rows", choice="chosen").row(0, named=True)
    # thirty of twenty texts twice each: ten pairs at least, and the choice has no more
    assert chosen["copies_share"] == pytest.approx(20 / 30, abs=1e-4)
    assert chosen["radius"] == 0
