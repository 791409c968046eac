from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate import chance
from curate.errors import UserError
from curate.schema import Measured
from curate.steps import map as mapping

pytest.importorskip("sklearn", reason="projection and clusters need it; install curatune[embed]")


def unit(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Texts that begin with the same letter lie close together."""
    heads = np.array([chance.generator(0, text[:1]).normal(size=16) for text in texts]).reshape(-1, 16)
    rest = np.array([chance.generator(1, text).normal(size=16) for text in texts]).reshape(-1, 16)
    vectors = heads / np.linalg.norm(heads, axis=1, keepdims=True) + 0.02 * rest
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def decided(contents: Sequence[str | None], **arguments: int | str) -> Measured:
    rows = pl.DataFrame(
        {"id": [f"{number:04}" for number in range(len(contents))], "content": contents, "prompt": contents},
        schema={"id": pl.String, "content": pl.String, "prompt": pl.String},
    )

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}).join(
            rows, on="id", how="left", maintain_order="left"
        )

    state = rows.select("id").hstack(mapping.state(rows, seed=1))
    return mapping.decide(state, seed=1, texts=texts, vectors=unit, **arguments)  # type: ignore[arg-type]


def sampled(result: Measured) -> set[int]:
    return set(result.signals["sampled"].fill_null(False).arg_true().to_list())


def test_the_sample_has_its_size_and_a_smaller_one_is_its_beginning() -> None:
    contents = [f"text {number}" for number in range(50)]
    small, large = decided(contents, size=10), decided(contents, size=30)
    assert (len(sampled(small)), len(sampled(large)), len(sampled(decided(contents)))) == (10, 30, 50)
    assert sampled(small) < sampled(large)
    assert large.tables["vectors"]["id"].head(10).to_list() == small.tables["vectors"]["id"].to_list()


def test_rows_are_drawn_by_lot() -> None:
    draws = [chance.uniform(1, f"{number:04}", "map") for number in range(50)]
    lowest = set(np.argsort(draws)[:7].tolist())
    assert sampled(decided([f"text {number}" for number in range(50)], size=7)) == lowest


def test_a_row_without_text_has_no_verdict_and_takes_no_place() -> None:
    result = decided(["a", None, "b", None, "c"], size=3)
    assert result.signals["sampled"].to_list() == [True, None, True, None, True]
    assert result.tables["vectors"].height == 3


def test_vectors_are_those_of_the_beginnings_of_the_texts() -> None:
    beginning = "a" + "x" * (mapping.CHARACTERS - 1)
    table = decided([beginning + " and more", "b"]).tables["vectors"].sort("id")
    assert np.allclose(table["vector"].to_list(), unit([beginning, "b"]), atol=2**-11)


def test_sums_of_products_do_not_depend_on_their_order() -> None:
    vectors = np.array(decided([f"text {n}" for n in range(40)]).tables["vectors"]["vector"].to_list(), np.float32)
    assert np.array_equal((vectors @ vectors.T).astype(np.float64), vectors.astype(np.float64) @ vectors.T)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 11, 60])
@pytest.mark.parametrize("equal", [False, True])
def test_any_number_of_rows_has_places_in_the_plane(count: int, equal: bool) -> None:
    tables = decided(["same" if equal else f"text {number}" for number in range(count)]).tables
    points = tables["points"]
    assert points.height == count and tables["vectors"].height == count
    assert points.select(pl.col("x", "y").is_between(-1, 1).all()).row(0) == (True, True)
    if equal:
        assert points.select(pl.col("x", "y", "cluster").n_unique()).row(0) == ((1, 1, 1) if count else (0, 0, 0))
    elif count > 1:
        assert points.select("x", "y").unique().height == count


def test_equal_texts_share_a_place_and_groups_lie_apart() -> None:
    contents = [f"{letter}{number}" for letter in "abc" for number in range(20)] + ["a0"] * 5
    points = decided(contents).tables["points"].with_columns(row=pl.col("id").cast(pl.Int64)).sort("row")
    assert points[60:].select("x", "y").unique().equals(points[:1].select("x", "y"))
    groups = points[:60].with_columns(group=pl.col("row") // 20)
    within = groups.group_by("group").agg(pl.col("x").std() + pl.col("y").std())["x"].max()
    assert groups.select(pl.col("x").std() + pl.col("y").std()).item() > 2 * within  # type: ignore[operator]
    # 65 points: isqrt(32) = 5 clusters, none of which joins two groups
    named = groups.group_by("cluster").agg(pl.col("group").n_unique())
    assert points["cluster"].n_unique() == 5 and named["group"].to_list() == [1] * named.height


def test_clusters_are_numbered_from_the_largest() -> None:
    points = decided([f"{letter}{n}" for letter, many in (("a", 6), ("b", 30)) for n in range(many)]).tables["points"]
    sizes = points.group_by("cluster").len().sort("cluster")["len"].to_list()
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == 36


def test_the_same_rows_give_the_same_tables() -> None:
    contents = [f"{letter}{number}" for letter in "abcd" for number in range(15)]
    one, other = decided(contents), decided(contents)
    for name in ("vectors", "points", "settings"):
        assert_frame_equal(one.tables[name], other.tables[name], check_exact=True)


def test_settings_say_how_the_map_was_made() -> None:
    settings = dict(decided([f"text {n}" for n in range(40)], column="prompt").tables["settings"].iter_rows())
    # perplexity: a quarter of the 39 others; clusters: the root of 40 / 2
    assert settings == {
        "column": "prompt", "characters": "250", "seed": "1", "points": "40", "size": "40", "rows": "40",
        "clusters": "4", "projection": "t-SNE of 40 different texts, perplexity 9.75, 500 iterations",
    }  # fmt: skip


def test_the_size_must_be_positive() -> None:
    with pytest.raises(UserError, match="size = 0"):
        decided(["a"], size=0)
