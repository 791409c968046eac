from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate.errors import UserError
from curate.schema import Measured
from curate.steps import conflict

Rows = Callable[..., pl.DataFrame]


def decided(rows: pl.DataFrame, **arguments: Any) -> Measured:
    near = {key: value for key, value in arguments.items() if key == "near"}
    return conflict.decide(rows.select("id", "record").hstack(conflict.state(rows, **arguments)), **near)


def slots(task: str, source: str = "test", **values: Any) -> dict[str, Any]:
    return {"task": task, "source": source, "slots": json.dumps(values)}


def test_the_same_input_with_different_answers_is_a_conflict(make_rows: Rows) -> None:
    rows = make_rows(
        slots("qa_open", question="Capital of France?", answer="Paris"),
        slots("qa_open", question="capital  of france?", answer="PARIS"),
        slots("qa_open", question="Capital of France?", answer="Lyon"),
        slots("qa_open", question="Capital of Spain?", answer="Madrid"),
    )
    measured = decided(rows)
    found = rows.hstack(measured.signals).with_columns(pl.col("slots").str.extract('"answer": "(\\w+)"').alias("said"))
    shown = {said: (answers, share) for said, answers, share in found.select("said", "answers", "share").iter_rows()}
    assert shown == {"Paris": (2, 2 / 3), "PARIS": (2, 2 / 3), "Lyon": (2, 1 / 3), "Madrid": (1, 1.0)}
    assert measured.tables["groups"]["id"].sort().to_list() == found.filter(pl.col("answers") > 1)["id"].to_list()


def test_renderings_count_once(make_rows: Rows) -> None:
    one = slots("nli", premise="p", hypothesis="h", label="yes")
    rows = make_rows(
        one | {"record": "1" * 32}, one | {"record": "1" * 32}, slots("nli", premise="p", hypothesis="h", label="no")
    )
    measured = decided(rows)
    assert measured.signals["share"].to_list() == [0.5, 0.5, 0.5]
    assert measured.tables["groups"].height == 2


def test_sources_are_compared_on_request_alone(make_rows: Rows) -> None:
    rows = make_rows(
        slots("classification", "mood", text="a film", label="good"),
        slots("classification", "topic", text="a film", label="arts"),
    )
    assert decided(rows).signals["answers"].to_list() == [1, 1]
    assert decided(rows, across=True).signals["answers"].to_list() == [2, 2]


def test_another_way_to_the_same_result_is_no_conflict(make_rows: Rows) -> None:
    rows = make_rows(
        slots("math", question="1 + 1", answer="2", rationale="count"),
        slots("math", question="1 + 1", answer="2", rationale="add"),
    )
    assert decided(rows).signals["answers"].to_list() == [1, 1]


@pytest.mark.parametrize("task", [None, "a family of the user's own", "dialogue"])
def test_rows_that_slots_do_not_part_are_compared_by_prompt_and_response(make_rows: Rows, task: str | None) -> None:
    base = {"task": task, "slots": json.dumps({"messages": [{"role": "user", "content": "hi"}]})}
    rows = make_rows(
        base | {"prompt": "Hi", "response": "a"}, base | {"prompt": "hi ", "response": "b", "source": "other"}
    )
    assert decided(rows).signals["answers"].to_list() == [2, 2]


def test_blank_questions_and_null_texts_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(*({"task": None, "prompt": p, "response": r} for p, r in [(" ", "a"), ("", "b"), ("p", None)]))
    assert decided(rows).signals.null_count().row(0) == (3, 3, 3)


def test_no_rows_give_no_signals(make_rows: Rows) -> None:
    found = decided(make_rows())
    assert found.signals.schema == {"answers": pl.UInt32, "share": pl.Float64, "near": pl.UInt32}
    assert found.tables["groups"].height == 0


def test_nearly_the_same_question_with_another_answer_is_told_unless_a_number_or_a_negation_differs(
    make_rows: Rows,
) -> None:
    long = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz") + " is it so with 5 of them"
    rows = make_rows(
        slots("qa_open", question=long, answer="yes"),
        slots("qa_open", question=f"{long} then", answer="no"),
        slots("qa_open", question=f"{long} now", answer="yes"),
        slots("qa_open", question=f"{long} not", answer="never"),
        slots("qa_open", question=long.replace("5", "6"), answer="never"),
        slots("qa_open", "other", question=f"{long} again", answer="never"),
    )
    measured = decided(rows, near=0.9)
    found = rows.hstack(measured.signals).with_columns(said=pl.col("slots").str.json_path_match("$.answer"))
    assert found.group_by("said").agg(pl.col("near").sum()).sort("said").rows() == [("never", 0), ("no", 2), ("yes", 2)]
    assert measured.tables["near"].height == 2
    assert decided(rows).signals["near"].null_count() == 6


def test_a_question_asked_many_times_is_paired_once_with_a_near_one(make_rows: Rows) -> None:
    long = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz") + " is it so"
    often = [slots("qa_open", question=long, answer=said) for said in ["yes"] * 3000 + ["no"]]
    rows = make_rows(*often, slots("qa_open", question=f"{long} then", answer="no"))
    measured = decided(rows, near=0.9)
    found = rows.hstack(measured.signals).with_columns(said=pl.col("slots").str.json_path_match("$.answer"))
    assert found.filter(pl.col("said") == "yes")["near"].unique().to_list() == [1]
    assert found.filter(pl.col("said") == "no")["near"].sort().to_list() == [0, 3000]
    assert measured.tables["near"].height == 1


@pytest.mark.parametrize("near", [-1.0, 5.0])
def test_a_similarity_out_of_range_is_refused(make_rows: Rows, near: float) -> None:
    with pytest.raises(UserError, match=f"near = {near} is no similarity"):
        decided(make_rows(slots("qa_open", question="a", answer="b")), near=near)
