"""What a score makes of a replaced group, by group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tiny_run import write_tiny

from reports import html, markdown, quality
from reports.swaps import swaps
from reports.view import open_view

Make = Callable[..., pl.DataFrame]
Pair = tuple[int, str, str, bool, float | None, float | None, bool | None]


def write(path: Path, make_rows: Make, pairs: list[Pair]) -> Path:
    stages = [{"name": "checks", "steps": [{"as": "swap", "step": "swap"}], "rules": []}]
    rows = max(pair[0] for pair in pairs) + 1 if pairs else 1
    run = write_tiny(path, make_rows, [{} for _ in range(rows)], stages=stages)
    ids = dict(pl.read_parquet(run / "rows.parquet").select(pl.col("meta").cast(pl.Int64), "id").iter_rows())
    kinds = {"id": pl.String, "group": pl.String, "other": pl.String, "mixed": pl.Boolean, "before": pl.Float64,
             "after": pl.Float64, "flipped": pl.Boolean}  # fmt: skip
    table = pl.DataFrame([(ids[pair[0]], *pair[1:]) for pair in pairs], schema=kinds, orient="row")
    table.write_parquet(run / "tables" / "swap.pairs.parquet")
    return run


def test_the_signed_gap_counts_a_group_on_either_side(tmp_path: Path, make_rows: Make) -> None:
    pairs: list[Pair] = [(row, "a:x", "a:y", False, 0.6, 0.2, True) for row in range(20)]
    pairs += [(row, "a:y", "a:x", False, 0.1, 0.3, False) for row in range(20, 40)]
    pairs += [(40, "a:x", "a:y", True, 0.9, 0.1, True), (41, "a:x", "a:y", False, None, 0.1, None)]
    run = write(tmp_path / "run", make_rows, pairs)
    (step,) = swaps(open_view(run))["steps"]
    assert (step["rows"], step["texts"], step["unscored"], step["flipped"]) == (41, 41, 1, 21)
    x, y = step["groups"]
    assert x["group"] == "a:x" and x["gap"] == pytest.approx(0.3) and x["rows"] == 40
    assert y["gap"] == pytest.approx(-0.3) and y["low"] < -0.3 < y["high"] < 0
    assert (x["flips"], x["flip_rows"]) == (21, 41) and x["q"] < 0.001
    facts = quality.facts(run)
    (alert,) = [one for one in facts["alerts"] if one["section"] == "bias"]
    assert alert["severity"] == "warning" and "in 21 rows" in alert["text"] and "a:x worst" in alert["text"]
    assert "swap: of 41 rows told of another group, 21 cross" in markdown.card(facts)
    assert "Mean signed gap" in html.render(facts)


def test_a_score_that_does_not_see_groups_has_no_gap(tmp_path: Path, make_rows: Make) -> None:
    pairs: list[Pair] = [(row, "a:x", "a:y", False, row / 50, row / 50, False) for row in range(40)]
    (step,) = swaps(open_view(write(tmp_path / "run", make_rows, pairs)))["steps"]
    assert [(line["gap"], line["q"]) for line in step["groups"]] == [(0.0, 1.0), (0.0, 1.0)]
    assert step["notable"] == step["moved"] == 0


def test_few_rows_are_not_tested_and_none_are_told(tmp_path: Path, make_rows: Make) -> None:
    pairs: list[Pair] = [(row, "a:x", "a:y", False, 0.9, 0.1, True) for row in range(29)]
    (step,) = swaps(open_view(write(tmp_path / "run", make_rows, pairs)))["steps"]
    assert [line["q"] for line in step["groups"]] == [None, None]
    (none,) = swaps(open_view(write(tmp_path / "none", make_rows, [])))["steps"]
    assert none["groups"] == [] and none["rows"] == 0
