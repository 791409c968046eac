"""`curate evaluate` as its users type it, on a run with held-out rows."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from commands import curate
from tiny_model import write_model

pytest.importorskip("torch")

RECIPE = """
name = "small"

[[sources]]
name = "train"
path = "train.jsonl"
task = "classification"
fields = { text = "text", label = "label" }

[[sources]]
name = "test"
path = "test.jsonl"
task = "classification"
fields = { text = "text", label = "label" }
split = "heldout"

[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = []
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_model(folder / "base")
    (folder / "recipe.toml").write_text(RECIPE)
    for name, count in (("train", 12), ("test", 6)):
        with open(folder / f"{name}.jsonl", "w") as file:
            for number in range(count):
                label = "good" if number % 2 else "bad"
                file.write(json.dumps({"text": f"{name} text number {number}", "label": label}) + "\n")
    done = curate("run", "recipe.toml", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_evaluate_scores_every_held_out_row(project: Path) -> None:
    done = curate("evaluate", "base", "--run", "runs/small", "--out", "scores", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    scores = pl.read_parquet(project / "scores" / "scores.parquet")
    assert scores.columns == ["id", "record", "source", "task", "template", "metric", "value"]
    accuracy = scores.filter(pl.col("metric") == "accuracy")
    assert accuracy.height == accuracy["id"].n_unique() == 6
    assert set(accuracy["value"]) <= {0.0, 1.0}
    told = next(one for one in found["means"] if one["metric"] == "accuracy")
    assert told["mean"] == pytest.approx(accuracy["value"].to_numpy().mean())
    assert told["low"] <= told["mean"] <= told["high"]


def test_evaluate_needs_held_out_rows(project: Path) -> None:
    alone = RECIPE.replace('split = "heldout"', "").replace('"small"', '"alone"')
    (project / "alone.toml").write_text(alone)
    assert curate("run", "alone.toml", "-q", cwd=project).returncode == 0
    done = curate("evaluate", "base", "--run", "runs/alone", cwd=project)
    assert done.returncode == 4
    assert "no held-out rows" in done.stderr


def test_evaluate_takes_one_kind_of_data(project: Path) -> None:
    assert curate("evaluate", "base", cwd=project).returncode == 2
