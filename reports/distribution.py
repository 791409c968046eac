"""How the values of one signal are spread, and on which side of a rule they fall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from reports import shown
from reports.masking import masked

# Bars of a histogram: enough to see a second hump, few enough to read on a phone.
BARS = 24
# Values listed of a signal that is not a number; the rest is counted together.
LISTED = 12
# The outermost per cent on both sides is folded into the end bars, so that one giant row does not flatten the rest.
TAILS = (0.01, 0.99)
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_ID = r"^[0-9a-f]{32}$"  # ids of rows: counted, not listed
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


def distribution(
    values: pl.Series, failed: pl.Series | None = None, *, bounds: Sequence[float] = (), closed: str = "left"
) -> dict[str, Any]:
    """Return bars or a table of values.

    Args:
        values: one value per row; null counts as unknown.
        failed: (n,) bool, which rows the rule fails; none by default.
        bounds: thresholds of the rule; a bar ends at the first of them.
        closed: which end belongs to a bar, `left` for a minimum and `right` for a maximum.

    Returns:
        `kind` is `numeric` (`bars`, `quantiles`), `values` (a table) or `empty`; always `known` and `unknown`.
    """
    frame = pl.DataFrame({"value": values, "failed": _nothing(values) if failed is None else failed})
    known = frame.filter(pl.col("value").is_not_null())
    facts: dict[str, Any] = {"known": known.height, "unknown": frame.height - known.height}
    if not known.height:
        return {**facts, "kind": "empty"}
    if values.dtype.is_numeric():
        whole = values.dtype.is_integer()
        known = known.with_columns(pl.col("value").cast(pl.Float64))
        bars = _bars(known, whole=whole, bounds=bounds, closed=closed)
        return {**facts, "kind": "numeric", "whole": whole, "quantiles": quantiles(known["value"]), **bars}
    return {**facts, "kind": "values", **_table(known)}


def quantiles(values: pl.Series) -> list[dict[str, float]]:
    """Return the values at fixed shares of the sorted rows; each is a value that occurs."""
    found = [(share, values.quantile(share, interpolation="nearest")) for share in QUANTILES]
    return [{"share": share, "value": float(value)} for share, value in found if value is not None]


def _nothing(values: pl.Series) -> pl.Series:
    return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)


def _bars(frame: pl.DataFrame, *, whole: bool, bounds: Sequence[float], closed: str) -> dict[str, Any]:
    """Count the rows of each bar on both sides of the rule."""
    low, width, size = _grid(frame["value"], whole=whole, bounds=bounds, closed=closed)
    positive = frame["value"].min() >= 0  # type: ignore[operator]
    place = (pl.col("value") - low) / width
    index = (place.ceil() - 1 if closed == "right" else place.floor()).clip(0, size - 1).cast(pl.Int64)
    counted = frame.group_by(index.alias("bar")).agg(pl.len().alias("rows"), pl.col("failed").sum()).sort("bar")
    by_bar = {bar: (rows, failed) for bar, rows, failed in counted.iter_rows()}
    bars = []
    for bar in range(size):
        rows, failed = by_bar.get(bar, (0, 0))
        start, end = round(low + bar * width, 9), round(low + (bar + 1) * width, 9)
        start = 0.0 if positive and bar == 0 and start < 0 < end else start  # what cannot be negative is not drawn so
        bars.append({"low": start, "high": end, "passed": rows - failed, "failed": failed})
    top = low + size * width
    beyond = frame.select(
        below=(pl.col("value") < low).sum(), above=(pl.col("value") > top).sum(), top=pl.col("value").max()
    ).row(0, named=True)
    folded = {"below": int(beyond["below"]), "above": int(beyond["above"])}
    return {"bars": bars, "folded": folded, "closed": closed, "unit_bars": whole and width == 1}


def _grid(values: pl.Series, *, whole: bool, bounds: Sequence[float], closed: str) -> tuple[float, float, int]:
    """Return where the bars start, how wide each is and how many there are."""
    low, high = (float(values.quantile(share, interpolation="nearest") or 0) for share in TAILS)
    least, most = float(values.min() or 0), float(values.max() or 0)  # type: ignore[arg-type]
    if low == high:  # all but a few rows are equal: show the few
        low, high = least, most
    spread = (high - low) or 1.0
    # A bound far outside of what occurs would squeeze all bars into one: it is shown only near the data.
    near = [bound for bound in bounds if low - spread <= bound <= high + spread]
    low, high = min([low, *near]), max([high, *near])
    width = _width((high - low) / BARS, whole=whole)
    anchor = near[0] if near else math.floor(low / width) * width
    start = anchor - math.ceil((anchor - low) / width - 1e-9) * width
    if closed == "right" and whole and width == 1 and start == low:
        start -= 1  # a bar of one number that ends there
    steps = (high - start) / width
    size = max(1, math.ceil(steps - 1e-9) if closed == "right" else math.floor(steps + 1e-9) + 1)
    # Values beyond a bound at the very end of the bars get a bar of their own: they are what the rule is about.
    if near and start >= near[0] > least:
        start, size = start - width, size + 1
    if near and start + size * width <= near[-1] < most:
        size += 1
    return start, width, size


def _width(target: float, *, whole: bool) -> float:
    """Return the next round width at or above the target, at least 1 for whole numbers."""
    if target <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(target))
    width = next(step * scale for step in _NICE if step * scale >= target * (1 - 1e-9))
    return max(1.0, math.ceil(width)) if whole else width


def _table(frame: pl.DataFrame) -> dict[str, Any]:
    """Count the rows of each value, a row once for each member of a list."""
    column = pl.col("value")
    rows = frame.height
    if isinstance(frame.schema["value"], pl.List):
        members = column.list.unique(maintain_order=True)
        empty = pl.when(column.list.len() == 0).then(pl.lit(["(none)"])).otherwise(members).alias("value")
        frame = frame.with_columns(empty).explode("value")
    frame = frame.with_columns(column.cast(pl.String))
    if frame["value"].str.contains(_ID).all():
        return {"values": [], "distinct": frame["value"].n_unique(), "others": rows, "of": rows}
    counted = frame.group_by("value").agg(pl.len().alias("rows"), pl.col("failed").sum())
    # A value that a single row has may be a text or an id: it is counted, never shown.
    several = counted.filter((pl.col("rows") > 1) | (counted.height <= LISTED))
    several = several.sort("rows", "value", descending=[True, False]).head(LISTED)
    values = [
        {"value": shown.clipped(masked(value)[0], 60), "rows": count, "failed": failed}
        for value, count, failed in several.iter_rows()
    ]
    rest = int(frame.height - several["rows"].sum())
    return {"values": values, "distinct": counted.height, "others": rest, "of": rows}
