"""The Python face: load a recipe, run it, look at the result."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from curate import engine, rundir
from curate.errors import MISSING, UserError
from curate.explain import explain
from curate.export import export
from curate.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        path: its directory.
    """

    path: Path

    @property
    def rows(self) -> pl.DataFrame:
        """Return every train row with its signals and verdict."""
        return rundir.RunDir.open(self.path).rows()

    @property
    def mix(self) -> pl.DataFrame:
        """Return the kept rows."""
        return rundir.RunDir.open(self.path).mix()

    @property
    def manifest(self) -> dict[str, Any]:
        """Return what was run, on what, and what came of it."""
        return rundir.RunDir.open(self.path).manifest

    def explain(self, row_id: str) -> dict[str, Any]:
        """Return the life of one row; a prefix of its id suffices."""
        return explain(rundir.RunDir.open(self.path), row_id)

    def report(self) -> dict[str, Any]:
        """Write report.json, report.html, the dataset card and croissant.json again; return the facts."""
        rundir.RunDir.open(self.path)
        facts: dict[str, Any] = sibling("reports").build(self.path)
        return facts

    def export(self, form: str, out: str | Path) -> dict[str, Any]:
        """Write the mix in a trainer's format, with a dataset card and croissant.json beside it.

        Args:
            form: messages, alpaca, sharegpt or prompt-completion.
            out: a new or empty folder.

        Returns:
            JSON data: rows, files, and rows left out because the form cannot hold them.
        """
        told = export(rundir.RunDir.open(self.path), form=form, out=Path(out))
        cards: list[str] = sibling("reports").describe(self.path, Path(out), told)
        return {**told, "files": [*told["files"], *cards]}


def attempt(
    recipe: Recipe,
    *,
    out: Path,
    workers: int,
    fresh: bool,
    progress: Callable[[str, int, int], None],
) -> tuple[Run, UserError | None]:
    """Run a recipe and report on it; see `run`.

    Returns:
        The finished run, and what is wrong with it: a broken gate or nothing left.
    """
    shortfall = engine.execute(recipe, out=out, workers=workers, fresh=fresh, progress=progress)
    progress("report", 0, 1)
    finished = Run(out)
    finished.report()
    progress("report", 1, 1)
    return finished, shortfall


def run(
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    workers: int = 1,
    fresh: bool = False,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> Run:
    """Run a recipe and report on it.

    Args:
        recipe: from `load_recipe`.
        out: the run directory, `runs/<recipe name>` when left out.
        workers: processes for row-wise steps. More than one starts processes by spawning, so call it under
            `if __name__ == "__main__"`. The result is the same for any number.
        fresh: use nothing that is cached.
        progress: called with a label, what is done and the total.

    Returns:
        The finished run.

    Raises:
        UserError: with status 2 (recipe), 3 (a gate is broken; the run is written), 4 (input unreadable, or nothing
            left) or 5 (a missing extra or model).
    """
    path = Path(out) if out is not None else Path("runs") / recipe.name
    finished, shortfall = attempt(recipe, out=path, workers=workers, fresh=fresh, progress=progress)
    if shortfall is not None:
        raise shortfall
    return finished


def sibling(name: str) -> ModuleType:
    """Import `reports` or `tune`, only from beside this package: packages of these names exist elsewhere.

    Raises:
        UserError: when another package of that name comes first, or ours is missing.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(name, "is not installed beside curate", "pip install --force-reinstall curatune") from None
    home = Path(__file__).resolve().parent.parent
    if not module.__file__ or Path(module.__file__).resolve().parent.parent != home:
        fix = f"uninstall the package that owns {module.__file__}, then pip install --force-reinstall curatune"
        raise UserError(name, "another package of this name hides ours", fix, code=MISSING)
    return module
