"""What training shares with what is held out, by pair of clusters of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from reports import shown
from reports.alert import Facts, alert, explain, rerun
from reports.masking import masked
from reports.view import View, draw

# Pairs of sources listed of a pair of clusters, and rows shown.
SOURCES, SHOWN = 10, 2
TABLE = "clusters.leaks"
KINDS = ("record", "passage", "file")
_METHOD = (
    "a row shares its record with a held-out row where all slots are alike, and a passage where one slot (or one line "
    "of instruction data) of 8 words or more is, word for word without case, punctuation and template; a row counts "
    "once for each held-out cluster; sources that read the same file count with all rows"
)


def holdout(view: View) -> dict[str, Any]:
    """Return rows by cluster, and for each pair of a trained and a held-out cluster what they share."""
    known = view.manifest.get("clusters")
    if not known or not view.manifest["totals"]["heldout_rows"]:
        return {"skipped": "the run has no held-out rows"}
    leaks = view.run.table(TABLE)
    pairs = [] if leaks is None else _pairs(view, leaks)
    return {
        "method": _METHOD,
        "heldout": known["heldout"],
        "clusters": _clusters(view, known["sources"]),
        "pairs": pairs,
        "kin": known["kin"],
    }


def _clusters(view: View, names: dict[str, str | None]) -> list[dict[str, Any]]:
    """Return the rows of each cluster that are trained on, in the mix and held out, the largest first."""
    counted = view.base.group_by("source").agg(pl.len().alias("rows"), pl.col("kept").sum())
    trained = {source: (rows, kept) for source, rows, kept in counted.iter_rows()}
    found: dict[str | None, dict[str, Any]] = {}
    for source in view.manifest["sources"]:
        name = names.get(source["name"])
        one = found.setdefault(name, {"cluster": name, "sources": 0, "rows": 0, "kept": 0, "heldout_rows": 0})
        rows, kept = trained.get(source["name"], (0, 0))
        one["sources"] += 1
        one["rows"] += rows
        one["kept"] += kept
        one["heldout_rows"] += source["rows"] if source["split"] == "heldout" else 0
    return sorted(found.values(), key=lambda one: (-one["rows"], -one["heldout_rows"], str(one["cluster"])))


def _pairs(view: View, leaks: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the pairs of clusters, those first of which most rows are in the mix."""
    found = []
    for (cluster, other), rows in leaks.group_by("cluster", "heldout_cluster"):
        kinds = [{"kind": kind, "rows": rows.filter(pl.col("kind") == kind).height} for kind in KINDS]
        sources = rows.group_by("source", "heldout_source").agg(pl.len().alias("rows"), pl.col("kept").sum())
        sources = sources.sort("rows", "source", "heldout_source", descending=[True, False, False])
        hit = view.base["id"].is_in(rows["id"].implode())
        drawn = draw(view, hit & view.base["kept"], "holdout", size=SHOWN) or draw(view, hit, "holdout", size=SHOWN)
        told = {"cluster": cluster, "heldout": other, "same": cluster == other, "rows": rows.height}
        told |= {"kept": int(rows["kept"].sum()), "items": rows["item"].n_unique(), "kinds": kinds}
        told["sources"] = [
            {**one, "source": masked(one["source"])[0], "heldout_source": masked(one["heldout_source"])[0]}
            for one in sources.head(SOURCES).to_dicts()
        ]
        found.append(
            {**told, "left_out": max(0, sources.height - SOURCES), "examples": [{"row": row} for row in drawn]}
        )
    return sorted(found, key=lambda one: (-one["kept"], -one["rows"], str(one["cluster"]), str(one["heldout"])))


def named(cluster: str | None) -> str:
    """Return a cluster in words."""
    return "instruction data without a cluster" if cluster is None else f"cluster {cluster}"


def _shared(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the held-out clusters whose texts another cluster trains on."""
    kept = facts["headline"]["kept"]
    for one in facts["holdout"].get("pairs", ()):
        if one["kept"] and not one["same"]:
            text = (
                f"{shown.plural(one['kept'], 'kept row')} of {named(one['cluster'])} "
                f"{shown.verb(one['kept'], 'share', 'shares')} a record or passage with held-out "
                f"{named(one['heldout'])}."
            )
            command = explain(facts, one["examples"][0]["row"])
            yield alert("warning", text, command, of=(one["kept"], kept), section="holdout")


def _kin(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the clusters near to held-out ones that are trained on."""
    for one in facts["holdout"].get("kin", ()):
        rows = next(two["kept"] for two in facts["holdout"]["clusters"] if two["cluster"] == one["trained"])
        text = f"Cluster {one['heldout']} is held out while {one['trained']} is trained on: {one['why']}."
        yield alert("note", text, rerun(facts), of=(rows, facts["headline"]["kept"]), section="holdout")


CHECKS = (_shared, _kin)
