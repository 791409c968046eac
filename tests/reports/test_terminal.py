"""The terminal summary: short, and deaf to markup in names."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import reports
from reports import quality


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def shown(facts: dict[str, Any], *, colour: bool = False, **options: Any) -> str:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=colour, highlight=False, no_color=not colour)
    reports.summary(facts, console=console, **options)
    return file.getvalue()


def test_summary_says_what_matters(facts: dict[str, Any]) -> None:
    text = shown(facts)
    assert "demo  gates pass" in text
    assert "kept 39 of 60 rows (65 %)" in text
    assert "checks" in text and "report  runs/demo/report.html" in text
    assert "curate explain runs/demo " in text


def test_summary_stays_under_thirty_lines(facts: dict[str, Any]) -> None:
    assert shown(facts).count("\n") < 30
    crowded = copy.deepcopy(facts)
    crowded["alerts"] = [{**facts["alerts"][0], "text": "long " * 100}] * 40
    crowded["funnel"]["stages"] = [{**facts["funnel"]["stages"][0], "name": f"stage {n}"} for n in range(30)]
    crowded["headline"]["meaning"] = "word " * 100
    crowded["next"] = [{"text": "", "command": "curate explain RUN '" + "x" * 150 + "'"}] * 9
    text = shown(crowded)
    wrapped = sum(-(-max(1, len(line)) // 100) for line in text.rstrip("\n").split("\n"))
    assert wrapped < 30
    assert "24 stages between" in text and "35 more in the report" in text


def test_names_cannot_style_or_move_the_terminal(facts: dict[str, Any]) -> None:
    facts["headline"]["name"] = "[bold red]x[/] [/nope] \x1b[2J\u202e"
    facts["alerts"][0]["text"] = "[link=http://x]y[/link]"
    text = shown(facts)
    assert "[bold red]x[/] [/nope] [U+001B][2J[U+202E]" in text
    assert "[link=http://x]y[/link]" in text and "\x1b" not in text
    assert "\x1b[2J" not in shown(facts, colour=True)


def test_a_long_command_is_never_cut(facts: dict[str, Any]) -> None:
    facts["next"] = [{"text": "", "command": "curate explain RUN '" + "x" * 200 + "'"}]
    assert "x" * 200 + "'" in shown(facts)


def test_without_alerts_it_says_none(facts: dict[str, Any]) -> None:
    facts["alerts"] = []
    assert "no alerts" in shown(facts)
