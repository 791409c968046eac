"""Repairs are proposed for what is broken, and a proposal can be made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import rulebook
from curate.steps import repair

Builder = Callable[..., pl.DataFrame]


def proposals(rows: pl.DataFrame) -> list[dict[str, Any]]:
    return repair.repair(rows).tables["proposals"].to_dicts()


def mended(make_rows: Builder, response: str, prompt: str = "Say it.") -> dict[str, str]:
    """Return the response as each kind of repair would leave it, applied from its proposal."""
    found = [one for one in proposals(make_rows({"prompt": prompt, "response": response})) if one["turn"] == 1]
    assert all(response[one["start"] : one["end"]] == one["before"] for one in found)
    return {one["kind"]: response[: one["start"]] + one["after"] + response[one["end"] :] for one in found}


@pytest.mark.parametrize(
    ("kind", "response", "meant"),
    [
        ("mojibake", "Itâ€™s the cafÃ© in ZÃ¼rich.", "It’s the café in Zürich."),
        ("entities", "Tom &amp; Jerry &#x27;met&#x27;", "Tom & Jerry 'met'"),
        ("controls", "\ufeffa\x00b\x07c\tend\r\n", "abc\tend\r\n"),
        ("markers", "### Response:\nRome.</s><|im_end|>\n", "Rome."),
        ("markers", "<|im_start|>assistant\nRome.", "Rome."),
        ("fences", "Sure:\n```python\nprint(1)\n", "Sure:\n```python\nprint(1)\n```"),
        ("fences", "print(1)\n```", "print(1)"),
        ("json", '{"name": "Ann",}', '{"name": "Ann"}'),
        (
            "json",
            'So:\n```json\n{"a": 1,\n "b": "c",}\n```\nDone.',
            'So:\n```json\n{\n  "a": 1,\n  "b": "c"\n}\n```\nDone.',
        ),
    ],
)
def test_what_is_broken_has_its_repair_proposed(make_rows: Builder, kind: str, response: str, meant: str) -> None:
    assert mended(make_rows, response) == {kind: meant}


@pytest.mark.parametrize(
    "response",
    [
        "A plain answer.",
        "Crème brûlée — “très bien”, 你好, Grüße.",
        "Write <b>Tom &amp; Jerry</b> in HTML.",
        "A turn is closed by <|im_end|>",
        "<s>old</s> new price is <s>4</s>",
        "```python\nprint('`')\n```\nand ```inline```",
        "````\n```\nnested\n````",
        "[Your name], I am glad",
        "{'a': 1, 'b': 2}",
        "a line\r\nanother\n",
        "Assistant: Hello!\nCustomer: Hello.",
    ],
)
def test_what_is_sound_is_left_alone(make_rows: Builder, response: str) -> None:
    assert mended(make_rows, response) == {}


def test_signals_count_kinds_and_proposals_over_all_turns(make_rows: Builder) -> None:
    rows = make_rows({"prompt": "a &amp; b", "response": "c &amp; d.[/INST]"}, {"response": "fine"}, {"response": None})
    measured = repair.repair(rows)
    found = {
        response: (kinds, count) for response, kinds, count in rows.select("response").hstack(measured.signals).rows()
    }
    assert found == {"c &amp; d.[/INST]": (["entities", "markers"], 3), "fine": ([], 0), None: (None, None)}
    assert sorted(measured.tables["proposals"].select("turn", "kind", "role").iter_rows()) == [
        (0, "entities", "user"),
        (1, "entities", "assistant"),
        (1, "markers", "assistant"),
    ]


def test_json_and_fences_of_a_user_and_markers_of_a_tool_are_theirs(make_rows: Builder) -> None:
    turns = [
        {"role": "user", "content": '{"broken": "json",}\n```', "train": False},
        {"role": "tool", "content": "result<|end|>", "train": False},
        {"role": "assistant", "content": "Done.", "train": True},
    ]
    assert proposals(make_rows({"messages": turns})) == []


def test_single_quotes_are_mended_when_the_prompt_asks_for_json(make_rows: Builder) -> None:
    assert mended(make_rows, "{'a': 'b'}", "Answer in JSON.") == {"json": '{"a": "b"}'}


def test_a_misread_letter_is_not_removed_as_a_control_character(make_rows: Builder) -> None:
    assert mended(make_rows, "It\x92s \x93fine\x94") == {"mojibake": "It’s “fine”"}


def test_the_window_shows_whole_words() -> None:
    assert repair.window("x Tom&amp;Jerry y", "x Tom&Jerry y") == (2, 15, "Tom&amp;Jerry", "Tom&Jerry")


@given(before=st.text("ab c", max_size=30), after=st.text("ab c", max_size=30))
def test_a_window_makes_one_text_of_the_other(before: str, after: str) -> None:
    start, end, old, new = repair.window(before, after)
    assert before[start:end] == old
    assert before[:start] + new + before[end:] == after


def test_the_cheap_test_passes_whatever_a_pattern_would_find() -> None:
    patterns = rulebook.patterns("markers")
    hits = pl.Series([hit for pattern in patterns for hit in pattern.hits])
    assert {pattern.kind for pattern in patterns} == {"start", "end"}
    assert hits.str.contains(repair._NEEDS["markers"]).all()


@pytest.mark.parametrize(
    "text", ["</s>" * 30_000 + "x", "\n" * 60_000 + "### Response:", "```\n" * 20_000, "```json\n" * 9_000]
)
def test_hostile_edges_and_fences_take_linear_time(make_rows: Builder, text: str) -> None:
    started = time.process_time()
    proposals(make_rows({"prompt": text, "response": text}))
    assert time.process_time() - started < 3
