"""What rules cost, which hit the same rows, and whether their order matters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from curate.rundir import ORDER
from reports import shown
from reports.view import View, rate

# Rules in the overlap matrix: more columns than this cannot be read on a page.
MATRIX = 16
OLD = "the run was made by a version that did not count it; run the recipe again"


def used(view: View) -> dict[str, dict[str, int | None]]:
    """Return hit and alone by rule id; both null for a run whose manifest has no counts over all stages."""
    counted = {rule["id"]: rule for rule in _counts(view).get("rules", [])}
    return {rule["id"]: {key: counted.get(rule["id"], {}).get(key) for key in ("hit", "alone")} for rule in view.rules}


def overlap(view: View) -> dict[str, Any]:
    """Return how many rows break both of two rules and their Jaccard similarity, for rules that meet.

    Returns:
        rules (ids, in the order of the recipe), matrix (rows that break both; on the diagonal all that break the rule),
        jaccard (both ÷ either, in [0, 1]), alone (rules that hit rows and meet no other) and left_out (rules that meet
        others but hit least); or why it is skipped.
    """
    counts = _counts(view)
    if not counts:
        return {"skipped": OLD}
    hits = [rule["hit"] for rule in counts["rules"]]
    rows = {(first, second): both for first, second, both in counts["both"]}
    meeting = {place for pair in rows for place in pair}
    heaviest = sorted(meeting, key=lambda place: (-hits[place], place))[:MATRIX]
    order = sorted(heaviest)
    matrix = [
        [hits[one] if one == other else rows.get((min(one, other), max(one, other)), 0) for other in order]
        for one in order
    ]
    jaccard = [
        [round(rate(both, hits[one] + hits[other] - both), 6) for other, both in zip(order, line, strict=True)]
        for one, line in zip(order, matrix, strict=True)
    ]
    return {
        "method": (
            "rows that break both rules, whatever became of them and wherever the rules stand; a step over the whole "
            "corpus says nothing of rows that were dropped before it; Jaccard is both ÷ either"
        ),
        "rules": [counts["rules"][place]["id"] for place in order],
        "matrix": matrix,
        "jaccard": jaccard,
        "alone": sum(1 for place, hit in enumerate(hits) if hit and place not in meeting),
        "left_out": len(meeting) - len(order),
    }


def order(view: View) -> dict[str, Any]:
    """Return what `curate order` found: which rows change sides when two stages swap places; or why it is skipped."""
    if len(view.manifest["stages"]) < 2:
        return {"skipped": "there is one order only, of fewer than two stages"}
    path = view.run.path / ORDER
    if not path.is_file():
        return {"skipped": f"run `{shown.command('curate', 'order', view.name)}`"}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    pairs = [
        {**pair, **{key: [{"row": row} for row in pair[key]] for key in ("now_rows", "swapped_rows")}}
        for pair in found["pairs"]
    ]
    return {
        "method": (
            "the recipe with two stages in each other's place, decided again; "
            "rows kept in one order alone have changed sides"
        ),
        **found,
        "pairs": pairs,
    }


def cost(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step's computing took, added up over workers: seconds, rows and seconds per 1,000 rows.

    Of a cached step these are the figures of the run that computed it; seconds are null where that did not keep them.
    """
    found = step.get("cost") or {"seconds": None, "rows": 0}
    seconds, rows = found["seconds"], found["rows"]
    return {"seconds": seconds, "rows": rows, "per_thousand": seconds * 1000 / rows if seconds and rows else seconds}


def rule_costs(view: View) -> list[dict[str, Any]]:
    """Return for each rule the step behind it and what that costs; rules of one step share its cost."""
    steps = {step["as"]: step for stage in view.manifest["stages"] for step in stage["steps"]}
    found = []
    for rule in view.rules:
        name = str(rule["signal"]).split(".")[0]
        step = steps.get(name, {})
        found.append({"rule": rule["id"], "step": name, "cached": bool(step.get("cached")), **cost(step)})
    return found


def _counts(view: View) -> dict[str, Any]:
    found: dict[str, Any] = view.manifest.get("use") or {}
    return found
