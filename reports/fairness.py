"""Whom each rule hits, by the groups that rows mention, by dialect, language, topic, task and length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from curate import parity
from curate.intervals import wilson
from reports.groupings import LENGTH, Grouping, groupings, mentioning, plain
from reports.rules import covered, failed
from reports.view import View, rate

LISTED, GROUPS = 40, 30
METHOD = (
    "for each rule and group the rows that the rule looked at and that belong to the group, and the share of them that "
    "fails; the ratio as it stands is to the share of all rows that the rule looked at and whose group is known; the "
    "ratio at equal length is of the failures seen to those expected if each row of the group failed as often as all "
    "rows of its class of response length (classes of a factor of two; indirect standardisation), with a 95 % interval "
    "by the delta method; its test is that of Cochran, Mantel and Haenszel over the classes, where there are at least "
    f"{parity.ROWS} rows and {parity.EXPECTED:g} failures and passes are expected; q keeps the false discovery rate "
    "over the whole table, all rules and groupings (Benjamini and Hochberg 1995); groups that are hit more than all "
    "come first, each sorted by how far the nearest end of the interval is from 1"
)
LIMITS = (
    "a mention is not the subject of a text, a marker does not make a speaker, and only listed English words count; "
    "groups are compared at equal length of the response, not at equal task or source, so a group that is mentioned in "
    "harsher texts is hit more often without any fault of the rule: read its examples before you change it"
)


def fairness(view: View) -> dict[str, Any]:
    """Return the table of rules and groups, how many lines were tested, and how often each group is mentioned."""
    if not view.rules:
        return {"skipped": "the recipe has no keep rules"}
    found, missing = groupings(view)
    people = [one.by for one in found if one.of_people]
    lines = [line for rule in view.rules if rule["failed"] for line in _lines(view, rule, found)]
    tested = _with_q([line for line in lines if line["p"] is not None])
    identity = [line for line in tested if line["by"] in people]
    others = [line for line in tested if line["by"] not in people]
    return {
        "method": METHOD,
        "limits": LIMITS,
        "steps": mentioning(view),
        "groupings": plain(found, missing),
        "bound": {
            "ratio": parity.RATIO, "q": parity.FALSE_SHARE, "rows": parity.ROWS, "expected": parity.EXPECTED,
        },
        "tested": len(tested),
        "too_few": len(lines) - len(tested),
        "notable": sum(line["notable"] for line in identity),
        "identity": identity[:LISTED],
        "identity_left_out": max(0, len(identity) - LISTED),
        "others": others[:LISTED],
        "others_left_out": max(0, len(others) - LISTED),
        "mentions": [_mentions(view, one) for one in found if one.kind == "mentions"],
    }  # fmt: skip


def _lines(view: View, rule: Mapping[str, Any], found: Sequence[Grouping]) -> Iterator[dict[str, Any]]:
    """Yield one line for each group that the rule looked at."""
    looked = covered(view, rule).to_numpy()
    hit = failed(view, str(rule["id"])).to_numpy() & looked
    lengths = parity.octaves(view.base["response_characters"].to_numpy())
    about = {"rule": rule["id"], "flag": bool(rule.get("flag"))}
    for one in found:
        classes = np.zeros_like(lengths) if one.kind == LENGTH else lengths
        size = int(classes.max(initial=0)) + 1
        masks = (hit & one.known, looked & one.known)
        parts = [one.by_class(mask, classes, size=size) for mask in masks]
        failures, rows = (parity.by_class(mask, classes, size=size) for mask in masks)
        for place, group in enumerate(one.names):
            part = (parts[0][place], parts[1][place])
            if part[1].sum() and failures.sum():
                line = _line(part, (failures, rows), equal=one.kind != LENGTH)
                yield {**about, "by": one.by, "column": one.column, "group": group, **line}


def _line(
    part: tuple[parity.Counts, parity.Counts], whole: tuple[parity.Counts, parity.Counts], *, equal: bool
) -> dict[str, Any]:
    """Return the figures of one rule and group; p is none where there are too few rows."""
    raw, same = parity.compare(parity.pooled(part), parity.pooled(whole)), parity.compare(part, whole)
    low, high = wilson(raw.failed, raw.rows)
    line = {
        "rows": raw.rows, "failed": raw.failed, "share": raw.failed / raw.rows, "low": low, "high": high,
        "overall": rate(int(whole[0].sum()), int(whole[1].sum())), "expected": raw.expected,
        "ratio": raw.ratio, "ratio_low": raw.low, "ratio_high": raw.high,
    }  # fmt: skip
    figures = {"expected": same.expected, "ratio": same.ratio, "low": same.low, "high": same.high}
    return {**line, "equal_length": figures if equal and same.ratio is not None else None, "p": same.p}


def _with_q(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add q to each line and sort: those hit more than all first, by how far the interval of the ratio is from 1."""
    for line, q in zip(lines, parity.discoveries([line["p"] for line in lines]), strict=True):
        line["q"] = q
        line["more"] = fair_ratio(line)[0] >= 1
        line["notable"] = q < parity.FALSE_SHARE and fair_ratio(line)[0] >= parity.RATIO
    order = ("q", "rule", "by", "group")
    return sorted(lines, key=lambda line: (not line["more"], -_distance(line), *(line[key] for key in order)))


def fair_ratio(line: Mapping[str, Any]) -> tuple[float, float, float]:
    """Return the ratio at equal length and its interval, or as it stands where lengths are what is compared."""
    same = line["equal_length"]
    if same:
        return same["ratio"], same["low"], same["high"]
    return line["ratio"], line["ratio_low"], line["ratio_high"]


def belonging(line: Mapping[str, Any], fair: Mapping[str, Any]) -> str:
    """Tell in words which rows a line about people is of."""
    return f"{'that mention' if line['by'] in fair['steps'] else 'with markers of'} {line['group']}"


def _distance(line: Mapping[str, Any]) -> float:
    """Return how far from 1 the whole interval of the ratio lies, in factors; 0 when it holds 1."""
    _, low, high = fair_ratio(line)
    return math.log(low if low > 1 else 1 / high if high < 1 else 1.0)


def _mentions(view: View, one: Grouping) -> dict[str, Any]:
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
