"""Rules and mixes on trial: from a plan and a run to arms, cells and a verdict, in three steps with room to look."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from curate import arms, planting, rundir
from curate.api import Run, sibling
from curate.engine import CACHE
from curate.errors import MISSING, UserError
from curate.folders import workshop
from curate.review import find_rule
from curate.rundir import RunDir

Progress = Callable[[str, int, int], None]
FOLDER = "ablations"
# Seeds of a pilot begin here, far from those of any grid.
PILOT = 100_000
# Seconds below which a cell of the pilot was not trained but found.
_READ = 0.02
METHOD = (
    "Arms are paired by seed: both see the same records in the same order where they have them, and as many examples. "
    "The decision is a paired t test over seeds on the mean of the primary metric at equal steps, Holm over the "
    "declared contrasts. A contrast is equivalent when its 90 % interval lies inside the margin, else better or worse "
    "when p after Holm is below alpha, else inconclusive. All runs are told. The interval over seeds and items, that "
    "over items alone ('these models only'), other metrics, single sources and equal epochs decide nothing."
)


@dataclass(frozen=True)
class Trial:
    """An ablation made ready.

    Args:
        folder: where everything is.
        run: that it is about.
        grid: what is run, a `tune.grid.Grid`.
        analysis: what is decided beforehand, as written to analysis.json.
        estimates: seconds by tier.
    """

    folder: Path
    run: RunDir
    grid: Any
    analysis: Mapping[str, Any]
    estimates: Mapping[str, float]


def of_rule(run: RunDir, rule: str) -> dict[str, Any]:
    """Return the data of a plan that puts one rule on trial.

    Args:
        run: a finished run.
        rule: its id, or a part of it that no other has.

    Raises:
        UserError: for no such rule, or one that hits nothing.
    """
    known = find_rule(run.manifest, rule)
    entry = next(one for stage in run.manifest["stages"] for one in stage["rules"] if one["id"] == known)
    if not entry["failed"]:
        raise UserError(f"rule '{known}'", "hits no row of this run: both arms would be the same", "try another rule")
    flags = bool(entry.get("flag") or entry.get("unproven"))
    told, other = ("with rule", "run") if flags else ("run", "without rule")
    own = {"name": "with rule", "drop": known} if flags else {"name": "without rule", "without": known}
    random = {"name": "random drop", "control": "random_drop", "of": told, "pool": other}
    long = {"name": "longest", "control": "longest", "of": told, "pool": other}
    return {
        "name": re.sub(r"[^\w.-]+", " ", known).strip()[:90].strip() or "rule",
        "why": f"whether {known} helps",
        "arms": [own, random, long],
        "contrasts": [{"arm": told, "against": other}, {"arm": told, "against": "random drop"}],
    }


def prepare(
    plan: Any, *, run: RunDir, out: Path | None, workers: int = 1, fresh: bool = False,
    progress: Progress = lambda label, done, total: None,
) -> Trial:  # fmt: skip
    """Set evaluation items aside, plant, replay the arms, choose the tier, and write down how it will be judged.

    Args:
        plan: a `tune.plan.Plan`.
        run: that it is about.
        out: folder, `RUN/ablations/<name>` when left out.
        workers: processes.
        fresh: begin again, forgetting an earlier trial there.
        progress: told what is done.

    Raises:
        UserError: for rules, settings or tasks that the run has not, or when another analysis was fixed before.
    """
    folder = out or run.path / FOLDER / plan.name
    if fresh and (folder / "analysis.json").is_file():
        shutil.rmtree(folder)
    with workshop(folder / ".prepare", wait=True):
        judged = planting.evaluation(run, share=plan.evaluation_share, items=plan.items, seed=plan.seed)
        rundir.write_frame(folder / "evaluation.parquet", judged)
        source, key = run, None
        if plan.plant is not None:
            defect, share = plan.plant.defect, plan.plant.share
            source = planting.planted(run, judged, defect=defect, share=share, seed=plan.seed, out=folder)
            key = folder / "key" / planting.KEY
        told = [arm.model_dump() for arm in plan.whole]
        specs = arms.make(source, told, out=folder / "arms", planted=key, workers=workers, progress=progress)
        rundir.write_json(folder / "arms" / arms.ARMS, specs)
        return _decided(plan, run, folder, specs, judged, workers)


def _decided(
    plan: Any, run: RunDir, folder: Path, specs: list[dict[str, Any]], judged: pl.DataFrame, workers: int
) -> Trial:
    """Return the trial, its analysis written."""
    tiers, cells = sibling("tune.tiers"), import_module("tune.grid")
    if find_spec("sklearn") is None:
        raise UserError("ablation", "scikit-learn is not installed", "pip install 'curatune[tune]'", code=MISSING)
    raw = pl.read_parquet(folder / "arms" / "no filter" / arms.MIX, columns=["task", "prompt", "response"], glob=False)
    pace = tiers.pace()
    estimates = {
        name: seconds * pace for name, tier in tiers.TIERS.items()
        if (seconds := _seconds(tier, plan, (raw, judged), arms=len(specs), workers=workers)) is not None
    }  # fmt: skip
    name = tiers.choose(plan.tier, minutes=plan.minutes, estimates=estimates)
    tier = tiers.TIERS[name]
    analysis = {
        "name": plan.name, "why": plan.why, "method": METHOD, "tier": name, "metric": plan.metric or tier.metric,
        "margin": plan.margin, "alpha": import_module("tune.statistics").ALPHA, "seed": plan.seed,
        "seeds": [plan.seed + number for number in range(plan.seeds or tier.seeds)],
        "arms": [arm.model_dump(exclude_none=True) for arm in plan.whole],
        "plant": plan.plant.model_dump() if plan.plant else None,
        **({"tuning": tier.depends(plan.tuning)} if tier.tuned else {}),
        "contrasts": [one.model_dump() for one in plan.confirmatory],
        "evaluation": _told(tier.items(judged, plan.tuning)), "run": str(run.path),
        "recipe_sha256": run.manifest["recipe_sha256"],
        "mix_sha256": rundir.file_digest(run.path / arms.MIX),
    }  # fmt: skip
    _fix(folder / "analysis.json", analysis)
    told = {key: run.manifest.get(key) for key in ("recipe", "recipe_file")}
    grid = cells.Grid(folder, tuple(specs), name, "cells", run.path.resolve().parent / CACHE, plan.tuning, told)
    return Trial(folder, run, grid, analysis, estimates)


def _seconds(
    tier: Any, plan: Any, frames: tuple[pl.DataFrame, pl.DataFrame], *, arms: int, workers: int
) -> float | None:
    """Return about how long a tier takes with pilot and grid, None when it can learn or score nothing of the run."""
    raw, judged = frames[0], tier.items(frames[1], plan.tuning)
    rows = raw.filter(pl.col("task").is_in(list(tier.tasks)).fill_null(value=False)) if tier.tasks else raw
    # of a tier that is named it is told what is missing
    missing = plan.tier == "auto" and not (tier.automatic and tier.ready(plan.tuning))
    if missing or not rows.height or not judged.height:
        return None
    length = (pl.col("prompt").str.len_chars() + pl.col("response").str.len_chars()).sum() / 1000
    whole, asked = (float(one.select(length).item()) for one in (rows, judged))
    share, seeds = tier.share(rows.height, plan.tuning), plan.seeds or tier.seeds
    distinct = whole * min(1.0, share * (seeds + tier.pilot)) + asked
    seen = whole * share * (plan.tuning.epochs if tier.tuned else 1)
    size = import_module("tune.tiers").Size(arms * seeds + 2 * tier.pilot, seen, asked, distinct, workers)
    return float(tier.cost.seconds(size))


def _told(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how many items of each source judge, and whether they were held out from the beginning."""
    groups = rows.group_by("like", "task").agg(items=pl.len(), heldout=(pl.col("split") == "heldout").all())
    return groups.sort("like").rename({"like": "source"}).to_dicts()


