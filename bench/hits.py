"""How often verdicts are right, from what was said and what is true; bench/verdicts.py says what right means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curate.intervals import wilson

DECIDED = ("better", "worse")
Told = Sequence[Mapping[str, Any]]


def counted(told: Told, *, margin: float) -> dict[str, Any]:
    """Return how often the verdicts are right, each share with its 95 % interval.

    Args:
        told: of each change `verdict`, `detectable`, `sign`, `true` and `rows_differ`.
        margin: the smallest difference that matters.
    """
    decided = [one for one in told if one["verdict"] in DECIDED]
    harmless = [one for one in told if one["sign"] == "harmless"]
    differing = [one for one in harmless if one["rows_differ"]]
    real = [one for one in told if one["sign"] in ("harmful", "helpful")]
    unsure = [one for one in told if one["verdict"] == "inconclusive"]
    equal = [one for one in told if one["verdict"] == "equivalent"]
    groups: dict[str, tuple[Told, Told]] = {
        "better_or_worse_right": ([one for one in decided if _gain(one) >= margin / 2], decided),
        "better_or_worse_of_true_sign": ([one for one in decided if _gain(one) > 0], decided),
        "false_alarms": ([one for one in harmless if one in decided], harmless),
        "false_alarms_where_rows_differ": ([one for one in differing if one in decided], differing),
        "inconclusive_where_true": ([one for one in unsure if abs(one["true"]) < margin + one["detectable"]], unsure),
        "equivalent_right": ([one for one in equal if abs(one["true"]) < margin], equal),
        "real_changes_decided": ([one for one in real if one in decided], real),
    }
    return {name: _share(len(hits), len(whole)) for name, (hits, whole) in groups.items()} | unseen(told, margin=margin)


def unseen(told: Told, *, margin: float) -> dict[str, Any]:
    """Return what is said of differences that matter and that their trial detects in less than 80 % of cases."""
    some = [one for one in told if margin <= abs(one["true"]) < one["detectable"]]
    said = {name: sum(one["verdict"] == name for one in some) for name in (*DECIDED, "equivalent", "inconclusive")}
    wrong = sum(one["verdict"] in DECIDED and _gain(one) < 0 for one in some)
    return {"unseen": {"said": said, "of_wrong_sign": wrong, "inconclusive": _share(said["inconclusive"], len(some))}}


def _gain(one: Mapping[str, Any]) -> float:
    """Return the true difference towards the verdict: negative where its sign is wrong."""
    return float(one["true"] if one["verdict"] == "better" else -one["true"])


def _share(hits: int, count: int) -> dict[str, Any]:
    return {"hits": hits, "of": count, "share": round(hits / count, 4) if count else None,
            "interval": wilson(hits, count) if count else None}  # fmt: skip
