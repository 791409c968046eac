"""Whom each rule hits, by the groups that rows mention, and by language, task and length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from reports.intervals import wilson
from reports.rules import covered, failed
from reports.view import View, rate

# With fewer rows an interval spans half of all shares; with fewer than five expected on either side the normal
# approximation of the test is poor (Cochran 1954, Biometrics 10).
ROWS, EXPECTED = 30, 5.0
# Ratio from which a difference matters, the usual bound of filter parity, and the share of false alarms allowed.
RATIO, FALSE_SHARE = 1.25, 0.05
LISTED, GROUPS = 40, 30
# Upper ends of bands of response length in characters: a label, a sentence, a paragraph, a page, more.
BANDS = (20, 100, 500, 2000)
METHOD = (
    "for each rule and group the rows that the rule looked at and that belong to the group, and the share of them that "
    "fails with its 95 % Wilson interval; the ratio is to the share of all rows that the rule looked at; the two-sided "
    f"test is of the group against all other rows, where there are at least {ROWS} rows and {EXPECTED:g} are expected "
    "on both sides; q keeps the false discovery rate over the whole table (Benjamini and Hochberg 1995); groups that "
    "are hit more than all come first, each sorted by how far the nearest end of the ratio's interval is from 1"
)
LIMITS = (
    "a mention is not the subject of a text, and only listed English words count; groups are not compared at equal "
    "length, task or source, so a group that is mentioned in harsher or longer texts is hit more often without any "
    "fault of the rule: read its examples before you change it"
)
_Mask = npt.NDArray[np.bool_]
_Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Groups:
    """Members of groups: the row of each membership and the number of its group in `names`."""

    by: str
    names: list[str]
    rows: _Codes
    codes: _Codes

    def count(self, mask: _Mask) -> _Codes:
        """Count the members among some rows, by group."""
        found: _Codes = np.bincount(self.codes[mask[self.rows]], minlength=len(self.names))
        return found


def fairness(view: View) -> dict[str, Any]:
    """Return the table of rules and groups, how many lines were tested, and how often each group is mentioned."""
    names = mentioning(view)
    if not names:
        return {"skipped": "no step of the recipe counts who is mentioned: add the step `bias`"}
    groups = [*_mentioned(view, names), *_described(view)]
    lines = [line for rule in view.rules if rule["failed"] for line in _lines(view, rule, groups)]
    tested = _with_q([line for line in lines if line["p"] is not None])
    identity = [line for line in tested if line["by"] in names]
    others = [line for line in tested if line["by"] not in names]
    return {
        "method": METHOD,
        "limits": LIMITS,
        "steps": names,
        "bound": {"ratio": RATIO, "q": FALSE_SHARE, "rows": ROWS, "expected": EXPECTED},
        "tested": len(tested),
        "too_few": len(lines) - len(tested),
        "notable": sum(notable(line) for line in identity),
        "identity": identity[:LISTED],
        "identity_left_out": max(0, len(identity) - LISTED),
        "others": others[:LISTED],
        "others_left_out": max(0, len(others) - LISTED),
        "mentions": [_mentions(view, one) for one in groups if one.by in names],
    }


def mentioning(view: View) -> list[str]:
    """Return the steps that count who is mentioned, by their signals."""
    needed = ("mentions", "groups", "axes")
    names = [name.removesuffix(".groups") for name in view.signals if name.endswith(".groups")]
    return [name for name in names if all(f"{name}.{signal}" in view.signals for signal in needed)]


def notable(line: Mapping[str, Any]) -> bool:
    """Tell whether a line is beyond chance and large enough to matter."""
    return bool(line["q"] < FALSE_SHARE and line["ratio"] >= RATIO)


def discoveries(values: Sequence[float]) -> list[float]:
    """Return the q value of each p value: the smallest false discovery rate at which it counts as found.

    Benjamini and Hochberg (1995, J. R. Stat. Soc. B 57): p times tests over rank, made monotone from the largest down.
    """
    found, least = [0.0] * len(values), 1.0
    for rank, place in sorted(enumerate(sorted(range(len(values)), key=lambda place: values[place]), 1), reverse=True):
        least = min(least, values[place] * len(values) / rank)
        found[place] = least
    return found


def _mentioned(view: View, names: Sequence[str]) -> Iterator[_Groups]:
    """Yield the groups that each step found in the rows."""
    for name in names:
        lists = view.columns([f"{name}.groups"]).rename({f"{name}.groups": "group"}).with_row_index("row")
        yield _grouped(name, lists.lazy().filter(pl.col("group").list.len() > 0).explode("group").collect())


def _described(view: View) -> Iterator[_Groups]:
    """Yield language, task and length of the response as groups."""
    languages = [name for name in view.signals if name.endswith(".lang")][:1]
    frame = view.base.select("lang", "task", "response_characters").with_row_index("row")
    if languages:
        frame = frame.with_columns(view.columns(languages)[languages[0]].alias("lang"))
    names = [f"under {BANDS[0]}", *(f"{low}–{high - 1:,}" for low, high in pairwise(BANDS))]
    names.append(f"{BANDS[-1]:,} and more")
    place = pl.sum_horizontal(*((pl.col("response_characters") >= end).cast(pl.Int64) for end in BANDS))
    frame = frame.with_columns(band=place.replace_strict(dict(enumerate(names)), return_dtype=pl.String))
    for column, by in (("lang", "language"), ("task", "task"), ("band", "response characters")):
        yield _grouped(by, frame.select("row", pl.col(column).alias("group")).drop_nulls())


def _grouped(by: str, members: pl.DataFrame) -> _Groups:
    """Number the groups in order of their names."""
    names = members["group"].unique().sort()
    codes = pl.DataFrame({"group": names, "code": np.arange(len(names))})
    joined = members.join(codes, on="group", how="left", maintain_order="left")
    return _Groups(by, names.to_list(), joined["row"].to_numpy().astype(np.int64), joined["code"].to_numpy())


def _lines(view: View, rule: Mapping[str, Any], groups: Sequence[_Groups]) -> Iterator[dict[str, Any]]:
    """Yield one line for each group that the rule looked at."""
    inside = covered(view, rule).to_numpy()
    hit = failed(view, str(rule["id"])).to_numpy() & inside
    whole, hits = int(inside.sum()), int(hit.sum())
    for one in groups:
        for group, of, part in zip(one.names, one.count(inside).tolist(), one.count(hit).tolist(), strict=True):
            if of and hits:
                yield _line(rule, (one.by, group), (part, of), (hits, whole))


def _line(rule: Mapping[str, Any], group: tuple[str, str], counts: tuple[int, int], all_counts: tuple[int, int]) -> Any:
    """Return the figures of one rule and group; p is none where there are too few rows."""
    (part, of), (hits, whole) = counts, all_counts
    overall = hits / whole
    low, high = wilson(part, of)
    expected = of * overall
    enough = of >= ROWS and EXPECTED <= expected <= of - EXPECTED and of < whole
    return {
        "rule": rule["id"], "flag": bool(rule.get("flag")), "by": group[0], "group": group[1], "rows": of,
        "failed": part, "share": part / of, "low": low, "high": high, "overall": overall, "expected": expected,
        "ratio": part / of / overall, "ratio_low": low / overall, "ratio_high": high / overall,
        "p": _p(part, of, hits - part, whole - of) if enough else None,
    }  # fmt: skip


def _p(part: int, of: int, other_part: int, other_of: int) -> float:
    """Return the two-sided p value that two shares differ, by the pooled normal approximation."""
    pooled = (part + other_part) / (of + other_of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / other_of))
    return math.erfc(abs(part / of - other_part / other_of) / error / math.sqrt(2)) if error else 1.0


def _with_q(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add q to each line and sort: those hit more than all first, by how far the interval of the ratio is from 1."""
    for line, q in zip(lines, discoveries([line["p"] for line in lines]), strict=True):
        line["q"] = q
    order = ("q", "rule", "by", "group")
    return sorted(lines, key=lambda line: (line["ratio"] < 1, -_distance(line), *(line[key] for key in order)))


