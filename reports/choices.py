"""A choice for diversity beside random rows and the longest, and its clusters with their words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from reports import shown
from reports.embedding_map import key_terms
from reports.examples import texts
from reports.view import View, draw, rate

# Name, title, whether more or less of it is more varied, and what it means.
MEASURES = (
    ("radius", "Coverage radius", "less", "distance of the worst covered row to the choice"),
    ("distance", "Distance to the choice", "less", "mean over all rows, 1 − cosine to the nearest row chosen"),
    ("facility", "Facility location", "more", "mean cosine of a row to the nearest one chosen, none below 0"),
    ("vendi", "Vendi score", "more", "as varied as so many rows that have nothing in common"),
    ("copies_share", "Near copies", "less", "rows with another one chosen at a cosine of 0.95"),
    ("distinct_2", "Distinct-2", "more", "different pairs of words ÷ all, among equally many"),
    ("tasks", "Tasks", "more", "as many task families of equal size would be as varied"),
)
# Rows whose words name a cluster, and clusters listed.
READ, LISTED = 2000, 20
WORSE = ("radius", "facility", "vendi", "copies_share")


def compared_choices(view: View) -> dict[str, Any]:
    """Return for each step `diversity` its choice beside the baselines, at equal rows and at equal tokens."""
    steps = [step for stage in view.manifest["stages"] for step in stage["steps"] if step["step"] == "diversity"]
    told = [_step(view, step["as"]) for step in steps]
    found = [one for one in told if one is not None]
    if not found:
        return {
            "skipped": "no rows were ranked; the step `diversity` compares a choice with random rows and the longest"
        }
    method = (
        "the choice is the start of the rank, as long as the step's budget, by default a tenth; measured in the run by "
        "the embeddings of all rows that were ranked, distances over 2,000 rows evenly spaced by id at most; random: "
        "mean of 20 choices and their 2.5 to 97.5 % quantiles; equal tokens: as many rows of a baseline as fit into "
        "the tokens of the choice (UTF-8 bytes ÷ 4); the longest by characters of the response"
    )
    return {"method": method, "steps": found}


def _step(view: View, name: str) -> dict[str, Any] | None:
    """Return the comparison of one step, none where there is no table."""
    table, settings = view.run.table(f"{name}.choices"), view.run.table(f"{name}.settings")
    if table is None or settings is None or not table.height:
        return None
    known = {key: shown.clipped(value, 100) for key, value in settings.iter_rows()}
    lines = {(one["equal"], one["choice"]): one for one in table.iter_rows(named=True)}
    equal = [{"equal": one, **_compared(lines, one)} for one in ("rows", "tokens")]
    size = equal[0]["sizes"]["chosen"]["rows"]
    different = int(known.get("different", size))  # runs of earlier versions do not tell
    lost = [one["title"].lower() for one in equal[0]["measures"] if one["against"] == "worse" and one["name"] in WORSE]
    told = {
        "step": name,
        "settings": known,
        "equal": equal,
        "different": different if different < size else None,
        "lost": lost,
    }
    return {**told, "clusters": _clusters(view, name, known)}


def _compared(lines: Mapping[tuple[str, str], Mapping[str, Any]], equal: str) -> dict[str, Any]:
    """Return sizes and measures of choice and baselines."""
    whole = lines["all", "all"]
    sets = {name: lines[equal, name] for name in ("chosen", "random", "random low", "random high", "longest")}
    sizes = {
        name: {"rows": sets[name]["rows"], "tokens": sets[name]["tokens"]} for name in ("chosen", "random", "longest")
    }
    measures = []
    for name, title, better, meaning in MEASURES:
        low, high = sets["random low"][name], sets["random high"][name]
        value = sets["chosen"][name]
        more, less = ("better", "worse") if better == "more" else ("worse", "better")
        against = more if value > high else less if value < low else "within"
        random = {"mean": sets["random"][name], "low": low, "high": high}
        facts = {"name": name, "title": title, "meaning": meaning, "all": whole[name], "chosen": value}
        measures.append({**facts, "random": random, "longest": sets["longest"][name], "against": against})
    return {"sizes": sizes, "all": {"rows": whole["rows"], "tokens": whole["tokens"]}, "measures": measures}


def _clusters(view: View, name: str, settings: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the largest clusters of the rows ranked, how many of each were chosen, and their key terms."""
    ranked = view.columns(["id", "record", f"{name}.rank", f"{name}.cluster"])
    ranked = ranked.rename({f"{name}.rank": "rank", f"{name}.cluster": "cluster"})
    here = pl.Series(ranked["rank"].is_not_null())
    ids = pl.DataFrame({"id": draw(view, here, "cluster words", size=READ)})
    points = ids.join(ranked, on="id", how="left", maintain_order="left")
    read = texts(view, points["id"], contents=points["id"])
    words = key_terms(
        points.with_columns(text=pl.Series([read[row]["content"] for row in points["id"]], dtype=pl.String))
    )
    chosen = (pl.col("rank") < int(settings["choice"])).sum()
    groups = ranked.filter(here).group_by("cluster").agg(pl.len().alias("rows"), chosen.alias("chosen"))
    return [
        {**one, "share": rate(one["chosen"], one["rows"]), "terms": words.get(one["cluster"], [])}
        for one in groups.sort("cluster").head(LISTED).iter_rows(named=True)
    ]
