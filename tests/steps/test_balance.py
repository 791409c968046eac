from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.errors import UserError
from curate.steps import balance

Rows = Callable[..., pl.DataFrame]


def decided(rows: pl.DataFrame, *, seed: int = 1, **arguments: object) -> pl.DataFrame:
    return balance.decide(rows.hstack(balance.state(rows, seed=seed)), **arguments)


def test_ranks_number_each_group(make_rows: Rows) -> None:
    rows = make_rows(*({"task": task} for task in ["nli"] * 3 + ["math"] * 2))
    found = rows.hstack(decided(rows))
    assert found.filter(pl.col("task") == "nli")["rank"].sort().to_list() == [0, 1, 2]
    assert found.filter(pl.col("task") == "math")["rank"].sort().to_list() == [0, 1]
    assert found.sort("task")["size"].to_list() == [2, 2, 3, 3, 3]


def test_ranks_depend_on_seed_and_ids_alone(make_rows: Rows) -> None:
    rows = make_rows(*({"task": "nli"} for _ in range(50)))
    assert decided(rows).equals(decided(rows))
    assert not decided(rows).equals(decided(rows, seed=2))
    # Leaving rows out keeps the order of the others.
    both = rows.select("id").hstack(decided(rows)).join(rows[::2].select("id").hstack(decided(rows[::2])), on="id")
    assert both.sort("rank")["rank_right"].is_sorted()


def test_rows_without_a_value_are_one_group(make_rows: Rows) -> None:
    rows = make_rows({"lang": None}, {"lang": None}, {"lang": "en"})
    found = rows.hstack(decided(rows, by=["lang", "task"]))
    assert found.filter(pl.col("lang").is_null())["size"].to_list() == [2, 2]


@pytest.mark.parametrize("by", ["tusk", "draw", []])
def test_a_group_that_is_no_column_is_named(make_rows: Rows, by: str | list[str]) -> None:
    with pytest.raises(UserError, match="balance: by = "):
        decided(make_rows({}), by=by)
