"""Two runs as the sections of a comparison see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import chance
from curate.errors import INPUT, UserError
from curate.rundir import RunDir
from curate.schema import ROW
from reports.view import VERDICTS, View, open_view

SIDES = ("old", "new")


@dataclass(frozen=True)
class Pair:
    """Two runs.

    Args:
        old: what is compared with.
        new: the run in question.
    """

    old: View
    new: View

    @property
    def views(self) -> tuple[View, View]:
        """Return both, the old one first."""
        return self.old, self.new

    def mixes(self, names: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return columns of the kept rows of both runs, each row as often as its copies, in order of id."""
        old, new = (_mix(view, names) for view in self.views)
        return old, new

    def sizes(self) -> tuple[int, int]:
        """Return the rows of both mixes, copies counted."""
        return int(self.old.base["copies"].sum()), int(self.new.base["copies"].sum())


def open_pair(run: Path, against: Path) -> Pair:
    """Read what all sections of a comparison need.

    Args:
        run: the run in question.
        against: the run it is held against.

    Raises:
        UserError: when one is no finished run, or was written by a version with other columns.
    """
    for path in (against, run):
        missing = sorted({*ROW, *VERDICTS} - set(RunDir.open(path).scan().collect_schema()))
        if missing:
            what = f"comes from another version: its rows have no {', '.join(missing)}"
            raise UserError(str(path), what, "make the run again with this version", code=INPUT)
    return Pair(open_view(against), open_view(run))


def both(function: Any, pair: Pair) -> dict[str, Any]:
    """Return what a function says of each run."""
    return {side: function(view) for side, view in zip(SIDES, pair.views, strict=True)}


def merged(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """Return the names of both lists once, in the order of the new one; old ones stand before what followed them."""
    before, after = list(old), list(new)
    found: list[str] = []
    for name in after:
        if name in before:
            found += [one for one in before[: before.index(name)] if one not in after and one not in found]
        found.append(name)
    return found + [one for one in before if one not in found]


def drawn(frame: pl.DataFrame, view: View, purpose: str) -> pl.DataFrame:
    """Return rows in an order that is a fair draw, see `reports.view.draw`; the frame has a column `id`."""
    point = format(int(chance.uniform(view.seed, "", purpose) * 16**8), "08x")
    key = pl.col("id").str.slice(16)
    return frame.sort(key < point, key, "id")


def _mix(view: View, names: Sequence[str]) -> pl.DataFrame:
    """Return columns of the mix."""
    have = [name for name in names if name in view.base.columns]
    rest = [name for name in names if name not in have]
    frame = view.base.select("copies", *have)
    frame = frame.hstack(view.columns(rest)) if rest else frame
    return frame[np.repeat(np.arange(frame.height), frame["copies"].to_numpy())].select(names)
