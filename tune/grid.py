"""The grid of arms and seeds: finished cells are skipped, a killed grid goes on, several processes share it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from curate import cache
from curate.folders import make, workshop
from curate.pool import pool
from curate.rundir import file_digest, write_frame, write_json
from tune import draw
from tune.tiers import SCORES, TIERS, Budget, Tier
from tune.tuning import Tuning

SCORED, EPOCHS, CELL, EVALUATION, ARMS = "scores.parquet", "epochs.parquet", "cell.json", "evaluation.parquet", "arms"
# What is written once a seed is done beside what it did.
COLUMNS = ("record", "id", "parents", "source", "task", "template", "prompt", "response", "messages", "slots", "copies")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Grid:
    """What is run.

    Args:
        folder: of the ablation; it holds `arms/` and `evaluation.parquet`.
        specs: the arms, as `arms.json` tells them.
        tier: name of it.
        cells: name of the folder of the cells, apart for a pilot.
        cache: folder for what does not depend on arms.
        tuning: how a language model is tried.
        told: of the run's manifest what the cells need, see `Budget`.
    """

    folder: Path
    specs: tuple[Mapping[str, Any], ...]
    tier: str
    cells: str
    cache: Path
    tuning: Tuning = field(default_factory=Tuning)
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def way(self) -> Tier:
        """Return the tier."""
        return TIERS[self.tier]


def run(
    grid: Grid, seeds: Sequence[int], *, arms: Sequence[str] = (), workers: int = 1,
    progress: Progress = lambda label, done, total: None,
) -> None:  # fmt: skip
    """Run all cells that are not finished.

    Args:
        grid: what is run.
        seeds: of the cells; each is one piece of work.
        arms: names of the arms to run, all when left out; shares and sizes are those of the whole grid.
        workers: processes.
        progress: told seeds done and in all.
    """
    wanted = tuple(arms) or tuple(str(spec["name"]) for spec in grid.specs)
    progress(grid.cells, 0, len(seeds))
    with ExitStack() as stack:
        executor = pool(min(workers, len(seeds)), stack)()
        if executor is None:
            for number, seed in enumerate(seeds):
                one_seed(grid, seed, wanted)
                progress(grid.cells, number + 1, len(seeds))
            return
        tasks = [executor.submit(one_seed, grid, seed, wanted) for seed in seeds]
        for number, task in enumerate(as_completed(tasks)):
            task.result()
            progress(grid.cells, number + 1, len(seeds))


def one_seed(grid: Grid, seed: int, arms: Sequence[str]) -> None:
    """Run the cells of one seed that are not finished; another process at the same seed is waited for."""
    keys = {name: _key(grid, name, seed) for name in arms}
    if all(_finished(grid, name, seed, keys[name]) for name in arms):
        return
    with workshop(grid.folder / grid.cells / f".{seed}.partial", wait=True) as shop:
        frames, evaluation = rows_of(grid), evaluation_of(grid)
        pools = draw.pools(grid.specs, frames, seed=seed)
        share = grid.way.share(max(rows.height for rows in pools.values()), grid.tuning)
        examples = draw.examples(pools, grid.specs, share=share, seed=seed)
        for name in arms:
            if not _finished(grid, name, seed, keys[name]):
                spec = next(one for one in grid.specs if one["name"] == name)
                rows = draw.drawn(pools[name], share=share, seed=_seed(spec, seed))
                facts = {"key": keys[name], "arm": name, "seed": seed, "pool": pools[name].height}
                _cell(grid, (rows, evaluation), examples[name], seed=_seed(spec, seed), facts=facts, shop=shop)


def _seed(spec: Mapping[str, Any], seed: int) -> int:
    return seed + draw.APART if spec["control"] == "again" else seed


def _cell(
    grid: Grid, frames: tuple[pl.DataFrame, pl.DataFrame], examples: Mapping[str, int], *, seed: int,
    facts: dict[str, Any], shop: Path,
) -> None:  # fmt: skip
    """Train and score at equal steps and, where it is cheap, at equal epochs; put both in place together."""
    rows, evaluation = frames
    place, passes = shop / "cell", grid.tuning.epochs if grid.way.tuned else 1
    make(place)
    examples = {source: passes * count for source, count in examples.items()}
    equal = draw.repeated(rows, examples=examples)
    seen = dict(equal.group_by("source").agg(pl.col("times").sum()).sort("source").iter_rows())
    if seen != {source: count for source, count in examples.items() if count}:
        raise AssertionError(f"arm '{facts['arm']}' would see {seen} and not {dict(examples)} examples")
    once = draw.repeated(rows, examples=examples, epochs=passes)
    facts |= {"rows": rows.height, "examples": sum(seen.values()), "sources": seen}
    facts["own"] = dict(once.group_by("source").agg(pl.col("times").sum()).sort("source").iter_rows())
    trainings = ((SCORED, equal), (EPOCHS, once))[: 1 if grid.way.tuned else 2]
    for name, train in trainings:
        started = time.perf_counter()
        same = name == EPOCHS and once.equals(equal.select(once.columns))
        scores = pl.read_parquet(place / SCORED) if same else _scored(grid, train, evaluation, seed)
        write_frame(place / name, scores)
        facts.setdefault("seconds", time.perf_counter() - started)
    write_json(place / CELL, facts)
    final = grid.folder / grid.cells / facts["arm"] / str(facts["seed"])
    make(final)
    for name in (*(name for name, _ in trainings), CELL):  # the cell's facts last: a cell with them is whole
        (place / name).replace(final / name)


def _scored(grid: Grid, train: pl.DataFrame, evaluation: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return checked scores of one training."""
    budget = Budget(int(train["times"].sum()), grid.cache, grid.tuning, grid.told)
    scores = grid.way.run_cell()(train, evaluation, seed=seed, budget=budget)
    if dict(scores.schema) != SCORES or scores["value"].is_nan().any() or scores["value"].null_count():
        raise AssertionError(f"tier '{grid.tier}' gave no scores but {scores.schema} or values that are none")
    return scores.sort("metric", "id")


