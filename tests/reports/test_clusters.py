"""Alarms about clusters: planted disclaimers, templates and copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import write_tiny

from curate import text
from reports import html, quality
from reports.spans import longest

DISCLAIMER = (
    "This answer is given without any warranty by the editors of the harbour almanac, who ask you to write to them "
    "where you find it wrong"
)
MakeRows = Callable[..., pl.DataFrame]


def other(number: int, **more: Any) -> dict[str, Any]:
    """Return a row that shares no run of words with another."""
    said = " ".join(f"{word}{number}" for word in ("stone", "lamp", "paper", "orange", "winter"))
    return {"record": f"{number:05}o", "prompt": said, "response": f"so{number}", "content": said, **more}


def facts_of(
    folder: Path, make_rows: MakeRows, rows: list[dict[str, Any]], clusters: list[list[int]], *, step: str = "exact"
) -> dict[str, Any]:
    """Return the report of a run in which a step found clusters of rows, given by their numbers, keepers first."""
    ids = {row["meta"]: row["id"] for row in make_rows(
        *({**row, "meta": str(number)} for number, row in enumerate(rows))).iter_rows(named=True)}  # fmt: skip
    rows = [dict(row) for row in rows]
    for keeper, *members in clusters:
        for member in members:
            rows[member] |= {f"{step}.keeper": ids[str(keeper)], f"{step}.similarity": 1.0}
    signals = {f"{step}.keeper": pl.String(), f"{step}.similarity": pl.Float64()}
    stages = [{"name": "copies", "steps": [{"step": step, "as": step}], "rules": []}]
    return quality.facts(write_tiny(folder / "run", make_rows, rows, signals=signals, stages=stages))


def alarms_of(facts: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = facts["duplicates"]["steps"][0]["alarms"]
    return found


def told(facts: dict[str, Any]) -> list[str]:
    return [one["text"] for one in facts["alerts"] if one["section"] == "duplicates" and one["severity"] == "warning"]


@pytest.mark.parametrize("step", ["exact", "minhash", "near", "semantic"])
def test_three_hundred_rows_with_one_disclaimer_are_told_with_it(
    tmp_path: Path, make_rows: MakeRows, step: str
) -> None:
    planted = [
        {"record": f"{n:05}d", "prompt": f"ask{n}", "response": DISCLAIMER, "content": f"ask{n}\n{DISCLAIMER}."}
        for n in range(300)
    ]
    rows = [*planted, *(other(number) for number in range(700))]
    facts = facts_of(tmp_path, make_rows, rows, [list(range(300))], step=step)
    found = alarms_of(facts)
    assert (found["large"], found["only_frequent"], found["examined"]) == (1, 0, 1)
    (one,) = found["list"]
    assert (one["size"], one["rows"], one["source_rows"]) == (300, 300, 1000)
    assert one["span"] == " ".join(text.words(DISCLAIMER))
    (sentence,) = [line for line in told(facts) if "1 % of a source" in line]
    assert f"found by {step}: 300 rows of source test, 30 % of it. All that were read share" in sentence
    assert "“this answer is given without any warranty by the editors" in sentence
    assert one["span"] in html.render(facts)
    assert facts["headline"]["kept"] == 1000


def test_small_clusters_are_calm(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = [*({**other(9000), "record": f"{n:05}c"} for n in range(9)), *(other(number) for number in range(100))]
    found = alarms_of(facts_of(tmp_path, make_rows, rows, [list(range(9))]))
    assert found == {"examined": 1, "large": 0, "only_frequent": 0, "list": []}


def test_the_share_is_that_of_a_source(tmp_path: Path, make_rows: MakeRows) -> None:
    copies = [{**other(9000), "record": f"{n:05}c", "source": "small" if n % 2 else "large"} for n in range(20)]
    rows = [*copies, *(other(n, source="large" if n < 2000 else "small") for n in range(2300))]
    found = alarms_of(facts_of(tmp_path, make_rows, rows, [list(range(20))]))
    assert [(one["source"], one["rows"], one["source_rows"]) for one in found["list"]] == [("small", 10, 310)]


def framed(number: int) -> dict[str, Any]:
    said = f"Please read what stands here and say whether it is good or bad news{number}"
    return {"record": f"{number:05}f", "prompt": said, "response": f"so{number}", "content": said}


def test_rows_that_share_only_what_many_rows_have_are_told(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = [*(framed(number) for number in range(100)), *(other(number) for number in range(100))]
    facts = facts_of(tmp_path, make_rows, rows, [[0, 1, 2], [100, 101]], step="minhash")
    found = alarms_of(facts)
    assert (found["large"], found["only_frequent"], found["examined"]) == (0, 1, 2)
    assert found["list"][0]["span"] == "please read what stands here and say whether it is good or bad"
    assert any("share" in line and "only text that many other rows have: 3 rows" in line for line in told(facts))


def test_a_rare_run_of_words_makes_a_copy(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = [*(framed(number) for number in range(100)), framed(0) | {"record": "00500f"}]
    assert alarms_of(facts_of(tmp_path, make_rows, rows, [[0, 100]]))["only_frequent"] == 0


def test_personal_data_in_a_span_is_masked(tmp_path: Path, make_rows: MakeRows) -> None:
    said = "Write to jane.doe@firm-letters.de or call her sister"
    rows = [{**other(n), "record": f"{n:05}p", "content": said} for n in range(30)]
    (one,) = alarms_of(facts_of(tmp_path, make_rows, rows, [list(range(30))]))["list"]
    assert "doe" not in one["span"]
    assert "call her sister" in one["span"]


def test_a_span_is_no_markup_on_the_page(tmp_path: Path, make_rows: MakeRows) -> None:
    rows = [
        {**other(n), "record": f"{n:05}m", "content": "a <b>bold</b> claim", "source": "<i>x</i>"} for n in range(30)
    ]
    page = html.render(facts_of(tmp_path, make_rows, rows, [list(range(30))]))
    assert "<i>x</i>" not in page


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a b c d", "x b c d", "b c d y"], "b c d"),
        (["a b", "c d"], ""),
        (["The SAME, twice", "the same twice"], "the same twice"),
        (["a", ""], ""),
        (["only one"], "only one"),
    ],
)
def test_the_longest_run_that_all_texts_share(texts: list[str], expected: str) -> None:
    assert longest(texts) == expected


@given(st.lists(st.text(alphabet="ab ", max_size=12), min_size=1, max_size=4))
def test_the_longest_run_is_in_all_texts_and_none_is_longer(texts: list[str]) -> None:
    found = longest(texts).split()
    words = [text.words(one) for one in texts]

    def shared(size: int) -> bool:
        runs = [{tuple(one[at : at + size]) for at in range(len(one) - size + 1)} for one in words]
        return bool(set.intersection(*runs))

    assert not found or all(f" {' '.join(found)} " in f" {' '.join(one)} " for one in words)
    assert not shared(len(found) + 1)
