"""Run every bundled recipe in every way and compare bytes: `python bench/contract.py [--recipes N…] [--ways W…]`.

Each way begins from nothing, in slices so small that there is something to share out: one process, two workers,
two workers of which one is killed at work (the run is then started again), 1, 3 and 7 shards of every stage, the last
ones first, and a Ray of two processors. The audit recipe reads the instruction files of the sample, the others bring
their own sources. Stops at the first table that differs.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from multiprocessing import active_children
from pathlib import Path
from typing import Any

from reading import ROOT, write

sys.path.append(str(ROOT / "tests" / "support"))

from sharing import sharded

import curate
from curate import audit, ingest
from curate.recipe import Recipe

OUT = ROOT / "bench" / "results" / "contract.json"
# Records per slice: thirteen slices of the sample; the audit has only 40 records.
SLICE, AUDIT_SLICE = 50, 8
TABLES = ("rows.parquet", "mix.parquet", "heldout.parquet", "rejects.jsonl", "failures.jsonl")
RECIPES = tuple(sorted(path.stem for path in (ROOT / "rules" / "recipes").glob("*.toml")))
AUDITED = ("requests_alpaca.json", "garden_messages.jsonl", "talks_sharegpt.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    results = [line for name in given.recipes for line in held(name, given.ways)]
    ray = importlib.metadata.version("ray") if find_spec("ray") else None
    write(given.out, ray=ray, tables=TABLES, differing=0, results=results)
    return 0


def held(name: str, ways: list[str]) -> list[dict[str, Any]]:
    """Run one recipe in one process and then in these ways.

    Raises:
        AssertionError: a way gave other bytes.
    """
    ingest.SLICE = AUDIT_SLICE if name == "audit" else SLICE
    results: list[dict[str, Any]] = []
    expected: dict[str, bytes] = {}
    for way in dict.fromkeys(["one process", *ways]):
        if way == "ray" and find_spec("ray") is None:
            print(f"{name:<8} ray          left out: it is not installed", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="curate-contract-") as folder:
            started, clock = time.perf_counter(), time.process_time()
            run = WAYS[way](bundled(name), Path(folder) / "r")
            seconds, spent = time.perf_counter() - started, time.process_time() - clock
            found = {table: (run.path / table).read_bytes() for table in TABLES}
            expected = expected or found
            differing = [table for table in TABLES if found[table] != expected[table]]
            assert not differing, f"{name}, {way}: {', '.join(differing)} differ"
            rows, kept = (run.manifest["totals"][total] for total in ("train_rows", "kept"))
        facts = {"recipe": name, "way": way, "slice": ingest.SLICE, "rows": rows, "kept": kept}
        print(f"{name:<8} {way:<12} {kept:,} of {rows:,} rows  {seconds:6.1f} s", flush=True)
        results.append({**facts, "seconds": round(seconds, 1), "own_cpu_seconds": round(spent, 1)})
    return results


def bundled(name: str) -> Recipe:
    """Return a bundled recipe over the bundled sample."""
    if name == "audit":
        return audit.audit_recipe([ROOT / "rules" / "samples" / file for file in AUDITED], seed=1)
    return curate.load_recipe(ROOT / "rules" / "recipes" / f"{name}.toml")


def one_process(recipe: Recipe, out: Path) -> curate.Run:
    return curate.run(recipe, out=out)


def workers(recipe: Recipe, out: Path) -> curate.Run:
    return curate.run(recipe, out=out, workers=2)


def on_ray(recipe: Recipe, out: Path) -> curate.Run:
    return curate.run(recipe.model_copy(update={"engine": "ray"}), out=out, workers=2)


@dataclass
class Killer:
    """Kills a worker process once, between two slices of a step."""

    killed: list[int] = field(default_factory=list)

    def __call__(self, label: str, done: int, total: int) -> None:
        """Take notice of progress."""
        at_work = active_children()
        if at_work and not self.killed and 0 < done < total:
            self.killed.append(int(at_work[0].pid or 0))
            os.kill(self.killed[0], signal.SIGKILL)


def killed(recipe: Recipe, out: Path) -> curate.Run:
    """Kill a worker, then go on from what is there.

    Raises:
        AssertionError: no worker was killed, or the run did not notice.
    """
    killer = Killer()
    try:
        curate.run(recipe, out=out, workers=2, progress=killer)
    except curate.UserError as error:
        assert "a worker process was ended from outside" in error.what, error
    else:
        raise AssertionError("the run ended as if no worker had been killed")
    assert killer.killed
    return curate.run(recipe, out=out, workers=2)


WAYS: dict[str, Callable[[Recipe, Path], curate.Run]] = {
    "one process": one_process,
    "two workers": workers,
    "killed": killed,
    **{f"{of} shards": partial(sharded, of=of) for of in (1, 3, 7)},
    "ray": on_ray,
}

if __name__ == "__main__":
    sys.exit(main())
