"""`report.json` is a contract: a schema describes it, and page, cards and terminal need nothing else."""

from __future__ import annotations

import copy
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

import reports
from reports import html, markdown, quality, terminal
from reports.croissant import croissant

SCHEMA: dict[str, Any] = json.loads((Path(quality.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))


def faults(facts: Any) -> list[str]:
    """Return where facts, as JSON reads them back, break the schema."""
    jsonschema = pytest.importorskip("jsonschema", reason="validates with jsonschema; install curatune[dev]")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(json.loads(json.dumps(facts)))
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def told(facts: Any) -> tuple[str, str, str, str]:
    """Return page, card, metadata and terminal summary."""
    screen = io.StringIO()
    terminal.summary(facts, console=Console(file=screen, width=100))
    return html.render(facts), markdown.card(facts), json.dumps(croissant(facts)), screen.getvalue()


def test_a_report_follows_the_schema(run: Path) -> None:
    assert faults(reports.build(run)) == []


def test_a_run_without_rows_follows_the_schema(make_run: Callable[..., Path]) -> None:
    totals = dict.fromkeys(("records_read", "rejects", "train_rows", "heldout_rows", "kept", "dropped"), 0)
    run = make_run(stages=[], totals=totals, gates=[], sources=[], inputs=[])
    for name in ("rows", "mix"):
        pl.read_parquet(run / f"{name}.parquet").clear().write_parquet(run / f"{name}.parquet")
    (run / "rejects.jsonl").write_text("")
    assert faults(quality.facts(run)) == []


def test_the_schema_names_every_part_with_its_meaning(run: Path) -> None:
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == set(quality.facts(run))
    assert SCHEMA["properties"]["schema"]["const"] == quality.SCHEMA
    assert all(len(part["description"]) > 10 for part in SCHEMA["properties"].values())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda facts: facts.pop("alerts"), "$: 'alerts'"),
        (lambda facts: facts.update(news=1), "$: Additional"),
        (lambda facts: facts.update(masks={}), "$.masks"),
        (lambda facts: facts.update(masks={"skipped": ""}), "$.masks"),
        (lambda facts: facts["headline"].update(kept=-1), "$.headline.kept"),
        (lambda facts: facts["headline"].update(verdict="perhaps"), "$.headline.verdict"),
        (lambda facts: facts["rules"]["list"][0].pop("why"), "$.rules.list[0]"),
        (lambda facts: facts["rows"].update(x={}), "$.rows"),
    ],
)
def test_the_schema_notices(run: Path, change: Callable[[dict[str, Any]], Any], place: str) -> None:
    facts = quality.facts(run)
    change(facts)
    assert any(fault.startswith(place) for fault in faults(facts)), faults(facts)


def test_page_cards_and_terminal_need_the_facts_alone(run: Path) -> None:
    facts = quality.facts(run)
    before = told(facts)
    saved = json.loads(json.dumps(facts))
    shutil.rmtree(run)
    untouched = copy.deepcopy(saved)
    assert told(saved) == before
    assert saved == untouched, "telling the facts changed them"
