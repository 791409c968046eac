"""The rows of a rule that a person judges, and what was said of them so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.rundir import REVIEWS, RunDir
from reports.rules import covered, failed
from reports.view import View, draw

# Fifty rows tell a precision of 0.9 within 0.09 (half of Wilson's interval), an evening's work for a whole recipe;
# twenty more show whether the bound lies where it should.
VICTIMS, NEAR = 50, 20
VICTIM, MISS = "victim", "near miss"
ANSWERS = ("right", "wrong", "unsure")


@dataclass(frozen=True)
class Sample:
    """The rows of a rule to be judged.

    Args:
        victims: ids of rows that fail, a fair draw; its first ones are the examples that the report shows.
        near: ids of rows that pass, those closest to the bound first; a fair draw where no bound is a number.
        of: how many rows fail and how many pass.
        closest: whether the near ones are the closest, and not a draw.
    """

    victims: list[str]
    near: list[str]
    of: tuple[int, int]
    closest: bool

    def side(self, row: str) -> str | None:
        """Return on which side a row stands, None when it is not in the sample."""
        return VICTIM if row in self.victims else MISS if row in self.near else None


def sample(view: View, rule: Mapping[str, Any]) -> Sample:
    """Return the rows of a rule to be judged, the same on every machine.

    Args:
        view: the run.
        rule: one of `view.rules`.
    """
    inside, hit = covered(view, rule), failed(view, rule["id"])
    measured = rule["signal"] in view.signals
    known = view.columns([rule["signal"]])[rule["signal"]].is_not_null() if measured else ~inside
    on_failed, on_passed = hit & inside, ~hit & inside & known
    of = int(on_failed.sum()), int(on_passed.sum())
    victims = draw(view, on_failed, f"victims of {rule['id']}", size=VICTIMS)
    near = _closest(view, rule, on_passed) if measured else None
    drawn = draw(view, on_passed, f"kept by {rule['id']}", size=NEAR) if near is None else near
    return Sample(victims, drawn, of, near is not None)


def _closest(view: View, rule: Mapping[str, Any], rows: pl.Series) -> list[str] | None:
    """Return the rows nearest to a bound, those equally near in the order of a draw; None without a distance."""
    bounds = [float(rule[key]) for key in ("min", "max") if key in rule]
    keeper = f"{rule['signal'].split('.')[0]}.keeper"
    if not bounds or not view.signals[rule["signal"]].is_numeric() or keeper in view.signals:
        return None  # ranks are no distances: rank 1 is not nearer to staying than rank 2
    value = pl.col(rule["signal"]).cast(pl.Float64)
    distance = pl.min_horizontal(*((value - bound).abs() for bound in bounds))
    near = view.base.select("id").hstack(view.columns([rule["signal"]])).filter(rows).select("id", distance=distance)
    at = near["distance"].bottom_k(NEAR).max()
    edge = near.filter(pl.col("distance") == at)["id"]
    tied = draw(view, view.base["id"].is_in(edge.implode()), f"near misses of {rule['id']}", size=NEAR)
    inner = near.filter(pl.col("distance") < at).sort("distance", "id")["id"].to_list()
    return [*inner, *tied][:NEAR]


def said(run: RunDir) -> tuple[dict[str, dict[str, tuple[str, str]]], int]:
    """Return the last word on each row, and how many lines of the file cannot be read.

    Returns:
        Side and verdict by row, by rule; lines that were cut off, or that others wrote, are counted.
    """
    path = run.path / REVIEWS
    if not path.is_file():
        return {}, 0
    found: dict[str, dict[str, tuple[str, str]]] = {}
    broken = 0
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        if not line.strip():
            continue
        entry = _entry(line)
        if entry is None:
            broken += 1
        else:
            found.setdefault(entry["rule"], {})[entry["id"]] = (entry["side"], entry["verdict"])
    return found, broken


def _entry(line: str) -> dict[str, str] | None:
    """Return what a line says, None when it says nothing that is understood."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    keys = ("rule", "id", "side", "verdict")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in keys):
        return None
    return entry if entry["side"] in (VICTIM, MISS) and entry["verdict"] in ANSWERS else None


def counting(known: Mapping[str, tuple[str, str]], drawn: Sample) -> dict[str, str]:
    """Return the verdicts that count: of rows that still are in the sample, on the side on which they were judged."""
    return {row: verdict for row, (side, verdict) in sorted(known.items()) if drawn.side(row) == side}
