"""Alerts about single rules: the harm they may do, and those that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import FEW, Facts, alert, victim

HEAVY = 0.2  # a rule that takes more than a fifth of a group changes what the group is, not only its quality
UNKNOWN = 0.1  # a rule that has no verdict on a tenth of its rows guards less than it seems to
NAMED = 3  # rules named in one sentence


def _heavy(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that take much of a source or task."""
    for rule in facts["rules"]["list"]:
        groups = [(column, group) for column in ("source", "task") for group in rule["groups"][column]["list"]]
        heavy = [(column, group) for column, group in groups if group["share"] > HEAVY and group["failed"] >= FEW]
        if rule["flag"] or not heavy:
            continue
        column, worst = max(heavy, key=lambda item: (item[1]["share"], item[1]["failed"], item[0]))
        others = sum(1 for other, _ in heavy if other == column) - 1
        noun = f"other {column}" + ("s" if others > 1 else "")
        more = f", and more than {shown.share(HEAVY)} of {others} {noun}" if others else ""
        text = f"Rule {rule['id']} takes {shown.share(worst['share'])} of {column} {worst['value']}{more}."
        of = (worst["failed"], worst["rows"])
        yield alert("warning", text, victim(facts, rule["id"]), of=of, section="rules")


def _unknown(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that know little."""
    for rule in facts["rules"]["list"]:
        if rule["unknown_share"] > UNKNOWN:
            text = f"Rule {rule['id']} has no verdict on {shown.share(rule['unknown_share'])} of its rows; they stay."
            command = shown.command("curate", "steps", rule["step"])
            yield alert("warning", text, command, of=(rule["unknown"], rule["evaluated"]), section="rules")


def _flags(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that flag rows."""
    for rule in facts["rules"]["list"]:
        if rule["flag"] and rule["failed"]:
            flags = shown.verb(rule["failed"], "rows", "row")
            text = f"{shown.count(rule['failed'])} {flags} flagged by {rule['id']}: {rule['why']}."
            of = (rule["failed"], rule["evaluated"])
            yield alert("note", text, victim(facts, rule["id"]), of=of, section="rules")


def _idle(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that never fired."""
    idle = [rule["id"] for rule in facts["rules"]["list"] if not rule["failed"]]
    if idle:
        step = next(rule["step"] for rule in facts["rules"]["list"] if not rule["failed"])
        named = ", ".join(idle[:NAMED]) + (f" and {len(idle) - NAMED} more" if len(idle) > NAMED else "")
        text = f"{shown.plural(len(idle), 'rule')} hit nothing: {named}."
        of = (len(idle), len(facts["rules"]["list"]))
        yield alert("note", text, shown.command("curate", "steps", step), of=of, section="rules")


CHECKS = (_heavy, _unknown, _flags, _idle)
