"""A source whose labels look wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from tiny_run import write_tiny

from reports import quality

Make = Callable[..., pl.DataFrame]
SIGNALS = {"noise.suspect": pl.Boolean(), "noise.score": pl.Float64()}


def run(path: Path, make_rows: Make, noise: float | None) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"noise.suspect": True, "noise.score": 0.9, "source": "reviews"},
        {"noise.suspect": False, "noise.score": 0.1, "source": "reviews"},
    ]
    folder = write_tiny(path / "run", make_rows, rows, signals=SIGNALS)
    line = {"source": ["reviews"], "records": [2], "suspects": [1], "noise": [noise]}
    table = pl.DataFrame(line, schema_overrides={"noise": pl.Float64})
    table.write_parquet(folder / "tables" / "noise.sources.parquet")
    return quality.facts(folder)


def told(facts: dict[str, Any]) -> list[str]:
    return [one["text"] for one in facts["alerts"] if "of the labels of" in one["text"]]


def test_a_source_with_many_wrong_labels_is_named(tmp_path: Path, make_rows: Make) -> None:
    facts = run(tmp_path, make_rows, 0.25)
    assert told(facts) == ["About 25 % of the labels of reviews look wrong (estimate): 1 record suspected."]
    suspect = facts["label_noise"]["steps"][0]["sources"][0]["row"]
    assert [one["command"].endswith(suspect) for one in facts["alerts"] if one["text"] == told(facts)[0]] == [True]


def test_few_wrong_labels_and_labels_that_cannot_be_learnt_are_no_alert(tmp_path: Path, make_rows: Make) -> None:
    assert told(run(tmp_path / "few", make_rows, 0.05)) == []
    assert told(run(tmp_path / "unknown", make_rows, None)) == []


def test_without_the_step_the_report_says_so(tmp_path: Path, make_rows: Make) -> None:
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, [{}]))
    assert "add the step `label_noise`" in facts["label_noise"]["skipped"]
