"""One alert, and the commands that show more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import shown

Facts = Mapping[str, Any]
SEVERITIES = ("critical", "warning", "note")
# A share of fewer rows than this says nothing.
FEW = 5


def alert(
    severity: str, text: str, command: str, *, of: tuple[int, int], section: str, unit: str = "row"
) -> dict[str, Any]:
    """Return an alert.

    Args:
        severity: one of `SEVERITIES`.
        text: one sentence.
        command: what to type to see more.
        of: how many rows (or records, gates, rules), of how many.
        section: part of the page that tells more.
        unit: what is counted, in the singular.
    """
    count, whole = of
    return {
        "severity": severity,
        "text": text,
        "count": count,
        "of": whole,
        "unit": unit,
        "weight": round(count / whole, 6) if whole else 0.0,
        "command": command,
        "section": section,
    }


def group(column: str, value: str | None) -> str:
    """Return a group of rows in words, among them the rows that name no source, task or licence."""
    noun = "task family" if column == "task" else column
    return f"the rows without a {noun}" if value is None else f"{noun} {value}"


def explain(facts: Facts, row: str | None) -> str:
    """Return the command that tells the life of a row; without a row, the one that writes the report."""
    run = str(facts["headline"]["run"])
    return shown.command("curate", "explain", run, row) if row else shown.command("curate", "report", run)


def victim(facts: Facts, rule_id: str) -> str:
    """Return the command that tells the life of a row that a rule hit."""
    rule = next(rule for rule in facts["rules"]["list"] if rule["id"] == rule_id)
    hit = [*rule["examples"].get("drawn", ()), *rule["examples"].get("closest_failed", ())]
    return explain(facts, hit[0]["row"] if hit else None)


def look(facts: Facts, file: str) -> str:
    """Return the command that pages through a file of the run."""
    return shown.command("less", f"{facts['headline']['run']}/{file}")


def rerun(facts: Facts, *more: str) -> str:
    """Return the command that makes the run again; an audit takes no further options."""
    made = str(facts["provenance"]["command"])
    return made if made.startswith("curate audit ") else f"{made} {shown.command(*more)}"
