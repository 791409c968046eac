"""Turns of all rows and what was counted of their tokens, for the sections on lengths and masks."""

from __future__ import annotations

import polars as pl

from reports.view import View

SIGNALS = ("total", "trained", "first_trained")


def counted_by(view: View) -> str | None:
    """Return under which name the run counted tokens: the first step `tokens` of the recipe, None without one."""
    names = [
        step["as"]
        for stage in view.manifest["stages"]
        for step in stage["steps"]
        if step["step"] == "tokens" and all(f"{step['as']}.{signal}" in view.signals for signal in SIGNALS)
    ]
    return names[0] if names else None


def sizes(view: View) -> pl.DataFrame:
    """Return the tokens of all n rows, counted where the run counted them and else estimated.

    Returns:
        `kept`, `source`, `task`, `turns` (trained ones), `total` (null where the row could not be counted), and where
        tokens were counted `trained` and `first` (null without trained tokens).
    """
    base = view.base.select("kept", "source", "task", "tokens")
    train = pl.col("messages").list.eval(pl.element().struct.field("train"))
    base = base.hstack(view.run.scan().select(turns=train.list.sum()).collect())
    name = counted_by(view)
    if name is None:
        return base.rename({"tokens": "total"})
    columns = [f"{name}.{signal}" for signal in SIGNALS]
    found = view.columns(columns).rename(dict(zip(columns, ("total", "trained", "first"), strict=True)))
    return base.drop("tokens").hstack(found.with_columns(pl.all().cast(pl.Int64)))
