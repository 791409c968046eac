"""Ten rows worth a look: where the run was least sure, or went furthest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from reports import shown
from reports.view import View, draw

COUNT = 10
# Signals whose highest value in the mix is worth a look.
SCORES = ("toxicity.score", "leak.overlap")


def worth(view: View, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return ten rows, each with the reason to read it.

    Args:
        view: the run.
        facts: the sections on rules and duplicates.
    """
    lists = [list(_doubtful(facts)), list(_near(facts, "closest_failed")), list(_near(facts, "closest_passed"))]
    lists += [list(_extremes(view)), list(_victims(facts, 0))]
    found: dict[str, dict[str, str]] = {}
    for turn in range(max(map(len, lists), default=0)):
        for candidates in lists:
            if turn < len(candidates) and len(found) < COUNT:
                row, reason = candidates[turn]
                found.setdefault(row, {"row": row, "reason": reason})
    for row, reason in (*_victims(facts, 1), *_chance(view)):  # few rules and no copies: more of what is left
        if len(found) < COUNT:
            found.setdefault(row, {"row": row, "reason": reason})
    return {
        "method": (
            "in turn: least similar copies, the dropped and the kept rows closest to each rule's bound, "
            "highest scores and longest or shortest responses among the kept, victims of each rule drawn by chance; "
            "should these be fewer than ten, more victims, then rows drawn by chance"
        ),
        "list": list(found.values()),
    }


def _doubtful(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the copies least like their keepers."""
    for step in facts["duplicates"]["steps"]:
        for cluster in step["least_similar"][:2]:
            for copy in cluster["copies"][:1]:
                similarity = shown.number(copy["similarity"])
                yield copy["row"], f"least similar copy of {step['name']}: {similarity} like its keeper"


def _near(facts: Mapping[str, Any], side: str) -> Iterator[tuple[str, str]]:
    """Yield the row closest to the bound of each rule, the rules that drop most first.

    A rank is no measure of a row: the last one inside a cap is no more doubtful than the first one outside.
    """
    said = "only just dropped by" if side == "closest_failed" else "only just passed"
    for rule in sorted(facts["rules"]["list"], key=lambda rule: (-rule["failed"], rule["id"])):
        if rule["signal"].endswith(".rank"):
            continue
        if rule["failed"] or side == "closest_passed":
            for example in rule["examples"].get(side, [])[:1]:
                fate = said.replace("dropped", "flagged") if rule["flag"] else said
                yield example["row"], f"{fate} {rule['id']}: its value is {example['value']}"


def _victims(facts: Mapping[str, Any], first: int) -> Iterator[tuple[str, str]]:
    """Yield rows drawn from those that each rule hit: the first of each rule, or (`first` 1) the others."""
    for rule in sorted(facts["rules"]["list"], key=lambda rule: (-rule["first"], -rule["failed"], rule["id"])):
        verb = "flagged" if rule["flag"] else "dropped"
        others = rule["failed"] > 1
        said = f"one of {shown.count(rule['failed'])} rows {verb} by" if others else f"the only row {verb} by"
        for example in rule["examples"].get("drawn", [])[first : None if first else 1]:
            yield example["row"], f"{said} {rule['id']}"


def _chance(view: View) -> Iterator[tuple[str, str]]:
    """Yield rows of the run drawn by chance."""
    for row in draw(view, pl.repeat(True, view.base.height, dtype=pl.Boolean, eager=True), "worth a look", size=COUNT):
        yield row, f"drawn by chance from all {shown.plural(view.base.height, 'row')}"


def _extremes(view: View) -> Iterator[tuple[str, str]]:
    """Yield kept rows with the highest scores, and the longest and shortest responses."""
    kept = view.base.select("id", "kept", "response_characters").filter("kept")
    if not kept.height:
        return
    for name in (name for name in SCORES if name in view.signals):
        scored = view.base.select("id", "kept").hstack(view.columns([name])).filter("kept").drop_nulls(name)
        top = scored.filter(pl.col(name) == pl.col(name).max()).sort("id").head(1)
        if top.height and top[name][0] > 0:
            yield top["id"][0], f"highest {name} in the mix: {shown.number(top[name][0])}"
    size = pl.col("response_characters")
    for word, chosen in (("longest", size.max()), ("shortest", size.min())):
        row = kept.filter(size == chosen).sort("id").row(0, named=True)
        length = shown.plural(row["response_characters"], "character")
        yield row["id"], f"{word} response in the mix: {length}"
