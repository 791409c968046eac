"""Spans that an earlier run found, cut out of the records of a source before they become rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from curate import recurrence, text
from curate.errors import INPUT, UserError
from curate.recipe import Recipe, Source

COLUMNS = ("record", "column", "start", "end", "span", "first")
CUT, MISSED = "cut", "cut_missed"
_SOURCE = "name the table `tables/<step>.matches.parquet` of a run with the step `substring`"
_MARKED = re.compile(b"\1+")
Place = tuple[int, int, str, bool]


@dataclass(frozen=True)
class Cuts:
    """What is cut out of which record.

    Args:
        places: by record: start and end in its content, the name of the span, and whether this is its first record.
        by: what stands in for each stretch.
        keep_first: leave the first record of each span as it is.
    """

    places: Mapping[str, Sequence[Place]]
    by: str
    keep_first: bool


def require(path: Path) -> None:
    """Refuse a file that is no table of matches.

    Raises:
        UserError: when it is missing, no Parquet or without one of `COLUMNS`.
    """
    try:
        names = pl.read_parquet_schema(path)
    except (OSError, PolarsError) as error:
        raise UserError(str(path), f"cannot be read as Parquet: {error}", _SOURCE, code=INPUT) from error
    if missing := [name for name in COLUMNS if name not in names]:
        raise UserError(str(path), f"has no column '{missing[0]}'", _SOURCE)


def load(path: Path, *, by: str, keep_first: bool) -> Cuts:
    """Read a table of matches.

    Raises:
        UserError: when it is none, or its places are not in contents: prompts and responses are made after reading.
    """
    require(path)
    table = pl.read_parquet(path, columns=list(COLUMNS), glob=False)
    others = table.filter(pl.col("column").ne_missing("content"))
    if others.height:
        what = f"has places in '{others['column'][0]}', which does not exist when records are read"
        raise UserError(str(path), what, 'run the step with on = "content"')
    places: dict[str, list[Place]] = {}
    for record, *place in table.select("record", "start", "end", "span", "first").iter_rows():
        places.setdefault(record, []).append((place[0], place[1], place[2], place[3]))
    return Cuts(places, by, keep_first)


def named(source: Source, recipe: Recipe) -> Cuts | None:
    """Return what a source of a recipe names, or None."""
    if source.cut is None:
        return None
    return load(recipe.resolve(source.cut.spans), by=source.cut.by, keep_first=source.cut.keep_first)


def cut(data: Any, record: str, *, cuts: Cuts, counts: dict[str, int]) -> Any:
    """Return slots or a conversation without the spans of this record.

    A place counts when the words that stand there have the name of the span, else it is missed: the text has changed
    since, or is read otherwise. What belongs to a span that is left also stays where another one overlaps it.

    Args:
        data: slots by name, or the turns of a conversation.
        record: whose they are.
        cuts: what is cut.
        counts: `cut` (strings that were changed) and `cut_missed` (places); added to.
    """
    places = cuts.places.get(record)
    if not places:
        return data
    strings: list[str] = []

    def same(value: str) -> str:
        strings.append(value)
        return value

    _mapped(data, same)
    marks = _marked("\n".join(strings), places, cuts.keep_first, counts)
    at = 0

    def shorter(value: str) -> str:
        nonlocal at
        pieces, done = [], 0
        for match in _MARKED.finditer(marks, at, at + len(value)):
            pieces += [value[done : match.start() - at], cuts.by]
            done = match.end() - at
        at += len(value) + 1
        if pieces:
            counts[CUT] = counts.get(CUT, 0) + 1
        return "".join(pieces) + value[done:]

    return _mapped(data, shorter)


def _marked(content: str, places: Sequence[Place], keep_first: bool, counts: dict[str, int]) -> bytearray:
    """Return 1 for each character that is cut and 0 for the others, and count the places that are missed."""
    marks = bytearray(len(content))
    # What is spared comes last, so that it stays.
    for start, end, span, first in sorted(places, key=lambda place: place[3] and keep_first):
        if recurrence.name(text.spaced_words(content[start:end]).split()) == span:
            marks[start:end] = bytes([not (first and keep_first)]) * (end - start)
        else:
            counts[MISSED] = counts.get(MISSED, 0) + 1
    return marks


def _mapped(data: Any, change: Callable[[str], str]) -> Any:
    """Return slots or a conversation with each string of the content changed, in the order of `slots.content_of`."""
    if isinstance(data, Mapping):
        return {slot: _mapped(value, change) for slot, value in data.items()}
    if isinstance(data, str):
        return change(data)
    if not any(_speaks(item) for item in data):
        change("")  # a slot without strings is an empty line of the content
    return [_changed(item, change) if _speaks(item) else item for item in data]


def _changed(item: Any, change: Callable[[str], str]) -> Any:
    return change(item) if isinstance(item, str) else {**item, "content": change(item["content"])}


def _speaks(item: Any) -> bool:
    """Tell whether an item of a list is a part of the content: a string, or a turn of user or assistant."""
    return isinstance(item, str) or item["role"] in ("user", "assistant")
