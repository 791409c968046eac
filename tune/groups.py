"""Which groups of a mix helped: trained on every set of them, or on many; each left out, and its Shapley value."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate import cache
from curate.errors import MISSING, UserError, suggest
from curate.folders import make
from curate.pool import pool
from curate.rundir import RunDir, file_digest, write_frame, write_json
from tune import coalitions, draw, grid
from tune.tiers import TIERS, Budget, Size, Tier, pace
from tune.tuning import Tuning

Progress = Callable[[str, int, int], None]
FOLDER, FILE, ROWS, JUDGED = "worth", "worth.json", "rows.parquet", "evaluation.parquet"
# Groups at most: each more costs four trainings a seed at least, and of twenty that do nothing one looks as if it did.
MOST = 20
_ITEMS = 500  # of a source, as in a plan; of a tier that tunes a model as many as `Tuning` says
_GROUP, _NONE = "_group", "(none)"
METHOD = (
    "A coalition is a set of groups; its value is the mean of the metric over all evaluation items after training on "
    "the rows of those groups alone, each row seen equally often; of no group it is the model as it was. Left out: "
    "v(all) - v(all but the group). Shapley: what the group adds where it joins, over all orders of joining; these "
    "values sum to v(all) - v(none). Each seed trains every coalition on the same draw of rows; intervals are paired t "
    "over seeds, 95 %, each for itself. A group helps or harms where its interval leaves out 0, else inconclusive."
)


class Groups(BaseModel):
    """What is asked of a mix, and how.

    Args:
        by: the column of the run, a signal too, whose values are the groups.
        tier: of `tune.tiers.TIERS`; `tiny` because a coalition then takes seconds.
        seeds: of rows drawn, first weights and order; 5 as with the cheap tiers.
        seed: the first of them.
        heldout: whether all held-out rows of the run judge, and no others: rows that are known to be right. Else, as in
            an ablation, each source is judged by its own rows, set aside where it has no held-out ones.
        evaluation_share: of the contents of a source without held-out rows that are set aside to judge.
        tuning: how a language model is tried; of it `rows` is how many are drawn of the whole mix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = "task"
    tier: str = "tiny"
    seeds: int = Field(default=5, ge=2)
    seed: int = 0
    heldout: bool = False
    evaluation_share: float = Field(default=0.3, gt=0, lt=1)
    tuning: Tuning = Tuning()

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.tier not in TIERS:
            raise ValueError(f"unknown tier '{self.tier}'; {suggest(self.tier, TIERS)}")
        return self


