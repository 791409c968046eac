"""Training rows that are, letter for letter, a held-out item."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.view import View, draw

# Sources in the table, and rows shown.
MATRIX, SHOWN = 20, 3
# Lower case and single blanks, which polars can do for a million rows in a second.
_KEY = pl.col("content").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def across_splits(view: View) -> dict[str, Any]:
    """Return how many training rows equal a held-out row in content, by both sources; needs no step."""
    if not view.manifest["totals"]["heldout_rows"]:
        return {"skipped": "the run has no held-out rows"}
    held = view.run.scan("heldout").select("id", item_source="source", key=_KEY).filter(pl.col("key") != "").collect()
    hashes = held["key"].hash().unique().implode()
    # Hashes find the few rows whose texts are then compared: no million texts are held at once.
    rows = view.run.scan().select("id", "source", "kept", key=_KEY).filter(pl.col("key").hash().is_in(hashes)).collect()
    found = rows.filter(pl.col("key").is_in(held["key"].unique().implode()))
    pairs = found.join(held.unique(["key", "item_source"]), on="key", suffix="_item")
    hit = view.base["id"].is_in(found["id"].implode())
    drawn = draw(view, hit & view.base["kept"], "across splits", size=SHOWN)
    return {
        "method": (
            "content in lower case with blanks collapsed, equal in whole to that of a held-out row; rows that hold an "
            "item and more are in the section on contamination"
        ),
        "rows": found.height,
        "kept": int(found["kept"].sum()),
        "items": held.filter(pl.col("key").is_in(found["key"].unique().implode())).height,
        "of_items": held.height,
        "matrix": crossed(pairs),
        "examples": [{"row": row} for row in drawn or draw(view, hit, "across splits", size=SHOWN)],
    }


def crossed(pairs: pl.DataFrame) -> dict[str, Any]:
    """Count rows by `source` and `item_source`, those with most rows first."""
    names = {}
    for column in ("source", "item_source"):
        sizes = pairs.drop_nulls(column).group_by(column).len("rows").sort("rows", column, descending=[True, False])
        names[column] = sizes[column].head(MATRIX).to_list()
    counted = pairs.group_by("source", "item_source").len("rows")
    cells = {(source, item): rows for source, item, rows in counted.iter_rows()}
    return {
        "sources": names["source"],
        "heldout": names["item_source"],
        "rows": [[cells.get((source, item), 0) for item in names["item_source"]] for source in names["source"]],
    }
