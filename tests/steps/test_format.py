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
        ("Do not output JSON, write plain text", "hello", (None, None)),
        ("Don't answer in JSON", "hi", (None, None)),
        ("Return JSON lines", '{"a": 1}\n{"a": 2}\n', ("json", True)),
        ("Return JSON lines", '{"a": 1}\na is 2', ("json", False)),
        ("Return JSON", '{"a": 1}\n{"a": 2}', ("json", False)),
        ("Return JSON", "1" * 5000, ("json", True)),
        ("Names: A. Smith and B. Jones wrote what?", "X", (None, None)),
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
    assert format(make_rows({"task": "math", "response": "the farmer", "lang": "en"})).row(0) == ("number", False)


def test_a_prompt_turned_round_wants_no_number(make_rows: Rows) -> None:
    rows = make_rows({"task": "math", "template": "math.write_problem", "response": "How many eggs are there"})
    from curate import rulebook

    turned = next(one.id for one in rulebook.families()["math"].templates if one.kind == "inverted")
    assert format(rows.with_columns(template=pl.lit(turned))).row(0) == (None, None)


def test_a_number_in_words_of_another_language_has_no_verdict(make_rows: Rows) -> None:
    base = {"task": "math", "prompt": "How many eggs does the farmer have in the end?"}
    rows = make_rows(
        {**base, "response": "the farmer", "lang": None},
        {"task": "math", "prompt": "Wie viele Eier hat der Bauer?", "response": "zwölf", "lang": None},
        {"task": "math", "prompt": "q", "response": "quinze", "lang": None},
        {**base, "response": "doce", "lang": "es"},
    )
    said = dict(zip(rows["response"], format(rows)["valid"], strict=True))
    assert said == {"the farmer": False, "zwölf": None, "quinze": None, "doce": None}
