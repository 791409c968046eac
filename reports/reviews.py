"""How often the rules were right, in the eyes of those who judged a sample of what they hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.intervals import wilson
from reports import shown
from reports.verdicts import ANSWERS, NEAR, VICTIMS, Sample, counting, said, sample
from reports.view import View

# A rule of which fewer than four victims in five deserve it costs more good rows than it is worth: with one in five
# wrong, a rule that drops a tenth of the data throws away a fiftieth for nothing.
ENOUGH = 0.8
# Rows shown of those that were judged wrong.
SHOWN = 4


def reviews(view: View) -> dict[str, Any]:
    """Return what people said of the rows that rules hit, and which rules drop rows that nobody judged."""
    if not view.rules:
        return {"skipped": "the recipe has no keep rules", "list": [], "unjudged": [], "construction": []}
    known, broken = said(view.run)
    judged: list[dict[str, Any]] = []
    counted = 0
    for rule in (rule for rule in view.rules if rule["id"] in known):
        drawn = sample(view, rule)
        verdicts = counting(known[rule["id"]], drawn)
        counted += len(verdicts)
        if verdicts:
            judged.append(_judged(view, rule, drawn, verdicts))
    judged.sort(key=lambda facts: (facts["flag"], facts["least"]))  # rules that drop first, doubtful ones before all
    done = {facts["rule"] for facts in judged}
    dropping = [rule for rule in view.rules if not rule.get("flag") and rule["failed"] and rule["id"] not in done]
    return {
        "method": (
            f"per rule, people judge up to {VICTIMS} victims (a fair draw of the rows that fail; the rule's examples "
            f"are its first ones) and up to {NEAR} near misses (rows that pass, the closest to the bound; a draw where "
            "no bound is a number); precision is right ÷ (right + wrong) over the victims, with Wilson's 95 % "
            "interval; unsure rows are left out; near misses were not drawn, so their share has no interval"
        ),
        "enough": ENOUGH,
        "list": judged,
        "unjudged": [_unjudged(view, rule) for rule in dropping if _kind(rule) != "construction"],
        "construction": [
            {"rule": rule["id"], "why": rule["evidence"]["why"]}
            for rule in view.rules
            if not rule.get("flag") and _kind(rule) == "construction"
        ],
        "stale": sum(map(len, known.values())) - counted,
        "unreadable": broken,
    }


def asking(run: str, rule: str) -> str:
    """Return the command that asks for a judgement of a rule."""
    return shown.command("curate", "review", run, "--rule", rule)


def entry(view: View, rule: Mapping[str, Any], known: Mapping[str, tuple[str, str]], drawn: Sample) -> dict[str, Any]:
    """Return the facts of one rule, judged or not."""
    return _judged(view, rule, drawn, counting(known, drawn))


def _kind(rule: Mapping[str, Any]) -> str:
    """Return what speaks for a rule; a manifest without the entry says nothing."""
    return str((rule.get("evidence") or {}).get("kind", "none"))


def _judged(view: View, rule: Mapping[str, Any], drawn: Sample, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts of a rule that somebody judged."""
    right, wrong, unsure = _counts(drawn.victims, verdicts)
    low, high = wilson(right, right + wrong)
    whole = right + wrong == drawn.of[0] > 0
    return {
        "rule": rule["id"],
        "flag": bool(rule.get("flag")),
        "of": drawn.of[0],
        "sampled": len(drawn.victims),
        "judged": right + wrong + unsure,
        "right": right,
        "wrong": wrong,
        "unsure": unsure,
        "precision": round(right / (right + wrong), 6) if right + wrong else None,
        "low": low,
        "high": high,
        # Nothing is left to chance when every victim was judged.
        "whole": whole,
        "least": round(right / (right + wrong), 6) if whole else low,
        "near": _near(drawn, verdicts),
        "wrong_rows": _rows(drawn.victims, verdicts),
        "missed_rows": _rows(drawn.near, verdicts),
        "verdicts": dict(verdicts),
        "command": asking(view.name, rule["id"]),
    }


def _near(drawn: Sample, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """Return what was said of the rows that just passed: "wrong" means that the rule should have hit them."""
    right, wrong, unsure = _counts(drawn.near, verdicts)
    return {
        "of": drawn.of[1],
        "sampled": len(drawn.near),
        "closest": drawn.closest,
        "judged": right + wrong + unsure,
        "missed": wrong,
        "passed": right,
        "unsure": unsure,
        "missed_share": round(wrong / (right + wrong), 6) if right + wrong else None,
    }


def _counts(rows: Sequence[str], verdicts: Mapping[str, str]) -> list[int]:
    given = [verdicts[row] for row in rows if row in verdicts]
    return [given.count(answer) for answer in ANSWERS]


def _rows(rows: Sequence[str], verdicts: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"row": row} for row in rows if verdicts.get(row) == "wrong"][:SHOWN]


def _unjudged(view: View, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dropping rule that nobody judged on this data, and what was found elsewhere."""
    facts = {"rule": rule["id"], "of": rule["failed"], "command": asking(view.name, rule["id"]), "elsewhere": None}
    if _kind(rule) == "reviewed":
        found = rule["evidence"]
        low, high = wilson(found["right"], found["right"] + found["wrong"])
        facts["elsewhere"] = {key: found[key] for key in ("data", "right", "wrong", "unsure", "who", "date")}
        facts["elsewhere"] |= {"low": low, "high": high}
    return facts
