"""How long prompts and responses are, and what a context window would cut."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.distribution import quantiles
from reports.view import TOKENS_METHOD, View, example, rate

# Context windows in common use for fine-tuning.
WINDOWS = (256, 512, 1024, 2048, 4096, 8192)
MEASURES = {
    "prompt_characters": "Prompt, characters",
    "response_characters": "Response, characters",
    "response_tokens": "Response, estimated tokens",
    "tokens": "Prompt and response, estimated tokens",
}
# Task families listed.
LISTED = 20


def lengths(view: View) -> dict[str, Any]:
    """Return quantiles, histograms in powers of two, and the share of kept rows that fits each window."""
    kept = view.base.filter("kept")
    blank = view.base["kept"] & view.base["blank"]
    longest = view.base["kept"] & (view.base["tokens"] == (kept["tokens"].max() or 0))
    return {
        "method": f"{TOKENS_METHOD}; a histogram class holds lengths from its lower end to below its upper end",
        "quantiles": [
            {
                "name": name,
                "title": title,
                "all": quantiles(view.base[name].drop_nulls()),
                "kept": quantiles(kept[name].drop_nulls()),
            }
            for name, title in MEASURES.items()
        ],
        "histograms": [
            {"name": name, "title": MEASURES[name], "classes": _classes(view.base, name)}
            for name in ("response_tokens", "tokens")
        ],
        "windows": [_window(kept, size) for size in WINDOWS],
        "tasks": _tasks(kept),
        "blank": {"rows": int(blank.sum()), **example(view, blank, "blank response")},
        "longest": example(view, longest, "longest row"),
    }


def _classes(base: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    """Count kept and dropped rows in classes 0, 1, 2–3, 4–7, 8–15 and so on."""
    value = pl.col(name)
    exponent = pl.when(value > 0).then((value.log(2) + 1e-9).floor() + 1).otherwise(0).cast(pl.Int64).alias("power")
    counted = base.group_by(exponent).agg(pl.col("kept").sum(), (~pl.col("kept")).sum().alias("dropped")).sort("power")
    found = {power: (kept, dropped) for power, kept, dropped in counted.iter_rows() if power is not None}
    classes = []
    for power in range(min(found, default=0), max(found, default=-1) + 1):
        kept, dropped = found.get(power, (0, 0))
        low = 0 if power == 0 else 2 ** (power - 1)
        classes.append({"low": low, "high": 2**power, "kept": kept, "dropped": dropped})
    return classes


def _window(kept: pl.DataFrame, size: int) -> dict[str, Any]:
    """Return how many kept rows fit a window whole, and the share of their tokens inside it."""
    fits = int((kept["tokens"] <= size).sum())
    inside = int(kept["tokens"].clip(upper_bound=size).sum())
    return {
        "tokens": size,
        "fits": fits,
        "share": rate(fits, kept.height),
        "token_share": rate(inside, int(kept["tokens"].sum())),
    }


def _tasks(kept: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the median lengths of each task family in the mix."""
    medians = [pl.col(name).quantile(0.5, interpolation="nearest").cast(pl.Int64) for name in MEASURES]
    table = kept.group_by("task").agg(pl.len().alias("rows"), *medians).sort("rows", "task", descending=[True, False])
    return table.head(LISTED).to_dicts()
