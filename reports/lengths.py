"""How long prompts and responses are, and what a context window would cut."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports import packing, turns
from reports.distribution import quantiles
from reports.view import TOKENS_METHOD, View, example, rate

# Context windows in common use for fine-tuning.
WINDOWS = (256, 512, 1024, 2048, 4096, 8192)
# The window of which rows that pass it are counted by group: small models are commonly tuned with it.
COMMON = 2048
# Points of the curve between two windows: it looks smooth, and every window is one of them.
BETWEEN = 4
MEASURES = {
    "prompt_characters": "Prompt, characters",
    "response_characters": "Response, characters",
    "response_tokens": "Response, estimated tokens",
    "tokens": "Prompt and response, estimated tokens",
}
COUNTED = {"total": "Conversation, counted tokens", "trained": "Trained on, counted tokens"}
# Task families and sources listed.
LISTED = 20
# Trained turns per row that are counted apart; more are counted together.
MOST_TURNS = 6


def lengths(view: View) -> dict[str, Any]:
    """Return quantiles, histograms in powers of two, survival at each window by group, and packing."""
    sizes = turns.sizes(view)
    counted = "trained" in sizes.columns
    base = view.base.select({"source", "task", "kept", "blank", "tokens", "response_tokens", *MEASURES})
    base = base.hstack(sizes.select(*COUNTED)) if counted else base
    kept, kept_sizes = base.filter("kept"), sizes.filter("kept")
    titles = MEASURES | (COUNTED if counted else {})
    blank = base["kept"] & base["blank"]
    longest = base["kept"] & (sizes["total"] == (kept_sizes["total"].max() or 0)).fill_null(False)
    known = kept_sizes.filter(pl.col("total").is_not_null())
    return {
        "method": _method(view, counted=counted),
        "counted": counted,
        "unknown": kept.height - known.height,
        "quantiles": [
            {
                "name": name,
                "title": title,
                "all": quantiles(base[name].drop_nulls()),
                "kept": quantiles(kept[name].drop_nulls()),
            }
            for name, title in titles.items()
        ],
        "histograms": [
            {"name": name, "title": titles[name], "classes": _classes(base, name)}
            for name in (("trained", "total") if counted else ("response_tokens", "tokens"))
        ],
        "windows": [_window(known, size) for size in WINDOWS],
        "curve": [_window(known, size) for size in _points()],
        "lost": _lost(view, sizes) if counted else {"skipped": "which tokens are trained on was not counted"},
        "common": COMMON,
        "trained_share": rate(_sum(known, "trained"), _sum(known, "total")) if counted else None,
        "turns": _turns(sizes),
        "tasks": _groups(kept, known, "task"),
        "sources": _groups(kept, known, "source"),
        "left_out": {name: max(0, kept[name].n_unique() - LISTED) for name in ("task", "source")},
        "packing": packing.packing(known["total"].cast(pl.Int64).to_numpy()),
        "blank": {"rows": int(blank.sum()), **example(view, blank, "blank response")},
        "longest": example(view, longest, "longest row"),
    }


def _method(view: View, *, counted: bool) -> str:
    """Return how the figures came about."""
    name = turns.counted_by(view)
    basis = (
        f"tokens of conversations and what is trained on were counted by the step {name}; of responses alone they are "
        f"estimated as UTF-8 bytes ÷ 4; of a row with several trained turns that a window cuts, the trained tokens "
        f"inside are estimated as evenly spread"
        if counted
        else f"{TOKENS_METHOD}, so every token here is an estimate and what is trained on is not known"
    )
    return f"{basis}; a histogram class holds lengths from its lower end to below its upper end; {packing.METHOD}"


def _points() -> list[int]:
    """Return the windows of the curve, equally far apart on a logarithmic scale."""
    steps = range(BETWEEN * (len(WINDOWS) - 1) + 1)
    return [round(WINDOWS[0] * 2 ** (step / BETWEEN)) for step in steps]


def _classes(base: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    """Count kept and dropped rows in classes 0, 1, 2–3, 4–7, 8–15 and so on."""
    value = pl.col(name)
    exponent = pl.when(value > 0).then((value.log(2) + 1e-9).floor() + 1).otherwise(0).cast(pl.Int64).alias("power")
    known = base.filter(value.is_not_null())
    counted = known.group_by(exponent).agg(pl.col("kept").sum(), (~pl.col("kept")).sum().alias("dropped")).sort("power")
    found = {power: (kept, dropped) for power, kept, dropped in counted.iter_rows() if power is not None}
    classes = []
    for power in range(min(found, default=0), max(found, default=-1) + 1):
        kept, dropped = found.get(power, (0, 0))
        low = 0 if power == 0 else 2 ** (power - 1)
        classes.append({"low": low, "high": 2**power, "kept": kept, "dropped": dropped})
    return classes


def _window(known: pl.DataFrame, size: int) -> dict[str, Any]:
    """Return how many kept rows fit a window whole, and the share of their tokens inside it.

    Args:
        known: kept rows whose tokens are known.
        size: tokens of the window; what is behind them is cut off.
    """
    total = pl.col("total")
    fits, inside = known.select((total <= size).sum(), total.clip(upper_bound=size).sum().alias("inside")).row(0)
    facts = {
        "tokens": size,
        "fits": fits,
        "longer": known.height - fits,
        "share": rate(fits, known.height),
        "token_share": rate(inside, _sum(known, "total")),
        "trained_share": None,
        "lost": None,
    }
    if "trained" in known.columns:
        trained, first = pl.col("trained"), pl.col("first")
        room = (size - first).clip(lower_bound=0)
        spread = trained * room / (total - first)
        cut = pl.when(pl.col("turns") > 1).then(spread).otherwise(pl.min_horizontal(trained, room))
        part = pl.when(total <= size).then(trained).otherwise(cut)
        lost = ((trained > 0) & (first >= size)).sum()
        kept, gone = known.select(part.fill_null(0).sum().alias("kept"), lost.alias("lost")).row(0)
        facts |= {"trained_share": rate(round(kept, 3), _sum(known, "trained")), "lost": gone}
    return facts


def _lost(view: View, sizes: pl.DataFrame) -> dict[str, Any]:
    """Return the kept rows whose trained tokens all lie behind the common window, and one of them."""
    gone = (sizes["kept"] & (sizes["first"] >= COMMON)).fill_null(False)
    return {"rows": int(gone.sum()), **example(view, gone, "trained tokens lost")}


def _turns(sizes: pl.DataFrame) -> list[dict[str, Any]]:
    """Count rows by the number of their trained turns."""
    number = pl.col("turns").fill_null(0).clip(upper_bound=MOST_TURNS)
    counted = sizes.group_by(number).agg(pl.len().alias("rows"), pl.col("kept").sum()).sort("turns")
    return [
        {"turns": f"{count} and more" if count == MOST_TURNS else str(count), "rows": rows, "kept": kept}
        for count, rows, kept in counted.iter_rows()
    ]


def _groups(kept: pl.DataFrame, known: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """Return the lengths of each group of kept rows, the largest group first.

    Args:
        kept: all kept rows, with characters.
        known: those whose tokens are known.
        column: what to group by.
    """
    middle = {name: pl.col(name).quantile(0.5, interpolation="nearest").cast(pl.Int64) for name in MEASURES}
    characters = kept.group_by(column).agg(pl.len().alias("rows"), **middle)
    total = pl.col("total")
    tokens: dict[str, pl.Expr] = {
        "median": total.quantile(0.5, interpolation="nearest").cast(pl.Int64),
        "most": total.quantile(0.95, interpolation="nearest").cast(pl.Int64),
        "over_share": (total > COMMON).mean(),
        "trained_share": pl.lit(None),
    }
    if "trained" in known.columns:
        tokens["trained_share"] = pl.when(total.sum() > 0).then(pl.col("trained").sum() / total.sum())
    table = characters.join(known.group_by(column).agg(**tokens), on=column, how="left", nulls_equal=True)
    table = table.sort("rows", column, descending=[True, False])
    return table.head(LISTED).to_dicts()


def _sum(frame: pl.DataFrame, column: str) -> int:
    return int(frame[column].sum() or 0)
