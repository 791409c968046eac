"""The section on repairs: what is proposed, by kind and source, shown masked and never as markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_run import write_tiny

from curate import rundir
from curate.steps.repair import repair
from reports import html, quality
from reports.examples import ids_in

Builder = Callable[..., pl.DataFrame]
SCRIPT = "</script><img src=x onerror=alert(1)>.<|im_end|>"
ROWS: list[dict[str, Any]] = [
    {"source": "a", "prompt": "Who wrote?", "response": "Tom &amp; maria.lopez@uni-lund.se &amp; Ann"},
    {"source": "a", "prompt": "Mail?", "response": "jane&#64;uni-lund.se or nobody"},
    {"source": "a", "prompt": "x", "response": SCRIPT},
    {"source": "b", "prompt": "Where?", "response": "Paris.</s>", "rules": ["checks/length.words min 9"]},
    {"source": "b", "prompt": "What?", "response": "fine"},
]
STAGE = {"name": "checks", "steps": [{"as": "repair", "step": "repair"}], "rules": []}


@pytest.fixture
def facts(tmp_path: Path, make_rows: Builder) -> dict[str, Any]:
    """Give the facts of a run in which the step had its say."""
    path = write_tiny(tmp_path / "run", make_rows, ROWS, stages=[STAGE])
    rows = pl.read_parquet(path / "rows.parquet")
    rundir.write_frame(path / "tables" / "repair.proposals.parquet", repair(rows).tables["proposals"])
    return quality.facts(path, name="runs/tiny")


def test_rows_are_counted_by_kind_and_source(facts: dict[str, Any]) -> None:
    found = facts["repairs"]
    assert (found["rows"], found["of"], found["proposals"]) == (4, 5, 4)
    assert [(one["kind"], one["rows"], one["kept"]) for one in found["kinds"]] == [
        ("entities", 2, 2),
        ("markers", 2, 1),
    ]
    assert found["sources"] == [
        {"source": "a", "rows": 3, "kinds": {"entities": 2, "markers": 1}},
        {"source": "b", "rows": 1, "kinds": {"markers": 1}},
    ]
    assert found["command"] == "curate export runs/tiny --to messages --out tiny-mix"


def test_changes_are_shown_as_pieces_that_make_both_texts(facts: dict[str, Any]) -> None:
    shown = [one for one in facts["repairs"]["examples"] if one["kind"] == "markers"]
    ends = {"".join(text for kind, text in one["difference"] if kind != "gone") for one in shown}
    assert ends == {"Paris.", "</script><img src=x onerror=alert(1)>."}
    assert {one["row"] for one in shown} <= set(ids_in(facts)) & set(facts["rows"])


def test_personal_data_is_masked_also_where_a_repair_brings_it_to_light(facts: dict[str, Any]) -> None:
    text = json.dumps(facts["repairs"], ensure_ascii=False)
    assert "‹email›" in text
    assert "‹withheld: the repair would bring personal data to light›" in text
    assert "maria.lopez" not in text
    assert "jane" not in text
    assert "uni-lund" not in text


def test_the_page_shows_changes_without_becoming_them(facts: dict[str, Any]) -> None:
    page = html.render(facts)
    assert "<img" not in page
    assert "&lt;|im_end|&gt;" in page
    assert page.count("<script>") == 1


def test_an_alert_says_that_nothing_was_changed(facts: dict[str, Any]) -> None:
    found = [one for one in facts["alerts"] if one["section"] == "repairs"]
    assert [(one["count"], one["of"]) for one in found] == [(4, 5)]
    assert "Nothing was changed" in found[0]["text"]


def test_a_run_without_the_step_says_so_and_still_tells_what_was_repaired(run: Path) -> None:
    found = quality.facts(run)["repairs"]
    assert "no step" in found["skipped"]
    assert found["applied"] == [{"source": "chat", "repairs": {"mojibake": 3}}]
