"""Alerts about what people said of the rules, and about rules that nobody looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert

NAMED = 3  # rules named in one sentence


def _doubted(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the rules that drop rows and were not found right often enough."""
    found = facts["reviews"]
    for rule in found["list"]:
        if rule["flag"] or rule["precision"] is None or rule["least"] >= found["enough"]:
            continue
        n = rule["right"] + rule["wrong"]
        if rule["high"] < found["enough"] or rule["whole"]:
            severity, ending = "critical", "let it flag, or move its bound"
        else:
            severity, ending = "warning", "judge more of them, or let it flag"
        text = (
            f"Rule {rule['rule']} drops {shown.plural(rule['of'], 'row')} and was right in {rule['right']} of {n} "
            f"judged ({shown.share(rule['low'])} to {shown.share(rule['high'])}): {ending}."
        )
        yield alert(severity, text, rule["command"], of=(rule["wrong"], n), section="reviews")


def _unjudged(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the dropping rules that nobody judged and that are not right by construction."""
    rules = facts["reviews"]["unjudged"]
    if rules:
        named = ", ".join(rule["rule"] for rule in rules[:NAMED])
        named += f" and {len(rules) - NAMED} more" if len(rules) > NAMED else ""
        drop = shown.verb(len(rules), "drop", "drops")
        text = f"{shown.plural(len(rules), 'rule')} {drop} rows that nobody has judged on this data: {named}."
        of = (len(rules), len(facts["rules"]["list"]))
        heaviest = max(rules, key=lambda rule: (rule["of"], rule["rule"]))
        yield alert("note", text, heaviest["command"], of=of, section="reviews")


CHECKS = (_doubted, _unjudged)
