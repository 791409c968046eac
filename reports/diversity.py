"""How varied the mix is: words, tasks, what is asked for, and embeddings beside a random choice of equal size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import polars as pl

from reports import shown
from reports.alert import Facts, alert, look, victim
from reports.choices import WORSE, compared_choices
from reports.requests import requests
from reports.self_similarity import self_similarity
from reports.spread import spread
from reports.view import View, draw
from reports.wording import CUT, wording

# Rows whose texts are read: shares are then within 0.3 points, and a million rows take no longer than these.
READ = 100_000
# Neighbours shared with full precision below which vectors are called coarse: bfloat16 keeps 0.99 of them, int8 0.85.
COARSE = 0.95


def diversity(view: View) -> dict[str, Any]:
    """Return how varied the mix is."""
    if not view.base.height:
        return {"skipped": "the run has no rows"}
    ids = draw(view, view.base["kept"].is_not_null(), "diversity", size=READ)
    wanted = pl.DataFrame({"id": ids})
    texts = view.run.scan().filter(pl.col("id").is_in(wanted["id"].implode()))
    read = texts.select("id", "kept", "prompt", pl.col("response").str.slice(0, CUT)).collect()
    drawn = wanted.join(read, on="id", how="left", maintain_order="left")
    return {
        "embedding": spread(view),
        "choices": compared_choices(view),
        "words": wording(view, drawn),
        "similarity": self_similarity(view, drawn),
        "requests": requests(view, drawn),
        "tasks": _tasks(view),
    }


def _tasks(view: View) -> dict[str, Any]:
    """Return how many task families of equal size would be as varied: exp of the entropy of their shares."""
    known = view.base.filter(pl.col("task").is_not_null())
    if not known.height:
        return {"skipped": "no row names its task family"}
    kept = known.filter("kept")
    return {
        "method": "as varied as so many task families of equal size: exp of the entropy of their shares of the rows",
        "all": {"families": known["task"].n_unique(), "effective": _effective(known["task"])},
        "kept": {"families": kept["task"].n_unique(), "effective": _effective(kept["task"])},
    }


def _effective(values: pl.Series) -> float:
    """Return the exponential of the entropy, 0 of nothing."""
    counts = [count for count in values.value_counts()["count"].sort().to_list() if count]
    total = sum(counts)
    return round(math.exp(-sum(count / total * math.log(count / total) for count in counts)), 4) if counts else 0.0


def _narrower(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell when the kept rows are less varied than as many random ones."""
    found = facts["diversity"].get("embedding", {})
    measures = {measure["name"]: measure for measure in found.get("measures", ())}
    for name, noun in (("coverage", "cover the whole less well"), ("vendi", "are less varied")):
        measure = measures.get(name)
        if measure and measure["against"] == "less":
            value, random = shown.number(measure["kept"]), shown.number(measure["random"]["mean"])
            text = f"The kept rows {noun} than a random choice of as many: {measure['title']} {value} against {random}."
            dropping = [rule for rule in facts["rules"]["list"] if rule["first"]]
            heaviest = max(dropping, key=lambda rule: (rule["first"], rule["id"]), default=None)
            command = victim(facts, heaviest["id"]) if heaviest else look(facts, "manifest.json")
            of = (found["kept"], found["records"])
            yield alert("warning", text, command, of=of, section="diversity")
            return


def _loses(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell where a choice for diversity is worse than random rows, outside of the range that these span."""
    for step in facts["diversity"].get("choices", {}).get("steps", ()):
        equal = step["equal"][0]
        worse = [one for one in equal["measures"] if one["name"] in WORSE and one["against"] == "worse"]
        if worse:
            told = ", ".join(
                f"{one['title'].lower()} {shown.number(one['chosen'])} against {shown.number(one['random']['mean'])}"
                for one in worse
            )
            chosen, whole = equal["sizes"]["chosen"]["rows"], equal["all"]["rows"]
            text = f"The choice of {shown.plural(chosen, 'row')} by {step['step']} ({step['settings']['method']}) "
            text += f"loses to random rows: {told}."
            rules = [rule["id"] for rule in facts["rules"]["list"] if rule["signal"] == f"{step['step']}.rank"]
            command = victim(facts, rules[0]) if rules else look(facts, "manifest.json")
            yield alert("warning", text, command, of=(chosen, whole), section="diversity")


def _strays(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell when vectors were computed so coarsely that many neighbours are others."""
    embedding = facts["provenance"]["embedding"] or {}
    near = embedding.get("agreement", {}).get("neighbours", 1.0)
    if near < COARSE:
        text = f"The backend {embedding['backend']} computes coarse vectors: {shown.share(near)} of the ten nearest "
        text += "neighbours are those of full precision, measured on a few bundled texts."
        rows = facts["headline"]["rows"]
        yield alert("warning", text, look(facts, "manifest.json"), of=(rows, rows), section="diversity", unit="run")


CHECKS = (_narrower, _loses, _strays)
