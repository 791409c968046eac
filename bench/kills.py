"""Kill runs at random moments and go on: `python bench/kills.py [--runs demo large] [--kills N] [--rows N]`.

A run, of two workers, is killed with them and started again in the same folder, until a start comes to its end before
its moment does; then its tables must be those of an undisturbed run, and nothing else may lie beside them. Then it
begins from nothing, until there were as many kills as asked. Moments are drawn evenly up to half of the undisturbed
time, and up to a quarter of it more with each kill of the same run: what takes long, on a machine that others use too,
is done in the end. `demo` is the bundled recipe, `large` reads made-up questions.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from reading import ROOT, write

OUT = ROOT / "bench" / "results" / "kills.json"
SEED = 13
DEMO = ROOT / "rules" / "recipes" / "demo.toml"
TABLES = ("rows.parquet", "mix.parquet", "heldout.parquet", "rejects.jsonl", "failures.jsonl")
WORDS = ["river", "stone", "lamp", "garden", "copper", "window", "bridge", "winter", "orange", "paper", "silver"]
WORDS += ["forest", "engine", "market", "harbour"]
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
# Seconds below which no moment lies: Python has not begun to import us.
SOONEST = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", choices=["demo", "large"], default=["demo", "large"])
    parser.add_argument("--kills", type=int, default=int(os.environ.get("KILLS", "50")))
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    results = []
    for name in given.runs:
        with tempfile.TemporaryDirectory(prefix="curate-kills-") as folder:
            recipe = DEMO if name == "demo" else large(Path(folder), given.rows)
            results.append({"run": name, **campaign(recipe, Path(folder), given.kills)})
        write(given.out, seed=SEED, broken=0, results=results)
    return 0


def large(folder: Path, rows: int) -> Path:
    """Write questions, every ninth asked twice, and a recipe; return its path."""
    draw = random.Random(7)
    with open(folder / "qa.jsonl", "wb") as file:
        for number in range(rows):
            text = " ".join(draw.choices(WORDS, k=12))
            question = f"Which of {text} is number {number - (number % 9 == 8)}?"
            record = {"question": question, "answer": draw.choice(WORDS)}
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    path = folder / "large.toml"
    path.write_text(LARGE, encoding="utf-8")
    return path


def campaign(recipe: Path, folder: Path, kills: int) -> dict[str, Any]:
    """Kill so many times; return how often, how many runs came to their end, and how long it took.

    Raises:
        AssertionError: a run failed, gave other bytes, or left something behind.
    """
    started = time.monotonic()
    assert command(recipe, folder / "whole" / "r", after=None) == 0
    seconds, reference = time.monotonic() - started, tables(folder / "whole" / "r")
    draw, met, whole, most, chain = random.Random(SEED), 0, 0, 0, 0
    while met < kills or chain:
        out = folder / str(whole) / "r"
        moment = draw.uniform(SOONEST, seconds * (2 + chain) / 4) if met < kills else None
        status = command(recipe, out, after=moment)
        if status == -signal.SIGKILL:
            met, chain = met + 1, chain + 1
            most = max(most, chain)
            continue
        assert status == 0, f"status {status} after {met} kills"
        assert tables(out) == reference, f"other bytes after {met} kills"
        assert sorted(one.name for one in out.parent.iterdir()) == [".curate-cache", "r"]
        shutil.rmtree(out.parent)
        whole, chain = whole + 1, 0
        print(f"{recipe.stem}: {met} kills, {whole} runs ended, {time.monotonic() - started:,.0f} s", flush=True)
    facts = {"rows": rows(folder / "whole" / "r"), "undisturbed_seconds": round(seconds, 1)}
    facts |= {"kills": met, "runs_compared": whole, "most_kills_of_one_run": most}
    return facts | {"seconds": round(time.monotonic() - started)}


def rows(run: Path) -> int:
    """Return the train rows of a run."""
    totals: dict[str, int] = orjson.loads((run / "manifest.json").read_bytes())["totals"]
    return totals["train_rows"]


def tables(run: Path) -> list[bytes]:
    """Return the tables that must be the same."""
    return [(run / name).read_bytes() for name in TABLES]


def command(recipe: Path, out: Path, *, after: float | None) -> int:
    """Run a recipe; after some seconds kill it with all its workers. Return its exit status."""
    arguments = [sys.executable, "-m", "curate", "run", str(recipe), "--out", str(out), "--workers", "2", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(arguments, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        return process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
