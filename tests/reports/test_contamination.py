"""Held-out items in the rows: counts, matrices, marked runs; and rows that are held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import rule, write_tiny

from curate import text as kernel
from curate.schema import row_id
from reports import html, quality
from reports.contamination import contamination
from reports.spans import AROUND, LONGEST, shared
from reports.view import open_view

Make = Callable[..., pl.DataFrame]
SIGNALS = {"held.overlap": pl.Float64(), "held.match": pl.String()}
BOUND = rule("checks", "held.overlap", "max 0.5", max=0.5)
ITEM = "One two three four five six"


def whole(pieces: list[list[str]]) -> str:
    return "".join(piece for kind, piece in pieces if kind != "gap")


def marks(pieces: list[list[str]]) -> list[str]:
    return [piece for kind, piece in pieces if kind == "mark"]


def test_shared_runs_are_marked_as_they_are_written() -> None:
    row, item = shared("Say: ONE two, three four! Then go.", "one two three four five", n=3)
    assert row == [["same", "Say: "], ["mark", "ONE two, three four!"], ["same", " Then go."]]
    assert item == [["mark", "one two three four"], ["same", " five"]]


def test_a_short_item_is_the_run() -> None:
    row, item = shared("please set a timer now", "Set a timer!", n=8)
    assert marks(row) == ["set a timer"] and marks(item) == ["Set a timer!"]


def test_nothing_shared_marks_nothing() -> None:
    row, item = shared("a b c d", "e f g h", n=2)
    assert marks(row) == marks(item) == []
    assert shared("", "", n=2) == ([], [])


def test_scripts_without_blanks_are_marked_by_character() -> None:
    row, _ = shared("今天天气很好我们去公园", "明天天气很好", n=4)
    assert marks(row) == ["天天气很好"]


def test_long_texts_are_cut_around_the_runs() -> None:
    pad = "x " * 400
    row, _ = shared(f"{pad}one two three{' y' * 400}", "one two three", n=3)
    kinds = [kind for kind, _ in row]
    assert kinds == ["gap", "same", "mark", "same", "gap"]
    assert len(whole(row)) == len("one two three") + 2 * AROUND


@given(st.text(alphabet="ab c\n", max_size=60), st.text(alphabet="ab c\n", max_size=60), st.integers(1, 4))
def test_pieces_of_short_texts_join_to_the_texts(one: str, other: str, n: int) -> None:
    row, item = shared(one, other, n=n)
    assert (whole(row), whole(item)) == (one, other)
    # Whatever is marked on one side has its words on the other.
    for mark in marks(row):
        first = kernel.words(mark)[0]
        assert first in kernel.words(other)


@given(st.text(max_size=3000))
def test_an_excerpt_is_never_much_longer_than_allowed(text: str) -> None:
    row, _ = shared(text * 3, text, n=8)
    assert len(whole(row)) <= 12 * (2 * LONGEST + 4 * AROUND)  # spelled-out characters take up to ten


def held_id(number: int) -> str:
    """Return the id that the builder gives to a held-out row."""
    return row_id(f"held{number}", "test.plain", number)


@pytest.fixture
def run(tmp_path: Path, make_rows: Make) -> Path:
    """Give five rows; two give the first item away (one of them stays), one a part of the second."""
    hit = {"held.match": held_id(0), "content": f"so {ITEM} seven"}
    rows: list[dict[str, Any]] = [
        {**hit, "held.overlap": 1.0, "source": "web", "rules": [BOUND["id"]]},
        {**hit, "held.overlap": 0.75, "source": "books"},
        {"held.overlap": 0.25, "held.match": held_id(1), "source": "web", "content": "b c"},
        {"held.overlap": 0.0, "source": "web", "content": " the  SAME\nitem"},
        {"held.overlap": 0.0, "source": "web"},
    ]
    held = [{"source": "exam", "content": ITEM}, {"source": "quiz", "content": "The same item"}]
    stages = [{"name": "checks", "steps": [{"as": "held", "step": "leak", "n": 3}], "rules": [BOUND]}]
    return write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, heldout=held, stages=stages)


@pytest.fixture
def step(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = contamination(open_view(run))["steps"][0]
    return found


def test_rows_are_counted_by_band(step: dict[str, Any]) -> None:
    assert [(band["rows"], band["kept"]) for band in step["bands"]] == [(2, 2), (1, 1), (0, 0), (1, 1), (0, 0), (1, 0)]
    assert (step["rows"], step["kept"], step["any"], step["bound"], step["n"]) == (2, 1, 3, 0.5, 3)


def test_sources_cross_with_held_out_sources(step: dict[str, Any]) -> None:
    assert step["matrix"] == {"sources": ["books", "web"], "heldout": ["exam"], "rows": [[1], [1]]}
    assert step["heldout"] == [
        {"source": "exam", "items": 1, "hit": 1, "kept_hit": 1, "share": 1.0},
        {"source": "quiz", "items": 1, "hit": 0, "kept_hit": 0, "share": 0.0},
    ]


def test_one_pair_is_shown_for_each_item(step: dict[str, Any]) -> None:
    strongest, nearest = step["pairs"]["strongest"], step["pairs"]["nearest"]
    assert [pair["value"] for pair in strongest] == [1.0, 0.25] and nearest == []
    assert marks(strongest[0]["text"]) == [ITEM]


def test_a_kept_leak_and_a_kept_copy_alert(run: Path) -> None:
    texts = [one["text"] for one in quality.facts(run)["alerts"]]
    assert "1 kept row gives a held-out item away, by held.overlap." in texts
    assert "1 kept row is the same as a held-out row." in texts


def test_a_row_that_is_a_held_out_row_is_found_without_a_step(tmp_path: Path, make_rows: Make) -> None:
    rows = [{"source": "web", "content": " the  SAME\nitem"}, {"content": "another"}, {"content": ""}]
    held = [{"source": "quiz", "content": "The same item"}, {"content": " "}]
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, rows, heldout=held))
    across = facts["duplicates"]["across_splits"]
    assert (across["rows"], across["kept"], across["items"], across["of_items"]) == (1, 1, 1, 1)
    assert across["matrix"] == {"sources": ["web"], "heldout": ["quiz"], "rows": [[1]]}
    assert "add the step `leak`" in facts["contamination"]["skipped"]


def test_the_page_marks_shared_runs_and_escapes_them(tmp_path: Path, make_rows: Make) -> None:
    bad = "<script>alert(1)</script> one two three"
    rows = [{"held.overlap": 1.0, "held.match": held_id(0), "content": bad}]
    run = write_tiny(tmp_path / "run", make_rows, rows, signals=SIGNALS, heldout=[{"content": bad}])
    text = html.render(quality.facts(run))
    assert "<mark>&lt;script&gt;alert(1)&lt;/script&gt; one two three</mark>" in text


def test_kinds_of_copies_that_no_step_looked_for_are_named(run: Path) -> None:
    missing = quality.facts(run)["duplicates"]["missing"]
    assert [one["kind"] for one in missing] == ["exact", "near", "semantic"]


def test_items_told_in_other_words_are_shown_beside_those_found_by_words(tmp_path: Path, make_rows: Make) -> None:
    signals = {"rephrased.similarity": pl.Float64(), "rephrased.match": pl.String()}
    bound = rule("checks", "rephrased.similarity", "max 0.95", max=0.95)
    near = {"rephrased.match": held_id(0), "source": "web"}
    rows: list[dict[str, Any]] = [
        {**near, "rephrased.similarity": 0.97, "content": "six five <b>four</b>"},
        {**near, "rephrased.similarity": 0.93},
        {**near, "rephrased.similarity": 0.1},
        {**near, "rephrased.similarity": None, "rephrased.match": None},
    ]
    stages = [{"name": "checks", "steps": [{"as": "rephrased", "step": "rephrased"}], "rules": [bound]}]
    held = [{"source": "exam", "content": ITEM}]
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, rows, signals=signals, heldout=held, stages=stages))
    (found,) = facts["contamination"]["steps"]
    assert (found["measure"], found["bound"], found["rows"], found["kept"]) == ("similarity", 0.95, 1, 1)
    assert [band["rows"] for band in found["bands"]] == [1, 0, 0, 0, 2, 0]
    assert found["heldout"] == [{"source": "exam", "items": 1, "hit": 1, "kept_hit": 1, "share": 1.0}]
    assert [pair["value"] for pair in found["pairs"]["strongest"]] == [0.97]
    alerts = [one["text"] for one in facts["alerts"]]
    assert "1 kept row is near a held-out item in meaning, by rephrased.similarity." in alerts
    page = html.render(facts)
    assert "similarity 0.97" in page and "&lt;b&gt;four&lt;/b&gt;" in page
