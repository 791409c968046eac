"""Kinds of templates, how much one of them rules, and prompts that hold their answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_run import rule, write_tiny

from reports import html, quality
from reports.phrasing import phrasing
from reports.view import open_view

EXTRACTED = "the whole long sentence of the text"
BOUND = rule("checks", "length.words", "min 1", min=1.0)


def one(template: str, task: str | None, record: str, label: str | None = None, **more: Any) -> dict[str, Any]:
    slots = json.dumps({"label": label} if label else {})
    return {"template": template, "task": task, "record": record, "slots": slots, "source": "mine", **more}


@pytest.fixture
def run(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> Path:
    """Give eight rows of six records: three templates of reviews, one of maths, one conversation."""
    dropped = {"rules": [BOUND["id"]]}
    rows = [
        one("review.ask", "classification", "a", "good"),
        one("review.ask", "classification", "b", "good"),
        one("review.ask", "classification", "c", "bad"),
        one("review.ask:few_shot", "classification", "a", "good", **dropped),
        one("review.write", "classification", "b", "good", **dropped),
        one("math.plain", "math", "d", prompt=f"Say {EXTRACTED} again", response=f" {EXTRACTED}\n"),
        one("extract.plain", "extraction", "e", prompt=f"In {EXTRACTED}", response=EXTRACTED),
        one("messages", None, "f", prompt="two", response="two"),
    ]
    kinds = {"review.ask": "zero_shot", "review.write": "inverted", "math.plain": "zero_shot"}
    source = {"name": "mine", "format": "messages", "templates": kinds, "repairs": {}, "records_read": 6, "rejects": 0,
              "split": "train", "rows": 8}  # fmt: skip
    stages = [{"name": "checks", "steps": [{"as": "length", "step": "length"}], "rules": [BOUND]}]
    signals = {"length.words": pl.UInt32()}
    rows = [{**row, "length.words": 1} for row in rows]
    return write_tiny(tmp_path / "run", make_rows, rows, signals=signals, stages=stages, sources=[source])


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return phrasing(open_view(run))


def test_kinds_come_from_the_manifest_and_the_template_id(facts: dict[str, Any]) -> None:
    kinds = {kind["kind"]: (kind["rows"], kind["kept"]) for kind in facts["kinds"]}
    assert kinds == {
        "zero-shot": (4, 4),
        "few-shot": (1, 0),
        "inverted": (1, 0),
        "as written": (1, 1),
        "unknown": (1, 1),
    }


def test_the_top_template_of_a_task_is_told_before_and_after(facts: dict[str, Any]) -> None:
    reviews = facts["tasks"][0]
    assert (reviews["task"], reviews["rows"], reviews["templates"]) == ("classification", 5, 3)
    assert (reviews["top"], reviews["top_share"]) == ("review.ask", 0.6)
    assert (reviews["kept_templates"], reviews["kept_top_share"]) == (1, 1.0)


def test_wordings_are_counted_by_record(facts: dict[str, Any]) -> None:
    assert facts["per_record"]["counts"] == [
        {"templates": "1", "records": 4, "kept": 6}, {"templates": "2", "records": 2, "kept": 0}
    ]  # fmt: skip
    assert facts["per_record"]["mean"] == 1.333


def test_each_template_has_its_largest_label(facts: dict[str, Any]) -> None:
    ask = facts["list"][0]
    assert ask["template"] == "review.ask"
    assert ask["labels"] == {"label": "good", "rows": 2, "share": pytest.approx(2 / 3), "distinct": 2}


def test_each_template_is_shown_with_a_row_of_its_own(run: Path, facts: dict[str, Any]) -> None:
    templates = {row: template for row, template in open_view(run).base.select("id", "template").iter_rows()}
    assert {templates[one["row"]] for one in facts["list"]} == set(templates.values())


def test_only_long_answers_outside_of_extraction_are_leaks(facts: dict[str, Any]) -> None:
    leaks = facts["leaks"]
    assert (leaks["checked"], leaks["rows"], leaks["doubtful"], leaks["kept_doubtful"]) == (2, 2, 1, 1)
    shown = {one["template"]: (one["leaks"], one["leak_of"]) for one in facts["list"]}
    assert shown["math.plain"] == (1, 1) and shown["extract.plain"] == (1, 1) and shown["messages"] == (0, 0)


def test_the_page_shows_the_section(run: Path) -> None:
    text = html.render(quality.facts(run))
    assert "6 templates, 1.33 wordings a record" in text


def test_rows_without_templates_are_skipped(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> None:
    run = write_tiny(tmp_path / "bare", make_rows, [{"template": None}])
    assert phrasing(open_view(run)) == {"skipped": "the rows name no template"}
