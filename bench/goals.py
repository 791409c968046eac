"""A figure of a benchmark: a value with its interval, held against a goal."""

from __future__ import annotations

from typing import Any

from curate.intervals import wilson

Figure = dict[str, Any]


def share(name: str, hits: int, n: int, goal: str | None = None) -> Figure:
    """Return a share with its 95 % Wilson interval."""
    return figure(name, int(hits) / n if n else 0.0, n, wilson(int(hits), n), goal)


def figure(
    name: str, value: float, n: int, interval: tuple[float | None, float | None] = (None, None), goal: str | None = None
) -> Figure:
    """Return a number, held against a goal such as `>= 0.9` where there is one."""
    met = None
    if goal:
        sign, bound = goal.split()
        met = bool(value >= float(bound) if sign == ">=" else value <= float(bound))
    low, high = (None if end is None else round(float(end), 4) for end in interval)
    return {"name": name, "value": round(float(value), 4), "low": low, "high": high, "n": n, "goal": goal, "met": met}
