from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate.render import Plan, Pool, renderer
from curate.rulebook import families
from curate.schema import digest
from tune.answers import Asked, asked

FAMILIES = families()
LABELS = ("bad", "good", "so so")
RECIPE = {"seed": 13, "sources": [{"name": "test", "labels": dict(zip("012", LABELS, strict=True))}]}
SLOTS: dict[str, dict[str, Any]] = {
    "classification": {"text": "What a film.", "label": "good"},
    "nli": {"premise": "It rains.", "hypothesis": "It is wet.", "label": "good"},
    "multiple_choice": {"question": "Which?", "choices": ["good", "bad", "so so"], "answer": "good"},
}


def rendered(make_rows: Callable[..., pl.DataFrame], task: str, **plan: Any) -> pl.DataFrame:
    record = digest(task)
    pool = Pool(labels=LABELS) if task != "multiple_choice" else Pool()
    found = renderer(family=FAMILIES[task], pool=pool, plan=Plan(per_record=99, seed=13, **plan))(record, SLOTS[task])
    return make_rows(
        *(
            {"record": record, "task": task, "template": one.template, "prompt": one.prompt, "response": one.response,
             "slots": json.dumps(SLOTS[task])}
            for one in found
        )
    )  # fmt: skip


def ask(rows: pl.DataFrame, recipe: Any = RECIPE) -> list[Asked]:
    return asked(rows, families=FAMILIES, recipe=recipe)


@pytest.mark.parametrize("task", sorted(SLOTS))
def test_every_wording_of_a_closed_answer_has_its_options(make_rows: Callable[..., pl.DataFrame], task: str) -> None:
    found = ask(rendered(make_rows, task))
    assert len(found) >= 8
    for item in found:
        assert item.choice is not None, item.row["template"]
        assert sorted(item.choice.labels) == sorted(LABELS)
        assert item.choice.answers[item.choice.right] == item.row["response"]
        assert item.choice.labels[item.choice.right] == "good"


def test_a_letter_is_that_of_the_prompt(make_rows: Callable[..., pl.DataFrame]) -> None:
    [item] = [one for one in ask(rendered(make_rows, "multiple_choice")) if one.row["template"].endswith(".letter")]
    assert item.choice is not None
    for letter, label in zip(item.choice.answers, item.choice.labels, strict=True):
        assert f"({letter}) {label}" in item.row["prompt"]


def test_inverted_rows_are_written_and_judged_by_their_words(make_rows: Callable[..., pl.DataFrame]) -> None:
    found = ask(rendered(make_rows, "classification", kinds=("inverted",)))
    assert {item.choice for item in found} == {None}
    assert {item.metrics for item in found} == {("token_f1", "rougeL", "chrf")}


def test_an_answer_that_is_not_the_templates_has_no_options(make_rows: Callable[..., pl.DataFrame]) -> None:
    rows = rendered(make_rows, "classification").with_columns(response=pl.lit("changed since"))
    assert {item.choice for item in ask(rows)} == {None}


def test_without_a_recipe_the_labels_are_those_that_occur(make_rows: Callable[..., pl.DataFrame]) -> None:
    rows = make_rows(
        *(
            {"task": "classification", "template": "classification.label_only", "response": label,
             "slots": json.dumps({"text": "x", "label": label})}
            for label in ("no", "yes", "no")
        )
    )  # fmt: skip
    assert [sorted(item.choice.labels) for item in ask(rows, {}) if item.choice] == [["no", "yes"]] * 3


def test_a_worded_answer_is_judged_against_the_bare_one_too(make_rows: Callable[..., pl.DataFrame]) -> None:
    row = {"task": "qa_open", "response": "It is Paris.", "slots": '{"question": "q", "answer": "Paris"}'}
    template = FAMILIES["qa_open"].templates[0].id
    [item] = ask(make_rows({**row, "template": template}))
    assert item.wanted == ("It is Paris.", "Paris")
    assert item.metrics == ("exact_match", "token_f1")


def test_the_answer_that_is_asked_for_is_the_last_of_the_assistant(make_rows: Callable[..., pl.DataFrame]) -> None:
    turns = [{"role": role, "content": role, "train": False} for role in ("user", "assistant", "user")]
    [item] = ask(make_rows({"messages": turns}))
    assert [turn["role"] for turn in item.turns] == ["user", "assistant"]
