"""Measure the duplicate steps on thousands to millions of short texts: `python bench/scale.py [--rows N…] [--step S]`.

Texts of 300 characters, a fifth of them near copies (see `corpus.py`), in shards of 100,000 rows on disk. As the engine
does, the state of every shard is made by worker processes and written; `minhash` reads it again shard by shard, `near`
holds it in memory. Prints seconds, CPU seconds, the largest resident set of the deciding process (workers apart), and
CPU seconds over n log n against the smallest size. `--same` compares what minhash removes in memory and from shards.
"""

from __future__ import annotations

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import corpus
import orjson
import polars as pl
from reading import ROOT, write

from curate.schema import Measured
from curate.steps import minhash, near

OUT = ROOT / "bench" / "results" / "scale.json"
SHARD = 100_000
STEPS = {"near": near, "minhash": minhash}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[25_000, 100_000, 1_000_000])
    parser.add_argument("--step", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--same", action="store_true", help="compare memory and shards instead")
    parser.add_argument("--folder", type=Path, help="keep the texts here")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(orjson.dumps(part(given.part[0], int(given.part[1]), given)).decode())
        return 0
    with tempfile.TemporaryDirectory(prefix="curate-scale-") as name:
        given.folder = given.folder or Path(name)
        given.folder.mkdir(parents=True, exist_ok=True)
        for shard in range(-(-max(given.rows) // SHARD)):
            path = given.folder / f"{shard:04d}.parquet"
            if not path.is_file():
                corpus.short(SHARD, shard).write_parquet(path)
        if given.same:
            same(given)
            return 0
        results = [line for step in given.step for line in measured(step, given)]
    facts = {"workers": given.workers, "threshold": given.threshold, "seed": corpus.SEED}
    write(given.out, **facts, results=results)
    return 0


def measured(step: str, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Run one step on each size in a process of its own, and print a line for each."""
    first = None
    for rows in given.rows:
        options = ["--workers", given.workers, "--threshold", given.threshold, "--folder", given.folder]
        asked = [sys.executable, __file__, "--part", step, rows, *options]
        found = orjson.loads(subprocess.run([*map(str, asked)], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
        unit = found["cpu_seconds"] / (rows * math.log2(rows))
        first = first or unit
        found["growth"] = round(unit / first, 2)
        print(
            f"{step:<8} {rows:>10,} rows  {found['seconds']:7.1f} s  {found['cpu_seconds']:7.1f} CPU s  "
            f"peak {found['peak_mib']:,} MiB  {found['growth']:.2f}x n log n  removed {found['removed']:,}  "
            f"recall {found.get('recall', 1)}",
            flush=True,
        )
        yield {"step": step, "rows": rows, **found}


def part(step: str, rows: int, given: argparse.Namespace) -> dict[str, Any]:
    """Measure one step on so many rows."""
    with tempfile.TemporaryDirectory(prefix="curate-state-") as name:
        paths = [given.folder / f"{shard:04d}.parquet" for shard in range(-(-rows // SHARD))]
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            for _ in range(2):  # every worker: imports and compiled code
                run(step, [paths[0]] * given.workers, 300 + SHARD * (given.workers - 1), given, Path(name), pool)
            before, started = time.process_time(), time.perf_counter()
            found, spent = run(step, paths, rows, given, Path(name), pool)
            seconds = time.perf_counter() - started
    join = found.tables["join"].row(0, named=True)
    facts = {"seconds": round(seconds, 2), "cpu_seconds": round(time.process_time() - before + spent, 2)}
    facts |= {"peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
    facts |= {"removed": int((found.signals["rank"] > 0).sum()), "pairs": join["pairs"], "texts": join["texts"]}
    if join.get("sampled_pairs"):
        facts["recall"] = round(join["sampled_found"] / join["sampled_pairs"], 4)
    return facts


def run(
    step: str, paths: list[Path], rows: int, given: argparse.Namespace, folder: Path, pool: Executor
) -> tuple[Measured, float]:
    """Make the state of every shard in worker processes, then decide; return also the CPU seconds of the workers."""
    limits = [min(SHARD, rows - number * SHARD) for number in range(len(paths))]
    outs = [folder / f"{number:04d}.parquet" for number in range(len(paths))]
    spent = sum(pool.map(state, [step] * len(paths), paths, limits, outs))
    ids = pl.select(pl.int_range(rows).cast(pl.String).str.zfill(9)).to_series()
    state_of = pl.DataFrame({"id": ids, "record": ids})
    flat = ["known", "length", "turns"]
    settings = {"threshold": given.threshold, "workers": given.workers}
    if step == "near":
        return near.decide(state_of.hstack(pl.read_parquet(outs)), **settings), spent
    lean = state_of.hstack(pl.read_parquet(outs, columns=flat))
    return minhash.decide(lean, **settings, shards=lambda: (pl.read_parquet(path) for path in outs)), spent


def state(step: str, path: Path, limit: int, out: Path) -> float:
    """Write the state of one shard; return the CPU seconds it took."""
    before = time.process_time()
    texts = pl.read_parquet(path, n_rows=limit)["text"]
    STEPS[step].state(pl.DataFrame({"content": texts})).write_parquet(out, compression="uncompressed")
    return time.process_time() - before


def same(given: argparse.Namespace) -> None:
    """Compare what minhash removes from shards with what it removes in memory."""
    rows = min(given.rows)
    paths = [given.folder / f"{shard:04d}.parquet" for shard in range(-(-rows // SHARD))]
    with tempfile.TemporaryDirectory(prefix="curate-state-") as name:
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            shards, _ = run("minhash", paths, rows, given, Path(name), pool)
        whole = pl.concat([pl.read_parquet(path) for path in paths])[:rows]
    ids = pl.select(pl.int_range(rows).cast(pl.String).str.zfill(9)).to_series()
    frame = pl.DataFrame({"id": ids, "record": ids}).hstack(minhash.state(whole.rename({"text": "content"})))
    memory = minhash.decide(frame, threshold=given.threshold)
    assert shards.signals.equals(memory.signals)
    print(f"{rows:,} rows: the same {int((memory.signals['rank'] > 0).sum()):,} removed from shards and in memory")


if __name__ == "__main__":
    sys.exit(main())
