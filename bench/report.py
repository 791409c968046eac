"""Measure the report of a large run: `python bench/report.py [--rows N] [--out FILE]`.

Audits seeded records (see `generated.py`), then makes a run of N rows (a million unless said otherwise) out of that one
by writing it many times over, each time with other ids and a mark in the texts: its signals, side tables and counts are
those of the audit. Measures `curate report` on it: seconds, CPU seconds, the largest resident set of the process
(`resource.getrusage`), and the bytes of `report.html` and `report.json`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from generated import write_records
from reading import ROOT, measure, write

from curate import rundir

OUT = ROOT / "bench" / "results" / "report.json"
SEED = 13
BASE = 20_000  # rows that are audited
GOAL_SECONDS, GOAL_BYTES = 60, 5_000_000
ID = r"^[0-9a-f]{32}$"
MARK = 3  # hexadecimal digits of an id that tell the repetitions apart
# Counts of the manifest that grow with the rows.
COUNTS = {
    "records_read",
    "rejects",
    "left_out",
    "rows",
    "rows_in",
    "rows_out",
    "evaluated",
    "failed",
    "first",
    "unique",
}
COUNTS |= {"unknown", "train_rows", "heldout_rows", "kept", "dropped", "repairs"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    parser.add_argument("--run", type=Path, help="keep the run here, or use the one that is there")
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(orjson.dumps(measure([sys.executable, "-m", "curate", "report", str(given.part)])).decode())
        return 0
    with tempfile.TemporaryDirectory(prefix="curate-report-") as name:
        run = given.run or Path(name) / "run"
        if not (run / "manifest.json").is_file():
            make(Path(name), run, given.rows)
        asked = [sys.executable, __file__, "--part", str(run)]
        found = orjson.loads(subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
        sizes = {file: (run / file).stat().st_size for file in ("report.html", "report.json")}
        rows = rundir.RunDir.open(run).manifest["totals"]["train_rows"]
    took = f"{found['seconds']:.1f} s (goal {GOAL_SECONDS})  {found['cpu_seconds']:.1f} CPU s"
    page = f"report.html {sizes['report.html']:,} bytes (goal {GOAL_BYTES:,})"
    print(f"{rows:,} rows  {took}  peak {found['peak_mib']:,} MiB  {page}")
    goals = {"goal_seconds": GOAL_SECONDS, "goal_bytes": GOAL_BYTES}
    write(given.out, n=rows, seed=SEED, audited=BASE, **goals, results={**found, **sizes})
    return 0


def make(folder: Path, run: Path, rows: int) -> None:
    """Audit `BASE` records and write their run directory over and over."""
    write_records(folder / "generated.jsonl", min(BASE, rows), seed=SEED)
    audit = [
        sys.executable,
        "-m",
        "curate",
        "audit",
        str(folder / "generated.jsonl"),
        "--out",
        str(folder / "base"),
        "-q",
    ]
    subprocess.run(audit, cwd=ROOT, check=True)
    base = rundir.RunDir.open(folder / "base")
    times = max(1, rows // BASE)
    (run / "tables").mkdir(parents=True)
    for table in ("rows", "mix", "heldout", "origins"):
        repeat(base.scan(table).collect(), run / f"{table}.parquet", times)
    for table in base.table_names():
        # The step `map` embeds a sample whose size does not grow with the rows; a join tells of itself in one row.
        again = 1 if table.startswith("map.") or table.endswith(".join") else times
        repeat(pl.read_parquet(base.path / "tables" / f"{table}.parquet"), run / "tables" / f"{table}.parquet", again)
    rundir.write_text(run / "rejects.jsonl", (base.path / "rejects.jsonl").read_text(encoding="utf-8") * times)
    rundir.write_json(run / "manifest.json", grown(base.manifest, times))


def repeat(frame: pl.DataFrame, path: Path, times: int) -> None:
    """Write a table `times` times, a row group each, the ids of each repetition beginning with its number."""
    texts = {name: kind for name, kind in frame.schema.items() if kind in (pl.String, pl.List(pl.String))}
    flat = {name: frame[name].explode() if isinstance(kind, pl.List) else frame[name] for name, kind in texts.items()}
    ids = {name for name, column in flat.items() if column.drop_nulls().str.contains(ID).all() and column.count()}
    with rundir.Writer(path, frame.schema) as writer:
        for number in range(times):
            mark = f"{number:0{MARK}x}"
            other = [_renamed(name, texts[name], mark) for name in sorted(ids)]
            other += [pl.col(name) + f" {mark}" for name in ("prompt", "response") if name in texts]
            changed = frame.with_columns(*other)
            writer.write(changed.sort("id") if "id" in ids else changed)


def _renamed(name: str, kind: pl.DataType, mark: str) -> pl.Expr:
    """Return the ids of a column, or of lists in it, begun with another mark."""
    one = (pl.element() if isinstance(kind, pl.List) else pl.col(name)).str.slice(MARK)
    other = pl.lit(mark) + one
    return pl.col(name).list.eval(other) if isinstance(kind, pl.List) else other.alias(name)


def grown(data: Any, times: int, *, counted: bool = False) -> Any:
    """Return the manifest with every count of rows multiplied."""
    if isinstance(data, dict):
        return {key: grown(value, times, counted=key in COUNTS or counted) for key, value in data.items()}
    if isinstance(data, list):
        return [grown(value, times) for value in data]
    return data * times if counted and isinstance(data, int) and not isinstance(data, bool) else data


if __name__ == "__main__":
    sys.exit(main())
