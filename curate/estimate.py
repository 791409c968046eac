"""What a run will take, told from a probe of its first records: time, peak memory, disk."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from curate import engine, read, rundir, shelf
from curate.errors import UserError
from curate.recipe import Recipe, Source
from curate.schema import canonical

# Records of the probe, over all sources by their size: it takes seconds, and the mean length of its texts is near that
# of all where these are in no order. The second, smaller probe tells what grows with the rows from what does not.
PROBE, FEW = 200, 20
# How often both are run: twice at least, as the larger one meets code that is compiled when it is first used, and once
# more against a disturbance; but not where both have taken so many seconds of the processor already, as with a recipe
# that loads models: who asks is waiting.
TURNS, PATIENCE = 3, 15.0
# Bytes of a file in which records are counted, to count those of the whole.
SAMPLE = 1 << 23
# Bytes in memory of a record beside its texts while it is read (hashes, places; strings of 16 and more), and of a row's
# verdicts and columns of groups while it is judged: lists and strings of Python and Arrow.
RECORD, ROW = 150, 250
# How often records are there while they are sorted, and signals while they are joined: once, and once more as a copy.
COPIES = 2
# What a run takes over this sum, for the slices that it works on: 1.33 times for 25,000 rows of 300 characters and nine
# checks, 1.42 times for a million and one check (`bench/results/reading.json`); rounded up, as it is to be enough.
SLACK = 1.5
# Where a probe keeps vectors of texts.
VECTORS = "run/cache/embeddings"
Progress = Callable[[str, int, int], None]
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@dataclass(frozen=True)
class _Probed:
    """The first records of a source, and about how many it has."""

    source: Source
    records: list[Any]
    total: float


def estimate(recipe: Recipe, *, workers: int, progress: Progress = lambda label, done, total: None) -> dict[str, Any]:
    """Run a valid recipe over a few of its records, and tell what all of them would take.

    Time, memory and disk are taken to grow in proportion to the records, also those of steps that see all rows. Time is
    that of the processor: on a machine that others use too, or of slow disks, it takes longer.

    Args:
        recipe: what would be run.
        workers: processes for row-wise steps.
        progress: called with a label, what is done and the total.

    Returns:
        JSON data: probe and records (counts), seconds, memory (bytes at the peak, workers included), disk (bytes of the
        run and its cache).

    Raises:
        UserError: when the probe cannot be read or run.
    """
    with TemporaryDirectory(prefix="curate-estimate-") as name:
        folder = Path(name)
        probed = [_probed(source, recipe, folder) for source in recipe.sources]
        total = sum(one.total for one in probed)
        started, pairs = time.process_time(), list[list[dict[str, float]]]()

        def run(size: int, number: int) -> dict[str, float]:
            def tell(label: str, done: int, of: int) -> None:
                progress(f"probe {number}: {label}", done, of)

            if number:  # vectors of what the rules compare with are paid once too; those of the rows are not there
                shutil.copytree(folder / "0" / VECTORS, folder / str(number) / VECTORS, dirs_exist_ok=True)
            return _run(recipe, probed, folder / str(number), size / total, tell)

        cold = run(FEW, 0)  # what is paid once: imports, compiled code, models
        (folder / "0" / VECTORS).mkdir(exist_ok=True)
        # In turns, and the quickest of each: what disturbs one disturbs its neighbour too, and never makes it quicker.
        while len(pairs) < 2 or (len(pairs) < TURNS and time.process_time() - started < PATIENCE):
            pairs.append([run(size, 2 * len(pairs) + turn) for turn, size in enumerate((PROBE, FEW), 1)])
        many, few = (min(runs, key=lambda one: one["seconds"]) for runs in zip(*pairs, strict=True))
    at = {name: _at(total, many, few, name) for name in many}
    base = many["memory"]
    reading = min(at["read"] + RECORD * total, shelf.ROOM)  # the others are on disk meanwhile
    growing = max(COPIES * reading, COPIES * at["signals"] + ROW * at["rows"])
    seconds = max(0.0, cold["seconds"] - few["seconds"]) + at["seconds"] * (1 - many["shared"] * (1 - 1 / workers))
    memory = SLACK * (base * (1 if workers == 1 else 1 + workers) + growing)
    told = {"probe": round(many["records"]), "records": round(total), "workers": workers}
    return told | {"seconds": seconds, "memory": round(memory), "disk": round(at["disk"])}


def require(told: Mapping[str, Any], *, memory: str, file: str) -> None:
    """Refuse a run that would take more memory than it may.

    Raises:
        UserError: saying how much.
    """
    allowed = bytes_of(memory)
    if told["memory"] > allowed:
        what = f"would take about {shown_bytes(told['memory'])} of memory, more than {shown_bytes(allowed)}"
        raise UserError(file, what, "use fewer --workers, a `limit` in its sources, or a machine with more")


def bytes_of(text: str) -> int:
    """Return the bytes that a text such as 8GiB or 512MiB stands for.

    Raises:
        UserError: when it stands for none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]iB|B)", text.strip())
    if found is None:
        raise UserError(f"--memory {text}", "is no size", "write it like 8GiB or 512MiB")
    return round(float(found[1]) * _UNITS[found[2]])


