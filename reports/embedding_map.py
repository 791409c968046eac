"""A picture of the sample: each row a point, near where similar ones are, and what its clusters are about."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.text import UNSPACED
from reports import shown
from reports.examples import texts
from reports.spread import map_settings, map_step
from reports.view import View, rate

# Colours and shapes told apart by most people, beside one for all the rest.
CATEGORIES = 8
# Characters shown of a row, and bytes these may take in the page: 2,000 rows of any script then stay under 400 KB.
SNIPPET, BYTES = 100, 180
TERMS = 6
# A word of fewer records than this may be private; it is never shown.
PRIVATE = 3
_WORD = rf"[{UNSPACED}]|[\p{{L}}--[{UNSPACED}]][\w'’--[{UNSPACED}]]{{2,}}"
# Marks of masked and of invisible things are no words.
_MARKS = r"‹[^›]*›|\[U\+[0-9A-F]+\]"
_DEAR = "<>&'"  # written with six characters where they could end a script


def embedding_map(view: View) -> dict[str, Any]:
    """Return places, groups and beginnings of the rows of the map, and its clusters with their key terms."""
    name = map_step(view)
    table = view.run.table(f"{name}.points") if name else None
    if table is None or not table.height:
        return {"skipped": "no row was embedded; add the step `map` to the first stage of the recipe"}
    settings = map_settings(view, name)
    points = table.join(view.base, on="id", how="left", maintain_order="left").sort("id")
    column = settings["column"] if settings["column"] in ("prompt", "response") else "content"
    known = texts(view, points["id"], contents=points["id"] if column == "content" else ())
    points = points.with_columns(text=pl.Series([known[row][column] for row in points["id"]], dtype=pl.String))
    modes = [_mode(points, *about) for about in (("source", "source"), ("task", "task"))] + [_verdicts(view, points)]
    sources = points["source"].unique().sort()
    place = {source: number for number, source in enumerate(sources)}
    return {
        "method": (
            f"laid out by {settings['projection']}, random state from seed {view.seed}; "
            f"{shown.count(points.height)} of the {settings['size']} rows sampled of {settings['rows']}, by the first "
            f"{settings['characters']} characters of their {settings['column']}; "
            f"near means similar, but distances and empty space mean nothing; "
            f"{settings['clusters']} clusters by k-means on the embeddings, with the words that most set their rows "
            f"apart (share of the cluster's rows with the word × the square of log of all rows ÷ rows with it; words "
            f"of at least {PRIVATE} records)"
        ),
        "points": points.height,
        "rows": view.base.height,
        "modes": [{key: mode[key] for key in ("name", "title", "values")} for mode in modes],
        "clusters": _clusters(points),
        "sources": [shown.clipped(source, 60) for source in sources],
        "columns": {
            "id": points["id"].to_list(),
            "x": points["x"].to_list(),
            "y": points["y"].to_list(),
            "cluster": points["cluster"].to_list(),
            **{mode["name"]: mode["codes"] for mode in modes},
            "from": [place[source] for source in points["source"]],
            "kept": points["kept"].cast(pl.Int8).to_list(),
            "text": [_snippet(text) for text in points["text"]],
        },
    }


def _mode(points: pl.DataFrame, name: str, title: str) -> dict[str, Any]:
    """Return the most frequent values of a column, and of each row its place among them."""
    counts = points.group_by(name).agg(pl.len().alias("rows"), pl.col("kept").sum())
    counts = counts.sort("rows", name, descending=[True, False], nulls_last=True)
    return _coded(points[name], counts.rename({name: "value"}), name=name, title=title)


def _verdicts(view: View, points: pl.DataFrame) -> dict[str, Any]:
    """Return what became of the rows, in the order of the stages."""
    order = {stage["name"]: index for index, stage in enumerate(view.manifest["stages"], start=1)}
    flagged = pl.col("flagged_by").list.len() > 0
    verdict = pl.when("kept").then(pl.when(flagged).then(pl.lit("kept, flagged")).otherwise(pl.lit("kept")))
    fate = points.select("kept", "dropped_at", value=verdict.otherwise("dropped at " + pl.col("dropped_at")))
    place = pl.when(pl.col("value") == "kept").then(0).otherwise(pl.col("dropped_at").replace_strict(order, default=99))
    counts = fate.with_columns(place=place).group_by("value", "place").agg(pl.len().alias("rows"), pl.col("kept").sum())
    return _coded(fate["value"], counts.sort("place", "value"), name="verdict", title="verdict")


def _coded(values: pl.Series, counts: pl.DataFrame, *, name: str, title: str) -> dict[str, Any]:
    """Return the values that have a colour of their own, the others as one, and the code of each row."""
    first = counts.head(CATEGORIES)
    codes = {value: code for code, value in enumerate(first["value"])}
    listed = [
        {"value": None if value is None else shown.clipped(value, 60), "rows": rows, "kept": kept}
        for value, rows, kept in first.select("value", "rows", "kept").iter_rows()
    ]
    rest = counts.slice(CATEGORIES)
    if rest.height:
        others = {"rows": int(rest["rows"].sum()), "kept": int(rest["kept"].sum())}
        listed.append({"value": f"{rest.height} others", **others})
    return {"name": name, "title": title, "values": listed, "codes": [codes.get(one, CATEGORIES) for one in values]}


def _clusters(points: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the clusters, the largest first, each with the middle of its points."""
    terms = key_terms(points)
    groups = points.group_by("cluster").agg(
        pl.len().alias("rows"), pl.col("kept").sum(), pl.col("x", "y").median().round(4)
    )
    return [
        {**row, "kept_share": rate(row["kept"], row["rows"]), "terms": terms.get(row["cluster"], [])}
        for row in groups.sort("cluster").iter_rows(named=True)
    ]


