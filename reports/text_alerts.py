"""Alerts about texts: prompts that hold their answer, held-out items, text that is cut off or broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import FEW, Facts, alert, explain

ANSWERED = 0.01  # a slip of one row in a hundred is the data's, more of them is a template's
# Checks that no rule of a common recipe makes, and that are a fault in any task.
ALONE = {
    "looks cut off": "that looks cut off",
    "mojibake left": "with broken characters",
    "breaks off": "that breaks off",
    "misread encoding": "with broken characters",
    "another language than the prompt": "in another language than its prompt",
    "not the form asked for": "without the form its prompt asks for",
    "wrong where it can be checked": "with a mistake that can be checked",
}
# Where a check looked at prompt and response together.
_BOTH = "rendered"


def _answered(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of prompts that hold the answer that is to be worked out."""
    leaks = facts["phrasing"].get("leaks")
    if leaks and leaks["kept_doubtful"] >= max(FEW, ANSWERED * facts["headline"]["kept"]):
        rows = leaks["kept_doubtful"]
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'have', 'has')} the whole answer in the prompt."
        of = (rows, facts["headline"]["kept"])
        command = explain(facts, leaks["examples"][0]["row"])
        yield alert("note", text, command, of=of, section="templates")


def _heldout(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of held-out items that are, or stand in, rows of the mix."""
    kept = facts["headline"]["kept"]
    splits = facts["duplicates"]["across_splits"]
    if rows := splits.get("kept"):
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'are', 'is')} the same as a held-out row."
        command = explain(facts, splits["examples"][0]["row"])
        yield alert("warning", text, command, of=(rows, kept), section="duplicates")
    for step in facts["contamination"].get("steps", ()):
        if rows := step["kept"]:
            does = shown.verb(rows, "give a held-out item away", "gives a held-out item away")
            if step["measure"] == "similarity":
                does = shown.verb(rows, "are near a held-out item in meaning", "is near a held-out item in meaning")
            text = f"{shown.plural(rows, 'kept row')} {does}, by {step['name']}.{step['measure']}."
            command = explain(facts, step["row"])
            yield alert("warning", text, command, of=(rows, kept), section="contamination")


def _broken(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of texts that look cut off or misread and stayed."""
    for check in facts["text_quality"].get("checks", ()):
        if check["check"] in ALONE and check["kept"] >= FEW:
            said, rows = ALONE[check["check"]], check["kept"]
            role = "text" if check["role"] == _BOTH else check["role"]
            rows_have = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'have', 'has')}"
            text = f"{rows_have} a {role} {said} (heuristic)."
            command = explain(facts, check["examples"][0]["row"])
            yield alert("note", text, command, of=(rows, check["kept_of"]), section="text-quality")


CHECKS = (_answered, _heldout, _broken)
