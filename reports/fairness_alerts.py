"""Alerts about groups that a rule hits harder than chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, victim
from reports.fairness import belonging

# One line for each of the worst rules: the table tells the rest.
RULES = 3


def _groups(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that hit rows which mention a group harder than all others, the worst first."""
    fair = facts["fairness"]
    lines = [line for line in fair.get("identity", ()) if line["notable"]]
    for rule in list(dict.fromkeys(line["rule"] for line in lines))[:RULES]:
        hit = [line for line in lines if line["rule"] == rule]
        worst = hit[0]
        others = f", and {shown.plural(len(hit) - 1, 'other group')} too" if len(hit) > 1 else ""
        does = "flags" if worst["flag"] else "drops"
        excess = round(worst["failed"] - worst["equal_length"]["expected"])
        text = (
            f"Rule {rule} {does} {shown.share(worst['share'])} of the rows {belonging(worst, fair)}, "
            f"{shown.share(worst['overall'])} of all: {shown.count(excess)} more than rows of their length{others}."
        )
        severity = "note" if worst["flag"] else "warning"
        yield alert(severity, text, victim(facts, rule), of=(excess, worst["rows"]), section="fairness")


CHECKS = (_groups,)
