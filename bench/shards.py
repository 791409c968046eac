"""Measure a run in shards, part by part: `python bench/shards.py [--rows N…] [--shards N]`.

Texts of 300 characters, a fifth of them near copies (see `corpus.py`), as JSONL of prompts and completions. Reads them,
works out every shard of every stage in a process of its own with one worker, one after another, then merges; and runs
the same recipe in one process, whose tables must be the same to the byte. Prints CPU seconds (of the process and its
children), the largest resident set, and the bytes that each part adds to the shared folder, per row.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import corpus
import orjson
from reading import ROOT, write

OUT = ROOT / "bench" / "results" / "shards.json"
SHARD, COMPLETION = 25_000, 60
STAGES = ("checks", "copies", "near copies")
RECIPE = """
name = "shards"
seed = 13
[[sources]]
name = "short"
path = "short.jsonl"
format = "prompt_completion"
lang = "en"
[[stages]]
name = "checks"
steps = [
    { step = "length" }, { step = "symbols" }, { step = "repetition" }, { step = "echo" }, { step = "refusal" },
    { step = "pii", column = "rendered" }, { step = "truncated" }, { step = "language" },
    { step = "toxicity", concepts = false },
]
keep = [{ signal = "length.words", min = 1, why = "an empty answer teaches nothing" }]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy of each example" }]
[[stages]]
name = "near copies"
steps = [{ step = "minhash" }]
keep = [{ signal = "minhash.rank", max = 0, why = "one of each cluster" }]
"""
READ = """
import sys
from pathlib import Path
from curate import cache, ingest
from curate.recipe import load_recipe
ingest.ingest(load_recipe(sys.argv[1]), store=cache.Store(Path(sys.argv[2])), progress=lambda label, done, total: None)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[25_000, 100_000])
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    results = []
    for rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="curate-shards-") as name:
            results += measured(Path(name), rows, given.shards)
    write(given.out, seed=corpus.SEED, shards=given.shards, results=results)
    return 0


def measured(folder: Path, rows: int, of: int) -> list[dict[str, Any]]:
    """Measure one size and return its parts.

    Raises:
        AssertionError: the shards gave other bytes than one process.
    """
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    lay_out(folder / "short.jsonl", rows)
    store, run, whole = folder / "sharded" / ".curate-cache", folder / "sharded" / "r", folder / "whole" / "r"
    curate = ["-m", "curate", "run", str(recipe), "-q", "--workers", "1", "--out"]
    parts: list[tuple[str, list[str]]] = [("read", ["-c", READ, str(recipe), str(store)])]
    for stage in STAGES:
        one = [*curate, str(run), "--stage", stage, "--shard"]
        parts += [
            (f"{stage}, {'last ' if number == of - 1 else ''}shard", [*one, f"{number}/{of}"]) for number in range(of)
        ]
    parts += [("merge", [*curate, str(run), "--merge"]), ("one process", [*curate, str(whole)])]
    found: dict[str, dict[str, Any]] = {}
    for part, command in parts:
        before = size(folder)
        cpu, mib = spent(command)
        entry = found.setdefault(
            part, {"rows": rows, "part": part, "processes": 0, "cpu_seconds": 0.0, "peak_mib": 0, "bytes": 0}
        )
        entry["processes"] += 1
        entry["cpu_seconds"] = round(entry["cpu_seconds"] + cpu, 2)
        entry["peak_mib"] = max(entry["peak_mib"], round(mib))
        entry["bytes"] += size(folder) - before
    for table in ("rows.parquet", "mix.parquet"):
        assert (run / table).read_bytes() == (whole / table).read_bytes(), table
    for entry in found.values():
        facts = f"{entry['cpu_seconds']:8.1f} CPU s  peak {entry['peak_mib']:6,} MiB"
        facts += f"  {entry['bytes'] / rows:7.1f} bytes per row"
        print(f"{rows:>9,} rows  {entry['part']:<24} {entry['processes']:>3} processes  {facts}", flush=True)
    return list(found.values())


def lay_out(path: Path, rows: int) -> None:
    """Write texts as prompts and completions."""
    with open(path, "wb") as file:
        for shard in range(-(-rows // SHARD)):
            for text in corpus.short(min(SHARD, rows - shard * SHARD), shard)["text"]:
                record = {"prompt": text[:-COMPLETION], "completion": text[-COMPLETION:]}
                file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def spent(command: list[str]) -> tuple[float, float]:
    """Run a command of this Python; return CPU seconds and the largest resident set in MiB."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
