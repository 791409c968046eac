"""The checks on texts, those that need a step and those that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from projects import lay_out
from tiny_run import rule, write_tiny

import curate
from reports import html, quality
from reports.text_quality import text_quality
from reports.view import open_view

Make = Callable[..., pl.DataFrame]
SENTENCE = "The river rose in the night and the bridge was closed to all. "
SIGNALS = {"echo.same": pl.Boolean(), "echo.share": pl.Float64(), "echo.longest": pl.UInt32()}
BOUND = rule("checks", "echo.same", "is false")


def checks(run: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["check"], one["role"]): one for one in text_quality(open_view(run))["checks"]}


@pytest.mark.parametrize(
    ("response", "cut"),
    [
        (SENTENCE * 4, False),
        (SENTENCE * 4 + "Nobody had expected that the water would come so", True),
        (SENTENCE * 4 + "Nobody had expected that the water would come so,\n", True),
        (SENTENCE * 4 + "Nobody had expected that the water would come so…", False),
        (SENTENCE * 4 + "\nNobody had expected it", False),  # too few words for a line of prose
        (SENTENCE * 4 + "\n- one of many points in a list without a full stop", False),
        (SENTENCE * 4 + "\nx = 1 + 2 and then a b c d e f g", False),
        ("Nobody had expected that the water would come so", False),  # too short to tell
        ("word " * 60, False),  # no sentence ends, so none is cut
        ("水位在夜里上涨。" * 40, False),
    ],
)
def test_prose_that_ends_in_a_sentence_looks_cut_off(tmp_path: Path, make_rows: Make, response: str, cut: bool) -> None:
    run = write_tiny(tmp_path / "run", make_rows, [{"response": response}])
    assert checks(run)["looks cut off", "response"]["rows"] == int(cut)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("cafÃ© au lait", True), ("Itâ€™s", True), ("a \ufffd b", True), ("Â£5", True),
        ("São Paulo", False), ("Ãrvore", False), ("Â", False), ("naïve café £5", False),
    ],
)  # fmt: skip
def test_mojibake_is_told_from_accents(tmp_path: Path, make_rows: Make, text: str, broken: bool) -> None:
    run = write_tiny(tmp_path / "run", make_rows, [{"prompt": text}])
    assert checks(run)["mojibake left", "prompt"]["rows"] == int(broken)


@pytest.fixture
def run(tmp_path: Path, make_rows: Make) -> Path:
    """Give four rows: an echo that was dropped, one that stayed, an empty response, an answer."""
    rows: list[dict[str, Any]] = [
        {"task": "math", "echo.same": True, "echo.share": 1.0, "echo.longest": 9, "rules": [BOUND["id"]]},
        {"task": "math", "echo.same": True, "echo.share": 1.0, "echo.longest": 2},
        {"task": "qa_open", "echo.same": False, "response": " \n"},
        {"task": "qa_open", "echo.same": False, "echo.share": 0.0, "echo.longest": 0, "response": "longer answer"},
    ]
    stages = [{"name": "checks", "steps": [{"as": "echo", "step": "echo"}], "rules": [BOUND]}]
    return write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages)


def test_counts_are_before_and_after_and_by_task(run: Path) -> None:
    same = checks(run)["repeats its prompt", "response"]
    assert (same["rows"], same["of"], same["share"], same["kept"], same["kept_of"]) == (2, 4, 0.5, 1, 3)
    assert same["tasks"] == [{"task": "math", "rows": 2, "of": 2, "share": 1.0}]
    assert len(same["examples"]) == 1  # the kept one


def test_rows_without_a_verdict_are_not_counted(run: Path) -> None:
    copied = checks(run)["copied from the prompt", "response"]
    assert (copied["rows"], copied["of"]) == (1, 3)


def test_what_no_step_measured_names_the_step(run: Path) -> None:
    missing = {one["check"]: one["step"] for one in text_quality(open_view(run))["not_measured"]}
    assert missing["refuses"] == "refusal" and "repeats its prompt" not in missing


def test_extremes_leave_out_empty_texts(run: Path) -> None:
    facts = text_quality(open_view(run))
    ends = {(one["role"], one["end"]): one["kept"]["characters"] for one in facts["extremes"]}
    assert ends["response", "shortest"] == 2  # " \n", which is blank and yet written
    assert ends["response", "longest"] == len("longer answer")
    assert checks(run)["empty", "response"]["kept"] == 1


def test_the_page_folds_what_was_not_found(run: Path) -> None:
    text = html.render(quality.facts(run))
    assert "Not measured:" in text and "Nothing found:" in text


def test_a_step_under_another_name_is_told_by_its_signals(tmp_path: Path, make_rows: Make) -> None:
    rows = [{"asked.refused": True, "asked.boilerplate": False}]
    signals = {"asked.refused": pl.Boolean(), "asked.boilerplate": pl.Boolean()}
    stages = [{"name": "checks", "rules": [], "steps": [{"as": "asked", "step": "refusal", "column": "prompt"}]}]
    run = write_tiny(tmp_path / "run", make_rows, rows, signals=signals, stages=stages)
    refuses = checks(run)["refuses", "prompt"]
    assert (refuses["rows"], refuses["how"]) == (1, "asked.refused is true")


STEPS = """
name = "tiny"
[[sources]]
name = "qa"
path = "qa0.jsonl"
task = "qa_open"
lang = "en"
clean = []
[[stages]]
name = "checks"
steps = [{ step = "truncated" }, { step = "mojibake" }, { step = "verify" }, { step = "format" }, { step = "mismatch" }]
"""


def test_steps_that_look_closer_take_the_place_of_a_glance(tmp_path: Path) -> None:
    records = [
        {"question": "Who slept?", "answer": "The cat slept. Then it woke up and looked at"},
        {"question": "How much is it?", "answer": "It is 2 + 2 = 5. It was donâ€™t."},
    ]
    found = checks(curate.run(curate.load_recipe(lay_out(tmp_path, records, recipe=STEPS)), out=tmp_path / "run").path)
    assert ("looks cut off", "response") not in found and ("mojibake left", "prompt") not in found
    assert found["breaks off", "response"]["rows"] == 1
    assert found["misread encoding", "rendered"]["rows"] == 1
    assert found["wrong where it can be checked", "response"]["rows"] == 1
