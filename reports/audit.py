"""What an audit would have a recipe do: predicted drops from the audit's own flags, and the recipe itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from curate.again import again
from curate.rundir import AUDIT, EXPORT, RECIPE
from reports import shown
from reports.audit_recipe import recipe
from reports.provenance import command
from reports.view import View

# Rules that are right by construction, so that they may drop rows on data that nobody has judged them on: an answer
# without a word or a sign, an answer equal to its prompt, an equal copy, a copy whose similarity was verified.
SURE = ("length.words min 1", "echo.same is false", "exact.rank max 0", "near.rank max 0")
EXACT, NEAR = "exact.rank", "near.rank"
_METHOD = (
    "counted from the flags of this audit in the order of the recipe, each row once, by the first rule that drops it"
)
_KEEPERS = (
    "{count} of the near copies name a keeper that is itself dropped before; who stays for them instead, only a run "
    "can tell"
)
_REPAIRED = "repairing {count} at ingest can make more texts equal, or fewer"


def is_audit(view: View) -> bool:
    """Tell whether the run is an audit."""
    return view.recipe == AUDIT


def audit(view: View, repairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was checked, what the written recipe would drop, and that recipe.

    Args:
        view: the run.
        repairs: the section on repairs: the recipe makes the safe ones.
    """
    if not is_audit(view):
        return {"skipped": "the run is no audit"}
    drops, orphans = predicted(view)
    mended = sum(kind["rows"] for kind in repairs.get("kinds", []) if kind["kind"] == "mojibake")
    doubts = {
        NEAR: _KEEPERS.format(count=shown.count(orphans)) if orphans else None,
        "": _REPAIRED.format(count=shown.plural(mended, "row")) if mended else None,
    }
    checks = [_check(rule, drops, doubts) for rule in view.rules]
    about = [doubt for doubt in doubts.values() if doubt]
    facts: dict[str, Any] = {
        "method": _METHOD,
        "rows": view.base.height,
        "flagged": int((view.base["flagged_by"].list.len() > 0).sum()),
        "checks": checks,
        "firing": sum(check["flagged"] > 0 for check in checks),
        "would_drop": sum(drops.values()),
        "exact": not about,
        "about": "; ".join(about) or None,
        "reads": [{key: source.get(key) for key in ("name", "format", "detected")} for source in _sources(view)],
        "embedding": _embedding(view),
        "recipe": f"{view.name}/{RECIPE}",
        "export": f"{view.name}/{EXPORT}",
    }
    return {**facts, "text": recipe(view, facts, repairs)}


def _check(rule: Mapping[str, Any], drops: Mapping[str, int], doubts: Mapping[str, str | None]) -> dict[str, Any]:
    """Return what a rule flags and would drop; no repair makes an answer empty, so that count is never in doubt."""
    sure = rule["id"] in drops
    exact = not sure or rule["signal"] == "length.words" or not (doubts[""] or doubts.get(rule["signal"]))
    counts = {"flagged": rule["failed"], "drops": sure, "would_drop": drops.get(rule["id"], 0), "exact": exact}
    return {"id": rule["id"], "why": rule["why"], **counts}


def predicted(view: View) -> tuple[dict[str, int], int]:
    """Return how many rows each sure rule would drop first, by rule id, and how many near copies are left in doubt.

    The rules come in the order of the recipe, as its stages would meet them. Flags were set with every row there, a
    run drops on the way: so copies are counted among the rows that are left, the lowest id of each cluster staying.
    """
    alive = pl.repeat(True, view.base.height, dtype=pl.Boolean, eager=True)
    drops: dict[str, int] = {}
    orphans = 0
    for rule in view.rules:
        signal = rule["signal"]
        if f"{signal} {rule['form']}" not in SURE or rule.get("where"):
            continue
        if signal == EXACT:
            hit = _copies(view, alive)
        elif signal == NEAR:
            hit, orphans = _near_copies(view, alive)
        else:
            hit = view.base["flagged_by"].list.contains(rule["id"]) & alive
        drops[rule["id"]] = int(hit.sum())
        alive &= ~hit
    return drops, orphans


def _copies(view: View, alive: pl.Series) -> pl.Series:
    """Return the living rows of each cluster of equal texts but those of the first living record."""
    frame = view.base.select("id", "record").hstack(view.columns(["exact.cluster"])).with_columns(alive.alias("alive"))
    living = frame.filter("alive", pl.col("exact.cluster").is_not_null())
    first = living.group_by("exact.cluster").agg(pl.col("record").sort_by("id").first().alias("first"))
    judged = frame.join(first, on="exact.cluster", how="left", maintain_order="left")
    return judged.select(pl.col("alive") & (pl.col("record") != pl.col("first")).fill_null(False)).to_series()


def _near_copies(view: View, alive: pl.Series) -> tuple[pl.Series, int]:
    """Return the living near copies that a run of the living rows alone would drop, and how many of them are in doubt.

    The table of pairs tells exactly, unless it was not complete: then a near copy is in doubt whose keeper is dead.
    """
    pairs, join = view.run.table("near.pairs"), view.run.table("near.join")
    if pairs is None or join is None:
        return alive & False, 0
    rows = view.base.select("id", "record").with_columns(alive.alias("alive"))
    living = rows.filter("alive")["record"].unique()
    units = rows.filter(pl.col("record").is_in(living.implode()))["id"]
    gone = again(pairs, threshold=join["threshold"].item(), living=units)
    records = rows.join(gone, on="id", how="semi")["record"]
    hit = rows.select(pl.col("alive") & pl.col("record").is_in(records.implode())).to_series()
    if join["complete"].item():
        return hit, 0
    keepers = view.base.select("id").hstack(view.columns(["near.keeper"])).filter(alive)
    orphans = keepers.filter(pl.col("near.keeper").is_not_null() & ~pl.col("near.keeper").is_in(units.implode()))
    return hit, orphans.height


def _sources(view: View) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = view.manifest["sources"]
    return found


def _embedding(view: View) -> dict[str, str] | None:
    """Return why there are no figures from embeddings, and how to get them."""
    used = {step["step"] for stage in view.manifest["stages"] for step in stage["steps"]}
    if "map" in used:
        return None
    return {
        "skipped": "the encoder could not be loaded, so there are no figures from embeddings",
        "command": f"pip install 'curatune[embed]' && {command(view)}",
    }
