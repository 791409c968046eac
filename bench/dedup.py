"""Measure near-duplicate removal beside its peers: `python bench/dedup.py [--rows N…] [--methods NAME…] [--out FILE]`.

The corpus is a published mix with seeded edits (see `corpus.py`); each method runs in a process of its own on one core,
reads Parquet and returns the kept rows, 5-word shingles for all. Methods take turns, so that noise meets all of them;
CPU seconds are medians. Ratios are to the faster of the peers in the same run. Truth is computed apart (`truth.py`).
Needs the peers: pip install --constraint constraints.txt --editable '.[bench]'.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import orjson
import polars as pl
import truth
from reading import ROOT, write

OUT = ROOT / "bench" / "results" / "dedup.json"
PEERS = ("rensa", "gaoya", "datasketch")
METHODS = ("near", "near with all pairs", "minhash", "rensa", "gaoya")
LEAST = 0.7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--threshold", type=float, default=LEAST)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1, help="threads and cores of each process")
    parser.add_argument("--folder", type=Path, help="keep corpus and truth here")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curate-dedup-") as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        results = [one for rows in given.rows for one in measured(folder, rows, given)]
    facts = {"threshold": given.threshold, "rounds": given.rounds, "workers": given.workers, "seed": corpus.SEED}
    write(given.out, **facts, results=results)
    return 0


def measured(folder: Path, rows: int, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Run every method on the first rows and print a line for each."""
    path = folder / f"rows_{max(given.rows)}.parquet"
    if not path.is_file():
        corpus.make(path, max(given.rows))
    texts = pl.read_parquet(path, n_rows=rows)["text"]
    size = int(texts.str.len_bytes().sum())
    known = truth.of(path, rows, least=min(LEAST, given.threshold)).filter(pl.col("similarity") >= given.threshold)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in given.methods}
    for _ in range(given.rounds):
        for name in given.methods:
            runs[name].append(apart(name, path, rows, given))
    results = []
    for name, found in runs.items():
        spent = statistics.median(run["cpu_seconds"] for run in found)
        wall = statistics.median(run["seconds"] for run in found)
        kept = np.load(folder / f"{name}.npy")
        peak = max(run["peak_mib"] for run in found)
        one = {"method": name, "rows": rows, "text_bytes": size, "cpu_seconds": spent, "seconds": wall}
        one |= {"cpu_all": [run["cpu_seconds"] for run in found], "rows_per_cpu_second": round(rows / spent)}
        one |= {"peak_mib": peak, "peak_to_text": round(peak * (1 << 20) / size, 2)}
        results.append({**one, **truth.score(kept, known, rows)})
    best = min((one["cpu_seconds"] for one in results if one["method"] in PEERS), default=None)
    for one in results:
        one["times_the_faster_peer"] = round(best / one["cpu_seconds"], 2) if best else None
        print(
            f"{rows:>9,} rows  {one['method']:<20} {one['cpu_seconds']:7.2f} CPU s  {one['seconds']:7.2f} s  "
            f"{one['times_the_faster_peer'] or 0:5.2f}x  peak {one['peak_to_text']:5.2f}x the text  "
            f"recall {one['recall']:.5f}  precision {one['precision']:.5f}  witnessed {one['witnessed']:.5f}",
            flush=True,
        )
    return results


def apart(name: str, path: Path, rows: int, given: argparse.Namespace) -> dict[str, Any]:
    """Run one method in a process of its own, on as many cores as it has workers."""
    cores = ",".join(str(core) for core in range(given.workers))
    out = path.parent / f"{name}.npy"
    script = ROOT / "bench" / "methods.py"
    asked = [sys.executable, script, name, path, rows, given.threshold, given.workers, out]
    command = ["taskset", "-c", cores, *map(str, asked)]
    found: dict[str, Any] = orjson.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
