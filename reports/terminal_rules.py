"""The rules on a terminal: a line each, with what it costs and removes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from reports import shown
from reports.terminal import plain_table


def rule_table(facts: Mapping[str, Any], *, console: Console) -> None:
    """Print each rule with the cost of its step, rows hit at its stage and anywhere, removed, and removed by it alone.

    Args:
        facts: of `reports.quality`.
        console: where to.
    """
    listed = facts["rules"]["list"]
    if not listed:
        console.print(Text(f"no rules: {facts['rules']['skipped']}"))
        return
    table = plain_table("rule", ["s per 1,000", "hits", "anywhere", "removed", "alone"])
    for rule, cost in zip(listed, facts["timing"]["rules"], strict=True):
        took = "from the cache" if cost["cached"] else "–"
        took = took if cost["per_thousand"] is None else shown.number(cost["per_thousand"])
        removed = ["flags", ""] if rule["flag"] else [shown.count(rule["first"]), _known(rule["alone"])]
        name = Text(shown.line(rule["id"]), no_wrap=True, overflow="ellipsis")
        table.add_row(name, took, shown.count(rule["failed"]), _known(rule["hit"]), *removed)
    console.print(table)


def _known(value: int | None) -> str:
    return "–" if value is None else shown.count(value)
