"""`curate tune` and `curate masks` as their users type them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conversations import sums
from tiny_model import write_model

pytest.importorskip("torch")


def curate(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


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
