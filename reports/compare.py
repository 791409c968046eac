"""Two runs side by side: rows that came, went or changed their verdict, and what moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from curate.rundir import RunDir


def compare(run: Path, against: Path) -> dict[str, Any]:
    """Return what differs between two runs, rows matched by id.

    Args:
        run: the run in question.
        against: the run it is held against.

    Returns:
        JSON data: `totals` and `rules` as pairs [against, run], `rows` with counts of added, removed and changed,
        `verdicts` with one entry per change of verdict, `tasks` with the kept rows and shares of both.
    """
    new, old = RunDir.open(run), RunDir.open(against)
    manifests = old.manifest, new.manifest
    columns = ["id", "task", "kept", "dropped_at"]
    both = old.rows(columns).join(new.rows(columns), on="id", how="full", suffix="_new", coalesce=True)
    moved = both.filter(pl.col("kept").is_not_null(), pl.col("kept_new").is_not_null())
    fate = pl.col("dropped_at").fill_null("kept"), pl.col("dropped_at_new").fill_null("kept")
    changed = moved.filter(fate[0] != fate[1])
    verdicts = changed.group_by(before=fate[0], after=fate[1]).agg(rows=pl.len())
    verdicts = verdicts.sort("rows", "before", "after", descending=[True, False, False])
    rules = [{rule["id"]: rule["failed"] for stage in one["stages"] for rule in stage["rules"]} for one in manifests]
    return {
        "run": str(run),
        "against": str(against),
        "totals": {name: [one["totals"][name] for one in manifests] for name in manifests[0]["totals"]},
        "rules": {name: [one.get(name) for one in rules] for name in dict.fromkeys([*rules[0], *rules[1]])},
        "rows": {
            "added": both.filter(pl.col("kept").is_null()).height,
            "removed": both.filter(pl.col("kept_new").is_null()).height,
            "changed": changed.height,
            "same": moved.height - changed.height,
        },
        "verdicts": verdicts.to_dicts(),
        "tasks": _tasks(both),
    }


def _tasks(both: pl.DataFrame) -> list[dict[str, Any]]:
    """Return kept rows and their share by task, in both runs."""
    task = pl.coalesce("task", "task_new").fill_null("none")
    counts = both.group_by(task=task).agg(before=pl.col("kept").sum(), after=pl.col("kept_new").sum()).sort("task")
    share = [pl.col(name) / pl.max_horizontal(pl.col(name).sum(), 1) for name in ("before", "after")]
    return counts.with_columns(before_share=share[0], after_share=share[1]).to_dicts()
