"""What the duplicate steps found: clusters, their sizes, where they cross sources, and the doubtful ones."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.clusters import alarms
from reports.completeness import completeness
from reports.distribution import distribution
from reports.splits import across_splits
from reports.view import View

# Clusters shown of each kind, and members shown of each.
SHOWN, MEMBERS = 5, 2
# Upper ends of the classes of cluster sizes.
SIZES = (2, 3, 4, 9, 19, 99)
# Sources in the cross-source table.
MATRIX = 12
# Texts of a row that a cluster can show alone.
_SHOWN = ("content", "prompt", "response")
# Kinds of copies, and the steps that look for each, the one to begin with first.
KINDS = {"exact": ("exact",), "near": ("near", "minhash"), "semantic": ("semantic",)}


def steps(view: View) -> list[str]:
    """Return the steps that name keepers."""
    return [name.removesuffix(".keeper") for name in view.signals if name.endswith(".keeper")]


def duplicates(view: View) -> dict[str, Any]:
    """Return the facts of every duplicate step, and conflicting answers where a step wrote them."""
    found = steps(view)
    if not found:
        skipped = "no step of the recipe looks for duplicates"
        return {
            "skipped": skipped,
            "steps": [],
            "missing": _missing(view),
            "conflicts": _conflicts(view),
            "across_splits": across_splits(view),
        }
    return {
        "method": (
            "a cluster is one kept row and the rows that name it as their keeper; sizes count rows, the keeper included"
        ),
        "steps": [_step(view, name) for name in found],
        "missing": _missing(view),
        "conflicts": _conflicts(view),
        "across_splits": across_splits(view),
    }


def _missing(view: View) -> list[dict[str, str]]:
    """Return the kinds of copies that no step looked for; a step under another name counts."""
    used = {step["step"] for stage in view.manifest["stages"] for step in stage["steps"]}
    return [{"kind": kind, "step": steps[0]} for kind, steps in KINDS.items() if not used & set(steps)]


def _step(view: View, name: str) -> dict[str, Any]:
    """Return the clusters of one step."""
    wanted = [signal for signal in ("keeper", "similarity") if f"{name}.{signal}" in view.signals]
    columns = view.columns([f"{name}.{signal}" for signal in wanted]).rename({f"{name}.{s}": s for s in wanted})
    if "similarity" not in wanted:
        columns = columns.with_columns(similarity=pl.lit(None, dtype=pl.Float64))
    copies = view.base.select("id", "record", "source", "kept").hstack(columns).filter(pl.col("keeper").is_not_null())
    facts: dict[str, Any] = {
        "name": name,
        "step": _kind(view, name),
        "copies": copies.height,
        "kept_copies": int(copies["kept"].sum()),
        "completeness": completeness(view, name, _kind(view, name)),
    }
    if not copies.height:
        return {**facts, "clusters": 0, "largest": [], "least_similar": [], "sizes": [], "crossing": None}
    clusters = copies.group_by("keeper").agg(
        (pl.len() + 1).alias("size"), pl.col("similarity").min().alias("lowest"), pl.col("record").n_unique()
    )
    facts |= {"clusters": clusters.height, "records": copies["record"].n_unique(), "sizes": _sizes(clusters["size"])}
    facts["lost"] = _lost(view, clusters)
    facts["compared"] = compared(view, name)
    facts["alarms"] = alarms(view, copies, on=facts["compared"])
    facts["largest_size"] = int(clusters["size"].to_numpy().max())
    facts["crossing"] = _crossing(view, copies)
    similar = copies["similarity"].drop_nulls()
    facts["similarity"] = distribution(similar) if len(similar) else {"skipped": "the step writes no similarity"}
    largest = clusters.sort("size", "keeper", descending=[True, False]).head(SHOWN)
    facts["largest"] = [_cluster(copies, keeper, size) for keeper, size in largest.select("keeper", "size").iter_rows()]
    doubtful = clusters.filter(pl.col("lowest") < 1).sort("lowest", "keeper").head(SHOWN)
    facts["least_similar"] = [
        _cluster(copies, keeper, size) for keeper, size in doubtful.select("keeper", "size").iter_rows()
    ]
    return facts


def _kind(view: View, name: str) -> str:
    """Return the step behind a name of the recipe."""
    uses = (step for stage in view.manifest["stages"] for step in stage["steps"])
    return next((str(step["step"]) for step in uses if step["as"] == name), name)


def compared(view: View, name: str) -> str:
    """Return which text the step compared: the content of the record unless the recipe says otherwise."""
    uses = (use for stage in view.manifest["recipe"].get("stages", []) for use in stage.get("steps", []))
    on = next((use.get("on") for use in uses if use.get("as", use.get("step")) == name), None)
    columns = [on] if isinstance(on, str) else list(on or ["content"])
    return str(columns[0]) if len(columns) == 1 and columns[0] in _SHOWN else "rendered"


def _lost(view: View, clusters: pl.DataFrame) -> int:
    """Count the clusters of which nothing is left because a later stage dropped the record that was to stay."""
    kept = view.base.filter("kept")["record"].unique()
    keepers = view.base.filter(pl.col("id").is_in(clusters["keeper"].implode()))
    return int((~keepers["record"].is_in(kept.implode())).sum())


def _sizes(sizes: pl.Series) -> list[dict[str, Any]]:
    """Count the clusters and their rows in classes of size."""
    classes = []
    low = 2
    for high in (*SIZES, None):
        members = sizes.filter((sizes >= low) & ((sizes <= high) if high else True))
        if len(members):
            name = f"{low}" if low == high else f"{low}–{high}" if high else f"{low} and more"
            classes.append({"size": name, "clusters": len(members), "rows": int(members.sum())})
        low = (high or 0) + 1
    return classes


def _crossing(view: View, copies: pl.DataFrame) -> dict[str, Any]:
    """Count the copies by their own source and the source of their keeper."""
    keepers = view.base.select(keeper="id", keeper_source="source")
    pairs = copies.join(keepers, on="keeper", how="left").group_by("source", "keeper_source").len("rows")
    across = int(pairs.filter(pl.col("source") != pl.col("keeper_source"))["rows"].sum())
    rows = pairs.sort("rows", "source", "keeper_source", descending=[True, False, False], nulls_last=True)
    names = pl.concat([rows["source"], rows["keeper_source"].drop_nulls()]).unique(maintain_order=True)
    sources = sorted(names.head(MATRIX).to_list())
    counts = {(source, keeper): count for source, keeper, count in rows.iter_rows()}
    matrix = [[counts.get((source, keeper), 0) for keeper in sources] for source in sources]
    return {"sources": sources, "matrix": matrix, "across": across, "left_out": max(0, len(names) - MATRIX)}


def _cluster(copies: pl.DataFrame, keeper: str, size: int) -> dict[str, Any]:
    """Return the keeper and its least similar copies, one of each record first."""
    members = copies.filter(pl.col("keeper") == keeper).sort("similarity", "id", nulls_last=True)
    members = members.unique("record", keep="first", maintain_order=True).head(MEMBERS)
    return {
        "size": size,
        "keeper": {"row": keeper},
        "copies": [{"row": row, "similarity": value} for row, value in members.select("id", "similarity").iter_rows()],
    }


def _conflicts(view: View) -> list[dict[str, Any]]:
    """Return what the conflict steps found: questions that the data answers in several ways."""
    used = [step["as"] for stage in view.manifest["stages"] for step in stage["steps"] if step["step"] == "conflict"]
    return [_conflict(view, name) for name in used if f"{name}.answers" in view.signals]


def _conflict(view: View, name: str) -> dict[str, Any]:
    """Return how many rows conflict, and some questions with a row for each of two answers."""
    answers = view.columns([f"{name}.answers"])[f"{name}.answers"]
    several = (answers > 1).fill_null(False)
    by_source = view.base.filter(several).group_by("source").agg(pl.len().alias("rows"), pl.col("kept").sum())
    facts: dict[str, Any] = {
        "name": name,
        "rows": int(several.sum()),
        "kept": int((several & view.base["kept"]).sum()),
        "sources": by_source.sort("rows", "source", descending=[True, False]).to_dicts(),
    }
    table = view.run.table(f"{name}.groups")
    if table is None or not {"question", "answer", "id"} <= set(table.columns):
        return {**facts, "questions": None, "examples": []}
    one_each = table.group_by("question", "answer").agg(pl.col("id").min()).sort("question", "answer")
    asked = one_each.group_by("question", maintain_order=True).agg(pl.len().alias("answers"), "id")
    asked = asked.sort("answers", "question", descending=[True, False]).head(SHOWN)
    examples = [
        {"answers": count, "list": [{"row": row} for row in ids[:MEMBERS]]}
        for count, ids in asked.select("answers", "id").iter_rows()
    ]
    return {**facts, "questions": table["question"].n_unique(), "examples": examples}
