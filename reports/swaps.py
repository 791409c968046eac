"""What a score makes of a group that takes the place of another in the same text."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from curate import parity
from curate.intervals import wilson
from reports.view import View, rate

SKIPPED = "no step scores texts again with the group replaced: add the step `swap`"
METHOD = (
    "each text that mentions a group is scored again with each other group of its axis in its place; the signed gap of "
    "a group is its score minus that of the other in the same text, first averaged over the texts of a row, then over "
    "rows, with a 95 % interval of the normal approximation; a row flips when one of its texts crosses the threshold; "
    f"the test is that the mean is 0, where there are {parity.ROWS} rows; q over all groups (Benjamini and Hochberg "
    "1995); texts in which both groups stood and changed places count for flips alone"
)
LIMITS = (
    "names are not replaced, and a swapped text may be unlike anything people write: a gap says that the score sees "
    "the group, none says only that it does not see the words that were swapped"
)


def swaps(view: View) -> dict[str, Any]:
    """Return gaps and flips by group for each step that swaps."""
    names = [step["as"] for stage in view.manifest["stages"] for step in stage["steps"] if step["step"] == "swap"]
    tables = {name: view.run.table(f"{name}.pairs") for name in names}
    found = [_step(name, table) for name, table in tables.items() if table is not None]
    return {"method": METHOD, "limits": LIMITS, "steps": found} if found else {"skipped": SKIPPED}


def _step(name: str, table: pl.DataFrame) -> dict[str, Any]:
    """Return the groups of one step, those with the largest gaps first."""
    scored = table.filter(pl.col("before").is_not_null(), pl.col("after").is_not_null())
    gap = pl.col("after") - pl.col("before")
    plain = scored.filter(~pl.col("mixed"))
    sides = pl.concat([plain.select("id", group="group", gap=-gap), plain.select("id", group="other", gap=gap)])
    rows = sides.group_by("group", "id").agg(pl.col("gap").mean()).sort("group", "id")
    means = rows.group_by("group").agg(pl.len().alias("rows"), pl.col("gap").mean(), pl.col("gap").std().alias("sd"))
    either = pl.concat([scored.select("id", group=side, flipped="flipped") for side in ("group", "other")])
    flips = either.group_by("group", "id").agg(pl.col("flipped").any()).group_by("group")
    counted = flips.agg(texts=pl.len(), flips=pl.col("flipped").sum())
    groups = counted.join(means, on="group", how="left").sort("group")
    lines = [_line(row) for row in groups.iter_rows(named=True)]
    tested = [line for line in lines if line["p"] is not None]
    for line, q in zip(tested, parity.discoveries([line["p"] for line in tested]), strict=True):
        line["q"] = q
    lines.sort(key=lambda line: (line["q"] is None, -abs(line["gap"] or 0.0), line["group"]))
    by_row = scored.group_by("id").agg(gap=gap.abs().max(), flipped=pl.col("flipped").any())
    return {
        "step": name, "rows": by_row.height, "texts": scored.height, "unscored": table.height - scored.height,
        "moved": int((by_row["gap"] > 0).sum()), "flipped": int(by_row["flipped"].sum()),
        "largest": float(by_row["gap"].max() or 0.0) if by_row.height else 0.0,  # type: ignore[arg-type]
        "notable": sum(line["q"] is not None and line["q"] < parity.FALSE_SHARE for line in lines), "groups": lines,
    }  # fmt: skip


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """Return mean gap and flips of one group; p is none where there are too few rows."""
    rows, gap = row["rows"] or 0, row["gap"]
    error = (row["sd"] or 0.0) / math.sqrt(rows) if rows > 1 else None
    enough = error is not None and rows >= parity.ROWS
    p = (math.erfc(abs(gap) / error / math.sqrt(2)) if error else float(gap == 0)) if enough else None
    low, high = wilson(row["flips"], row["texts"])
    return {
        "group": row["group"], "rows": rows, "gap": gap, "p": p, "q": None,
        "low": None if error is None else gap - parity.Z95 * error,
        "high": None if error is None else gap + parity.Z95 * error,
        "flips": row["flips"], "flip_rows": row["texts"], "flip_share": rate(row["flips"], row["texts"]),
        "flip_low": low, "flip_high": high,
    }  # fmt: skip
