"""Alerts about groups: those that a rule hits harder than chance, and what the data makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, look, victim
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


def _balance(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many occupations are told of one gender nearly always."""
    found = facts["associations"]
    if "skipped" in found or not found["balance"]["skewed"]:
        return
    balance = found["balance"]
    worst = balance["list"][0]  # those out of balance beyond chance stand first, the least even before all
    who = f"she {shown.share(worst['share'])}" if worst["share"] > 0.5 else f"he {shown.share(1 - worst['share'])}"
    stand = shown.verb(balance["skewed"], "stand", "stands")
    text = (
        f"{shown.plural(balance['skewed'], 'occupation')} of {balance['tested']} {stand} with one of she and he in "
        f"four of five rows or more, most of all {worst['occupation']}: {who}."
    )
    rows = (worst["she"] + worst["he"], balance["she"] + balance["he"])
    yield alert("note", text, look(facts, "report.html"), of=rows, section="bias")


def _swapped(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell when a score turns with the group in the same text."""
    for step in facts["swaps"].get("steps", ()):
        if step["flipped"]:
            worst = max(step["groups"], key=lambda line: (line["gap"] or 0.0, line["group"]))
            text = (
                f"{step['step']}: in {shown.plural(step['flipped'], 'row')} the score crosses its threshold when only "
                f"the group is replaced; it counts {worst['group']} worst."
            )
            of = (step["flipped"], step["rows"])
            yield alert("warning", text, look(facts, "report.html"), of=of, section="bias")


CHECKS = (_groups, _balance, _swapped)
