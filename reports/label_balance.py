"""Whether the labels of a source are spread alike in every wording."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from reports import shown
from reports.alert import FEW, Facts, alert, explain
from reports.masking import masked
from reports.view import View, rate

# Templates listed of a source, those furthest from it first.
LISTED = 8
# Labels are dealt to templates by a hash; above this half difference a model can learn the label from the wording.
APART = 0.2
# Times what chance gives on average (see `_expected`) from which on it is not chance: a judgement.
BEYOND = 2.0


def effective(counts: Sequence[int]) -> float:
    """Return how many labels of equal size would be as varied: exp of the entropy, 0 of nothing."""
    total = sum(counts)
    shares = [count / total for count in counts if count]
    return round(math.exp(-sum(share * math.log(share) for share in shares)), 4) if shares else 0.0


def by_template(view: View) -> dict[str, dict[str, Any]]:
    """Return for each source with labels how many are there in effect, and how each template's differ from it.

    Returns:
        By source: `effective` labels of all rows and of the mix, `templates` (template, rows and labels of the mix, its
        largest label and the share of it, `apart`: half of the sum of the differences of label shares, `expected` by
        chance), and how many of them are left out.
    """
    known = view.base.filter(pl.col("label").is_not_null())
    counted = known.group_by("source", "template", "label").agg(
        pl.len().alias("rows"), pl.col("copies").sum().alias("in_mix"), pl.col("id").min().alias("row")
    )
    found = {}
    for (source,), table in counted.sort("source", "label", "template").group_by("source", maintain_order=True):
        labels = table.group_by("label", maintain_order=True).agg(pl.col("rows", "in_mix").sum())
        total = int(labels["in_mix"].sum())
        shares = {label: rate(rows, total) for label, _, rows in labels.iter_rows()}
        templates = [
            _template(name, part, shares)
            for (name,), part in table.filter(pl.col("in_mix") > 0).group_by("template", maintain_order=True)
        ]
        templates.sort(key=lambda one: (-one["apart"], str(one["template"])))
        found[str(source)] = {
            "effective": effective(labels["rows"].to_list()),
            "kept_effective": effective(labels["in_mix"].to_list()),
            "templates": templates[:LISTED],
            "templates_left_out": max(0, len(templates) - LISTED),
        }
    return found


def _template(name: Any, part: pl.DataFrame, shares: dict[str, float]) -> dict[str, Any]:
    """Return the labels of one template in the mix beside those of its source."""
    counts = dict(part.select("label", "in_mix").iter_rows())
    rows = sum(counts.values())
    largest = max(counts, key=lambda label: (counts[label], label))
    apart = sum(abs(rate(counts.get(label, 0), rows) - share) for label, share in shares.items()) / 2
    return {
        "template": name,
        "rows": rows,
        "distinct": len(counts),
        "label": shown.clipped(masked(largest)[0], 60),
        "share": round(rate(counts[largest], rows), 6),
        "apart": round(apart, 6),
        "expected": round(_expected(rows, list(shares.values())), 6),
        "example": part["row"].min(),
    }


def _expected(rows: int, shares: Sequence[float]) -> float:
    """Return the half difference that rows drawn by chance have on average: Σ √(2 p (1 - p) / π n) / 2."""
    return sum(math.sqrt(2 * share * (1 - share) / (math.pi * rows)) for share in shares) / 2


def _telling(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the templates whose wording gives the label away."""
    for source in facts["labels"]["sources"]:
        for one in source["templates"]:
            beyond = one["apart"] > max(APART, BEYOND * one["expected"]) and one["rows"] >= FEW
            if beyond:
                only = "a single label" if one["distinct"] == 1 else f"{shown.share(one['share'])} of one label"
                text = (
                    f"Template {one['template']} of source {source['source']} has {only} (“{one['label']}”), so the "
                    f"wording tells the label: {shown.share(one['apart'])} stands elsewhere than in the whole source."
                )
                of = (one["rows"], source["rows"])
                yield alert("warning", text, explain(facts, one["example"]), of=of, section="labels")


CHECKS = (_telling,)
