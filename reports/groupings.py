"""Which rows belong to which group: by who is mentioned, dialect, language, topic, task, length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from curate.parity import Counts, Mask
from reports.spread import map_step
from reports.view import View

# Upper ends of bands of response length in characters: a label, a sentence, a paragraph, a page, more.
BANDS = (20, 100, 500, 2000)
LENGTH = "response characters"
# What makes a grouping that is not there.
ADD = {
    "mentions": "no step counts who is mentioned: add the step `bias`",
    "dialect": "no step looks for markers of dialects: add the step `dialect`",
    "language": "no source declares a language and no step finds it: add the step `language`",
    "topic": "no row has a topic: add the step `map` to the first stage",
    "task": "no row has a task family",
    LENGTH: "the run has no rows",
}


@dataclass(frozen=True)
class Grouping:
    """Groups and their members.

    Args:
        kind: a key of `ADD`.
        by: what it is called in a line.
        column: what a gate calls it; None where no signal says it.
        names: of the groups, sorted.
        rows: number of the row of each membership.
        codes: number of its group in `names`.
        known: (n,) bool: rows of which is known whether they belong.
    """

    kind: str
    by: str
    column: str | None
    names: list[str]
    rows: Counts
    codes: Counts
    known: Mask

    @property
    def of_people(self) -> bool:
        """Tell whether groups are of people, those spoken of or those who speak."""
        return self.kind in ("mentions", "dialect")

    def count(self, mask: Mask) -> Counts:
        """Count the members among some rows, by group."""
        return self.by_class(mask, np.zeros(len(mask), dtype=np.int64), size=1)[:, 0]

    def by_class(self, mask: Mask, classes: Counts, *, size: int) -> Counts:
        """Count the members among some rows by group and class, (groups, size)."""
        chosen = mask[self.rows]
        places = self.codes[chosen] * size + classes[self.rows[chosen]]
        found: Counts = np.bincount(places, minlength=len(self.names) * size).reshape(len(self.names), size)
        return found


def groupings(view: View) -> tuple[list[Grouping], list[dict[str, str]]]:
    """Return the groupings of a run, and those it cannot have with what to do about it."""
    found = [*_listed(view), *_described(view), *_topics(view)]
    found = [one for one in found if one.names or one.kind in ("mentions", "dialect")]
    missing = [{"by": kind, "skipped": text} for kind, text in ADD.items() if kind not in {one.kind for one in found}]
    return found, missing


def mentioning(view: View) -> list[str]:
    """Return the steps that count who is mentioned, by their signals."""
    return _steps(view, "groups", ("mentions", "axes"))


def _steps(view: View, signal: str, others: Sequence[str]) -> list[str]:
    """Return the names of steps that have a signal and some others."""
    names = [name.removesuffix(f".{signal}") for name in view.signals if name.endswith(f".{signal}")]
    return [name for name in names if all(f"{name}.{other}" in view.signals for other in others)]


def _listed(view: View) -> Iterator[Grouping]:
    """Yield the groups that each step found in the rows."""
    kinds = (("mentions", "groups", ("mentions", "axes")), ("dialect", "varieties", ("markers",)))
    for kind, signal, others in kinds:
        for name in _steps(view, signal, others):
            column = f"{name}.{signal}"
            lists = view.columns([column])[column].alias("group")
            members = lists.to_frame().with_row_index("row").filter(pl.col("group").list.len() > 0).explode("group")
            yield _grouped((kind, name, column), members, lists.is_not_null())


def _described(view: View) -> Iterator[Grouping]:
    """Yield language, task and length of the response as groups."""
    detected = next((name for name in view.signals if name.endswith(".lang")), None)
    lang = view.columns([detected])[detected] if detected else view.base["lang"]
    names = [f"under {BANDS[0]}", *(f"{low}–{high - 1:,}" for low, high in pairwise(BANDS))]
    names.append(f"{BANDS[-1]:,} and more")
    place = pl.sum_horizontal(*((pl.col("response_characters") >= end).cast(pl.Int64) for end in BANDS))
    band = view.base.select(place.replace_strict(dict(enumerate(names)), return_dtype=pl.String)).to_series()
    described: list[tuple[str, str, str | None, pl.Series]] = [
        ("language", "language", detected or "lang", lang),
        ("task", "task", "task", view.base["task"]),
        (LENGTH, LENGTH, None, band),
    ]
    for kind, by, column, values in described:
        members = values.alias("group").to_frame().with_row_index("row").drop_nulls()
        yield _grouped((kind, by, column), members, values.is_not_null())


def _topics(view: View) -> Iterator[Grouping]:
    """Yield the clusters of the map's sample."""
    name = map_step(view)
    points = view.run.table(f"{name}.points") if name else None
    if points is None or not points.height:
        return
    topics = points.select("id", group=pl.format("cluster {}", pl.col("cluster") + 1))
    joined = view.base.select("id").join(topics, on="id", how="left", maintain_order="left")["group"]
    members = joined.to_frame().with_row_index("row").drop_nulls()
    yield _grouped(("topic", "topic", None), members, joined.is_not_null())


def _grouped(about: tuple[str, str, str | None], members: pl.DataFrame, known: pl.Series) -> Grouping:
    """Number the groups in order of their names."""
    names = members["group"].unique().sort()
    codes = pl.DataFrame({"group": names, "code": np.arange(len(names))})
    joined = members.join(codes, on="group", how="left", maintain_order="left")
    rows, numbers = (joined[name].to_numpy().astype(np.int64) for name in ("row", "code"))
    return Grouping(*about, names.to_list(), rows, numbers, known.to_numpy())


def plain(found: Sequence[Grouping], missing: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Return in plain words which groupings were compared and which were not."""
    there = [
        {"by": one.by, "column": one.column, "groups": len(one.names), "rows": int(one.known.sum())} for one in found
    ]
    return [*there, *missing]
