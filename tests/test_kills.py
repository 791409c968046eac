"""Fifty kills of the demo and of a run of 200,000 rows: the same bytes as undisturbed, by `make test-slow`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forks import ROOT
from projects import WORDS

DEMO = ROOT / "rules" / "recipes" / "demo.toml"
TABLES = ("rows.parquet", "mix.parquet", "heldout.parquet", "rejects.jsonl", "failures.jsonl")
KILLS = int(os.environ.get("KILLS", "50"))
ROWS = int(os.environ.get("KILLED_ROWS", "200000"))
LARGE = """
name = "large"
[[sources]]
name = "qa"
path = "qa.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "repetition" }, { step = "pii", column = "rendered" }]
keep = [{ signal = "length.words", min = 1, why = "x" }]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "x" }]
[[stages]]
name = "near copies"
steps = [{ step = "minhash" }]
keep = [{ signal = "minhash.rank", max = 0, why = "x" }]
"""


def tables(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in TABLES]


def command(recipe: Path, out: Path, *, after: float | None) -> int:
    """Run a recipe; after some seconds kill it with all its workers."""
    arguments = [sys.executable, "-m", "curate", "run", str(recipe), "--out", str(out), "--workers", "2", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(arguments, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        return process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def campaign(recipe: Path, folder: Path) -> int:
    """Kill at random moments, each time let the run go on to its end and compare; return how many kills met a run.

    Every other time the run starts from nothing; in between it goes on from what the kill before had left.
    """
    started = time.monotonic()
    assert command(recipe, folder / "0" / "r", after=None) == 0
    seconds, reference = time.monotonic() - started, tables(folder / "0" / "r")
    draw, met = random.Random(13), 0
    for number in range(1, KILLS + 1):
        out = folder / str((number + 1) // 2) / "r"
        met += command(recipe, out, after=draw.uniform(0.2, seconds)) == -signal.SIGKILL
        if number % 2 == 0 or number == KILLS:
            assert command(recipe, out, after=None) == 0
            assert tables(out) == reference
            assert sorted(one.name for one in out.parent.iterdir()) == [".curate-cache", "r"]
    return met


@pytest.mark.slow
def test_the_demo_killed_at_fifty_moments_gives_the_same_bytes(tmp_path: Path) -> None:
    assert campaign(DEMO, tmp_path) > KILLS // 2


@pytest.mark.slow
def test_a_large_run_killed_at_fifty_moments_gives_the_same_bytes(tmp_path: Path) -> None:
    draw = random.Random(7)
    with open(tmp_path / "qa.jsonl", "w") as file:
        for number in range(ROWS):
            text = " ".join(draw.choices(WORDS, k=12))
            record = {
                "question": f"Which of {text} is number {number - (number % 9 == 8)}?",
                "answer": draw.choice(WORDS),
            }
            file.write(json.dumps(record) + "\n")
    (tmp_path / "large.toml").write_text(LARGE, encoding="utf-8")
    assert campaign(tmp_path / "large.toml", tmp_path) > KILLS // 2
