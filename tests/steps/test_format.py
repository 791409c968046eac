from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.format import format

Rows = Callable[..., pl.DataFrame]
OPTIONS = "Which animal barks?\n(A) cat\n(B) dog\n(C) cow"


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        (OPTIONS, "B", ("letter", True)),
        (OPTIONS, "(B) dog", ("letter", True)),
        (OPTIONS, "The answer is B.", ("letter", True)),
        (OPTIONS, "dog", ("letter", True)),
        (OPTIONS, "E", ("letter", False)),
        (OPTIONS, "", ("letter", False)),
        (OPTIONS, "Dogs bark because they were bred to warn people of strangers in the night.", (None, None)),
        ("Return the result as JSON.", '{"a": 1}', ("json", True)),
        ("Return the result as JSON.", '```json\n{"a": 1}\n```', ("json", True)),
        ("Return the result as JSON.", "a is 1", ("json", False)),
        ("Write a function that returns JSON format.", "def f(): ...", (None, None)),
        ("Is the sky blue? Answer yes or no.", "Yes.", ("yes_no", True)),
        ("Is the sky blue? Answer yes or no.", "Blue", ("yes_no", False)),
        ("Name a colour.", "Blue", (None, None)),
        (None, "B", (None, None)),
    ],
)
def test_reads_in_the_prompt_what_is_wanted(
    make_rows: Rows, prompt: str | None, response: str, expected: tuple[str | None, bool | None]
) -> None:
    assert format(make_rows({"prompt": prompt, "response": response})).row(0) == expected


def test_knows_from_the_task_what_is_wanted(make_rows: Rows) -> None:
    choices = {"question": "q", "choices": ["cat", "dog"], "answer": "dog"}
    rows = make_rows({"task": "multiple_choice", "slots": json.dumps(choices)})
    assert format(rows).row(0) == ("choice", True)
    rows = make_rows({"task": "multiple_choice", "slots": json.dumps({**choices, "answer": "E"})})
    assert format(rows).row(0) == ("choice", False)
    assert format(make_rows({"task": "math", "response": "72 eggs"})).row(0) == ("number", True)
    assert format(make_rows({"task": "math", "response": "the farmer"})).row(0) == ("number", False)


def test_a_prompt_turned_round_wants_no_number(make_rows: Rows) -> None:
    rows = make_rows({"task": "math", "template": "math.write_problem", "response": "How many eggs are there"})
    from curate import rulebook

    turned = next(one.id for one in rulebook.families()["math"].templates if one.kind == "inverted")
    assert format(rows.with_columns(template=pl.lit(turned))).row(0) == (None, None)
