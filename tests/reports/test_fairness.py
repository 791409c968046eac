"""The table of rules and groups, its interval, its test and its alerts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import rule, write_tiny

from curate.intervals import wilson
from curate.parity import discoveries
from reports import html, quality
from reports.fairness import fairness
from reports.view import open_view

Make = Callable[..., pl.DataFrame]
BOUND = rule("checks", "toxicity.score", "max 0.5", max=0.5)
SIGNALS = {
    "toxicity.score": pl.Float64(),
    "who.mentions": pl.UInt32(),
    "who.groups": pl.List(pl.String),
    "who.axes": pl.List(pl.String),
}


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # By hand from Wilson's formula; the first is the interval of 0 of 10, known as 0 to 0.278.
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=1e-4)


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    # 0.01 · 4/1, 0.02 · 4/2 and 0.03 · 4/3 are all 0.04; the last keeps its p.
    assert discoveries([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.04, 0.04, 0.5, 0.04])
    assert discoveries([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_q_is_at_least_p_at_most_one_and_keeps_the_order(values: list[float]) -> None:
    found = discoveries(values)
    assert all(p <= q * (1 + 1e-12) and q <= 1 for p, q in zip(values, found, strict=True))
    order = sorted(range(len(values)), key=lambda place: values[place])
    assert [found[place] for place in order] == sorted(found)


def rows_of(group: str | None, hit: int, of: int) -> list[dict[str, Any]]:
    mentions: dict[str, Any] = {
        "who.groups": [group] if group else [],
        "who.axes": [],
        "who.mentions": int(bool(group)),
    }
    failed = {"toxicity.score": 0.9, "rules": [BOUND["id"]]}
    return [{**mentions, "toxicity.score": 0.0, **(failed if number < hit else {})} for number in range(of)]


@pytest.fixture
def run(tmp_path: Path, make_rows: Make) -> Path:
    """Give 400 rows, 54 of them dropped: 20 of 40 that mention one group, 4 of 40 and of 10 of others, 26 of 310."""
    rows = [*rows_of("orientation:gay", 20, 40), *rows_of("gender:men", 4, 40), *rows_of(None, 26, 310)]
    rows += rows_of("religion:jews", 4, 10)
    stages = [{"name": "checks", "steps": [{"as": "who", "step": "bias"}], "rules": [BOUND]}]
    return write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages)


def test_a_group_that_is_hit_harder_stands_first(run: Path) -> None:
    facts = fairness(open_view(run))
    first = facts["identity"][0]
    assert (first["group"], first["failed"], first["rows"], first["overall"]) == ("orientation:gay", 20, 40, 0.135)
    assert first["ratio"] == pytest.approx(0.5 / 0.135) and first["expected"] == pytest.approx(5.4)


def test_few_rows_or_hits_are_not_tested(tmp_path: Path, make_rows: Make) -> None:
    # 60 of 400 fail: 40 rows give 6 expected; 10 rows are too few, whatever their share.
    rows = [*rows_of("orientation:gay", 30, 40), *rows_of("religion:jews", 5, 10), *rows_of(None, 25, 350)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    run = write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages)
    facts = fairness(open_view(run))
    assert [line["group"] for line in facts["identity"]] == ["orientation:gay"]
    line = facts["identity"][0]
    assert line["expected"] == 6.0 and line["q"] < 1e-6 and line["notable"]
    assert facts["too_few"] > 0


def test_a_harder_hit_group_alerts_with_the_excess(tmp_path: Path, make_rows: Make) -> None:
    rows = [*rows_of("orientation:gay", 30, 40), *rows_of(None, 30, 360)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages))
    found = [one for one in facts["alerts"] if one["section"] == "fairness"]
    assert [(one["severity"], one["count"], one["of"]) for one in found] == [("warning", 24, 40)]
    assert (
        "drops 75 % of the rows that mention orientation:gay, 15 % of all: 24 more than rows of their length."
        in found[0]["text"]
    )
    assert "notable" in html.render(facts)


def test_equal_treatment_alerts_nothing(tmp_path: Path, make_rows: Make) -> None:
    rows = [*rows_of("gender:men", 10, 100), *rows_of(None, 30, 300)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages))
    assert facts["fairness"]["identity"][0]["q"] == 1.0 and facts["fairness"]["notable"] == 0
    assert not [one for one in facts["alerts"] if one["section"] == "fairness"]


def test_mentions_are_counted_before_and_after(run: Path) -> None:
    mentions = fairness(open_view(run))["mentions"][0]
    gay = next(one for one in mentions["groups"] if one["group"] == "gay")
    assert mentions["axes"] == ["gender", "orientation", "religion"]
    assert (gay["axis"], gay["rows"], gay["kept"], gay["before"]) == ("orientation", 40, 20, 1000.0)
    assert gay["after"] == pytest.approx(10_000 * 20 / 346)


def test_tasks_and_lengths_are_compared_alike(tmp_path: Path, make_rows: Make) -> None:
    short = [{**row, "response": "s" * 19, "task": "math"} for row in rows_of(None, 0, 100)]
    long = [{**row, "response": "l" * 20, "task": "qa_open"} for row in rows_of(None, 50, 100)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    facts = fairness(
        open_view(write_tiny(tmp_path / "run", make_rows, [*short, *long], signals=SIGNALS, stages=stages))
    )
    assert {(line["by"], line["group"], line["ratio"]) for line in facts["others"]} == {
        ("response characters", "under 20", 0.0), ("response characters", "20–99", 2.0),
        ("task", "math", 0.0), ("task", "qa_open", 2.0),
    }  # fmt: skip


def test_a_group_of_long_texts_is_not_blamed_for_their_length(tmp_path: Path, make_rows: Make) -> None:
    # Of long rows half fail, of short ones a tenth, whoever is mentioned; the group has the long ones mostly.
    def some(group: str | None, hit: int, of: int, text: str) -> list[dict[str, Any]]:
        return [{**row, "response": text} for row in rows_of(group, hit, of)]

    rows = [*some("age:old", 45, 90, "l" * 300), *some("age:old", 3, 30, "s" * 20)]
    rows += [*some(None, 30, 60, "l" * 300), *some(None, 42, 420, "s" * 20)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    line = fairness(open_view(write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages)))[
        "identity"
    ][0]
    assert line["ratio"] == pytest.approx(48 / 120 / 0.2) and line["ratio_low"] > 1.25
    # Expected of 90 long and 30 short rows: 90 / 2 + 30 / 10.
    assert line["equal_length"]["expected"] == pytest.approx(48) and line["equal_length"]["ratio"] == pytest.approx(1)
    assert line["q"] == pytest.approx(1) and not line["notable"]


def test_a_group_hit_harder_among_rows_of_its_length_is_found_where_the_raw_ratio_hides_it(
    tmp_path: Path, make_rows: Make
) -> None:
    # Short rows rarely fail; those of the group fail three times as often as other short ones.
    short = [{**row, "response": "s" * 20} for row in [*rows_of("age:old", 30, 100), *rows_of(None, 100, 1000)]]
    long = [{**row, "response": "l" * 300} for row in rows_of(None, 700, 1000)]
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    facts = fairness(
        open_view(write_tiny(tmp_path / "run", make_rows, [*short, *long], signals=SIGNALS, stages=stages))
    )
    line = facts["identity"][0]
    assert line["ratio"] < 1 and line["equal_length"]["ratio"] == pytest.approx(30 / (100 * 130 / 1100))
    assert line["notable"] and facts["notable"] == 1


def test_dialects_are_groups_of_people_and_missing_groupings_name_their_step(tmp_path: Path, make_rows: Make) -> None:
    signals: dict[str, pl.DataType] = {
        "toxicity.score": pl.Float64(), "dialect.markers": pl.UInt32(), "dialect.varieties": pl.List(pl.String)
    }  # fmt: skip
    rows = [
        {"toxicity.score": 0.9 if hit else 0.0, "dialect.markers": int(marked), "rules": [BOUND["id"]] if hit else [],
         "dialect.varieties": ["scots"] if marked else []}
        for marked, hits, of in ((True, 30, 60), (False, 30, 300)) for hit in [True] * hits + [False] * (of - hits)
    ]  # fmt: skip
    stages = [{"name": "checks", "steps": [], "rules": [BOUND]}]
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, rows, signals=signals, stages=stages))
    line = facts["fairness"]["identity"][0]
    assert (line["group"], line["column"], line["notable"]) == ("scots", "dialect.varieties", True)
    alerts = [one["text"] for one in facts["alerts"] if one["section"] == "fairness"]
    assert len(alerts) == 1 and "the rows with markers of scots" in alerts[0]
    skipped = {one["by"]: one["skipped"] for one in facts["fairness"]["groupings"] if "skipped" in one}
    assert "add the step `bias`" in skipped["mentions"] and "add the step `map`" in skipped["topic"]
    assert "By mentions: skipped" in html.render(facts)


def test_topics_are_clusters_of_the_map(tmp_path: Path, make_rows: Make) -> None:
    rows = [*rows_of(None, 40, 100), *rows_of(None, 10, 100)]
    stages = [{"name": "checks", "steps": [{"as": "map", "step": "map"}], "rules": [BOUND]}]
    run = write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, stages=stages)
    base = pl.read_parquet(run / "rows.parquet").select("id", number=pl.col("meta").cast(pl.Int64))
    sampled = base.filter(pl.col("number") % 2 == 0).select(
        "id", x=pl.lit(0.0), y=pl.lit(0.0), cluster=(pl.col("number") >= 100).cast(pl.UInt32)
    )
    sampled.write_parquet(run / "tables" / "map.points.parquet")
    lines = [line for line in fairness(open_view(run))["others"] if line["by"] == "topic"]
    assert [(line["group"], line["rows"], line["failed"]) for line in lines] == [
        ("cluster 1", 50, 20), ("cluster 2", 50, 5),
    ]  # fmt: skip
    assert {line["overall"] for line in lines} == {0.25}  # of the sample, not of all rows


def test_without_rules_there_is_nothing_to_compare(tmp_path: Path, make_rows: Make) -> None:
    run = write_tiny(tmp_path / "run", make_rows, [{}])
    assert "no keep rules" in fairness(open_view(run))["skipped"]
