"""Which checks looked at which share of the rows: a check that cannot judge a row says nothing of it."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.view import View, rate

# Languages told apart, the most frequent first; the others count together.
LANGUAGES = 8
_DETECTED = "language.lang"


def coverage(view: View) -> dict[str, Any]:
    """Return for each step the rows that it could judge, of all that reached it, by language.

    Returns:
        list: per step the signal that says most often something, `seen` (rows that reached it), `judged` and `share`,
        and `languages` with the same counts; a share of 1 everywhere means that nothing escaped it.
    """
    uses = [(index, use) for index, stage in enumerate(view.manifest["stages"]) for use in stage["steps"]]
    if not uses or not view.base.height:
        return {"skipped": "the recipe has no steps" if not uses else "the run has no rows"}
    languages, how = _languages(view)
    named = languages.value_counts(sort=True).drop_nulls().head(LANGUAGES)[:, 0].to_list()
    group = pl.Series("lang", [lang if lang in named or lang is None else "other" for lang in languages], pl.String)
    return {
        "method": (
            f"a row is judged when one of the step's signals has a value for it; languages are {how}; a step over the "
            "corpus sees the rows that reached its stage, all others see every row"
        ),
        "list": [_step(view, index, use, group) for index, use in uses],
    }


def _languages(view: View) -> tuple[pl.Series, str]:
    """Return the language of each row, and how it is known."""
    declared = view.base["lang"]
    if _DETECTED not in view.signals:
        return declared.alias("lang"), "those that the sources declare"
    detected = view.columns([_DETECTED])[_DETECTED]
    return declared.fill_null(detected).alias("lang"), "those that the sources declare, else those detected"


def _step(view: View, index: int, use: dict[str, Any], group: pl.Series) -> dict[str, Any]:
    """Return what one step could judge."""
    signals = [name for name in use["signals"] if name in view.signals]
    known = view.columns(signals)
    counts = {name: known.height - known[name].null_count() for name in signals}
    seen = view.alive(index) if use["kind"] == "corpus" else pl.Series([True] * view.base.height, dtype=pl.Boolean)
    judged = known.select(pl.any_horizontal(pl.all().is_not_null())).to_series() if signals else ~seen
    table = (
        pl.DataFrame({"lang": group, "seen": seen, "judged": judged & seen})
        .group_by("lang")
        .agg(pl.col("seen").sum(), pl.col("judged").sum())
        .filter(pl.col("seen") > 0)
        .sort("seen", "lang", descending=[True, False], nulls_last=True)
    )
    rows, found = int(seen.sum()), int((judged & seen).sum())
    return {
        "as": use["as"], "step": use["step"], "signal": max(counts, key=lambda name: counts[name], default=None),
        "seen": rows, "judged": found, "share": rate(found, rows),
        "languages": [{**one, "share": rate(one["judged"], one["seen"])} for one in table.to_dicts()],
    }  # fmt: skip
