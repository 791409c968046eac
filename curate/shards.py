"""Shards of a stage, for processes that share nothing but a folder: results in the cache, and a marker each."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import cache, catalog, check, ingest, memory, rundir, stages
from curate.engine import CACHE
from curate.errors import INPUT, UserError, suggest
from curate.folders import make
from curate.measure import Progress
from curate.pool import hands
from curate.recipe import Recipe, Stage
from curate.schema import canonical, digest
from curate.slices import Shard
from curate.task import strings

# What a recipe may say otherwise for each shard: on what it runs and how long, never what comes out.
_FREE = ("engine", "slice_seconds")
# Numbers of missing shards that an error lists: a line.
_SHOWN = 20


@dataclass(frozen=True)
class Markers:
    """What tells which shards of which stages are done.

    Args:
        folder: where they lie, in the cache of the run.
        stages: names of the stages.
        of: hashes of the recipe and of its inputs; markers of others do not count.
    """

    folder: Path
    stages: tuple[str, ...]
    of: tuple[str, str]

    def mark(self, stage: int, shard: Shard, facts: dict[str, Any]) -> None:
        """Leave the marker of a shard that is done."""
        make(self.folder)
        whole = {"recipe": self.of[0], "inputs": self.of[1], **facts}
        rundir.write_json(self.folder / f"{stage:03d}.{shard.number}-of-{shard.of}.json", whole)

    def missing(self, stage: int) -> str | None:
        """Say which shards of a stage are missing: none where all of one number of shards are there."""
        sets: dict[int, set[int]] = {}
        foreign = {"recipe": 0, "inputs": 0}
        for path in sorted(self.folder.glob(f"{stage:03d}.*-of-*.json")):
            number, of = map(int, path.name.split(".")[1].split("-of-"))
            found: dict[str, Any] = orjson.loads(path.read_bytes())
            differs = [name for name, known in zip(foreign, self.of, strict=True) if found.get(name) != known]
            if differs:
                foreign[differs[0]] += 1
            else:
                sets.setdefault(of, set()).add(number)
        lacking = {of: [number for number in range(of) if number not in there] for of, there in sets.items()}
        if [] in lacking.values():
            return None
        said = "none of its shards is done"
        if lacking:
            whole, numbers = min(lacking.items(), key=lambda one: len(one[1]))
            more = ", …" if len(numbers) > _SHOWN else ""
            said = f"of {whole} shards these are missing: {', '.join(map(str, numbers[:_SHOWN]))}{more}"
        for name, text in (("recipe", "another recipe"), ("inputs", "other inputs, or by another version")):
            said += f"; {foreign[name]} were made for {text}" if foreign[name] else ""
        return f"stage '{self.stages[stage]}': {said}"

    def begun(self) -> list[int]:
        """Return the stages of which any shard was done, for whatever recipe."""
        found = {int(path.name.split(".")[0]) for path in self.folder.glob("*.*-of-*.json")}
        return [number for number in range(len(self.stages)) if number in found]


def _markers(recipe: Recipe, store: Path, rows: Path) -> Markers:
    """Return the markers of a recipe, whose rows lie in a folder that is named after what they were made from."""
    plain = {name: value for name, value in recipe.plain().items() if name not in _FREE}
    names = tuple(stage.name for stage in recipe.stages)
    return Markers(store / "shards" / recipe.name, names, (digest(canonical(plain)), rows.name))


def work(
    recipe: Recipe,
    shard: Shard,
    *,
    stage: str,
    out: Path,
    workers: int = 1,
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Work out one shard of a stage; the last one that is done also decides what needs all rows.

    Args:
        recipe: what to do.
        shard: which slices of rows.
        stage: the name of the stage.
        out: where the run will be; its cache, beside it, is the folder that all shards share.
        workers: processes.
        progress: called with a label, what is done and the total.

    Returns:
        What the marker says: stage, shard, of, slices, rows, seconds, peak_memory_mib; and `missing`, which other
        shards of the stage are not done, None for the last one.

    Raises:
        UserError: mistakes in the recipe, unreadable input, or shards of the stage before that are missing.
    """
    check.require(recipe)
    started, place = time.perf_counter(), _place(recipe, stage)
    with ExitStack() as stack:
        store = cache.Store(out.resolve().parent / CACHE)
        ingested = ingest.ingest(recipe, store=store, progress=progress)
        known = _markers(recipe, store.folder, ingested.path)
        if place and shard.of > 1 and (before := known.missing(place - 1)):
            what = f"needs the stage before it whole: {before}"
            raise UserError(f"stage '{stage}'", what, "run what is missing first", code=INPUT)
        state = stages.start(recipe, ingested, store, (hands(recipe.engine, workers, stack), workers), progress)
        for earlier in recipe.stages[:place]:
            stages.run(state, earlier)
        spans = [span for number, span in enumerate(state.runner.rows.spans()) if shard.takes(number)]
        if spans:
            _part(state, recipe.stages[place], shard)
        facts = {"stage": stage, "shard": shard.number, "of": shard.of, "slices": len(spans)}
        facts |= {"rows": sum(stop - start for start, stop in spans), "seconds": time.perf_counter() - started}
        facts |= {"peak_memory_mib": memory.peak_mib()}
        known.mark(place, shard, facts)
        missing = known.missing(place)
        if missing is None:
            stages.run(state, recipe.stages[place])
    return {**facts, "missing": missing}


def require(recipe: Recipe, *, out: Path) -> list[str]:
    """Refuse to merge before all shards of the stages that were begun are done.

    Returns:
        The names of these stages.

    Raises:
        UserError: naming all that are missing.
    """
    check.require(recipe)
    store = out.resolve().parent / CACHE
    known = _markers(recipe, store, ingest.folder_of(recipe, store))
    begun = known.begun()
    fix = "run them, or leave --merge out: a plain run works out itself what is not there"
    if not begun:
        raise UserError(recipe.file, f"no shard has left a marker in {known.folder}", fix, code=INPUT)
    missing = [text for stage in begun if (text := known.missing(stage))]
    if missing:
        raise UserError(recipe.file, "\n  ".join(["shards are missing", *missing]), fix, code=INPUT)
    return [recipe.stages[stage].name for stage in begun]


def _place(recipe: Recipe, stage: str) -> int:
    names = [one.name for one in recipe.stages]
    if stage not in names:
        raise UserError(f"--stage {stage}", f"the recipe {recipe.file} has no such stage", suggest(stage, names))
    return names.index(stage)


def _part(state: stages.State, stage: Stage, shard: Shard) -> None:
    """Work out what a stage measures in the slices of a shard; what hangs on a decision over all rows comes later."""
    runner, signals, noted = state.runner, state.signals, len(state.runner.failures)
    alive = pl.Series(state.verdicts.alive)
    runner.shard = shard
    undecided: set[str] = set()
    for use in stage.steps:
        late = any(text.split(".")[0] in undecided for text in strings(use.arguments))
        if not late:
            result, _ = runner.measure(use, signals, alive)
            signals = signals.hstack(result.signals)
        if late or catalog.describe(use.step).kind == "corpus":
            undecided.add(use.name)
    runner.shard = None
    del runner.failures[noted:]  # those of the whole stage are noted when it is decided
