"""Alerts about single rules: the harm they may do, and those that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import FEW, Facts, alert, group, victim
from reports.reviews import asking

HEAVY = 0.2  # a rule that takes more than a fifth of a group changes what the group is, not only its quality
UNKNOWN = 0.1  # a rule that has no verdict on a tenth of its rows guards less than it seems to
NAMED = 3  # rules named in one sentence
CAPS = ("balance", "diversity")  # steps that rank the rows of a group, for a rule that caps it


def _heavy(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that take much of a source or task."""
    for rule in facts["rules"]["list"]:
        groups = [(column, group) for column in ("source", "task") for group in rule["groups"][column]["list"]]
        heavy = [(column, group) for column, group in groups if group["share"] > HEAVY and group["failed"] >= FEW]
        if rule["flag"] or not heavy:
            continue
        column, worst = max(heavy, key=lambda item: (item[1]["share"], item[1]["failed"], item[0]))
        others = sum(1 for other, _ in heavy if other == column) - 1
        noun = "task" if column == "task" else "source"
        more = f", and more than {shown.share(HEAVY)} of {shown.plural(others, f'other {noun}')}" if others else ""
        whole = worst["rows"] == rule["evaluated"] and not rule["where"]
        name = "all rows that reach it" if whole else group(column, worst["value"])
        text = f"Rule {rule['id']} drops {shown.share(worst['share'])} of {name}{more}."
        of = (worst["failed"], worst["rows"])
        # A rule that balances takes most from the largest: that is what it is for.
        severity = "note" if rule["step"] in CAPS else "warning"
        yield alert(severity, text, victim(facts, rule["id"]), of=of, section="rules")


def _unknown(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that drop rows and know little; how far those see that only flag is in the part `coverage`."""
    for rule in facts["rules"]["list"]:
        if rule["unknown_share"] > UNKNOWN and not rule["flag"]:
            share = shown.share(rule["unknown_share"])
            text = f"Rule {rule['id']} cannot judge {share} of the rows that reach it; they stay."
            command = shown.command("curate", "steps", rule["step"])
            yield alert("warning", text, command, of=(rule["unknown"], rule["evaluated"]), section="rules")


def _flags(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that flag rows, but for those whose finding has an alert of its own."""
    told = _told(facts)
    for rule in facts["rules"]["list"]:
        if rule["unproven"]:
            continue  # told by `_unproven`
        if rule["flag"] and rule["failed"] and rule["signal"].split(".")[0] not in told:
            rows = shown.verb(rule["failed"], "rows are", "row is")
            text = f"{shown.count(rule['failed'])} {rows} flagged by {rule['id']}: {rule['why']}."
            of = (rule["failed"], rule["evaluated"])
            yield alert("note", text, victim(facts, rule["id"]), of=of, section="rules")


def _unproven(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that only flag, though the recipe lets them drop, because a file that they rest on is unproven."""
    doubtful: dict[str, list[Facts]] = {}
    for rule in facts["rules"]["list"]:
        if rule["unproven"]:
            doubtful.setdefault(rule["unproven"], []).append(rule)
    for reason, rules in doubtful.items():
        named = ", ".join(rule["id"] for rule in rules[:NAMED])
        named += f" and {len(rules) - NAMED} more" if len(rules) > NAMED else ""
        only = shown.verb(len(rules), "Rules", "Rule"), shown.verb(len(rules), "flag", "flags")
        text = f"{only[0]} {named} only {only[1]}: {reason}; see rules/README.md."
        most = max(rules, key=lambda rule: int(rule["failed"]))
        command = asking(str(facts["headline"]["run"]), most["id"])
        yield alert("warning", text, command, of=(most["failed"], most["evaluated"]), section="rules")


def _told(facts: Facts) -> set[str]:
    """Return the steps whose findings in the mix `mix_alerts` tells."""
    duplicates, safety = facts["duplicates"], facts["safety"]
    found = {step["name"] for step in duplicates["steps"] if step["kept_copies"]}
    found |= {conflict["name"] for conflict in duplicates["conflicts"] if conflict["rows"]}
    found |= {"pii"} if safety["personal"].get("kept") else set()
    return found | ({"toxicity"} if safety["toxicity"].get("kept") else set())


def _idle(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that never fired."""
    idle = [rule["id"] for rule in facts["rules"]["list"] if not rule["failed"]]
    if idle:
        step = next(rule["step"] for rule in facts["rules"]["list"] if not rule["failed"])
        named = ", ".join(idle[:NAMED]) + (f" and {len(idle) - NAMED} more" if len(idle) > NAMED else "")
        either = "Either the data is clean there, or the bounds are too loose"
        text = f"{shown.plural(len(idle), 'rule')} found nothing: {named}. {either}."
        of = (len(idle), len(facts["rules"]["list"]))
        yield alert("note", text, shown.command("curate", "steps", step), of=of, section="rules", unit="rule")


CHECKS = (_heavy, _unproven, _unknown, _flags, _idle)
