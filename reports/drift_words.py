"""Plain sentences for shifts between two mixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import shown
from reports.pair import Pair

# How the length of a text is told, by the column that is measured.
TEXTS = {"response": "responses", "prompt": "prompts", "content": "contents", "rendered": "rows"}
UNITS = {"words": "words", "chars": "characters", "tokens": "estimated tokens"}
BASIC = {
    "prompt_characters": ("prompts", "characters"),
    "response_characters": ("responses", "characters"),
    "tokens": ("rows", "estimated tokens"),
    "turns": ("conversations", "turns"),
}
# Below this delta the two sides are hardly apart, and what moved is the spread.
HARDLY = 0.05
# Values named in a sentence.
NAMED = 2


def titles(pair: Pair) -> dict[str, dict[str, str]]:
    """Return how lengths are told, by measure: `title`, `subject` and `unit`."""
    found = {name: _told(subject, unit) for name, (subject, unit) in BASIC.items()}
    for stage in pair.new.manifest["recipe"].get("stages", ()):
        for step in stage.get("steps", ()):
            subject = TEXTS.get(str(step.get("column", "response")))
            if step["step"] == "length" and subject:
                called = step.get("as") or step["step"]
                found |= {f"{called}.{signal}": _told(subject, unit) for signal, unit in UNITS.items()}
    return found


def among(pair: Pair) -> dict[str, dict[str, str]]:
    """Return the signals of steps over the corpus, which say how a row stands among the others: `title` and `aside`."""
    steps = [
        step
        for view in pair.views
        for stage in view.manifest["stages"]
        for step in stage["steps"]
        if step["kind"] == "corpus"
    ]
    reason = "what {} measures depends on which other rows its run has and drops"
    return {
        str(signal): {"title": str(signal), "aside": reason.format(step["as"])}
        for step in steps
        for signal in step["signals"]
    }


def _told(subject: str, unit: str) -> dict[str, str]:
    return {"title": f"{subject}: {unit}", "subject": subject, "unit": unit}


def sentence(shift: Mapping[str, Any], called: Mapping[str, str] | None) -> str:
    """Return what became of a number: its median, else its mean, or its middle half where parts of it moved apart."""
    size, up = shift["size"], shift["delta"] > 0
    told = called if called and "unit" in called else None
    subject = told["subject"] if told else shift["name"]
    unit = f" {told['unit']}" if told else ""
    words = ("are", "became longer", "became shorter") if told else ("is", "is higher", "is lower")
    if not shift["moved"]:
        return f"{subject} {words[0]} as before"
    steps = [_value(shift, "new", share) - _value(shift, "old", share) for share in (0.25, 0.5, 0.75)]
    apart = any(step and (step > 0) != up for step in steps)
    if abs(shift["delta"]) < HARDLY or apart:
        pairs = [_quantile(shift, side, 0.25) + "–" + _quantile(shift, side, 0.75) for side in ("old", "new")]
        return f"{subject} {words[0]} spread differently: the middle half {pairs[0]} → {pairs[1]}{unit}, {size}"
    verb = f"{subject} {words[1] if up else words[2]}"
    medians = [_quantile(shift, side, 0.5) for side in ("old", "new")]
    if medians[0] != medians[1]:
        return f"{verb}: median {medians[0]} → {medians[1]}{unit}, {size}"
    means = [shown.number(round(shift[side]["mean"], 3)) for side in ("old", "new")]
    return f"{verb}: mean {means[0]} → {means[1]}{unit}, {size}"


def _value(shift: Mapping[str, Any], side: str, share: float) -> float:
    return next(float(one["value"]) for one in shift[side]["quantiles"] if one["share"] == share)


def _quantile(shift: Mapping[str, Any], side: str, share: float) -> str:
    return shown.number(_value(shift, side, share))


def moved_values(shift: Mapping[str, Any]) -> str:
    """Return which values of a column moved most."""
    if not shift["moved"]:
        return f"{shift['title']} is as before"
    if shift["aside"]:
        return str(shift["aside"])
    listed = [value for value in shift["values"] if value["old_share"] != value["new_share"]][:NAMED]
    said = [
        f"{shown.clipped(value['value'], 30)} {shown.share(value['old_share'])} → {shown.share(value['new_share'])}"
        for value in listed
    ]
    return f"{shift['title']} moved: {', '.join(said) or 'among rare values'}, {shift['size']}"
