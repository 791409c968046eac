"""Personal data and toxicity of the mix, where the run measured them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.schema import column_text
from reports.examples import span_tables
from reports.masking import masked
from reports.text_quality import uses
from reports.view import View, example, rate

# The default threshold of the toxicity step.
TOXIC = 0.5
LISTED = 20
# Entries of a lexicon that are named for each text, and characters of a passage: a line each.
ENTRIES, PASSAGE = 5, 160


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
    """Count rows at or above the default threshold by source, and for each text that was looked at by category."""
    steps = [one for one in uses(view) if one["step"] == "toxicity" and f"{one['as']}.matched" in view.signals]
    # What a model learns to say comes first; where nobody asked about that, what it is asked.
    names = ["toxicity"] if "toxicity.score" in view.signals else [one["as"] for one in steps]
    if not names:
        return {"skipped": "the recipe does not measure toxicity"}
    main = names[0]
    high = _high(view, main)
    frame = view.base.select("source", "kept").with_columns(high, (high & view.base["kept"]).alias("high_kept"))
    by_source = frame.group_by("source").agg(pl.len().alias("rows"), pl.col("high", "high_kept").sum())
    by_source = by_source.filter(pl.col("high") > 0).sort("high", "source", descending=[True, False]).head(LISTED)
    return {
        "method": f"rows with {main}.score at or above {TOXIC:g}; the score is a screen, not a judgement",
        "signal": f"{main}.score",
        "rows": int(high.sum()),
        "kept": int((high & view.base["kept"]).sum()),
        **example(view, high & view.base["kept"], "toxic"),
        "sources": [{**row, "share": rate(row["high"], row["rows"])} for row in by_source.to_dicts()],
        "texts": [_judged(view, one["as"], one["column"]) for one in steps],
    }


def _high(view: View, name: str) -> pl.Series:
    return (view.columns([f"{name}.score"])[f"{name}.score"] >= TOXIC).fill_null(False).alias("high")


def _judged(view: View, name: str, column: str) -> dict[str, Any]:
    """Return what one step found in the text it looked at: rows by category and by entry, and one passage."""
    high = _high(view, name)
    names = {f"{name}.{key}": key for key in ("category", "matched")}
    found = view.base.select("kept").hstack(view.columns(list(names)).rename(names)).filter(high)
    by_category = found.group_by("category").agg(pl.len().alias("rows"), pl.col("kept").sum())
    entries = found.select(entry=pl.col("matched")).explode("entry").drop_nulls().group_by("entry").len("rows")
    facts = {
        "as": name,
        "column": column,
        "rows": found.height,
        "kept": int(found["kept"].sum()),
        "categories": by_category.sort("rows", "category", descending=[True, False]).to_dicts(),
        "entries": entries.sort("rows", "entry", descending=[True, False]).head(ENTRIES).to_dicts(),
    }
    drawn = example(view, high, f"toxic {name}")
    return {**facts, **drawn, **_passage(view, drawn["row"], name, column)} if drawn else facts


def _passage(view: View, row: str, name: str, column: str) -> dict[str, Any]:
    """Return score, category and worst passage of a row; no passage where a step found personal data in the row."""
    one = view.run.scan().filter(pl.col("id") == row).collect()
    facts = {key: one.item(0, f"{name}.{key}") for key in ("score", "category")}
    tables = (view.run.table(table) for table in span_tables(view))
    if any(table is not None and {"id", "kind"} <= set(table.columns) and row in table["id"] for table in tables):
        return facts
    text = column_text(one, column)[0] or ""
    passage, _ = masked(text[one.item(0, f"{name}.start") or 0 : one.item(0, f"{name}.end")])
    return {**facts, "passage": passage if len(passage) <= PASSAGE else f"{passage[:PASSAGE]}…"}
