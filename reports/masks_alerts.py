"""Alerts about what a trainer would learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, explain, look

# Below one token in twenty, a trainer spends its time on reading: true of short labels under long texts, which may be
# meant, and of masks that went wrong.
LITTLE = 0.05


def _lost(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of rows from which a common window leaves nothing to learn."""
    lengths = facts["lengths"]
    if rows := lengths["lost"].get("rows"):
        lose = shown.verb(rows, "lose all their", "loses all its")
        text = (
            f"{shown.plural(rows, 'kept row')} {lose} trained tokens in a window of {shown.count(lengths['common'])}."
        )
        of = (rows, facts["headline"]["kept"])
        yield alert("warning", text, explain(facts, lengths["lost"].get("row")), of=of, section="lengths")


def _little(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell when hardly any token is trained on."""
    tokens = facts["masks"].get("tokens", {})
    if tokens.get("total") and tokens["trained_share"] < LITTLE:
        text = f"Only {shown.share(tokens['trained_share'])} of the tokens of the mix are trained on."
        of = (tokens["trained"], tokens["total"])
        yield alert("note", text, explain(facts, None), of=of, section="masks")


def _turns(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of kept rows that teach nothing, or whose turns are out of order."""
    masks, kept = facts["masks"], facts["headline"]["kept"]
    if "skipped" in masks:
        return
    if rows := masks["untrained"]["kept"]:
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'have', 'has')} no turn that is trained on."
        yield alert("warning", text, explain(facts, masks["untrained"]["row"]), of=(rows, kept), section="masks")
    illegal = [kind for kind in masks["illegal"] if kind["kept"]]
    if illegal:
        worst = max(illegal, key=lambda kind: (kind["kept"], kind["kind"]))
        text = (
            f"{shown.plural(worst['kept'], 'kept row')} {shown.verb(worst['kept'], 'break', 'breaks')} the order of "
            f"turns: {worst['kind']}."
        )
        yield alert("note", text, explain(facts, worst["row"]), of=(worst["kept"], kept), section="masks")


def _unwritten(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of rows that the chat template cannot write: a trainer would stop at them."""
    tokens = facts["masks"].get("tokens", {})
    if rows := tokens.get("unknown"):
        cause = f": {tokens['causes'][0]['cause']}" if tokens["causes"] else ""
        text = f"{shown.plural(rows, 'kept row')} cannot be tokenised{cause}."
        command = explain(facts, tokens["causes"][0]["row"]) if tokens["causes"] else look(facts, "manifest.json")
        yield alert("warning", text, command, of=(rows, tokens["of"]), section="masks")


CHECKS = (_lost, _little, _turns, _unwritten)
