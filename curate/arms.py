"""Arms of an ablation: the recipe of a run with one change, decided again through the run's cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate import check, engine, folders, overrides, rundir
from curate.errors import INPUT, UserError
from curate.order import recipe_of
from curate.recipe import Keep, Recipe, Stage, parse
from curate.review import find_rule
from curate.rundir import RunDir
from curate.schema import canonical, digest

Progress = Callable[[str, int, int], None]
MIX, ARMS = "mix.parquet", "arms.json"
# Controls whose rows are a replay, decided here; the others are drawn from these for each seed.
_REPLAYED = ("no_filter", "oracle")


def make(
    run: RunDir, arms: Sequence[Mapping[str, Any]], *, out: Path, planted: Path | None, workers: int, progress: Progress
) -> list[dict[str, Any]]:
    """Replay the arms of a run that are replays, and tell how the others are drawn from them.

    Args:
        run: a finished run, the one with planted defects where there are any.
        arms: as a plan gives them: name and one of without, only, drop, set, rows, tasks, control.
        out: folder of the arms; each replay becomes `<name>/mix.parquet`, equal to that of a fresh run byte for byte.
        planted: ids of records that are spoilt, for the oracle.
        workers: processes for row-wise steps.
        progress: told what is done.

    Returns:
        name, change (in words), control (null for a replay), of, pool, rows, tasks, mixes and seconds of curation.

    Raises:
        UserError: for a rule or setting that the recipe has not, and when data or code have changed since the run.
    """
    recipe, specs = recipe_of(run), []
    for number, arm in enumerate(arms):
        progress("arms", number, len(arms))
        spec: dict[str, Any] = {"name": arm["name"], "change": _told(arm), "control": _drawn(arm), "mixes": False}
        spec |= {key: arm.get(key) for key in ("of", "pool", "rows", "tasks")} | {"seconds": 0.0}
        if spec["control"] is None:
            changed = _recipe(recipe, run.manifest, arm)
            spec |= _replay(changed, run=run, arm=arm, folder=out / arm["name"], workers=workers)
            spec["mixes"] = changed.stages != recipe.stages and any(
                "mix" in (use.step for use in stage.steps) for stage in changed.stages
            )
            if arm.get("control") == "oracle":
                _without_planted(out / arm["name"] / MIX, planted)
        specs.append(spec)
    if (out / "run" / MIX).is_file() and rundir.file_digest(out / "run" / MIX) != rundir.file_digest(run.path / MIX):
        what = "the recipe gives other rows than when this run was made: data, files of rules or code have changed"
        raise UserError(str(run.path), what, f"make it again: curate run {recipe.file}")
    progress("arms", len(arms), len(arms))
    return specs


def _drawn(arm: Mapping[str, Any]) -> str | None:
    """Return how an arm is drawn from others, None for a replay."""
    form = next((form for form in ("rows", "tasks") if arm.get(form) is not None), arm.get("control"))
    return None if form in _REPLAYED else form


def _told(arm: Mapping[str, Any]) -> str:
    """Return what an arm changes, in words."""
    words = {
        "no_filter": "every row, no rule", "oracle": "every row but the planted ones",
        "random_drop": f"rows of '{arm.get('pool')}' by chance, as many as '{arm.get('of')}' has",
        "longest": f"the longest answers of '{arm.get('pool')}', as many as '{arm.get('of')}' has",
        "one_template": f"rows of '{arm.get('of')}' in one wording", "again": f"'{arm.get('of')}' with other seeds",
        "base": "untrained", "shuffled": f"'{arm.get('of')}' with its answers dealt out anew: the form alone",
    }  # fmt: skip
    if arm.get("control"):
        return words[arm["control"]]
    for form, told in (("without", "without rule {}"), ("only", "no rule but {}"), ("drop", "rule {} drops")):
        if arm.get(form):
            return told.format(arm[form])
    if arm.get("set"):
        return ", ".join(arm["set"])
    if arm.get("rows") or arm.get("tasks"):
        return f"{arm['rows']} rows" if arm.get("rows") else f"{arm['tasks']} tasks"
    return "the mix of the run"


def _recipe(recipe: Recipe, manifest: Mapping[str, Any], arm: Mapping[str, Any]) -> Recipe:
    """Return the recipe of an arm.

    Raises:
        UserError: when the change is none, or gives no valid recipe.
    """
    if arm.get("control") in _REPLAYED:
        return recipe.model_copy(update={"stages": ()})
    if arm.get("set"):
        data = recipe.plain()
        for override in arm["set"]:
            overrides.apply(data, override)
        changed = parse(data, file=recipe.file, base=recipe.base)
        check.require(changed)
        return changed
    form = next((form for form in ("without", "only", "drop") if arm.get(form)), None)
    return recipe if form is None else _ruled(recipe, form, find_rule(manifest, arm[form]))


def _ruled(recipe: Recipe, form: str, rule: str) -> Recipe:
    """Return a recipe without a rule, with it alone, or with it dropping what it flags."""

    def changed(stage: Stage, keep: Keep) -> Keep | None:
        same = keep.rule_id(stage.name) == rule
        if form == "drop" and same:
            return keep.model_copy(update={"flag": False})
        return keep if same == (form == "only") or form == "drop" else None

    stages = []
    for stage in recipe.stages:
        kept = tuple(one for keep in stage.keep if (one := changed(stage, keep)) is not None)
        stages.append(stage.model_copy(update={"keep": kept}))
    return recipe.model_copy(update={"stages": tuple(stages)})


def _replay(recipe: Recipe, *, run: RunDir, arm: Mapping[str, Any], folder: Path, workers: int) -> dict[str, Any]:
    """Decide a recipe through the cache of the run and keep its mix; a finished one is left as it is."""
    told, key = folder / "arm.json", digest(canonical([recipe.plain(), arm, _made(run)]))
    if told.is_file() and (saved := json.loads(told.read_text(encoding="utf-8")))["key"] == key:
        return {"seconds": saved["seconds"]}
    store = run.path.resolve().parent / engine.CACHE
    work = folder / "work"
    folders.make(folder)
    failed = engine.execute(recipe, out=work, workers=workers, store=store)
    if failed is not None and failed.code == INPUT:
        raise UserError(f"arm '{arm['name']}'", failed.what, "an arm needs rows to train on")
    done = RunDir.open(work)
    if arm.get("drop"):
        _dropped(done, find_rule(done.manifest, arm["drop"]))
    shutil.move(work / MIX, folder / MIX)
    uses = [step for stage in done.manifest["stages"] for step in stage["steps"]]
    seconds = sum(step["cost"]["seconds"] or 0.0 for step in uses)
    rundir.write_json(told, {"key": key, "seconds": seconds, "recipe": recipe.plain()})
    shutil.rmtree(work)
    return {"seconds": seconds}


def _made(run: RunDir) -> list[Any]:
    """Return what says that a run is another."""
    manifest = run.manifest
    return [manifest["recipe_sha256"], manifest["inputs"], manifest["versions"], rundir.file_digest(run.path / MIX)]


def _dropped(done: RunDir, rule: str) -> None:
    """Take the rows that a rule still only flags, because a file that it reads is unproven, out of the mix."""
    flagged = done.scan().filter(pl.col("flagged_by").list.contains(rule)).select("id").collect()
    if flagged.height:
        rundir.write_frame(done.path / MIX, done.mix().join(flagged, on="id", how="anti").sort("id"))


def _without_planted(mix: Path, planted: Path | None) -> None:
    """Take rows of spoilt records out of a mix, whatever else speaks in them."""
    spoilt = pl.Series("record", json.loads(planted.read_text(encoding="utf-8")) if planted else [], dtype=pl.String)
    rows = pl.read_parquet(mix, glob=False)
    clean = (
        ~pl.col("record").is_in(spoilt.implode())
        & ~pl.col("parents").list.eval(pl.element().is_in(spoilt.implode())).list.any()
    )
    rundir.write_frame(mix, rows.filter(clean))
