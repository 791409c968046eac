"""Run a recipe: ingest, measure and judge stage by stage, write the run directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from curate import cache, catalog, check, clusters, gates, memory, proof, quarantine, rundir, stages
from curate.errors import GATE, INPUT, UserError
from curate.ingest import Ingested, ingest
from curate.pool import Pool, hands
from curate.recipe import Recipe
from curate.schema import ROW, canonical, digest
from curate.stages import State
from curate.tally import tally

Progress = Callable[[str, int, int], None]
CACHE = ".curate-cache"


def execute(
    recipe: Recipe,
    *,
    out: Path,
    workers: int = 1,
    fresh: bool = False,
    store: Path | None = None,
    progress: Progress = lambda label, done, total: None,
) -> UserError | None:
    """Run a recipe and leave a run directory at `out`.

    Args:
        recipe: what to do.
        out: the run directory; an earlier run there is replaced when this one is finished.
        workers: processes for row-wise steps; the result does not depend on it.
        fresh: compute everything again.
        store: the cache, beside `out` when left out.
        progress: called with a label, what is done and the total (0 when unknown).

    Returns:
        None, or what is wrong with the finished run: a broken gate (status 3) or nothing left (4).

    Raises:
        UserError: mistakes in the recipe or unreadable input; an earlier run at `out` then stays.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    check.require(recipe)
    out = out.resolve()  # a link stays a link, and `.` has a name
    with ExitStack() as stack:
        staged = stack.enter_context(rundir.staging(out))
        kept = cache.Store(store or out.parent / CACHE, fresh)
        ingested = ingest(recipe, store=kept, progress=progress)
        state = _decide(recipe, ingested, kept, (hands(recipe.engine, workers, stack), workers), progress)
        leaks = clusters.shared(
            state.runner.rows, state.verdicts.alive, sources=recipe.sources, files=ingested.facts["inputs"]
        )
        state.tables |= {clusters.TABLE: leaks} if leaks.height else {}
        totals = _write(staged, state, ingested)
        found = gates.judged(
            recipe,
            totals=totals,
            verdicts=state.verdicts,
            groups=state.groups,
            signals=state.signals,
            rows=state.runner.rows.path,
        )
        found += clusters.judged(recipe.heldout, leaks)
        manifest = _manifest(state, ingested, totals, found)
        manifest |= {"started": started.isoformat(timespec="seconds"), "workers": workers}
        manifest |= {"seconds": time.perf_counter() - clock, "peak_memory_mib": memory.peak_mib()}
        rundir.write_json(staged / rundir.MANIFEST, manifest)
        rundir.publish(staged, out)
    return _shortfall(recipe, out, totals, found)


def decide(
    recipe: Recipe, *, store: Path, workers: int = 1, progress: Progress = lambda label, done, total: None
) -> pl.DataFrame:
    """Run a recipe through its cache and return the fates of its rows, writing no run.

    Args:
        recipe: what to do.
        store: the cache.
        workers: processes for row-wise steps.
        progress: as for `execute`.

    Returns:
        id, kept, dropped_at, dropped_by and flagged_by of all train rows, ascending by id.

    Raises:
        UserError: mistakes in the recipe or unreadable input.
    """
    check.require(recipe)
    with ExitStack() as stack:
        kept = cache.Store(store)
        ingested = ingest(recipe, store=kept, progress=progress)
        state = _decide(recipe, ingested, kept, (hands(recipe.engine, workers, stack), workers), progress)
    return state.groups.select("id").hstack(state.verdicts.frame(0, state.groups.height))


def _decide(
    recipe: Recipe, ingested: Ingested, store: cache.Store, pool: tuple[Pool, int], progress: Progress
) -> State:
    """Return the run after its last stage."""
    state = stages.start(recipe, ingested, store, pool, progress)
    for stage in recipe.stages:
        stages.run(state, stage)
    return state


