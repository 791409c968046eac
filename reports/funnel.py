"""Where the rows went: stage by stage, and for each source, task and label."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.label_balance import by_template
from reports.masking import masked
from reports.view import TOKENS_METHOD, View, rate

# Groups shown; the rest is in rows.parquet.
LISTED = 40
# Labels shown per source.
LABELS = 12


def funnel(view: View) -> dict[str, Any]:
    """Return rows and estimated tokens by stage, and what each group lost where."""
    stages = [stage["name"] for stage in view.manifest["stages"]]
    return {
        "method": TOKENS_METHOD,
        "stages": _stages(view),
        "by": {column: _groups(view, column, stages) for column in ("source", "task")},
    }


def _stages(view: View) -> list[dict[str, Any]]:
    """Return rows and tokens entering and leaving each stage."""
    lost = {
        stage: (rows, tokens)
        for stage, rows, tokens in view.base.group_by("stage").agg(pl.len(), pl.col("tokens").sum()).iter_rows()
    }
    rows, tokens = view.base.height, int(view.base["tokens"].sum())
    found = []
    for index, stage in enumerate(view.manifest["stages"]):
        rows_lost, tokens_lost = lost.get(index, (0, 0))
        facts = {"name": stage["name"], "rows_in": rows, "rows_lost": rows_lost, "rows_out": rows - rows_lost}
        facts |= {"tokens_in": tokens, "tokens_lost": tokens_lost, "tokens_out": tokens - tokens_lost}
        facts |= {"lost_share": rate(rows_lost, rows), "rules": len(stage["rules"])}
        facts["steps"] = [step["as"] for step in stage["steps"]]
        found.append(facts)
        rows, tokens = rows - rows_lost, tokens - tokens_lost
    return found


def _groups(view: View, column: str, stages: list[str]) -> dict[str, Any]:
    """Return for each group its rows, what each stage took and what is kept, the largest first."""
    counted = view.base.group_by(column, "stage").agg(pl.len().alias("rows"), pl.col("tokens").sum())
    groups: dict[str | None, dict[str, Any]] = {}
    for value, stage, rows, tokens in counted.sort("stage").iter_rows():
        group = groups.setdefault(value, {"value": value, "rows": 0, "tokens": 0, "kept": 0, "kept_tokens": 0})
        group["rows"] += rows
        group["tokens"] += tokens
        if stage == len(stages):
            group["kept"], group["kept_tokens"] = rows, tokens
        else:
            group.setdefault("lost", {})[stages[stage]] = rows
    ordered = sorted(groups.values(), key=lambda group: (-group["rows"], str(group["value"])))
    for group in ordered:
        group["lost"] = group.get("lost", {})
        group["kept_share"] = rate(group["kept"], group["rows"])
    return {"groups": ordered[:LISTED], "left_out": max(0, len(ordered) - LISTED)}


def labels(view: View) -> dict[str, Any]:
    """Return for each source with a label slot how its labels are spread and what each lost."""
    labelled = view.base.filter(pl.col("label").is_not_null())
    if not labelled.height:
        return {"skipped": "no row has a slot called label", "sources": []}
    counted = labelled.group_by("source", "label").agg(
        pl.len().alias("rows"), pl.col("kept").sum(), pl.col("id").min().alias("row")
    )
    counted = counted.sort("source", "rows", "label", descending=[False, True, False])
    sources, templates = [], by_template(view)
    for (source,), table in counted.group_by("source", maintain_order=True):
        rows, kept = int(table["rows"].sum()), int(table["kept"].sum())
        listed = [
            {"label": masked(label)[0], "rows": count, "kept": stays, "kept_share": rate(stays, count), "example": row}
            for label, count, stays, row in table.head(LABELS).select("label", "rows", "kept", "row").iter_rows()
        ]
        facts = {"source": source, "rows": rows, "kept": kept, "distinct": table.height, "labels": listed}
        facts["kept_distinct"] = int((table["kept"] > 0).sum())
        facts["rarest"] = _rarest(table[LABELS:])
        facts["largest_kept_share"] = rate(max(table["kept"].to_list()), kept)
        sources.append(facts | templates[str(source)])
    return {
        "method": (
            "the slot called label, counted over all rows; as varied as so many labels of equal size: exp of the "
            "entropy"
        ),
        "sources": sources,
    }


def _rarest(table: pl.DataFrame) -> dict[str, Any] | None:
    """Return what the labels that are not listed lost together, None where all are."""
    if not table.height:
        return None
    rows, kept = int(table["rows"].sum()), int(table["kept"].sum())
    return {"labels": table.height, "rows": rows, "kept": kept, "example": str(table["row"].min())}
