"""What was read, what was refused and what was repaired."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reports import shown
from reports.view import View, rate

# Rejected records shown, and characters of each.
SHOWN, EXCERPT = 12, 160
CAUSES = 30


def sources(view: View) -> list[dict[str, Any]]:
    """Return each source as it was read."""
    keys = ("name", "task", "format", "detected", "split", "license", "lang", "records_read", "rejects", "left_out")
    found = []
    for source in view.manifest["sources"]:
        facts = {key: source.get(key) for key in (*keys, "rows")}
        facts["reject_share"] = rate(source["rejects"], source["records_read"])
        facts["repairs"] = dict(sorted((source.get("repairs") or {}).items()))
        found.append(facts)
    return found


def rejects(view: View) -> dict[str, Any]:
    """Return the causes of rejected records and the first of each cause."""
    listed = view.run.rejects()
    if not listed:
        return {"total": 0, "causes": [], "examples": []}
    causes: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for reject in listed:
        key = (str(reject.get("source")), shown.clipped(str(reject.get("cause")), 160))
        causes[key] += 1
        first.setdefault(key, reject)
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return {
        "method": "every record that could not be read or that no template fits; the first of each cause is shown",
        "total": len(listed),
        "causes": [{"source": key[0], "cause": key[1], "rows": rows} for key, rows in ordered[:CAUSES]],
        "left_out": max(0, len(ordered) - CAUSES),
        "examples": [_example(first[key]) for key, _ in ordered[:SHOWN]],
    }


def _example(reject: dict[str, Any]) -> dict[str, Any]:
    return {
        "place": shown.line(f"{reject.get('file')}:{reject.get('line')}"),
        "source": str(reject.get("source")),
        "cause": shown.clipped(str(reject.get("cause")), 160),
        "excerpt": shown.clipped(str(reject.get("excerpt") or ""), EXCERPT),
    }