@dataclass(frozen=True)
class Work:
    """Groups made ready to be tried.

    Args:
        folder: where everything is.
        asked: what is asked.
        names: of the groups; the place of each is its bit in a coalition.
        key: of all that a cell depends on.
        cache: folder for what does not depend on the rows.
        told: of the run's manifest what cells need, see `tune.tiers.Budget`.
        seconds: about how long it takes.
    """

    folder: Path
    asked: Groups
    names: tuple[str, ...]
    key: str
    cache: Path
    told: Mapping[str, Any]
    seconds: float = 0.0

    @property
    def tier(self) -> Tier:
        """Return how a coalition is tried."""
        return TIERS[self.asked.tier]

    def orders(self, seed: int) -> list[list[int]] | None:
        """Return the orders of joining of a seed, None where all coalitions are tried."""
        return coalitions.orders(len(self.names), seed=seed)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Return seed and coalition of all trainings."""
        seeds = range(self.asked.seed, self.asked.seed + self.asked.seeds)
        return [(seed, one) for seed in seeds for one in coalitions.needed(len(self.names), self.orders(seed))]


def worth(
    run: str | Path, groups: Groups = Groups(), *, out: str | Path | None = None, workers: int = 1,  # noqa: B008
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:  # fmt: skip
    """Tell which groups of a run's mix helped a model, with intervals; broken off, the same call goes on.

    Args:
        run: a run directory.
        groups: by which column, on which tier, over how many seeds.
        out: folder; `RUN/worth/<by> <tier>` when left out.
        workers: processes.
        progress: told a label, what is done and the total.

    Returns:
        What worth.json holds, see `finish`.

    Raises:
        UserError: for a column that the run has not, that makes fewer than two or more than 20 groups, and for a tier
            that can learn or score none of its rows.
    """
    return finish(prepare(run, groups, out=out, workers=workers), workers=workers, progress=progress)


def prepare(run: str | Path, groups: Groups, *, out: str | Path | None = None, workers: int = 1) -> Work:
    """Set evaluation items aside, name the groups and estimate the time; see `worth`."""
    about, tier = RunDir.open(Path(run)), TIERS[groups.tier]
    if not tier.ready(groups.tuning):
        what = f"needs {', '.join(tier.needs)}, and not all of them are installed"
        raise UserError(f"tier '{groups.tier}'", what, "curate doctor tells what is missing", code=MISSING)
    rows, judged = _frames(about, groups, tier)
    names = tuple(sorted(rows[_GROUP].unique()))
    if not 2 <= len(names) <= MOST:
        what = f"column '{groups.by}' makes {len(names)} group{'s' * (len(names) != 1)} of the mix"
        raise UserError("worth", what, f"name a column with 2 to {MOST} values, such as --by source")
    folder = Path(out) if out is not None else about.path / FOLDER / f"{groups.by} {groups.tier}"
    make(folder)
    write_frame(folder / ROWS, rows)
    write_frame(folder / JUDGED, judged)
    files = [file_digest(folder / name) for name in (ROWS, JUDGED)]
    code = cache.code_digest("tune.groups", tier.place.partition(":")[0])
    key = cache.key(groups.by, groups.tier, tier.depends(groups.tuning), names, files, code, cache.versions())
    told = {name: about.manifest.get(name) for name in ("recipe", "recipe_file")}
    work = Work(folder, groups, names, key, about.path.resolve().parent / import_module("curate.engine").CACHE, told)
    return replace(work, seconds=_seconds(work, rows, judged, workers))


def _frames(run: RunDir, groups: Groups, tier: Tier) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that are trained on and those that judge, each with its group."""
    mix, items = _grouped(run, groups.by), import_module("curate.planting").evaluation  # above this package
    judged = items(run, share=groups.evaluation_share, items=_ITEMS, seed=groups.seed, heldout=groups.heldout)
    judged = _sliced(tier.items(judged, groups.tuning), groups.by)
    rows = grid.learnable(mix, judged, tier)
    if not rows.height or not judged.height:
        what = "can learn no row of this mix" if not rows.height else "can score no evaluation item of this run"
        raise UserError(f"tier '{groups.tier}'", what, "try another: --tier tiny learns all conversations")
    return rows, judged


def _grouped(run: RunDir, by: str) -> pl.DataFrame:
    """Return the rows of a mix with the name of their group."""
    schema = run.scan().collect_schema()  # signals too, which the mix itself leaves out
    if by not in schema:
        raise UserError("worth", f"the run has no column '{by}'", suggest(by, schema))
    if schema[by].is_nested():
        raise UserError("worth", f"column '{by}' has several values in a row", "name a column with one value for each")
    names = pl.col(by).cast(pl.String).fill_null(_NONE).alias(_GROUP)
    return run.mix(list(grid.COLUMNS)).join(run.scan().select("id", names).collect(), on="id")


