"""The first lines of the report: is the mix fit, and what is left of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import shown
from reports.view import View, rate


def headline(view: View, audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the totals and the verdict of the gates; of an audit, what was found and what its recipe would drop.

    Args:
        view: the run.
        audit: the section on the audit, skipped for any other run.
    """
    totals, base = view.manifest["totals"], view.base
    kept = base.filter("kept")
    facts: dict[str, Any] = {
        "kind": "run" if "skipped" in audit else "audit",
        "name": view.manifest["name"],
        "run": view.name,
        "recipe": view.recipe,
        **{key: int(totals[key]) for key in ("records_read", "rejects", "heldout_rows")},
        "rows": base.height,
        "kept": kept.height,
        "dropped": base.height - kept.height,
        "kept_share": rate(kept.height, base.height),
        "tokens": int(base["tokens"].sum()),
        "kept_tokens": int(kept["tokens"].sum()),
        "mix_rows": int(base["copies"].sum()),
        "flagged": int((base["flagged_by"].list.len() > 0).sum()),
        "rules": len(view.rules),
        "dropping_rules": sum(not rule.get("flag") for rule in view.rules),
        "stages": len(view.manifest["stages"]),
        "sources": base["source"].n_unique(),
        "tasks": base["task"].drop_nulls().n_unique(),
    }
    verdict = _verdict(view.manifest["gates"], facts)
    if facts["kind"] == "audit" and facts["kept"]:
        verdict["meaning"] = audited(audit)
    return {**facts, **verdict, "adds_up": adds_up(view)}


def audited(audit: Mapping[str, Any]) -> str:
    """Return in one sentence what an audit found."""
    about = "" if audit["exact"] else "about "
    return (
        f"{shown.plural(audit['rows'], 'row')}, {shown.count(audit['flagged'])} flagged by {audit['firing']} of "
        f"{shown.plural(len(audit['checks']), 'check')}; the written recipe would drop {about}"
        f"{shown.count(audit['would_drop'])}."
    )


def adds_up(view: View) -> bool:
    """Tell whether manifest and rows agree: totals, and every dropped row has exactly one first cause."""
    totals = view.manifest["totals"]
    kept = int(view.base["kept"].sum())
    first = sum(rule["first"] for rule in view.rules)
    mix = int((view.base["copies"] > 0).sum())
    counted = (view.base.height, kept, view.base.height - kept)
    return counted == tuple(totals[key] for key in ("train_rows", "kept", "dropped")) and (
        first == totals["dropped"] and mix == kept
    )


def _verdict(gates: list[dict[str, Any]], facts: dict[str, Any]) -> dict[str, str]:
    """Return pass, fail or none, and what it means."""
    broken = [gate for gate in gates if not gate["passed"]]
    if not facts["kept"]:
        return {"verdict": "fail", "meaning": "No row is left: there is nothing to train on."}
    if broken:
        said = "; ".join(
            f"{g['name']}: {g['text']}"
            if g["value"] is None
            else f"{g['name']} is {shown.number(g['value'])}, bound {shown.number(g['bound'])}"
            for g in broken
        )
        return {"verdict": "fail", "meaning": f"Do not train on this mix before this is settled: {said}."}
    if not facts["dropping_rules"]:
        text = "Nothing was dropped: the recipe has no rule that drops. The alerts below say what to look at first."
        return {"verdict": "pass" if gates else "none", "meaning": text}
    if gates:
        held = "The only gate holds" if len(gates) == 1 else f"All {len(gates)} gates hold"
        if unjudged := sum(gate["value"] is None for gate in gates):
            held += ", as too few rows are there to judge it" if len(gates) == 1 else f", {unjudged} for want of rows"
        return {"verdict": "pass", "meaning": f"{held}. Whether the right rows went is for you to see: start below."}
    return {
        "verdict": "none",
        "meaning": "The recipe sets no gates, so nothing here passes or fails: judge by the alerts and examples.",
    }
