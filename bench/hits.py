"""How often verdicts are right, from what was said and what is true; bench/verdicts.py says what right means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.intervals import wilson

DECIDED, EQUAL, OPEN = ("better", "worse"), ("equivalent",), ("inconclusive",)
SIGNS = {"better": "helpful", "worse": "harmful"}
Told = Sequence[Mapping[str, Any]]


def counted(told: Told, *, margin: float) -> dict[str, Any]:
    """Return how often the verdicts are right, each share with its 95 % interval.

    Args:
        told: of each change `verdict`, `detectable`, `sign` and `rows_differ`, and `true` where it was measured.
        margin: the smallest difference that matters.
    """
    decided = [one for one in told if one["verdict"] in DECIDED]
    harmless = [one for one in told if one["sign"] == "harmless"]
    differing = [one for one in harmless if one["rows_differ"]]
    signed = [one for one in decided if one["sign"] != "small"]
    real = [one for one in told if one["sign"] in SIGNS.values()]
    known = [one for one in told if "true" in one]
    sure, open_ones, equal = ([one for one in known if one["verdict"] in some] for some in (DECIDED, OPEN, EQUAL))
    groups: dict[str, tuple[Told, Told]] = {
        "better_or_worse_right": ([one for one in sure if _gain(one) >= margin / 2], sure),
        "better_or_worse_as_the_key": ([one for one in signed if SIGNS[one["verdict"]] == one["sign"]], signed),
        "false_alarms": ([one for one in harmless if one in decided], harmless),
        "false_alarms_where_rows_differ": ([one for one in differing if one in decided], differing),
        "inconclusive_where_true": (
            [one for one in open_ones if abs(one["true"]) < margin + one["detectable"]], open_ones
        ),
        "equivalent_right": ([one for one in equal if abs(one["true"]) < margin], equal),
        "real_changes_decided": ([one for one in real if one in decided], real),
    }  # fmt: skip
    said = {name: sum(one["verdict"] == name for one in told) for name in (*DECIDED, *EQUAL, *OPEN)}
    shares = {name: _share(len(hits), len(whole)) for name, (hits, whole) in groups.items()}
    return {"said": said, **shares, "unseen": unseen(known, margin=margin)}


def unseen(known: Told, *, margin: float) -> dict[str, Any]:
    """Return what is said of differences that matter and that their trial detects in less than 80 % of cases."""
    some = [one for one in known if margin <= abs(one["true"]) < one["detectable"]]
    said = {name: sum(one["verdict"] == name for one in some) for name in (*DECIDED, *EQUAL, *OPEN)}
    wrong = sum(one["verdict"] in DECIDED and _gain(one) < 0 for one in some)
    return {"said": said, "of_wrong_sign": wrong, "inconclusive": _share(said["inconclusive"], len(some))}


def _gain(one: Mapping[str, Any]) -> float:
    """Return the true difference towards the verdict: negative where its sign is wrong."""
    return float(one["true"] if one["verdict"] == "better" else -one["true"])


def _share(hits: int, count: int) -> dict[str, Any]:
    return {"hits": hits, "of": count, "share": round(hits / count, 4) if count else None,
            "interval": wilson(hits, count) if count else None}  # fmt: skip
