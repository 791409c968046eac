"""Measure memory and speed on a large file of short records: `python bench/reading.py [--records N] [--out FILE]`.

Writes N records of 300 characters (a million unless said otherwise) as JSONL to a temporary folder, then measures in a
process of its own each: reading alone, and `curate run --workers 1` with the steps length and exact. Peak memory is the
largest resident set of the process, from `resource.getrusage(RUSAGE_CHILDREN)`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "results" / "reading.json"
SEED = 13
CHARACTERS = 300  # of prompt and completion together
COMPLETION = 60
VOCABULARY = 5000
GOAL_MIB = 2048
PLACES = ("--folder", "--out", "--cells", "--failures")
RECIPE = """
name = "reading"
seed = 13

[[sources]]
name = "short"
path = "short.jsonl"
format = "prompt_completion"
lang = "en"

[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 1, why = "an empty answer teaches nothing" }]

[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy of each example" }]
"""
READ = """
import sys
from pathlib import Path
from curate.read import read
print(sum(1 for _ in read(Path(sys.argv[1]))))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    parser.add_argument("--part", choices=["read", "run"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(orjson.dumps(measure(commands(given.folder)[given.part])).decode())
        return 0
    with tempfile.TemporaryDirectory(prefix="curate-reading-") as name:
        folder = Path(name)
        write_records(folder / "short.jsonl", given.records)
        (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        size = (folder / "short.jsonl").stat().st_size
        # Each part in a process of its own, since the peak of children is that of the largest so far.
        found = {part: apart(part, folder) for part in ("read", "run")}
    results = {part: show(part, one, given.records) for part, one in found.items()}
    write(given.out, n=given.records, seed=SEED, bytes=size, goal_mib=GOAL_MIB, results=results)
    return 0


def write_records(path: Path, count: int) -> None:
    """Write seeded records of `CHARACTERS` characters."""
    drawn = random.Random(SEED)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(drawn.choices(letters, k=drawn.randint(2, 9))) for _ in range(VOCABULARY)]
    with open(path, "wb") as file:
        for _ in range(count):
            text = " ".join(drawn.choices(known, k=CHARACTERS // 3))[:CHARACTERS]
            record = {"prompt": text[:-COMPLETION], "completion": text[-COMPLETION:]}
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is measured."""
    run = ["-m", "curate", "run", str(folder / "recipe.toml"), "--out", str(folder / "run"), "--workers", "1", "-q"]
    return {
        "read": [sys.executable, "-c", READ, str(folder / "short.jsonl")],
        "run": [sys.executable, *run],
    }


def apart(part: str, folder: Path) -> dict[str, Any]:
    """Measure one part through a process that has no other children."""
    asked = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    found: dict[str, Any] = orjson.loads(subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    return found


def measure(command: Sequence[str]) -> dict[str, Any]:
    """Run a command; return seconds, CPU seconds and peak memory."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": round(usage.ru_maxrss / unit),
    }


def show(part: str, found: dict[str, Any], records: int) -> dict[str, Any]:
    """Print one result; return it with its speed."""
    speed = {
        "records_per_second": round(records / found["seconds"]),
        "records_per_cpu_second": round(records / found["cpu_seconds"]),
    }
    said = "under" if found["peak_mib"] < GOAL_MIB else "ABOVE"
    print(
        f"{part:<5} {records:,} records  peak {found['peak_mib']:,} MiB ({said} {GOAL_MIB:,})  "
        f"{speed['records_per_second']:,} records/s  {speed['records_per_cpu_second']:,} per CPU second"
    )
    return {**found, **speed}


def asked_as(arguments: Sequence[str]) -> str:
    """Return a command without the places that it reads and writes, which are of one machine and change no result."""
    kept = [one for before, one in zip(["", *arguments], arguments, strict=False)
            if one not in PLACES and before not in PLACES]  # fmt: skip
    return " ".join(["python", *kept])


def write(path: Path, **found: Any) -> None:
    """Write results with what they were made by."""
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in ("polars", "pyarrow", "orjson")}
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    facts = {"command": asked_as(sys.argv), "commit": commit, "versions": versions, **found}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