def _write(staged: Path, state: State, ingested: Ingested) -> dict[str, int]:
    """Write the tables of the run slice by slice and assert that they add up."""
    rows, signals, copies = state.runner.rows, state.signals, _copies(state.recipe)
    schema = {**ROW, **signals.schema, **state.verdicts.frame(0, 0).schema}
    with (
        rundir.Writer(staged / "rows.parquet", schema) as out,
        rundir.Writer(staged / "mix.parquet", {**ROW, "copies": pl.Int64()}) as mix,
    ):
        for number, (start, stop) in enumerate(rows.spans()):
            part = rows.slice(number).hstack(signals[start:stop]).hstack(state.verdicts.frame(start, stop))
            out.write(part)
            mix.write(part.filter("kept").select(*ROW, copies=copies))
    for name in ("heldout.parquet", "origins.parquet", "rejects.jsonl"):
        rundir.copy(ingested.path / name, staged / name)
    quarantine.write(staged / rundir.FAILURES, state.runner.failures)
    for name, table in state.tables.items():
        rundir.write_frame(staged / "tables" / f"{name}.parquet", table)
    first = sum(rule["first"] for stage in state.stages for rule in stage["rules"])
    if out.rows != mix.rows + first:
        raise AssertionError(f"{out.rows} rows, but {mix.rows} kept and {first} dropped by first cause")
    sources = ingested.facts["sources"]
    return {
        "records_read": sum(source["records_read"] for source in sources),
        "rejects": sum(source["rejects"] for source in sources),
        "train_rows": out.rows,
        "heldout_rows": sum(source["rows"] for source in sources if source["split"] == "heldout"),
        "kept": mix.rows,
        "dropped": out.rows - mix.rows,
    }


def _copies(recipe: Recipe) -> pl.Expr:
    """Return how often a kept row stands in the mix: what the step that mixes says, else once."""
    uses = [use for stage in recipe.stages for use in stage.steps if catalog.mixes(use.step)]
    return pl.col(f"{uses[0].name}.copies").cast(pl.Int64).fill_null(1) if uses else pl.lit(1, dtype=pl.Int64)


def _manifest(
    state: State, ingested: Ingested, totals: Mapping[str, int], judged: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    recipe = state.recipe.plain()
    guarded = [proof.guarded(stage, state.unproven) for stage in state.recipe.stages]
    return {
        "format": 1,
        "name": state.recipe.name,
        "recipe": recipe,
        "recipe_file": str(state.recipe.file),
        "recipe_sha256": digest(canonical(recipe)),
        "seed": state.recipe.seed,
        "versions": cache.versions(),
        "embedding": state.runner.embedding,
        "ingest_cached": ingested.cached,
        "inputs": ingested.facts["inputs"],
        "sources": ingested.facts["sources"],
        "clusters": clusters.told(state.recipe.heldout, state.recipe.sources),
        "rule_files": proof.stated(state.recipe),
        "stages": state.stages,
        "use": tally(guarded, state.verdicts.alive, state.groups.hstack(state.signals)),
        "totals": dict(totals),
        "failures": quarantine.facts(state.runner.failures),
        "gates": list(judged),
    }


def _shortfall(
    recipe: Recipe, out: Path, totals: Mapping[str, int], judged: Sequence[Mapping[str, Any]]
) -> UserError | None:
    """Return what is wrong with a run that was finished and written."""
    if not totals["kept"]:
        what = f"nothing is left: all {totals['train_rows']:,} rows were dropped"
        fix = f"see which rules did it: curate report {out}"
        if not totals["train_rows"]:
            what, fix = "nothing is left: no record gave a row", f"see why: {out / 'rejects.jsonl'}"
        return UserError(recipe.file, what, fix, code=INPUT)
    if not (broken := [gate for gate in judged if not gate["passed"]]):
        return None
    said = "; ".join(
        f"{gate['name']} {gate['bound']:g}, "
        + (gate["text"] if gate["value"] is None else f"measured {gate['value']:g}")
        for gate in broken
    )
    return UserError(recipe.file, f"gate broken: {said}", f"see why: curate report {out}", code=GATE)