def _sliced(judged: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return the evaluation rows with the group that asks the same, null where they cannot tell."""
    column = "like" if by == "source" else by
    own = pl.col(column).cast(pl.String) if column in judged.columns else pl.lit(None, dtype=pl.String)
    return judged.with_columns(own.alias(_GROUP))


def _seconds(work: Work, rows: pl.DataFrame, judged: pl.DataFrame, workers: int) -> float:
    """Return about how long all trainings take on this machine; a coalition has half of the rows on average."""
    length = (pl.col("prompt").str.len_chars() + pl.col("response").str.len_chars()).sum() / 1000
    whole, asked = (float(one.select(length).item()) for one in (rows, judged))
    share, tuning = work.tier.share(rows.height, work.asked.tuning), work.asked.tuning
    seen = whole * share / 2 * (tuning.epochs if work.tier.tuned else 1)
    distinct = whole * min(1.0, share * work.asked.seeds) + asked
    return work.tier.cost.seconds(Size(len(work.cells), seen, asked, distinct, workers)) * pace()


def finish(work: Work, *, workers: int = 1, progress: Progress = lambda label, done, total: None) -> dict[str, Any]:
    """Train what is not trained yet, write worth.json and return it.

    Args:
        work: of `prepare`.
        workers: processes.
        progress: told how many trainings are done.

    Returns:
        by, tier, metric, method, seeds, items, rows (drawn by a seed, mean); `orders`: how many orders of joining each
        seed drew, null where all coalitions were tried; base and whole: the mean value of no group and of all; groups:
        of each its name, rows of the mix, items that ask the same, and `left_out` and `shapley`: mean, low, high, p,
        verdict, own and others (what of it the items of this group gain and those of all others, null without any),
        and by_repetition, see `tune.coalitions.effects`; trainings and seconds of processor time; folder.
    """
    cells = work.cells
    missing = [cell for cell in cells if _read(work, *cell) is None]
    progress("trainings", len(cells) - len(missing), len(cells))
    for number, _ in enumerate(_trained(work, missing, workers), len(cells) - len(missing) + 1):
        progress("trainings", number, len(cells))
    found = _told(work)
    write_json(work.folder / FILE, found)
    return found


def _trained(work: Work, cells: Sequence[tuple[int, int]], workers: int) -> Iterator[None]:
    """Train on coalitions, here or in worker processes; one thing is given for each that is done."""
    with ExitStack() as stack:
        executor = pool(min(workers, len(cells)), stack)()
        if executor is None:
            for cell in cells:
                _train(work, *cell)
                yield
            return
        for task in as_completed([executor.submit(_train, work, *cell) for cell in cells]):
            task.result()
            yield


def _path(work: Work, seed: int, coalition: int) -> Path:
    return work.folder / "cells" / str(seed) / f"{coalition}.json"


def _read(work: Work, seed: int, coalition: int) -> dict[str, Any] | None:
    """Return what a training came to, None where there is none of what is asked now."""
    path = _path(work, seed, coalition)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if found.get("key") == work.key else None


def _train(work: Work, seed: int, coalition: int) -> None:
    """Train on the groups of a coalition and write the mean of the metric over all items and over those of each group.

    What a seed draws of the mix is the same for all coalitions.
    """
    rows, judged = (pl.read_parquet(work.folder / name, glob=False) for name in (ROWS, JUDGED))
    tier, tuning = work.tier, work.asked.tuning
    drawn = draw.drawn(rows, share=tier.share(rows.height, tuning), seed=seed)
    members = [name for place, name in enumerate(work.names) if coalition >> place & 1]
    own = drawn.filter(pl.col(_GROUP).is_in(members))
    train = draw.repeated(own, examples={}, epochs=tuning.epochs if tier.tuned else 1)
    started = time.process_time()
    budget = Budget(int(train["times"].sum()), work.cache, tuning, work.told)
    scores = tier.run_cell()(train, judged, seed=seed, budget=budget).filter(pl.col("metric") == tier.metric)
    seconds = time.process_time() - started
    own_items = (
        scores.join(judged.select("id", _GROUP), on="id").group_by(_GROUP).agg(pl.col("value").mean(), n=pl.len())
    )
    by = {name: (value, count) for name, value, count in own_items.iter_rows()}
    slices = [(scores["value"].mean(), scores.height), *(by.get(name, (None, 0)) for name in work.names)]
    path = _path(work, seed, coalition)
    make(path.parent)
    found = {"key": work.key, "rows": own.height, "seconds": seconds}
    write_json(path, {**found, "values": [value for value, _ in slices], "items": [count for _, count in slices]})


def _told(work: Work) -> dict[str, Any]:
    """Return what all trainings say."""
    cells = {cell: _read(work, *cell) or {} for cell in work.cells}
    seeds = sorted({seed for seed, _ in cells})
    games = [
        {one: np.array(cell["values"], dtype=np.float64) for (of, one), cell in cells.items() if of == seed}
        for seed in seeds
    ]
    over = [work.orders(seed) for seed in seeds]
    everyone = 2 ** len(work.names) - 1
    items = cells[seeds[0], everyone]["items"]
    rows = pl.read_parquet(work.folder / ROWS, columns=[_GROUP], glob=False)[_GROUP]
    effects = coalitions.effects(games, over, items=items)
    groups = [
        {"group": name, "rows": int((rows == name).sum()), "items": items[place + 1], **effects[place]}
        for place, name in enumerate(work.names)
    ]
    return {
        "by": work.asked.by, "tier": work.asked.tier, "metric": work.tier.metric, "method": METHOD, "seeds": seeds,
        "items": items[0], "rows": float(np.mean([cells[seed, everyone]["rows"] for seed in seeds])),
        "orders": None if over[0] is None else len(over[0]),
        "base": float(np.mean([game[0][0] for game in games])),
        "whole": float(np.mean([game[everyone][0] for game in games])), "groups": groups, "trainings": len(cells),
        "seconds": sum(cell["seconds"] for cell in cells.values()), "folder": str(work.folder),
        "tuning": work.tier.depends(work.asked.tuning), "versions": cache.versions(),
    }  # fmt: skip
