"""What a person should know first, ranked, each with the command that shows more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import (
    cluster_alerts,
    diversity,
    fairness_alerts,
    holdout,
    label_balance,
    label_noise,
    ledger,
    masks_alerts,
    mix_alerts,
    repairs,
    review_alerts,
    rule_alerts,
    shown,
    text_alerts,
)
from reports.alert import SEVERITIES, Facts, alert, look, rerun, victim

MANY_REJECTS = 0.01  # the default limit of a recipe
# What one row of a section weighs beside a row that is merely a copy, too long or out of balance. A model repeats
# personal data and abuse word for word (Carlini et al. 2021), and a leaked test row makes every score a lie: they count
# even as one row of ten thousand. A source that is gone or a token trained by mistake costs more than a row, and a
# label too. Orders of magnitude, a judgement.
HARM = {"safety": 100.0, "contamination": 100.0, "holdout": 100.0, "funnel": 10.0, "masks": 10.0, "labels": 3.0}
# Units that are no part of the data: however many, they say something about the recipe.
APART = ("gate", "rule", "run")
# Where the other checks are.
MODULES = (
    rule_alerts,
    review_alerts,
    mix_alerts,
    ledger,
    holdout,
    label_balance,
    cluster_alerts,
    diversity,
    fairness_alerts,
    text_alerts,
    masks_alerts,
    repairs,
    label_noise,
)


def alerts(facts: Facts) -> list[dict[str, Any]]:
    """Return all alerts, the gravest first; `weight` is the share of all rows that each concerns, times its harm.

    Args:
        facts: all other sections.
    """
    others = [check for module in MODULES for check in module.CHECKS]
    checks = (_state, _gates, _sources, _rejects, _failures, _repairs, *others)
    found = [{**one, "weight": _weight(facts, one)} for check in checks for one in check(facts)]
    return sorted(found, key=lambda one: (SEVERITIES.index(one["severity"]), -one["weight"], one["text"]))


def _weight(facts: Facts, one: Facts) -> float:
    """Return what an alert weighs beside others of its severity: all are held against the rows of the whole run."""
    if one["unit"] in APART:
        return 0.0
    # Who may use the data is a fact about all of it, not a fault of its rows: one calm line after the faults.
    harm = 0.0 if one["section"] == "composition" and one["severity"] == "note" else HARM.get(one["section"], 1.0)
    return round(harm * int(one["count"]) / max(1, int(facts["headline"]["rows"])), 6)


def _state(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell when the run as a whole is of no use."""
    head = facts["headline"]
    rows = (head["rows"], head["rows"])
    if not head["adds_up"]:
        text = "The run does not add up: its manifest and its rows disagree."
        yield alert("critical", text, rerun(facts, "--fresh"), of=rows, section="funnel")
    if not head["kept"]:
        yield alert("critical", "No row is left in the mix.", look(facts, "manifest.json"), of=rows, section="funnel")


def _gates(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the gates that are broken."""
    heaviest = max(facts["rules"]["list"], key=lambda rule: (rule["first"], rule["id"]), default=None)
    command = victim(facts, heaviest["id"]) if heaviest else look(facts, "manifest.json")
    for gate in facts["gates"]:
        if gate["value"] is None and gate["passed"]:
            text = f"Gate {gate['name']} was {gate['text']}."
            yield alert("note", text, command, of=(1, len(facts["gates"])), section="gates", unit="gate")
        if not gate["passed"]:
            value, bound = shown.number(gate["value"]), shown.number(gate["bound"])
            limit = "at most" if gate["name"].startswith("max_") else "at least"
            text = f"Gate {gate['name']} is broken: {value}, where the recipe asks for {limit} {bound}."
            if gate["value"] is None:
                text = f"Gate {gate['name']} is broken: {gate['text']}"
            yield alert("critical", text, command, of=(1, len(facts["gates"])), section="gates", unit="gate")


def _sources(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the sources that gave nothing to the mix."""
    for group in facts["funnel"]["by"]["source"]["groups"]:
        if not group["kept"]:
            stage = max(group["lost"].items(), key=lambda item: (item[1], item[0]))[0]
            rows = shown.plural(group["rows"], "row")
            text = f"Nothing is left of source {group['value']}: all {rows} were dropped, most of them in {stage}."
            rules = [rule for rule in facts["rules"]["list"] if rule["stage"] == stage and not rule["flag"]]
            worst = max(rules, key=lambda rule: (_hits(rule, group["value"]), rule["id"]))
            of = (group["rows"], group["rows"])
            yield alert("warning", text, victim(facts, worst["id"]), of=of, section="funnel")
    for source in facts["sources"]:
        if source["split"] == "train" and not source["rows"]:
            text = f"Source {source['name']} gave no row at all."
            of = (source["rejects"], source["records_read"])
            yield alert("warning", text, look(facts, "rejects.jsonl"), of=of, section="intake", unit="record")


def _hits(rule: Facts, source: str) -> int:
    return next((group["failed"] for group in rule["groups"]["source"]["list"] if group["value"] == source), 0)


def _rejects(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many records could not be used, and the commonest cause."""
    total, read = facts["rejects"]["total"], facts["headline"]["records_read"]
    if total:
        cause = facts["rejects"]["causes"][0]
        said = shown.clipped(cause["cause"], 90).rstrip(".")
        often = f"most often in {cause['source']}: {said}" if total > 1 else f"in {cause['source']}: {said}"
        severity = "warning" if total > read * MANY_REJECTS else "note"
        text = f"{shown.plural(total, 'record')} could not be used, {often}."
        yield alert(severity, text, look(facts, "rejects.jsonl"), of=(total, read), section="intake", unit="record")


def _failures(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell on how many rows steps raised."""
    found = facts["rejects"].get("failures")
    if found:
        worst = max(found["steps"], key=lambda one: (one["rows"], one["step"]))
        text = f"Steps raised on {shown.plural(found['rows'], 'row')}, most often {worst['step']}: {worst['error']}"
        of = (found["rows"], facts["headline"]["rows"])
        yield alert("warning", text, look(facts, "failures.jsonl"), of=of, section="intake")


def _repairs(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many texts were repaired while reading."""
    kinds: dict[str, int] = {}
    for source in facts["sources"]:
        for kind, count in source["repairs"].items():
            kinds[kind] = kinds.get(kind, 0) + count
    if kinds:
        named = ", ".join(f"{kind.replace('_', ' ')} {shown.count(count)}" for kind, count in sorted(kinds.items()))
        total = sum(kinds.values())
        were = shown.verb(total, "repairs were", "repair was")
        text = f"{shown.count(total)} {were} made to texts while reading: {named}."
        of = (total, max(total, facts["headline"]["records_read"]))
        yield alert("note", text, look(facts, "manifest.json"), of=of, section="intake", unit="repair")
