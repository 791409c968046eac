"""Every signal of the run: its spread over all rows, and what it means."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
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
TERMS = Path(__file__).parent / "assets" / "glossary.toml"
# Heading of the signals in the glossary.
SIGNALS = "Signals of this run"


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


def glossary(view: View) -> list[dict[str, Any]]:
    """Return the terms of the report and the signals that explain themselves in the manifest, section by section.

    Returns:
        `section` and its place `order`, `term`, `text`, and the `id` under which the page has it.
    """
    sections = tomllib.loads(TERMS.read_text(encoding="utf-8"))["sections"]
    terms = [
        {"section": section["title"], "order": order, "id": f"term-{key}", **word}
        for order, section in enumerate(sections)
        for key, word in section["terms"].items()
    ]
    signals = [
        {"section": SIGNALS, "order": len(sections), "id": f"term-{_slug(name)}", "term": name, "text": text}
        for name, text in _meanings(view).items()
        if name in view.signals
    ]
    return terms + signals


def term(terms: Sequence[Mapping[str, Any]], key: str) -> Mapping[str, Any]:
    """Return a term of the glossary by its key.

    Args:
        terms: of `glossary`.
        key: as in `assets/glossary.toml`, or the name of a signal.

    Raises:
        KeyError: when there is none: a section names a word that is not explained.
    """
    found = {one["id"]: one for one in terms}
    return found.get(f"term-{key}") or found[f"term-{_slug(key)}"]


def _slug(signal: str) -> str:
    """Return the key of a signal, which may be named by the recipe."""
    return "signal-" + sha256(signal.encode("utf-8", "surrogatepass")).hexdigest()[:10]


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
