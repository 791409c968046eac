"""Long spans of words that recur across rows, and what of an earlier run's was cut out while reading."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.schema import column_text
from reports import shown
from reports.masking import masked
from reports.view import View, rate

# Spans shown, characters shown of each, and characters behind these that are masked too, lest half of an address shows.
SHOWN, SAMPLE, BEHIND = 10, 300, 100
# What the step takes where the recipe does not say: its own defaults.
WORDS, ROWS, ON = 50, 2, "content"
_NEEDED = {"span", "words", "rows", "sources", "core", "first", "text"}
_TEXTS = ("id", "prompt", "response", "content", "messages")


def recurring(view: View) -> dict[str, Any]:
    """Return for each step that looks for recurring spans the largest of them, and what was cut out while reading."""
    cut = [
        {"source": one["name"], "texts": one.get("repairs", {}).get("cut", 0), "missed": one["cut_missed"]}
        for one in view.manifest["sources"]
        if "cut_missed" in one
    ]
    uses = (use for stage in view.manifest["recipe"].get("stages", []) for use in stage.get("steps", []))
    found = [_step(view, use) for use in uses if use["step"] == "substring"]
    if not any(found):
        return {"skipped": "no step of the recipe looks for spans that recur: add the step `substring`", "cut": cut}
    return {
        "method": (
            "a span is a run of words, without case and punctuation, that cannot be made longer without losing a place "
            "where it stands; the largest by words × rows are shown, variants around the same most frequent words as "
            "one; rows of one record count once where contents are compared; personal data is masked"
        ),
        "steps": [one for one in found if one],
        "cut": cut,
    }


def _step(view: View, use: dict[str, Any]) -> dict[str, Any] | None:
    """Return the facts of one step, or None when it left no table."""
    name = str(use.get("as", use["step"]))
    spans = view.run.table(f"{name}.spans")
    if spans is None or not set(spans.columns) >= _NEEDED or f"{name}.shared_share" not in view.signals:
        return None
    column = str(use.get("on", ON))
    rows = view.base.select("kept").hstack(
        view.columns([f"{name}.shared_share"]).rename({f"{name}.shared_share": "share"})
    )
    hit = rows.filter(pl.col("share") > 0)
    size = pl.col("words").cast(pl.Int64) * pl.col("rows")
    best = spans.sort(size, "words", "span", descending=[True, True, False])
    variants = pl.len().over("core").alias("variants")
    top = best.with_columns(variants).unique("core", keep="first", maintain_order=True).head(SHOWN)
    texts = _texts(view, top["first"], column)
    return {
        "name": name,
        "column": column,
        "unit": "record" if column == ON else "row",
        "words": int(use.get("words", WORDS)),
        "least": int(use.get("least", ROWS)),
        "rows": hit.height,
        "kept": int(hit["kept"].sum()),
        "of": rows["share"].drop_nulls().len(),
        "share": rate(float(rows["share"].fill_null(0.0).sum()), rows["share"].drop_nulls().len()),
        "spans": spans.height,
        "families": spans["core"].n_unique(),
        "largest": [_span(one, texts) for one in top.iter_rows(named=True)],
    }


def _texts(view: View, ids: pl.Series, column: str) -> dict[str, str]:
    """Return the text of some rows that the step looked at."""
    rows = view.run.scan().filter(pl.col("id").is_in(ids.unique().implode())).select(*_TEXTS).collect()
    return dict(zip(rows["id"], column_text(rows, column).fill_null(""), strict=True))


def _span(one: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """Return a span with its beginning as it stands in the first row that has it."""
    whole = texts.get(one["first"], "")
    at = whole.find(one["text"])
    seen, count = masked(whole[at : at + SAMPLE + BEHIND] if at >= 0 else one["text"])
    long = len(one["text"]) >= SAMPLE
    text = seen[:SAMPLE] if long or at < 0 else masked(one["text"])[0]
    return {
        "text": shown.visible(text) + (" …" if long else ""),
        "masked": count,
        **{key: one[key] for key in ("words", "rows", "sources", "variants")},
        "row": one["first"],
    }
