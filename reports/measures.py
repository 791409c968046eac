"""Every signal of the run: its spread over all rows, and what it means."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.distribution import distribution
from reports.view import View

TYPES = {pl.Boolean: "yes or no", pl.String: "text"}
# Meaning of the signals that every duplicate step shares.
SHARED = {
    "cluster": "id of the row that stays for this one, or the row's own id",
    "keeper": "id of the row that stays for this one; empty for rows that stay",
    "rank": "0 for the row that stays, 1 and more for its copies",
    "similarity": "verified similarity to the row that stays, from 0 to 1",
}
TERMS = [
    ("row", "one rendered example: a prompt and its response; a record may be rendered as several rows"),
    ("kept", "in the mix: no rule that drops was failed"),
    ("first cause", "the first rule of the recipe that a dropped row failed; first causes add up to all dropped rows"),
    ("unique", "rows that fail this rule and no other of its stage: what the rule alone removes"),
    ("unknown", "the step gave no value, for example for a language it does not know; unknown rows stay"),
    ("flag", "a rule that reports and drops nothing"),
    ("copies", "how often a kept row stands in the mix"),
    ("effective number", "how many groups of equal size would be as varied: exp of the Shannon entropy of the shares"),
    ("estimated tokens", "UTF-8 bytes ÷ 4; no tokenizer is run for this report"),
]


def measures(view: View) -> dict[str, Any]:
    """Return type, meaning and spread of each signal, in the order of the recipe."""
    if not view.signals:
        return {"skipped": "the recipe has no steps", "list": []}
    ruled: dict[str, list[str]] = {}
    for rule in view.rules:
        ruled.setdefault(rule["signal"], []).append(rule["id"])
    meanings = _meanings(view)
    found = []
    for name, kind in view.signals.items():
        values = view.columns([name])[name]
        facts: dict[str, Any] = {"name": name, "type": _type(kind), "meaning": meanings.get(name)}
        facts["rules"] = ruled.get(name, [])
        found.append({**facts, "distribution": distribution(values, ~view.base["kept"])})
    return {
        "method": "over all rows whatever became of them; a step over the corpus has no value for rows dropped earlier",
        "list": found,
    }


def glossary(view: View) -> list[dict[str, str]]:
    """Return the terms of this report and the signals that explain themselves in the manifest."""
    terms = [{"term": term, "text": text} for term, text in TERMS]
    return terms + [{"term": name, "text": text} for name, text in _meanings(view).items() if name in view.signals]


def _meanings(view: View) -> dict[str, str]:
    """Return what the steps say of their signals: `meanings` of a step's entry in the manifest, by full name."""
    found: dict[str, str] = {}
    for name in view.signals:
        step, _, signal = name.partition(".")
        if signal in SHARED and f"{step}.keeper" in view.signals:
            found[name] = SHARED[signal]
    for stage in view.manifest["stages"]:
        for step in stage["steps"]:
            found |= {str(name): str(text) for name, text in (step.get("meanings") or {}).items()}
    return found


def _type(kind: pl.DataType) -> str:
    if isinstance(kind, pl.List):
        return "list"
    return "number" if kind.is_numeric() else TYPES.get(type(kind), str(kind))
