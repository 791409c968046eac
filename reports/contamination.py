"""Held-out items that stand in training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from curate import text as kernel
from curate.schema import column_text
from reports.masking import masked_together
from reports.spans import shared
from reports.splits import MATRIX, crossed
from reports.view import View, rate

# Pairs shown of each kind.
SHOWN = 10
# Words of a run where the recipe sets none, as in the step: those of Tulu 3 (Lambert et al. 2024).
WORDS = 8
# Further signals of a step, and what stands for one that is not there.
MORE: dict[str, Any] = {"words": 0, "answer": None, "common": None}
# Words of the runs that are marked at most: pairs in items of fewer words than 24, three in others, as the step does.
MARKED, LONG = (2, 3), 24
# Words shown before and after the place where an item stands.
AROUND = 20
_NEEDED = ("id", "source", "prompt", "response", "content", "messages")


@dataclass(frozen=True)
class Measure:
    """How a step tells how much of its nearest held-out item a row gives away.

    Args:
        signal: its name.
        bound: above which it counts where no rule of the recipe says so.
        edges: of the bands in which rows are counted; up to the first nothing is found.
        least, most: what to call a row up to the first edge, and one from the last on.
    """

    signal: str
    bound: float
    edges: tuple[float, ...]
    least: str
    most: str


# The step `leak`, with the bound of Tulu 3; the step `rephrased`, which says why 0.9.
MEASURES = (
    Measure("overlap", 0.5, (0.0, 0.25, 0.5, 0.75, 1.0), "none", "the whole item"),
    Measure("similarity", 0.9, (0.5, 0.7, 0.8, 0.9, 1.0), "to 0.5", "the same"),
)


def leaking(view: View) -> list[tuple[str, Measure]]:
    """Return the steps that look for held-out items in the rows, by their signals, and how each tells what it found."""
    names = [name.removesuffix(".match") for name in view.signals if name.endswith(".match")]
    return [(name, one) for name in names for one in MEASURES if f"{name}.{one.signal}" in view.signals]


def contamination(view: View) -> dict[str, Any]:
    """Return for each leak step its bands, which source gives away which held-out source, and pairs with their runs."""
    steps = leaking(view)
    if not view.manifest["totals"]["heldout_rows"] and not any("references" in _use(view, name) for name, _ in steps):
        return {"skipped": "the run has no held-out rows to look for"}
    if not steps:
        return {"skipped": "no step of the recipe looks for held-out items in the rows: add the step `leak`"}
    return {
        "method": (
            "overlap is the share of a held-out item's words that the row holds too, in long runs or in one place in "
            "their order, where missing words weigh more; similarity is the cosine of the row and the item in meaning; "
            "a row counts for its best-matching item alone, so an item that is only ever second best is not counted"
        ),
        "steps": [_step(view, name, measure) for name, measure in steps],
    }


def _step(view: View, name: str, measure: Measure) -> dict[str, Any]:
    """Return the facts of one step."""
    use = _use(view, name)
    more = {f"{name}.{signal}": signal for signal in MORE if f"{name}.{signal}" in view.signals}
    renamed = {f"{name}.{measure.signal}": "value", f"{name}.match": "match", **more}
    signals = view.columns(list(renamed)).rename(renamed)
    signals = signals.with_columns(pl.lit(value).alias(key) for key, value in MORE.items() if key not in signals)
    frame = view.base.select("id", "source", "kept").hstack(signals)
    held = view.run.scan("heldout").select(match="id", item_source="source").collect()
    found = frame.filter(pl.col("value") > measure.edges[0]).join(held, on="match", how="left", maintain_order="left")
    if "references" in use:  # items of reference files are called file:line
        file = pl.col("match").str.extract("^(.*):[0-9]+$")
        found = found.with_columns(pl.coalesce("item_source", file))
    ruled = [rule["max"] for rule in view.rules if rule["signal"] == f"{name}.{measure.signal}" and "max" in rule]
    bound = float(ruled[0]) if ruled else measure.bound
    over = found.filter(pl.col("value") > bound)
    facts: dict[str, Any] = {"name": name, "measure": measure.signal, "column": str(use.get("column", "content"))}
    facts |= {"n": int(use.get("n", WORDS)), "bound": bound, "ruled": bool(ruled)}
    facts |= {"rows": over.height, "kept": int(over["kept"].sum()), "any": found.height}
    facts |= {"answers": int(over["answer"].sum() or 0), "common": int(over["common"].sum() or 0)}
    return {
        **facts,
        "bands": _bands(frame, measure),
        "matrix": crossed(over),
        "heldout": _hit(held, over),
        **_worst(over),
        "pairs": _pairs(view, found, facts),
    }


def _worst(over: pl.DataFrame) -> dict[str, str]:
    """Return the kept row that gives most away, or nothing."""
    kept = over.filter("kept").sort("value", "words", "id", descending=[True, True, False])
    return {"row": kept["id"][0]} if kept.height else {}


def _use(view: View, name: str) -> dict[str, Any]:
    """Return the arguments that the recipe gives to the step."""
    uses = (use for stage in view.manifest["recipe"].get("stages", []) for use in stage.get("steps", []))
    return next((use for use in uses if use.get("as", use.get("step")) == name), {})


def _bands(frame: pl.DataFrame, measure: Measure) -> list[dict[str, Any]]:
    """Count the rows by how much of their item they give away."""
    value, last = pl.col("value"), measure.edges[-1]
    bands = [(measure.least, value <= measure.edges[0])]
    for low, high in pairwise(measure.edges):
        inside = (value > low) & ((value <= high) if high < last else (value < high))
        bands.append((f"above {low:g}, to {high:g}" if high < last else f"above {low:g}, below {high:g}", inside))
    bands.append((measure.most, value >= last))
    sums = [expr.sum().alias(f"{place}") for place, (_, expr) in enumerate(bands)]
    kept = [(expr & pl.col("kept")).sum().alias(f"kept{place}") for place, (_, expr) in enumerate(bands)]
    counts = frame.select(*sums, *kept).row(0, named=True)
    return [
        {"band": label, "rows": int(counts[f"{place}"] or 0), "kept": int(counts[f"kept{place}"] or 0)}
        for place, (label, _) in enumerate(bands)
    ]


def _hit(held: pl.DataFrame, over: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how many items of each held-out source some row gives away, and how many a kept row still does."""
    items = over.group_by("match").agg(pl.col("kept").any())
    joined = held.join(items, on="match", how="left")
    counted = joined.group_by("item_source").agg(
        pl.len().alias("items"),
        pl.col("kept").is_not_null().sum().alias("hit"),
        pl.col("kept").fill_null(False).sum().alias("kept_hit"),
    )
    counted = counted.sort("hit", "items", "item_source", descending=[True, True, False]).head(MATRIX)
    return [
        {"source": source, "items": items, "hit": hit, "kept_hit": kept, "share": rate(hit, items)}
        for source, items, hit, kept in counted.iter_rows()
    ]