def shown_bytes(size: float) -> str:
    """Return a size for people, in two digits."""
    unit = next((name for name, one in reversed(_UNITS.items()) if size >= one), "B")
    value = size / _UNITS[unit]
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"


def _at(total: float, many: Mapping[str, float], few: Mapping[str, float], name: str) -> float:
    """Return what a figure is for all records, on the line through both probes."""
    apart = many["records"] - few["records"]
    slope = max(0.0, (many[name] - few[name]) / apart) if apart else 0.0
    return many[name] + slope * max(0.0, total - many["records"])


def _probed(source: Source, recipe: Recipe, folder: Path) -> _Probed:
    """Read the first records of a source, and count from the beginning of its first file how many it has."""
    paths = read.expand(source.path, base=recipe.base)
    positional = bool(source.fields) and all(path.isdecimal() for path in source.fields.values())
    options: dict[str, Any] = {"records": source.records, "header": source.header, "positional": positional}
    records, counted, seen = _beginning(paths[0], options, folder)
    whole = sum(path.stat().st_size for file in paths for path in ([file] if file.is_file() else file.rglob("*")))
    total = max(len(records), counted * whole / max(1, seen))
    return _Probed(source, records, min(total, source.limit or total))


def _beginning(path: Path, options: Mapping[str, Any], folder: Path) -> tuple[list[Any], int, int]:
    """Return the first records of a file, how many there are in its beginning, and how many bytes that is."""
    if path.suffix == ".parquet":
        some = [item.data for item in islice(read.read(path, **options), PROBE) if isinstance(item, read.Record)]
        return some, int(pq.ParquetFile(path).metadata.num_rows), path.stat().st_size
    sample = path
    if path.is_file() and path.suffix != ".arrow" and path.stat().st_size > SAMPLE:
        sample = folder / path.name
        with open(path, "rb") as file:
            sample.write_bytes(file.read(SAMPLE))
    found: list[Any] = []
    counted = 0
    try:
        for item in read.read(sample, **options):
            counted += 1
            if isinstance(item, read.Record) and len(found) < PROBE:
                found.append(item.data)
    except UserError:  # the sample breaks off where it was cut
        if sample is path:
            raise
    files = [sample] if sample.is_file() else sample.rglob("*")
    return found, counted, sum(one.stat().st_size for one in files)


def _run(recipe: Recipe, probed: list[_Probed], folder: Path, share: float, progress: Progress) -> dict[str, float]:
    """Run a recipe over a share of its records, and return what that took."""
    folder.mkdir(exist_ok=True)
    sources, records, size = [], 0, 0
    for number, one in enumerate(probed):
        some = [canonical(record) for record in one.records[: max(1, round(one.total * share))]]
        path = folder / f"{number}.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in some))
        given = {"path": str(path), "records": None, "header": None, "limit": None}
        sources.append(one.source.model_copy(update=given))
        records, size = records + len(some), size + sum(map(len, some))
    # A few records say nothing about the share of broken ones.
    small = recipe.model_copy(update={"sources": tuple(sources), "rejects": 1.0, "engine": "local"})
    started, clock = time.process_time(), time.perf_counter()
    engine.execute(small, out=folder / "run" / "r", store=folder / "run" / "cache", progress=progress)
    seconds, passed = time.process_time() - started, time.perf_counter() - clock
    manifest = rundir.RunDir.open(folder / "run" / "r").manifest
    steps = [step for stage in manifest["stages"] for step in stage["steps"]]
    row_wise = sum(step["cost"]["seconds"] or 0.0 for step in steps if step["kind"] == "row-wise")
    results = (folder / "run" / "cache").glob("??/*.parquet")
    peaks = [stage["peak_memory_mib"] for stage in manifest["stages"]]
    return {
        "records": records,
        "read": size,
        "rows": manifest["totals"]["train_rows"],
        "seconds": seconds,
        "shared": min(1.0, row_wise / passed),  # part of the time that workers share
        "signals": sum(pl.read_parquet(path).estimated_size() for path in results),
        "disk": sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file()),
        "memory": max([manifest["peak_memory_mib"], *peaks]) * (1 << 20),
    }
