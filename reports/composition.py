"""What the run and its mix are made of."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from reports.masking import masked
from reports.view import TOKENS_METHOD, View, rate

# Values listed of one column.
LISTED = 30
# Columns shown, with their headings.
COLUMNS = {
    "source": "Source",
    "task": "Task family",
    "template": "Template",
    "lang": "Language, declared",
    "language.lang": "Language, detected",
    "license": "Licence",
    "turns": "Turns",
}


def composition(view: View) -> dict[str, Any]:
    """Return the values of each descriptive column: rows in, rows kept, share of the mix in rows and tokens."""
    base = view.base
    if "language.lang" in view.signals:
        base = base.hstack(view.columns(["language.lang"]))
    tables = [_table(base, column) for column in COLUMNS if column in base.columns]
    repeated = int(base["copies"].sum()) != int(base["kept"].sum())
    splits = [{"value": "train", "rows": base.height, "kept": int(base["kept"].sum())}]
    splits.append({"value": "heldout", "rows": int(view.manifest["totals"]["heldout_rows"]), "kept": 0})
    return {
        "method": f"shares of the mix count a row as often as its copies; {TOKENS_METHOD}",
        "repeated": repeated,
        "splits": splits,
        "tables": tables,
        "targets": _targets(view),
    }


def _targets(view: View) -> dict[str, Any]:
    """Return target beside realised shares for each balance step of the recipe."""
    bounds = {rule["signal"]: (rule["max"], bool(rule.get("flag"))) for rule in view.rules if "max" in rule}
    found = []
    for index, stage in enumerate(view.manifest["recipe"].get("stages", [])):
        for use in stage.get("steps", []):
            name = use.get("as", use.get("step"))
            if use.get("step") == "balance" and f"{name}.rank" in bounds:
                bound, flag = bounds[f"{name}.rank"]
                keys = [use.get("by", "task")] if isinstance(use.get("by", "task"), str) else list(use["by"])
                found.append({"step": name, "by": keys, "flag": flag, **_target(view, index, keys, int(bound) + 1)})
    if not found:
        return {"skipped": "the recipe sets no target for the mix, as a bound on the rank of a step `balance` would"}
    return {
        "method": (
            "the target takes the same number of rows from every group, all of a smaller one; realised are the rows in "
            "the mix, copies counted"
        ),
        "list": found,
    }


def _target(view: View, index: int, keys: list[str], most: int) -> dict[str, Any]:
    """Return each group's rows at the step, what the target takes of them, and what is in the mix."""
    signals = [key for key in keys if key not in view.base.columns]
    frame = view.base.hstack(view.columns(signals)) if signals else view.base
    counted = frame.filter(view.alive(index)).group_by(keys).agg(pl.len().alias("rows"), pl.col("copies").sum())
    counted = counted.with_columns(target=pl.col("rows").clip(0, most)).sort("target", *keys, descending=[True] + [
        False] * len(keys), nulls_last=True)  # fmt: skip
    target, realised = int(counted["target"].sum()), int(counted["copies"].sum())
    groups = [
        {"value": " · ".join("not given" if row[key] is None else masked(str(row[key]))[0] for key in keys),
         "rows": row["rows"], "target": row["target"], "target_share": rate(row["target"], target),
         "in_mix": row["copies"], "mix_share": rate(row["copies"], realised)}
        for row in counted.iter_rows(named=True)
    ]  # fmt: skip
    apart = sum(abs(group["target_share"] - group["mix_share"]) for group in groups) / 2
    left_out = max(0, len(groups) - LISTED)
    return {"most": most, "groups": groups[:LISTED], "left_out": left_out, "moved_share": round(apart, 6)}


def _table(base: pl.DataFrame, column: str) -> dict[str, Any]:
    """Return the values of one column, the largest in the mix first."""
    weight = pl.col("copies")
    counted = base.group_by(column).agg(
        pl.len().alias("rows"),
        pl.col("kept").sum(),
        weight.sum().alias("in_mix"),
        (pl.col("tokens") * weight).sum().alias("mix_tokens"),
    )
    counted = counted.sort("in_mix", "rows", column, descending=[True, True, False], nulls_last=True)
    rows_total, tokens_total = int(counted["in_mix"].sum()), int(counted["mix_tokens"].sum())
    values = [
        {
            "value": None if value is None else masked(str(value))[0],
            "rows": rows,
            "kept": kept,
            "kept_share": rate(kept, rows),
            "in_mix": in_mix,
            "mix_share": rate(in_mix, rows_total),
            "mix_tokens": tokens,
            "token_share": rate(tokens, tokens_total),
        }
        for value, rows, kept, in_mix, tokens in counted.head(LISTED).iter_rows()
    ]
    return {
        "column": column,
        "title": COLUMNS[column],
        "distinct": counted.height,
        "in_mix": int((counted["in_mix"] > 0).sum()),
        "effective": _effective(counted["in_mix"].to_list(), rows_total),
        "values": values,
        "left_out": max(0, counted.height - LISTED),
    }


def _effective(counts: list[int], total: int) -> float:
    """Return exp of the Shannon entropy: how many equally large groups would be as varied (Hill number of order 1)."""
    shares = [count / total for count in counts if count] if total else []
    return round(math.exp(-sum(share * math.log(share) for share in shares)), 3) if shares else 0.0