def _fix(path: Path, analysis: dict[str, Any]) -> None:
    """Write the analysis before anything is trained; what was fixed once stays.

    Raises:
        UserError: when another analysis was fixed here.
    """
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in analysis if before.get(key) != json.loads(json.dumps(analysis[key]))]
        if changed:
            what = f"another analysis was fixed here before ({', '.join(changed)} differ)"
            raise UserError(str(path.parent), what, "choose another --out, or begin again with --fresh")
        return
    rundir.write_json(path, analysis)


def pilot(trial: Trial, *, workers: int = 1, progress: Progress = lambda label, done, total: None) -> dict[str, Any]:
    """Run the first contrast on seeds of its own and return what differences the grid can find.

    Returns:
        sd of the paired differences, seeds of the pilot and of the grid, detectable, margin, and the seeds that would
        find a difference of the margin (null when more than 200); ahead: about how many seconds the grid will take, by
        what the pilot took (null when it was there already).
    """
    cells, statistics, compare = sibling("tune.grid"), import_module("tune.statistics"), import_module("tune.compare")
    first = trial.analysis["contrasts"][0]
    grid = replace(trial.grid, cells="pilot")
    seeds = [PILOT + trial.analysis["seed"] + number for number in range(grid.way.pilot)]
    started = time.perf_counter()
    cells.run(grid, seeds, arms=(first["arm"], first["against"]), workers=workers, progress=progress)
    each = (time.perf_counter() - started) / (2 * len(seeds))
    apart = compare.pilot_differences(trial.folder, seeds, first, trial.analysis["metric"])
    test, count = statistics.paired(apart), len(trial.analysis["contrasts"])
    grown = len(trial.analysis["seeds"])
    margin = trial.analysis["margin"]
    found = {
        "sd": test.sd, "seeds": len(seeds), "of": grown, "contrasts": count, "margin": margin,
        "detectable": statistics.detectable(test.sd, grown, contrasts=count),
        "needed": statistics.seeds_needed(test.sd, margin, contrasts=count) if test.sd else 2,
    }  # fmt: skip
    rundir.write_json(trial.folder / "pilot.json", found)
    # Of cells that were there already nothing is learned; a cell takes longer than a file is read.
    return found | {"ahead": each * grown * len(grid.specs) if each > _READ else None}


def finish(trial: Trial, *, workers: int = 1, progress: Progress = lambda label, done, total: None) -> dict[str, Any]:
    """Run the grid, compare, write the pages, and tell the run's report.

    Returns:
        What ablation.json holds.
    """
    cells, compare, reports = sibling("tune.grid"), import_module("tune.compare"), sibling("reports")
    cells.run(trial.grid, trial.analysis["seeds"], workers=workers, progress=progress)
    found: dict[str, Any] = compare.compare(trial.folder)
    reports.ablated(trial.folder)
    Run(trial.run.path).report()
    return found
