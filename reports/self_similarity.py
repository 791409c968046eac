"""How alike prompts are to the most similar other one, over equally many before and after."""

from __future__ import annotations

import statistics
from typing import Any

import polars as pl

from reports import shown
from reports.view import View, rate
from reports.wording import pairs_of

# Records compared, each with each: 45,000 pairs take a tenth of a second, and a share is known within 6 points.
RECORDS = 300
# From which on two prompts say the same in nearly the same words: the bound under which self-instruct takes a new
# instruction (Wang et al. 2023), there of ROUGE-L.
NEAR = 0.7
# Upper ends of the bands but the last.
BANDS = (0.1, 0.3, 0.5, NEAR)


def self_similarity(view: View, drawn: pl.DataFrame) -> dict[str, Any]:
    """Return how similar each prompt is to the most similar one of another record, of all rows and of the kept ones.

    Args:
        view: the run.
        drawn: `id`, `kept` and `prompt` of some rows in an order by chance.
    """
    records = view.base.select("id", "record")
    rows = drawn.select("id", "kept", "prompt").join(records, on="id", how="left", maintain_order="left")
    sides = [part.unique("record", keep="first", maintain_order=True) for part in (rows, rows.filter("kept"))]
    count = min(RECORDS, *(part.height for part in sides))
    if count < 2:
        return {"skipped": "fewer than two records are left to compare"}
    every, kept = (_side(nearest(part["prompt"].head(count))) for part in sides)
    return {
        "method": (
            "for each prompt the largest 2 × pairs of words in both ÷ pairs of words of each, over the prompts of all "
            "other records; each different pair of words that follow each other counts once, in lower case; it rises "
            f"the more are compared, so {shown.count(count)} records are drawn by chance of all and of the kept ones; "
            f"self-instruct refuses a new instruction from {NEAR} on, by ROUGE-L"
        ),
        "compared": count,
        "all": every,
        "kept": kept,
    }


def nearest(prompts: pl.Series) -> list[float]:
    """Return the similarity of each prompt to the most similar other one, in [0, 1]; 0 where it has no two words."""
    sets = pairs_of(prompts)
    best = [0.0] * len(sets)
    for place, one in enumerate(sets):
        for other in range(place):
            size = len(one) + len(sets[other])
            if size:
                found = 2 * len(one & sets[other]) / size
                best[place], best[other] = max(best[place], found), max(best[other], found)
    return best


def _side(values: list[float]) -> dict[str, Any]:
    """Return median, mean, share of near ones and counts by band."""
    ends = [*BANDS, 1.01]
    counts = [sum(low <= value < high for value in values) for low, high in zip([0.0, *BANDS], ends, strict=True)]
    names = [*(f"under {end:g}" for end in BANDS), f"{NEAR:g} and more"]
    return {
        "median": round(statistics.median(values), 4),
        "mean": round(statistics.fmean(values), 4),
        "near_share": rate(counts[-1], len(values)),
        "bands": [{"band": name, "records": number} for name, number in zip(names, counts, strict=True)],
    }
