"""The subsection on recurring spans: the largest first, variants as one, masked and never as markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_run import write_tiny

from curate import rundir
from curate.steps import substring
from reports import html, quality

Builder = Callable[..., pl.DataFrame]
NOTICE = "<script>alert(1)</script> Ask maria.lopez@uni-lund.se before you copy this"
LONG = " ".join(f"word{number}" for number in range(60))
ROWS: list[dict[str, Any]] = [
    {"source": "a", "content": f"one {NOTICE}. Thanks!"},
    {"source": "b", "content": f"two {NOTICE}. Thanks!"},
    {"source": "b", "content": f"three {NOTICE}", "rules": ["checks/length.words min 9"]},
    {"source": "a", "content": f"x {LONG}"},
    {"source": "a", "content": f"y {LONG}"},
    {"source": "b", "content": "nothing of the kind"},
]
SIGNALS = {f"spans.{name}": kind for name, kind in substring._SIGNALS.items()}


@pytest.fixture
def facts(tmp_path: Path, make_rows: Builder) -> dict[str, Any]:
    """Give the facts of a run in which the step had its say."""
    stage = {"name": "checks", "rules": [], "steps": [{"as": "spans", "step": "substring", "words": 5}]}
    rows = make_rows(*ROWS)

    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": ids}).join(rows, on="id", how="left", maintain_order="left")

    state = rows.select("id", "record", "source").hstack(substring.state(rows, words=5))
    found = substring.decide(state, texts=texts, words=5)
    by_content = dict(zip(rows["content"], found.signals.iter_rows(named=True), strict=True))
    measured = [
        {**row, **{f"spans.{name}": value for name, value in by_content[row["content"]].items()}} for row in ROWS
    ]
    path = write_tiny(tmp_path / "run", make_rows, measured, signals=SIGNALS, stages=[stage])
    for name, table in found.tables.items():
        rundir.write_frame(path / "tables" / f"spans.{name}.parquet", table)
    return quality.facts(path, name="runs/tiny")


def test_the_largest_span_comes_first_and_variants_are_one(facts: dict[str, Any]) -> None:
    (step,) = facts["recurring"]["steps"]
    assert (step["rows"], step["kept"], step["of"], step["spans"], step["families"]) == (5, 4, 6, 3, 2)
    listed = [(one["words"], one["rows"], one["sources"], one["variants"]) for one in step["largest"]]
    assert listed == [(60, 2, 1, 1), (14, 3, 2, 2)]
    assert step["largest"][0]["text"] == LONG[:300] + " …"
    assert all(one["row"] in facts["rows"] for one in step["largest"])


def test_personal_data_in_a_span_is_masked_and_markup_stays_text(facts: dict[str, Any]) -> None:
    text = json.dumps(facts["recurring"], ensure_ascii=False)
    assert "‹email›" in text
    assert "maria.lopez" not in text
    page = html.render(facts)
    assert "&lt;/script&gt; Ask ‹email› before you copy this" in page
    assert page.count("<script>") == 1
    assert "14 words in 3 records of 2 sources" in page


def test_what_was_cut_while_reading_is_told_also_without_the_step(make_run: Callable[..., Path]) -> None:
    plain = json.loads((make_run() / "manifest.json").read_text())
    sources = [{**one, "repairs": {"cut": 7}, "cut_missed": 2} for one in plain["sources"][:1]] + plain["sources"][1:]
    found = quality.facts(make_run(sources=sources))
    assert "add the step `substring`" in found["recurring"]["skipped"]
    assert found["recurring"]["cut"] == [{"source": sources[0]["name"], "texts": 7, "missed": 2}]
    assert "Places where the text has changed since" in html.render(found)


def test_a_run_without_the_step_says_so(run: Path) -> None:
    found = quality.facts(run)
    assert found["recurring"]["cut"] == []
    assert "Skipped: no step of the recipe looks for spans that recur" in html.render(found)
