"""How the mixes of two runs differ as distributions: every measure, ranked by how far it moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from reports import effects
from reports.categories import categories
from reports.distribution import QUANTILES, distribution
from reports.drift_words import among, sentence, titles
from reports.pair import SIDES, Pair

# What is compared beside signals.
BASIC = ("prompt_characters", "response_characters", "tokens", "turns")
# Numeric measures drawn as histograms beside the basic ones; the others stand in the table.
CHARTS = 12
# Sentences at the top of the page.
LINES = 12
# Two measures whose ranks correlate like this over the rows of both mixes tell one story (as characters, words and
# tokens of a response do), and the one that moved further tells it. Rows used for that.
SAME, SAMPLE = 0.9, 4000
METHOD = (
    "over all rows of both mixes (kept rows, each as often as its copies), exact and without a sample. Numbers: "
    "Kolmogorov–Smirnov distance (the largest gap between the shares of rows up to a value) and Cliff's delta (how "
    "much more often a new row is higher than an old one than lower). Values: total variation distance (the share "
    "of rows that would have to change) and Cramér's V with both sides weighing the same; a list by the member that"
    " moved most. Words for sizes: delta from 0.147 small, 0.33 medium, 0.474 large (Romano and others 2006), the "
    "distance by the same shift of a normal distribution (0.10, 0.24, 0.35), V from 0.1, 0.3, 0.5 (Cohen 1988); "
    "what two samples of one source with so many rows reach by chance in 95 of 100 cases (of a list, by one member) is "
    "called negligible. "
    "Ranked by the share of rows that moved: distance or variation. p-values are not shown: with 100,000 rows even "
    "a difference too small to matter has a tiny one"
)


def drift(pair: Pair) -> dict[str, Any]:
    """Return every shift between the two mixes.

    Returns:
        `numeric` and `categorical`, those that moved furthest first; `lines` with a sentence for each shift that is not
        negligible and not told by another; `aside` why some columns say nothing of the data though their values moved.
    """
    sizes = pair.sizes()
    if not all(sizes):
        empty = " and ".join(side for side, size in zip(SIDES, sizes, strict=True) if not size)
        return {"skipped": f"the {empty} mix has no rows"}
    numeric, tables = sorted(_numeric(pair), key=_rank), sorted(categories(pair), key=_rank)
    moved = [one for one in sorted([*numeric, *tables], key=_rank) if one["size"] != effects.SIZES[0]]
    told = [one for one in moved if not one["aside"]]
    sizes_told = {
        size: sum(one["size"] == size and not one["aside"] for one in (*numeric, *tables)) for size in effects.SIZES
    }
    alike = _alike(pair, [one["name"] for one in told if one["kind"] == "numeric"])
    lines = [one for one in told if one["name"] not in alike]
    drawn = [one for one in numeric if one in lines][:CHARTS]
    _draw(
        pair, drawn + [one for one in numeric if one["name"] in BASIC and one not in drawn and one["name"] not in alike]
    )
    return {
        "method": METHOD,
        "rows": dict(zip(SIDES, sizes, strict=True)),
        "measures": sum(sizes_told.values()),
        "moved": len(told),
        "sizes": sizes_told,
        "lines": [_line(one) for one in lines[:LINES]],
        "lines_left_out": max(0, len(lines) - LINES),
        "told_by": alike,
        "aside": list(dict.fromkeys(one["aside"] for one in moved if one["aside"])),
        "numeric": numeric,
        "categorical": tables,
    }


def _rank(one: Mapping[str, Any]) -> tuple[float, str]:
    return -one["moved"], one["name"]


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("name", "kind", "size", "moved")} | {"text": one["sentence"]}


def _numeric(pair: Pair) -> Iterator[dict[str, Any]]:
    """Yield the shift of each number that both runs have."""
    old, new = (view.signals for view in pair.views)
    shared = [name for name in old if name in new and old[name].is_numeric() and new[name].is_numeric()]
    called = titles(pair) | among(pair)
    for name in (*BASIC, *shared):
        columns = [mix[name] for mix in pair.mixes([name])]
        sides = [np.sort(column.drop_nulls().cast(pl.Float64).to_numpy()) for column in columns]
        if not all(side.size for side in sides):
            continue  # nothing to compare: said with the signals that one side lacks
        unknown = [column.null_count() for column in columns]
        yield _shift(name, sides, unknown, called.get(name))


def _shift(
    name: str, sides: list[effects.Floats], unknown: list[int], called: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return effect sizes and quantiles of one measure."""
    gap, difference = effects.distance(*sides), effects.delta(*sides)
    counts = sides[0].size, sides[1].size
    limits = effects.numeric_chance(counts)
    facts: dict[str, Any] = {
        "name": name,
        "title": called["title"] if called else name,
        "kind": "numeric",
        "aside": None if called is None else called.get("aside"),
        "moved": round(gap, 6),
        "distance": round(gap, 6),
        "delta": round(difference, 6),
        "higher": round((difference + 1) / 2, 6),
        "chance": {"delta": round(limits[0], 6), "distance": round(limits[1], 6)},
        "size": effects.numeric_size(difference, gap, counts),
    }
    for side, values, lost in zip(SIDES, sides, unknown, strict=True):
        facts[side] = {"known": values.size, "unknown": lost, "mean": round(float(values.mean()), 6)}
        facts[side]["quantiles"] = _quantiles(values)
    return facts | {"sentence": sentence(facts, called)}


