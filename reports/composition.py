"""What the run and its mix are made of."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

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
    }


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
            "value": None if value is None else str(value),
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