def rows_of(grid: Grid) -> dict[str, pl.DataFrame]:
    """Return the rows of the replayed arms that the tier can learn, without any that show an evaluation record."""
    judged = pl.read_parquet(grid.folder / EVALUATION, columns=["record"], glob=False)
    found = {}
    for name in (spec["name"] for spec in grid.specs if spec["control"] is None):
        mix = pl.read_parquet(grid.folder / ARMS / name / "mix.parquet", columns=list(COLUMNS), glob=False)
        found[name] = learnable(mix, judged, grid.way)
    return found


def learnable(mix: pl.DataFrame, judged: pl.DataFrame, tier: Tier) -> pl.DataFrame:
    """Return the rows of a mix that a tier can learn, by id, without any that show a record of what judges them."""
    shown = judged["record"].implode()
    clean = ~pl.col("record").is_in(shown) & ~pl.col("parents").list.eval(pl.element().is_in(shown)).list.any()
    known = pl.col("task").is_in(list(tier.tasks)) if tier.tasks else pl.lit(value=True)
    return mix.filter(clean & known.fill_null(value=False)).sort("id")


def evaluation_of(grid: Grid) -> pl.DataFrame:
    """Return the evaluation rows that the tier can score."""
    return grid.way.items(pl.read_parquet(grid.folder / EVALUATION, glob=False), grid.tuning)


def _finished(grid: Grid, name: str, seed: int, key: str) -> bool:
    """Tell whether a cell is there and was made from what is there now."""
    path = grid.folder / grid.cells / name / str(seed) / CELL
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["key"] == key


def _key(grid: Grid, name: str, seed: int) -> str:
    """Return the hash of all that a cell depends on: sizes of the other arms too, as all see as many examples."""
    files = [grid.folder / ARMS / spec["name"] / "mix.parquet" for spec in grid.specs if spec["control"] is None]
    files += [grid.folder / EVALUATION]
    code = cache.code_digest("tune.grid", grid.way.place.partition(":")[0])
    plain = [{key: value for key, value in spec.items() if key != "seconds"} for spec in grid.specs]
    mixes = [file_digest(path) for path in files]
    depends = grid.way.depends(grid.tuning)
    return cache.key(name, seed, grid.tier, depends, plain, mixes, code, cache.versions())
