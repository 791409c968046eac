"""A higher threshold decided from the pairs of a run is the one that a new run finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.errors import UserError
from curate.rundir import RunDir
from curate.sweep import sweep

RECIPE = """
name = "s"
[[sources]]
name = "qa"
path = "qa.jsonl"
task = "qa_open"
[templates]
per_record = 2
[[stages]]
name = "near copies"
steps = [{ step = "near", threshold = 0.5 }]
keep = [{ signal = "near.rank", max = 0, why = "one of each" }]
"""
WORDS = [f"w{number}" for number in range(60)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    records = [{"question": " ".join(WORDS[start : start + 30]), "answer": f"a{start}"} for start in range(0, 30, 2)]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def ran(project: Path, out: str, *overrides: str) -> RunDir:
    recipe = curate.load_recipe(project / "recipe.toml", overrides=list(overrides))
    return RunDir.open(curate.run(recipe, out=project / out).path)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "curate", *arguments], capture_output=True, text=True, check=False)


def test_every_level_is_what_a_new_run_removes(project: Path) -> None:
    found = sweep(ran(project, "a"))
    thresholds = [level["threshold"] for level in found["levels"]]
    assert thresholds == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    assert len({level["removed"] for level in found["levels"]}) > 3
    for level in found["levels"]:
        rows = ran(project, "b", f"stages.0.steps.0.threshold={level['threshold']}").scan("rows").collect()
        assert level["removed"] == rows.filter(~pl.col("kept")).height
        assert level["removed"] + level["kept"] == rows.height == found["rows"]


def test_a_lower_threshold_and_incomplete_pairs_need_the_join(project: Path) -> None:
    run = ran(project, "a")
    assert sweep(run, thresholds=[0.4])["levels"] == [{"threshold": 0.4, "removed": None, "kept": None}]
    partial = sweep(ran(project, "c", "stages.0.steps.0.sweep=false"))
    assert not partial["complete"]
    assert partial["levels"][0] == sweep(run)["levels"][0]
    assert {level["removed"] for level in partial["levels"][1:]} == {None}


def test_mistakes_are_answered(project: Path) -> None:
    run = ran(project, "a")
    with pytest.raises(UserError, match=r"not in \(0, 1\]"):
        sweep(run, thresholds=[1.5])
    with pytest.raises(UserError, match="did you mean 'near'"):
        sweep(run, step="nera")
    text = RECIPE.replace('step = "near", threshold = 0.5', 'step = "exact"').replace("near.rank", "exact.rank")
    (project / "recipe.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="no step of this run"):
        sweep(ran(project, "d"))


def test_the_command_prints_levels_and_how_to_compare_anew(project: Path) -> None:
    ran(project, "a")
    done = command("sweep", str(project / "a"), "--at", "0.4", "--at", "1")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["0.4", "needs", "the", "join"] in lines
    assert ["1", "0", "30"] in lines
    assert "stages.near copies.steps.near.threshold=" in done.stdout
    asked = json.loads(command("sweep", str(project / "a"), "--json").stdout)
    assert asked["levels"][0]["removed"] > 0


def test_a_source_that_is_none_cannot_be_preferred(project: Path) -> None:
    override = 'stages.0.steps.0.prefer=["source=qq", "longest"]'
    recipe = curate.load_recipe(project / "recipe.toml", overrides=[override])
    with pytest.raises(UserError, match="no source 'qq'; known: qa"):
        curate.run(recipe, out=project / "e")
