"""`curate tune` and `curate masks` as their users type them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from commands import curate
from conversations import sums
from tiny_model import write_model

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_model(folder / "base")
    with open(folder / "talk.jsonl", "w") as file:
        file.writelines(json.dumps({"messages": turns}) + "\n" for turns in sums(8)["messages"].to_list())
    return folder


def test_tune_trains_a_file_of_conversations(project: Path) -> None:
    done = curate("tune", "talk.jsonl", "--model", "base", "--steps", 3, "--batch", 4, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "a LoRA adapter" in done.stdout and "3 steps" in done.stdout
    assert (project / "talk.base" / "adapter_model.safetensors").is_file()


def test_signals_of_a_training_join_a_run_by_the_step_table(project: Path) -> None:
    assert curate("audit", "talk.jsonl", "--out", "audited", "-q", cwd=project).returncode == 0
    trained = curate("tune", "audited", "--model", "base", "--steps", 4, "--batch", 4, "--out", "taught", cwd=project)
    assert trained.returncode == 0, trained.stderr
    options = ("--run", "audited", "--validation", "talk.jsonl", "--json")
    done = curate("signals", "taught", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["measured"] == 8
    tables = ("signals", "dynamics")
    steps = ", ".join(f'{{ step = "table", as = "{name}", path = "taught/{name}.parquet" }}' for name in tables)
    source = '[[sources]]\nname = "talk"\npath = "talk.jsonl"\nformat = "messages"\n'
    (project / "joined.toml").write_text(f'name = "joined"\n{source}[[stages]]\nname = "s"\nsteps = [{steps}]\n')
    run = curate("run", "joined.toml", "--out", "joined", "-q", cwd=project)
    assert run.returncode == 0, run.stderr
    rows = pl.read_parquet(project / "joined" / "rows.parquet")
    for name in ("signals.learnability", "signals.influence", "dynamics.confidence"):
        assert rows[name].null_count() == 0


def test_signals_of_a_model_from_scratch_need_a_base(project: Path) -> None:
    assert curate("tune", "talk.jsonl", "--model", "tiny", "--steps", 1, "--out", "own", cwd=project).returncode == 0
    done = curate("signals", "own", "--data", "talk.jsonl", cwd=project)
    assert done.returncode == 2
    assert "was trained from scratch" in done.stderr and "--base" in done.stderr


def test_tune_takes_one_budget(project: Path) -> None:
    done = curate("tune", "talk.jsonl", "--model", "base", "--steps", 3, "--tokens", 9, cwd=project)
    assert done.returncode == 2
    assert "one budget" in done.stderr


def test_masks_tells_what_is_wrong_and_ends_with_3(project: Path) -> None:
    done = curate("masks", "talk.jsonl", "--tokenizer", "base", cwd=project)
    assert done.returncode == 3  # the template of the test's tokenizer has no way to ask for an answer
    assert "«four .<|end|>»" in done.stdout or "«two<|end|>»" in done.stdout or "«two and two .<|end|>»" in done.stdout
    found = json.loads(curate("masks", "talk.jsonl", "--tokenizer", "tiny", "--json", cwd=project).stdout)
    assert all(one["ok"] for one in found["checks"])