def _distance(line: Mapping[str, Any]) -> float:
    """Return how far from 1 the whole interval of the ratio lies, in factors; 0 when it holds 1."""
    nearest = line["ratio_low"] if line["ratio_low"] > 1 else 1 / line["ratio_high"] if line["ratio_high"] < 1 else 1.0
    return math.log(nearest)


def _mentions(view: View, one: _Groups) -> dict[str, Any]:
    """Return how many of 10,000 rows mention each group, before and after, by axis, the most mentioned first."""
    kept = view.base["kept"].to_numpy()
    rows, left = len(kept), int(kept.sum())
    before, after = one.count(np.ones(rows, dtype=bool)).tolist(), one.count(kept).tolist()
    listed = []
    for name, count, stays in sorted(zip(one.names, before, after, strict=True), key=lambda item: (-item[1], item[0])):
        axis, _, group = name.partition(":")
        interval = [10_000 * end for end in wilson(stays, left)] if left else [0.0, 0.0]
        listed.append({
            "axis": axis, "group": group or axis, "rows": count, "kept": stays, "before": 10_000 * rate(count, rows),
            "after": 10_000 * rate(stays, left), "after_low": interval[0], "after_high": interval[1],
        })  # fmt: skip
    axes = sorted({one["axis"] for one in listed})
    return {"step": one.by, "axes": axes, "groups": listed[:GROUPS], "left_out": max(0, len(listed) - GROUPS)}
