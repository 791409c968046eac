"""Alerts about groups that a rule hits harder than chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, victim
from reports.fairness import notable

# One line for each of the worst rules: the table tells the rest.
RULES = 3


def _groups(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that hit rows which mention a group harder than all others, the worst first."""
    lines = [line for line in facts["fairness"].get("identity", ()) if notable(line)]
    for rule in list(dict.fromkeys(line["rule"] for line in lines))[:RULES]:
        hit = [line for line in lines if line["rule"] == rule]
        worst = hit[0]
        others = f", and {shown.plural(len(hit) - 1, 'other group')} too" if len(hit) > 1 else ""
        does = "flags" if worst["flag"] else "drops"
        excess = round(worst["failed"] - worst["expected"])
        text = (
            f"Rule {rule} {does} {shown.share(worst['share'])} of the rows that mention {worst['group']}, "
            f"{shown.share(worst['overall'])} of all: {shown.count(excess)} more than its part{others}."
        )
        severity = "note" if worst["flag"] else "warning"
        yield alert(severity, text, victim(facts, rule), of=(excess, worst["rows"]), section="fairness")


CHECKS = (_groups,)