def _pairs(view: View, found: pl.DataFrame, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strongest pairs and those nearest to the bound, one row for each item."""
    ranked = found.filter(pl.col("item_source").is_not_null())
    strongest = ranked.sort("value", "words", "id", descending=[True, True, False]).unique(
        "match", keep="first", maintain_order=True
    )
    strongest = strongest.head(SHOWN)
    distance = (pl.col("value") - facts["bound"]).abs()
    near = ranked.filter(~pl.col("match").is_in(strongest["match"].implode())).sort(distance, pl.col("id"))
    nearest = near.unique("match", keep="first", maintain_order=True).head(SHOWN)
    both = pl.concat([strongest, nearest])
    texts = _texts(view, "rows", both["id"], facts["column"]) | _texts(view, "heldout", both["match"], facts["column"])
    spans = view.run.table(f"{facts['name']}.spans")
    if spans is not None:
        for span in spans.filter(pl.col("id").is_in(both["id"].implode())).iter_rows(named=True):
            texts[span["id"]] = _around(texts[span["id"]], span["begin"], span["end"])
            texts |= {span["item"]: span["text"]} if span["text"] else {}
    held = found.filter(pl.col("value") > facts["bound"]).group_by("match").agg(rows=pl.len(), sources="source")
    counts = {match: (rows, len(set(sources))) for match, rows, sources in held.iter_rows()}
    return {
        "of": found["match"].n_unique(),
        "strongest": [_pair(pair, texts, counts) for pair in strongest.iter_rows(named=True)],
        "nearest": [_pair(pair, texts, counts) for pair in nearest.iter_rows(named=True)],
    }


def _around(text: str, begin: int, end: int) -> str:
    """Return the part of a text about some of its words."""
    places = kernel.places(text)
    if not places[begin:end]:
        return text
    first, last = max(0, begin - AROUND), min(len(places), end + AROUND)
    start = places[first][0] if first else 0
    return text[start : places[last - 1][1] if last < len(places) else len(text)]


def _texts(view: View, name: str, ids: pl.Series, column: str) -> dict[str, str]:
    """Return the compared text of some rows."""
    wanted = pl.col("id").is_in(ids.unique().implode())
    more = [column] if name == "rows" and column in view.signals else []
    rows = view.run.scan(name).filter(wanted).select(*_NEEDED, *more).collect()
    return dict(zip(rows["id"], column_text(rows, column).fill_null(""), strict=True))


def _pair(pair: Mapping[str, Any], texts: Mapping[str, str], counts: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return a row and an item with the runs they share marked, both masked."""
    masked = masked_together({"row": texts.get(pair["id"], ""), "item": texts.get(pair["match"], "")})
    n = MARKED[len(kernel.words(masked["item"][0])) >= LONG]
    text, item = shared(masked["row"][0], masked["item"][0], n=n)
    rows, sources = counts.get(pair["match"], (0, 0))
    return {
        "row": pair["id"],
        "value": round(pair["value"], 4),
        "item": pair["match"],
        "item_source": pair["item_source"],
        "answer": pair["answer"],
        "common": pair["common"],
        "rows": rows,
        "sources": sources,
        "text": text,
        "item_text": item,
        "masked": masked["row"][1] + masked["item"][1],
    }
