"""Two runs side by side: counts a person can check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import curate
from reports import compare

RECIPE = """
name = "pair"
[[sources]]
name = "qa"
path = "qa.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 2, why = "short" }]
"""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Return two runs over answers of one to four words: the second has one record less and a bound of three."""
    answers = ["one", "one two", "one two three", "one two three four"]
    records = [{"question": f"Question number {i}?", "answer": answer} for i, answer in enumerate(answers)]
    (tmp_path / "r.toml").write_text(RECIPE)
    for name, count, bound in (("a", 4, 2), ("b", 3, 3)):
        (tmp_path / "qa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records[:count]))
        recipe = curate.load_recipe(tmp_path / "r.toml", overrides=[f"stages.checks.keep.0.min={bound}"])
        curate.run(recipe, out=tmp_path / "runs" / name)
    return tmp_path / "runs" / "b", tmp_path / "runs" / "a"


def test_rows_are_matched_by_id(runs: tuple[Path, Path]) -> None:
    told = compare(*runs)
    assert told["rows"] == {"added": 0, "removed": 1, "changed": 1, "same": 2}
    assert told["verdicts"] == [{"before": "kept", "after": "checks", "rows": 1}]
    assert told["totals"]["kept"] == [3, 1]
    assert told["rules"] == {"checks/length.words min 2": [1, None], "checks/length.words min 3": [None, 2]}
    assert [(one["task"], one["before"], one["after"]) for one in told["tasks"]] == [("qa_open", 3, 1)]
