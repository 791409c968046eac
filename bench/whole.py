"""Measure a whole run, stage by stage: `python bench/whole.py [--rows N] [--workers N] [--out FILE]`.

Texts of 300 characters, a fifth of them near copies (see `corpus.py`), as JSONL of prompts and completions, through
nine checks, exact copies, near copies by sketches, a balance of templates, and the export to a trainer's format. Prints
seconds and the largest resident set of each stage, of the whole command and of the export; workers apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import corpus
import orjson
from reading import ROOT, write
from shards import RECIPE, lay_out, size, spent

OUT = ROOT / "bench" / "results" / "whole.json"
# The bar of memory for ten million rows.
GOAL_MIB = 12 << 10
BALANCED = """
[[stages]]
name = "balance"
steps = [{ step = "balance", by = "source" }]
keep = [{ signal = "balance.rank", max = 99999999, why = "measured, not bounded" }]
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    results = []
    for rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="curate-whole-") as name:
            results.append(measured(Path(name), rows, given.workers))
        write(given.out, seed=corpus.SEED, workers=given.workers, goal_mib=GOAL_MIB, results=results)
    return 0


def measured(folder: Path, rows: int, workers: int) -> dict[str, Any]:
    """Run and export so many rows."""
    recipe, run = folder / "recipe.toml", folder / "runs" / "r"
    recipe.write_text(RECIPE + BALANCED, encoding="utf-8")
    lay_out(folder / "short.jsonl", rows)
    command = ["-m", "curate", "run", str(recipe), "-q", "--workers", str(workers), "--out", str(run)]
    started = time.perf_counter()
    cpu, peak = spent(command)
    seconds = time.perf_counter() - started
    manifest = orjson.loads((run / "manifest.json").read_bytes())
    stages = [
        {"stage": one["name"], "seconds": round(one["seconds"], 1), "peak_mib": round(one["peak_memory_mib"]),
         "rows_out": one["rows_out"]}
        for one in manifest["stages"]
    ]  # fmt: skip
    shown(rows, stages)
    whole = {"stage": "whole run", "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mib": round(peak)}
    exported = ["-m", "curate", "export", str(run), "--to", "messages", "--out", str(folder / "export")]
    started = time.perf_counter()
    cpu, peak = spent(exported)
    out = {"seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(cpu, 1), "peak_mib": round(peak)}
    out = {"stage": "export", **out}
    shown(rows, [whole, out])
    return {"rows": rows, "bytes": (folder / "short.jsonl").stat().st_size, "disk": size(folder / "runs"),
            "stages": [*stages, whole, out]}  # fmt: skip


def shown(rows: int, lines: list[dict[str, Any]]) -> None:
    for one in lines:
        print(f"{rows:>10,} rows  {one['stage']:<12} {one['seconds']:8.1f} s  peak {one['peak_mib']:,} MiB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
