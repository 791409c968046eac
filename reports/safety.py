"""Personal data and toxicity of the mix, where the run measured them."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.examples import span_tables
from reports.view import View, example, rate

# The default threshold of the toxicity step.
TOXIC = 0.5
LISTED = 20


def safety(view: View) -> dict[str, Any]:
    """Return what is known of personal data and toxicity; what no step measured says so."""
    return {"personal": _personal(view), "toxicity": _toxicity(view)}


def _personal(view: View) -> dict[str, Any]:
    """Count rows by kind of personal data."""
    tables = {name.removesuffix(".spans") for name in span_tables(view)} | {"pii"}
    signals = sorted(name for name in view.signals if name.endswith(".kinds") and name.split(".")[0] in tables)
    if not signals:
        return {"skipped": "no step of the recipe looks for personal data: add the step `pii`"}
    kinds = pl.concat_list(*(pl.col(name).fill_null([]) for name in signals)).list.unique(maintain_order=True)
    frame = view.base.select("id", "source", "kept").hstack(view.columns(signals)).with_columns(kinds=kinds)
    found = frame.filter(pl.col("kinds").list.len() > 0)
    by_kind = found.select("kinds", "kept").explode("kinds").group_by("kinds").agg(pl.len(), pl.col("kept").sum())
    by_source = found.group_by("source").agg(pl.len().alias("rows"), pl.col("kept").sum())
    return {
        "method": f"rows where {', '.join(signals)} names a kind; examples on this page are masked",
        "rows": found.height,
        "kept": int(found["kept"].sum()),
        **example(view, (frame["kinds"].list.len() > 0) & frame["kept"], "personal data"),
        "kinds": [
            {"kind": kind, "rows": rows, "kept": kept}
            for kind, rows, kept in by_kind.sort("len", "kinds", descending=[True, False]).head(LISTED).iter_rows()
        ],
        "sources": by_source.sort("rows", "source", descending=[True, False]).head(LISTED).to_dicts(),
        "matrix": _matrix(found),
    }


def _matrix(found: pl.DataFrame) -> dict[str, Any]:
    """Count the rows of each source by kind, sources and kinds with most rows first; a row counts for each kind."""
    pairs = found.select("source", "kept", "kinds").explode("kinds")
    counted = pairs.group_by("source", "kinds").agg(pl.len().alias("rows"), pl.col("kept").sum())
    orders = {}
    for name in ("source", "kinds"):
        sizes = counted.group_by(name).agg(pl.col("rows").sum()).sort("rows", name, descending=[True, False])
        orders[name] = sizes[name].head(LISTED).to_list()
    cells = {(source, kind): (rows, kept) for source, kind, rows, kept in counted.iter_rows()}
    lines = [
        {"source": source, "rows": [cells.get((source, kind), (0, 0))[0] for kind in orders["kinds"]],
         "kept": [cells.get((source, kind), (0, 0))[1] for kind in orders["kinds"]]}
        for source in orders["source"]
    ]  # fmt: skip
    return {"kinds": orders["kinds"], "sources": lines}


def _toxicity(view: View) -> dict[str, Any]:
    """Count rows at or above the default threshold by source."""
    if "toxicity.score" not in view.signals:
        return {"skipped": "the recipe does not measure toxicity"}
    high = (view.columns(["toxicity.score"])["toxicity.score"] >= TOXIC).fill_null(False).alias("high")
    frame = view.base.select("source", "kept").with_columns(high, (high & view.base["kept"]).alias("high_kept"))
    by_source = frame.group_by("source").agg(pl.len().alias("rows"), pl.col("high", "high_kept").sum())
    by_source = by_source.filter(pl.col("high") > 0).sort("high", "source", descending=[True, False]).head(LISTED)
    return {
        "method": f"rows with toxicity.score at or above {TOXIC:g}; the score is a screen, not a judgement",
        "rows": int(high.sum()),
        "kept": int((high & view.base["kept"]).sum()),
        **example(view, high & view.base["kept"], "toxic"),
        "sources": [{**row, "share": rate(row["high"], row["rows"])} for row in by_source.to_dicts()],
    }
