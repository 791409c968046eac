"""What the cells of an experiment say beside its contrasts: how good the filter was, who was warned, false alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from curate.intervals import wilson
from tune import statistics

Cells = Sequence[Mapping[str, Any]]


def summary(name: str, cells: Cells) -> dict[str, Any]:
    """Return figures of an experiment's facts; none for one that has none."""
    return _SUMMARIES[name](cells) if name in _SUMMARIES else {}


def _labels(cells: Cells) -> dict[str, Any]:
    """Return by source what the filter thought, how much of that was right, and its share of what an oracle gains."""
    found = {}
    for source in cells[0]["facts"]["filter"]:
        facts = [one["facts"]["filter"][source] for one in cells]
        scores = [one["facts"]["sources"][source] for one in cells]
        arms = ("raw", "filtered", "oracle")
        raw, kept, best = (np.array([one[arm]["probability"] for one in scores]) for arm in arms)
        told = [one["noise_estimated"] for one in facts if one["noise_estimated"] is not None]
        dropped = sum(one["dropped"] for one in facts)
        right = sum(one["precision"] * one["dropped"] for one in facts)
        found[source] = {
            "seeds_with_verdict": len(told), "noise_estimated": float(np.mean(told)) if told else None,
            "precision": right / dropped if dropped else None,
            "recall": float(np.mean([one["recall"] for one in facts])),
            "filtered_minus_raw": _interval(kept - raw),
            "efficiency": statistics.efficiency(kept, raw, best, seed=0),
        }  # fmt: skip
    return {"by_source": found}


def _interval(apart: Any) -> dict[str, float]:
    test = statistics.paired(apart)
    return {"mean": test.mean, "low": test.low, "high": test.high}


def _loss_filter(cells: Cells) -> dict[str, Any]:
    """Return in how many runs of each filter and source the report warned that a label loses far more than the rest."""
    found: dict[str, Any] = {}
    for arm in cells[0]["facts"]["runs"]:
        for source in cells[0]["facts"]["runs"][arm]:
            runs = [one["facts"]["runs"][arm][source] for one in cells]
            warned = sum(bool(one["alerts"]) for one in runs)
            share = float(np.mean([one["dropped"] for one in runs]))
            one = {"warned": warned, "of": len(runs), "interval": wilson(warned, len(runs)), "rows_dropped": share}
            found.setdefault(arm, {})[source] = one
    return {"alerts": found}


def _null(cells: Cells) -> dict[str, Any]:
    """Return what the small experiments said, of which none has a difference."""
    told = [one for cell in cells for one in cell["facts"]["small_experiments"]]
    low = sum(one["p"] < statistics.ALPHA for one in told)
    said = Counter(one["verdict"] for one in told)
    alarms = said[statistics.BETTER] + said[statistics.WORSE]
    return {"experiments": len(told), "p_below_0.05": low, "interval": wilson(low, len(told)),
            "false_alarms": alarms, "false_alarms_interval": wilson(alarms, len(told)), "said": dict(said)}  # fmt: skip


def _leaks(cells: Cells) -> dict[str, Any]:
    """Return how many of the leaks the check found, and how many other rows it took for one."""
    return {
        arm: {key: float(np.mean([one["facts"][arm][key] for one in cells])) for key in cells[0]["facts"][arm]}
        for arm in cells[0]["facts"]
    }


def _contagion(cells: Cells) -> dict[str, Any]:
    """Return how many of the planted answers the rules found, and how many others."""
    return {
        name: {key: sum(one["facts"][name][key] for one in cells) for key in cells[0]["facts"][name]}
        for name in cells[0]["facts"]
    }


def _copies(cells: Cells) -> dict[str, Any]:
    """Return whether the step for exact copies leaves the distinct rows and no others, by count."""
    return {"seeds_where_exact_leaves_the_distinct_rows": sum(
        one["facts"]["left_by_exact"] == one["facts"]["distinct"] for one in cells)}  # fmt: skip


_SUMMARIES: Mapping[str, Callable[[Cells], dict[str, Any]]] = {
    "labels": _labels, "loss_filter": _loss_filter, "null": _null, "leaks": _leaks, "contagion": _contagion,
    "copies": _copies,
}  # fmt: skip
