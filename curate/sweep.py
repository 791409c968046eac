"""What another threshold of near copies would remove, decided from the pairs that a run kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curate.again import again
from curate.errors import UserError, suggest
from curate.rundir import RunDir

# Thresholds looked at unless others are named, above the run's own: the field names thresholds in steps of 0.05.
_STEPS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


def sweep(run: RunDir, *, step: str | None = None, thresholds: Sequence[float] = ()) -> dict[str, Any]:
    """Return how many rows each threshold would remove.

    Args:
        run: a finished run.
        step: name of its step, where several kept pairs.
        thresholds: in (0, 1]; from the run's own in steps of 0.05 when left out.

    Returns:
        step, stage, threshold of the run, rows compared, complete (whether all pairs were kept), and per level:
        threshold, removed and kept rows; null for both where the pairs do not tell and the texts must be compared anew.

    Raises:
        UserError: no such step, or a threshold that is none.
    """
    name, stage, use = _use(run, step)
    join = run.table(f"{name}.join")
    pairs = run.table(f"{name}.pairs")
    assert join is not None
    assert pairs is not None
    own, complete = float(join["threshold"].item()), bool(join["complete"].item())
    for threshold in thresholds:
        if not 0 < threshold <= 1:
            raise UserError(f"threshold {threshold}", "is not in (0, 1]", "for example --at 0.9")
    seen = run.scan("rows").select("id", "record", rank=pl.col(f"{name}.rank")).collect().drop_nulls("rank")
    levels = []
    for threshold in thresholds or [own, *(round(own + more, 10) for more in _STEPS if own + more <= 1)]:
        removed = None
        if threshold == own:
            removed = int((seen["rank"] > 0).sum())
        elif threshold > own and complete:
            removed = _rows(seen, again(pairs, threshold=threshold), use)
        kept = None if removed is None else seen.height - removed
        levels.append({"threshold": threshold, "removed": removed, "kept": kept})
    facts = {"step": name, "stage": stage, "threshold": own, "rows": seen.height, "complete": complete}
    return {**facts, "levels": levels}


def _use(run: RunDir, step: str | None) -> tuple[str, str, Mapping[str, Any]]:
    """Return the name of the step, its stage and what the recipe says of it."""
    uses = {
        use.get("as") or use["step"]: (stage["name"], use)
        for stage in run.manifest["recipe"].get("stages", [])
        for use in stage.get("steps", [])
        if f"{use.get('as') or use['step']}.join" in run.table_names()
    }
    if not uses:
        fix = 'add a stage with steps = [{ step = "near" }] to the recipe'
        raise UserError(str(run.path), "no step of this run compared texts for near copies", fix)
    if step is None and len(uses) > 1:
        raise UserError(str(run.path), f"{len(uses)} steps kept pairs: {', '.join(uses)}", "name one with --step")
    name = step or next(iter(uses))
    if name not in uses:
        raise UserError(f"step '{name}'", "kept no pairs in this run", suggest(name, uses))
    return name, *uses[name]


def _rows(seen: pl.DataFrame, removed: pl.DataFrame, use: Mapping[str, Any]) -> int:
    """Return how many rows go with the units removed: all of a record where contents were compared."""
    gone = seen.join(removed, on="id", how="semi")
    if use.get("on", "content") not in ("content", ["content"]):
        return gone.height
    return seen.join(gone, on="record", how="semi").height
