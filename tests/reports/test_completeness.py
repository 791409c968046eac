from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import curate
from reports import terminal

RECIPE = """
name = "c"
[[sources]]
name = "qa"
path = "qa.jsonl"
task = "qa_open"
[[stages]]
name = "copies"
steps = [{{ step = "{step}" }}]
keep = [{{ signal = "{step}.rank", max = 0, why = "one of each" }}]
"""
WORDS = [f"w{number}" for number in range(60)]


@pytest.mark.parametrize(
    ("step", "said", "sampled"),
    [
        ("exact", "equal texts have equal hashes", None),
        ("near", "every pair at 0.8 or above was found", None),
        ("minhash", "a pair at 0.8 is found with probability 1.0000", 10),
    ],
)
def test_each_step_says_what_it_may_have_missed(step: str, said: str, sampled: int | None, tmp_path: Path) -> None:
    records = [{"question": " ".join(WORDS[start : start + 40]), "answer": f"a{start}"} for start in range(10)]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE.format(step=step), encoding="utf-8")
    facts = curate.run(curate.load_recipe(tmp_path / "recipe.toml"), out=tmp_path / "run").report()
    found = facts["duplicates"]["steps"][0]["completeness"]
    assert said in found["text"]
    assert found["sampled"] == sampled
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert said in page
    console = Console(width=120, record=True, file=io.StringIO())
    terminal.summary(facts, console=console)
    assert (found["text"][:60] in console.export_text()) == (sampled is not None)
    if sampled:
        # 39 shingles each, the last one with the answer; 37, 36 and 35 are common to texts that slide by 1, 2 and 3
        # words (35 / 43 = 0.81), 34 to those by 4 (34 / 44 = 0.77). Each pair is met from both its sides.
        assert found["true"] == found["found"] == 2 * (9 + 8 + 7)
