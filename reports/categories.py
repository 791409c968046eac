"""How values that are no numbers are spread over two mixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from reports import effects, shown
from reports.drift_words import among, moved_values
from reports.pair import SIDES, Pair

# Columns of the row compared beside signals, with their titles.
COLUMNS = {
    "source": "source",
    "task": "task family",
    "template": "template",
    "lang": "declared language",
    "license": "licence",
    "label": "label",
}
# What the recipe calls its parts: where no value is common, newly collected data merely has other names.
NAMES = ("source", "template")
# A column of the row that so many rows of one side leave out was not declared there, which is no drift of the data.
UNDECLARED = 0.99
# Values listed of one column, those that moved most first.
LISTED = 12
# A value of a signal that fewer rows have may be personal: it is counted with the others, never shown.
FEW = 5
# A signal with more different values than this share of its rows holds texts or ids, not categories.
TEXTS = 0.5
_ID = r"^[0-9a-f]{32}$"
ABSENT, NOTHING = "(not given)", "(none)"


def categories(pair: Pair) -> Iterator[dict[str, Any]]:
    """Yield the shift of each column of values that both runs have."""
    old, new = (view.signals for view in pair.views)
    relative = among(pair)
    for name, title in COLUMNS.items():
        if found := _compared(pair, name, title):
            yield found
    for name, kind in old.items():
        fits = kind in (pl.String, pl.Boolean, pl.List(pl.String))
        if fits and new.get(name) == kind and (found := _compared(pair, name, name)):
            yield found | ({"aside": relative[name]["aside"]} if name in relative else {})


def _compared(pair: Pair, name: str, title: str) -> dict[str, Any] | None:
    """Return one column of both mixes, None when it holds no categories."""
    columns = [mix[name] for mix in pair.mixes([name])]
    lists = isinstance(columns[0].dtype, pl.List)
    if name not in COLUMNS and _texts(columns):
        return None
    old, new = (_counted(column) for column in columns)
    table = old.join(new, on="value", how="full", coalesce=True, suffix="_new").fill_null(0).sort("value")
    counts = len(columns[0]), len(columns[1])
    shares = [table[key].to_numpy() / size for key, size in zip(("rows", "rows_new"), counts, strict=True)]
    if lists:
        member = [effects.variation(*_against_rest(p, q)) for p, q in zip(*shares, strict=True)]
        value = max((effects.association(*_against_rest(p, q)) for p, q in zip(*shares, strict=True)), default=0.0)
        variation, size = max(member, default=0.0), effects.table_size(value, counts, 2)
    else:
        variation, value = effects.variation(*shares), effects.association(*shares)
        size = effects.table_size(value, counts, table.height)
    facts: dict[str, Any] = {
        "name": name,
        "title": title,
        "kind": "list" if lists else "values",
        "aside": _aside(name, table, shares),
        "moved": round(variation, 6),
        "variation": round(variation, 6),
        "association": round(value, 6),
        "size": size,
        "distinct": dict(zip(SIDES, (old.height, new.height), strict=True)),
        "values": _listed(table, shares, hide=name not in COLUMNS),
    }
    return facts | {"sentence": moved_values(facts), "left_out": max(0, table.height - len(facts["values"]))}


def _texts(columns: list[pl.Series]) -> bool:
    """Tell whether a column holds ids or texts rather than categories; yes when no row has a value."""
    known = [column.drop_nulls() for column in columns]
    if isinstance(columns[0].dtype, pl.List):
        known = [column.explode(empty_as_null=True).drop_nulls() for column in known]
    if not any(map(len, known)) or all(column.cast(pl.String).str.contains(_ID).all() for column in known):
        return True
    return any(column.n_unique() > max(2.0, TEXTS * len(column)) for column in known)


def _against_rest(p: float, q: float) -> tuple[effects.Floats, effects.Floats]:
    """Return the shares of rows with and without a member, on both sides."""
    return np.array([p, 1 - p]), np.array([q, 1 - q])


def _counted(column: pl.Series) -> pl.DataFrame:
    """Return how many rows have each value; of a list each member once, and the empty list as a value of its own."""
    frame = column.alias("value").to_frame()
    if isinstance(column.dtype, pl.List):
        value = pl.col("value")
        empty = pl.when(value.list.len() == 0).then(pl.lit([NOTHING])).otherwise(value.list.unique()).alias("value")
        frame = frame.with_columns(empty).explode("value")
    named = pl.col("value").cast(pl.String).fill_null(ABSENT)
    return frame.group_by(named).agg(pl.len().cast(pl.Int64).alias("rows"))


def _aside(name: str, table: pl.DataFrame, shares: list[effects.Floats]) -> str | None:
    """Return why a column says nothing of the data though its values moved, or None."""
    if name not in COLUMNS:
        return None
    absent = (table["value"] == ABSENT).to_numpy()
    missing = [side for side, share in zip(SIDES, shares, strict=True) if share[absent].sum() >= UNDECLARED]
    if len(missing) == 1:
        return f"the {missing[0]} mix does not give its {COLUMNS[name]}"
    if name in NAMES and not (shares[0] * shares[1]).any():
        return f"no {COLUMNS[name]} is common to both"
    return None


def _listed(table: pl.DataFrame, shares: list[effects.Floats], *, hide: bool) -> list[dict[str, Any]]:
    """Return the values that moved most, with rows and shares of both sides."""
    old, new = (pl.Series(f"{side}_share", share) for side, share in zip(SIDES, shares, strict=True))
    table = table.with_columns(old, new).with_columns(moved=(new - old).abs())
    if hide:
        table = table.filter(pl.col("rows") + pl.col("rows_new") >= FEW)
    table = table.sort("moved", "value", descending=[True, False])
    return [
        {"value": shown.clipped(value, 60), "old": old, "new": new, "old_share": old_share, "new_share": new_share}
        for value, old, new, old_share, new_share, _ in table.head(LISTED).iter_rows()
    ]
