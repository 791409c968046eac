"""Labels too rare to be listed are not lost unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import curate

RECIPE = """
name = "rare"
[[sources]]
name = "moods"
path = "moods.jsonl"
task = "classification"
[[stages]]
name = "checks"
steps = [{ step = "length", column = "content" }]
keep = [{ signal = "length.words", min = 6, why = "too short" }]
"""


def texts_of_alerts(folder: Path, *, rare_words: int) -> list[str]:
    """Return alerts on labels of a run with 12 labels of 10 long texts each and 20 labels of 4 texts of some words."""
    often = [{"text": f"day {n} was long", "label": f"often {n % 12}"} for n in range(120)]
    rare = [{"text": f"{'so ' * (rare_words - 1)}{n}", "label": f"rare {n % 20}"} for n in range(80)]
    lines = "".join(json.dumps(one) + "\n" for one in (*often, *rare))
    (folder / "moods.jsonl").write_text(lines, encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    facts = curate.run(curate.load_recipe(folder / "recipe.toml"), out=folder / "run").report()
    return [one["text"] for one in facts["alerts"] if one["section"] == "labels"]


def test_labels_that_no_table_lists_are_told_of_when_a_rule_takes_them(tmp_path: Path) -> None:
    found = texts_of_alerts(tmp_path, rare_words=2)
    assert "The 20 rarest labels of source moods lose 100 % of 80 rows, the whole source 40 %." in found


@pytest.mark.parametrize("words", [4, 6])
def test_labels_that_stay_are_not_told_of(tmp_path: Path, words: int) -> None:
    assert not [text for text in texts_of_alerts(tmp_path, rare_words=words) if "rarest" in text]
