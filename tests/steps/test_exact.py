from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.steps import exact

Rows = Callable[..., pl.DataFrame]


def decided(rows: pl.DataFrame, **arguments: object) -> pl.DataFrame:
    state = exact.state(rows, **{name: value for name, value in arguments.items() if name != "prefer"})
    given = {name: value for name, value in arguments.items() if name != "punctuation"}
    return rows.select("id", "record").hstack(exact.decide(rows.hstack(state), **given))


@pytest.mark.parametrize("copy", ["the cat sat", "The  CAT\n sat ", "ｔｈｅ cat sat"])
def test_copies_differ_in_case_blanks_and_unicode_form_at_most(make_rows: Rows, copy: str) -> None:
    found = decided(make_rows({"content": "the cat sat"}, {"content": copy}, {"content": "the cat sits"}))
    assert sorted(found["rank"].to_list()) == [0, 0, 1]
    removed = found.filter(pl.col("rank") == 1)
    assert removed["keeper"].to_list() == [min(found.filter(pl.col("cluster") == removed["cluster"][0])["id"])]
    assert removed["similarity"].to_list() == [1.0]
    assert found.filter(pl.col("rank") == 0).select("keeper", "similarity").null_count().row(0) == (2, 2)


def test_punctuation_counts_unless_told_otherwise(make_rows: Rows) -> None:
    rows = make_rows({"content": "2 + 2"}, {"content": "2 - 2"}, {"content": "?"}, {"content": "!"})
    assert decided(rows)["rank"].to_list() == [0, 0, 0, 0]
    assert sorted(decided(rows, punctuation=False)["rank"].to_list()) == [0, 0, 0, 1]


def test_blank_texts_are_copies_of_each_other_alone(make_rows: Rows) -> None:
    found = decided(make_rows({"content": ""}, {"content": " \n"}, {"content": "a"}))
    assert sorted(found["rank"].to_list()) == [0, 0, 1]


def test_null_text_has_no_verdict(make_rows: Rows) -> None:
    found = decided(make_rows({"content": None}, {"content": None}, {"content": "a"}))
    assert sorted(found["rank"].to_list(), key=str) == [0, None, None]
    assert found["cluster"].null_count() == 2


def test_renderings_of_a_record_share_its_fate(make_rows: Rows) -> None:
    one, two = "1" * 32, "2" * 32
    rows = make_rows(*({"record": record, "content": "same"} for record in (one, one, two, two)))
    found = decided(rows)
    lowest = rows.filter(pl.col("record") == one)["id"].min()
    assert found.filter(pl.col("record") == one)["rank"].to_list() == [0, 0]
    assert found.filter(pl.col("record") == two)["rank"].to_list() == [1, 1]
    assert found.filter(pl.col("record") == two)["keeper"].to_list() == [lowest, lowest]


def test_a_list_requires_all_columns(make_rows: Rows) -> None:
    rows = make_rows(
        {"prompt": "q", "response": "a"}, {"prompt": "q", "response": "b"}, {"prompt": "Q", "response": "A"}
    )
    assert sorted(decided(rows, on="prompt")["rank"].to_list()) == [0, 1, 2]
    assert sorted(decided(rows, on=["prompt", "response"])["rank"].to_list()) == [0, 0, 1]


def test_state_of_slices_is_the_state_of_the_whole(make_rows: Rows) -> None:
    rows = make_rows({"content": "a"}, {"content": "b"}, {"content": "a"})
    assert exact.state(rows).equals(pl.concat([exact.state(rows[:1]), exact.state(rows[1:])]))


def test_the_copy_that_stays_is_chosen_by_policy_then_by_id(make_rows: Rows) -> None:
    rows = make_rows(
        {"content": "a  b", "source": "web"}, {"content": "A b", "source": "gold"}, {"content": "a b!", "source": "web"}
    )
    kept = decided(rows).filter(pl.col("rank") == 0)["id"]
    assert rows.filter(pl.col("content") != "a b!")["id"].min() in kept.to_list()
    kept = decided(rows, prefer="source=gold").filter(pl.col("rank") == 0)["id"].to_list()
    assert rows.filter(pl.col("source") == "gold")["id"].item() in kept
    kept = decided(rows, punctuation=False).filter(pl.col("rank") == 0)["id"].to_list()
    assert kept == [rows.filter(pl.col("content") == "a b!")["id"].item()]
