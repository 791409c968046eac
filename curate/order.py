"""Whether the order of the stages matters: which rows another order would keep, decided again through the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from curate import catalog, check, engine
from curate.errors import UserError
from curate.recipe import Recipe, Stage, parse
from curate.rundir import ORDER, RunDir, write_json

# Rows named per pair and side: enough to see what kind of row changes sides.
EXAMPLES = 3
ROW_WISE = "each row is judged by itself here: only the stage that is named as the cause can differ"
Progress = Callable[[str, int, int], None]


def order(
    run: RunDir,
    *,
    every: bool = False,
    workers: int = 1,
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Swap stages two by two, decide again, and keep in the run what would change.

    Args:
        run: a finished run.
        every: any two stages; otherwise neighbours.
        workers: processes for row-wise steps, should they not be cached.
        progress: told what is done.

    Returns:
        rows, kept, every, and `pairs`: first, second (names), state (`same`: row-wise, nothing to decide; `replayed`;
        `refused`), why (null when replayed), only_now and only_swapped (rows kept in this order alone and in the
        other alone; null when refused), and ids of a few of each.

    Raises:
        UserError: when data, rules or code have changed so that the recipe no longer gives the run's rows.
    """
    recipe = recipe_of(run)
    store = run.path.resolve().parent / engine.CACHE
    decide = partial(engine.decide, store=store, workers=workers, progress=progress)
    kept = run.rows(["id", "kept"])
    if not decide(recipe).select("id", "kept").equals(kept):
        what = "the recipe gives other rows than when this run was made: data, files of rules or code have changed"
        raise UserError(str(run.path), what, f"make it again: curate run {recipe.file}")
    pairs = [_pair(recipe, kept, places, decide) for places in _places(recipe, every)]
    found = {"rows": kept.height, "kept": int(kept["kept"].sum()), "every": every, "pairs": pairs}
    write_json(run.path / ORDER, found)
    return found


def recipe_of(run: RunDir) -> Recipe:
    """Return the recipe that a run was made by, its paths as seen from the folder of its file."""
    manifest = run.manifest
    file = str(manifest.get("recipe_file") or "recipe")
    return parse(manifest["recipe"], file=file, base=Path(file).parent)


def swapped(recipe: Recipe, first: int, second: int) -> Recipe:
    """Return a recipe with two stages in each other's place."""
    stages = list(recipe.stages)
    stages[first], stages[second] = stages[second], stages[first]
    return recipe.model_copy(update={"stages": tuple(stages)})


def _places(recipe: Recipe, every: bool) -> Iterator[tuple[int, int]]:
    pairs = combinations(range(len(recipe.stages)), 2)
    return ((first, second) for first, second in pairs if every or second == first + 1)


def _pair(
    recipe: Recipe, kept: pl.DataFrame, places: tuple[int, int], decide: Callable[[Recipe], pl.DataFrame]
) -> dict[str, Any]:
    """Return what swapping two stages would change."""
    first, second = places
    told: dict[str, Any] = {"first": recipe.stages[first].name, "second": recipe.stages[second].name}
    other = swapped(recipe, first, second)
    if mistakes := list(check.problems(other)):
        why = f"the other order is no recipe: {mistakes[0]}"
        counts: dict[str, Any] = {"only_now": None, "only_swapped": None, "now_rows": [], "swapped_rows": []}
        return {**told, "state": "refused", "why": why, **counts}
    alone = all(_is_row_wise(stage) for stage in recipe.stages[first : second + 1])
    stays = kept["kept"] if alone else decide(other)["kept"]
    now, then = kept.filter(kept["kept"] & ~stays)["id"], kept.filter(stays & ~kept["kept"])["id"]
    told |= {"state": "same" if alone else "replayed", "why": ROW_WISE if alone else None}
    told |= {"only_now": len(now), "only_swapped": len(then)}
    return told | {"now_rows": now.head(EXAMPLES).to_list(), "swapped_rows": then.head(EXAMPLES).to_list()}


def _is_row_wise(stage: Stage) -> bool:
    return all(catalog.describe(use.step).kind == "row-wise" for use in stage.steps)