def _quantiles(values: effects.Floats) -> list[dict[str, float]]:
    """Return the values at the fixed shares of the sorted rows; each is a value that occurs."""
    places = [round(share * (values.size - 1)) for share in QUANTILES]
    return [{"share": share, "value": float(values[place])} for share, place in zip(QUANTILES, places, strict=True)]


def _draw(pair: Pair, shifts: list[dict[str, Any]]) -> None:
    """Add bars to the shifts that are drawn; the bars are the same for both sides. In place."""
    for one in shifts:
        old, new = (mix[one["name"]].drop_nulls() for mix in pair.mixes([one["name"]]))
        if old.dtype != new.dtype:
            old, new = old.cast(pl.Float64), new.cast(pl.Float64)
        side = np.repeat([False, True], [len(old), len(new)])
        spread = distribution(pl.concat([old, new]), pl.Series(side))
        bars = []
        for bar in spread["bars"]:
            counts = {"old": bar["passed"], "new": bar["failed"]}
            shares = {"old_share": counts["old"] / len(old), "new_share": counts["new"] / len(new)}
            bars.append({"low": bar["low"], "high": bar["high"], **counts, **shares})
        one["histogram"] = {key: spread[key] for key in ("folded", "closed", "unit_bars")} | {"bars": bars}


def _alike(pair: Pair, names: list[str]) -> dict[str, str]:
    """Return the measures whose story another one tells that moved further, with its name."""
    if len(names) < 2:
        return {}
    frame = pl.concat([_spread(mix.cast(pl.Float64)) for mix in pair.mixes(names)])
    ranks = frame.select(pl.all().rank().fill_null(strategy="mean")).to_numpy()
    varied = ranks.std(axis=0) > 0
    likeness = np.zeros((len(names), len(names)))
    if varied.sum() > 1:
        likeness[np.ix_(varied, varied)] = np.corrcoef(ranks[:, varied], rowvar=False)
    found: dict[str, str] = {}
    for place, name in enumerate(names):
        before = [first for first in range(place) if names[first] not in found]
        teller = next((first for first in before if abs(likeness[place, first]) > SAME), None)
        if teller is not None:
            found[name] = names[teller]
    return found


def _spread(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows spread evenly over a frame in order of id: ids are hashes, so any such rows are a fair draw."""
    places = np.linspace(0, frame.height - 1, min(frame.height, SAMPLE // 2)).astype(np.int64)
    return frame[places]
