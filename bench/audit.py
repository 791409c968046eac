"""Measure an audit from start to page: `python bench/audit.py [--records N] [--data FILE] [--out FILE]`.

Runs `curate audit` with two workers on N seeded records (100,000 unless said otherwise; see `generated.py`), or on a
file of your own. Measures seconds, CPU seconds and the largest resident set of a process (`resource.getrusage`), and
lists the seconds of each step from the manifest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import orjson
from generated import write_records
from reading import ROOT, measure, write

OUT = ROOT / "bench" / "results" / "audit.json"
SEED = 13
WORKERS = 2
GOAL_SECONDS = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--data", type=Path, help="audit this file instead of generated records")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curate-audit-") as name:
        data, run = given.data or Path(name) / "generated.jsonl", Path(name) / "run"
        if given.data is None:
            write_records(data, given.records, seed=SEED)
        audit = ["audit", str(data.absolute()), "--out", str(run), "--workers", str(WORKERS), "-q"]
        # The cache lies beside the run, so every measurement starts from nothing.
        found = measure([sys.executable, "-m", "curate", *audit])
        manifest = orjson.loads((run / "manifest.json").read_bytes())
        page = (run / "report.html").stat().st_size
    steps = {step["as"]: step["seconds"] for stage in manifest["stages"] for step in stage["steps"]}
    rows = manifest["totals"]["train_rows"]
    slowest = ", ".join(f"{step} {seconds:.1f}" for step, seconds in sorted(steps.items(), key=lambda one: -one[1])[:4])
    took = f"{found['seconds']:.1f} s (goal {GOAL_SECONDS} for 100,000)  {found['cpu_seconds']:.1f} CPU s"
    print(f"{rows:,} rows  {took}  peak {found['peak_mib']:,} MiB  slowest: {slowest}")
    results = {**found, "run_seconds": manifest["seconds"], "report.html": page, "steps": steps}
    asked = {"n": rows, "seed": SEED, "workers": WORKERS, "data": given.data.name if given.data else "generated"}
    write(given.out, **asked, goal_seconds=GOAL_SECONDS, results=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
