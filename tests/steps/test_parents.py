from __future__ import annotations

from collections.abc import Callable

import polars as pl

from curate.steps import parents

Rows = Callable[..., pl.DataFrame]


def test_parents_without_a_living_row_are_counted_once_each(make_rows: Rows) -> None:
    rows = make_rows(
        {"record": "a" * 32, "parents": []},
        {"record": "b" * 32, "parents": ["a" * 32, "gone", "gone", "lost"]},
        {"record": "c" * 32, "parents": ["a" * 32]},
        {"record": "d" * 32, "parents": None},
    )
    found = parents.decide(rows.drop("parents").hstack(parents.state(rows)))
    assert found.schema == {"dropped": pl.UInt32}
    assert found["dropped"].to_list() == [0, 2, 0, 0]


def test_no_rows_give_no_signals(make_rows: Rows) -> None:
    assert parents.decide(make_rows()).schema == {"dropped": pl.UInt32}