def key_terms(points: pl.DataFrame) -> dict[int, list[str]]:
    """Return the words of each cluster with the highest class-based TF-IDF.

    Source: Grootendorst, "BERTopic" (2022); here a word counts once a row.
    """
    plain = pl.col("text").str.replace_all(_MARKS, " ").str.to_lowercase()
    words = points.select("cluster", "record", "id", term=plain.str.extract_all(_WORD).list.unique())
    words = words.explode("term").drop_nulls("term")
    all_rows = words.group_by("term").agg(pl.len().alias("all"), pl.col("record").n_unique().alias("records"))
    sizes = points.group_by("cluster").agg(pl.len().alias("size"))
    found = words.group_by("cluster", "term").agg(pl.len().alias("rows"), pl.col("record").n_unique().alias("own"))
    found = found.join(all_rows.filter(pl.col("records") >= PRIVATE), on="term").join(sizes, on="cluster")
    # A word of one row of many is chance, not what the cluster is about.
    found = found.filter(pl.col("own") >= 2)
    # Squared, or function words that a cluster has somewhat more of would come first.
    score = pl.col("rows") / pl.col("size") * (points.height / pl.col("all")).log() ** 2
    found = found.with_columns(score=score.round(9)).filter(pl.col("score") > 0)
    best = found.sort("cluster", "score", "term", descending=[False, True, False])
    listed = best.group_by("cluster", maintain_order=True).agg(pl.col("term").head(TERMS))
    return {cluster: [shown.clipped(term, 30) for term in terms] for cluster, terms in listed.iter_rows()}


def _snippet(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = shown.clipped(text, SNIPPET)
    if _bytes(line) <= BYTES:
        return line
    size, end = 0, 0
    while size + _bytes(line[end]) < BYTES - 3:  # three for the mark of the cut
        size += _bytes(line[end])
        end += 1
    return line[:end] + "…"


def _bytes(text: str) -> int:
    """Return how much room a text takes in a script of the page."""
    return len(text.encode()) + sum(5 for sign in text if sign in _DEAR) + text.count('"') + text.count("\\")
