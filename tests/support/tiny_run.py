"""Run directories of a few rows, each with what one test is about."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate import rundir

Rows = Sequence[Mapping[str, Any]]


def rule(stage: str, signal: str, form: str, **more: Any) -> dict[str, Any]:
    """Return a rule's entry in the manifest, its counts still to be made."""
    return {"id": f"{stage}/{signal} {form}", "signal": signal, "form": form, "why": "a test", "where": {}, **more}


def write_tiny(
    path: Path,
    make_rows: Callable[..., pl.DataFrame],
    rows: Rows,
    *,
    signals: Mapping[str, pl.DataType] | None = None,
    heldout: Rows = (),
    **changes: Any,
) -> Path:
    """Write a run.

    Args:
        path: where to.
        make_rows: the builder of rows.
        rows: columns of each row, values of signals among them; `rules` names the rules it failed, all in the first
            stage that has one of them, `flags` those that only flag.
        signals: type by name.
        heldout: columns of each held-out row.
        changes: parts of the manifest, above all `stages` (name, steps, rules).

    Returns:
        The path.
    """
    signals = dict(signals or {})
    extra = [*signals, "rules", "flags"]
    plain = make_rows(*({key: value for key, value in row.items() if key not in extra} | {"meta": str(number)}
                        for number, row in enumerate(rows)))  # fmt: skip
    order = [int(number) for number in plain["meta"]]
    measured = pl.DataFrame([{name: rows[number].get(name) for name in signals} for number in order], schema=signals)
    stages = changes.pop("stages", [])
    failed = [list(rows[number].get("rules", [])) for number in order]
    lists = pl.List(pl.String)
    ends = {
        "kept": pl.Series([not names for names in failed], dtype=pl.Boolean),
        "dropped_at": pl.Series([names[0].split("/")[0] if names else None for names in failed], dtype=pl.String),
        "dropped_by": pl.Series(failed, dtype=lists),
        "flagged_by": pl.Series([list(rows[number].get("flags", [])) for number in order], dtype=lists),
    }
    full = (plain.hstack(measured) if signals else plain).hstack(pl.DataFrame(ends))
    (path / "tables").mkdir(parents=True)
    rundir.write_frame(path / "rows.parquet", full)
    mix = full.filter("kept").select(plain.columns).with_columns(copies=pl.lit(1, dtype=pl.Int64))
    rundir.write_frame(path / "mix.parquet", mix)
    held = make_rows(*({"record": f"held{number}", "split": "heldout", **row} for number, row in enumerate(heldout)))
    rundir.write_frame(path / "heldout.parquet", held if heldout else plain.clear())
    origins = plain.select("record", "source", file=pl.lit("data.jsonl"), line=pl.int_range(pl.len()))
    rundir.write_frame(path / "origins.parquet", origins)
    rundir.write_text(path / "rejects.jsonl", "".join(json.dumps(one) + "\n" for one in changes.pop("rejected", [])))
    rundir.write_json(path / "manifest.json", _manifest(full, held.height if heldout else 0, stages) | changes)
    return path


def _manifest(rows: pl.DataFrame, heldout: int, stages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a manifest whose counts fit the rows."""
    filled = []
    alive = rows
    for stage in stages:
        rules = [_counted(alive, rows, one) for one in stage["rules"]]
        left = alive.filter(pl.col("dropped_at").ne_missing(stage["name"]))
        steps = [{"kind": "row-wise", "seconds": 0.1, "cached": False, "signals": [], **one} for one in stage["steps"]]
        sizes = {"rows_in": alive.height, "rows_out": left.height, "seconds": 0.1, "peak_memory_mib": 1.0}
        filled.append({"name": stage["name"], "steps": steps, "rules": rules, **sizes})
        alive = left
    sources = [
        {"name": name, "task": None, "format": "messages", "detected": None, "split": "train", "license": None,
         "lang": "en", "records_read": count, "rejects": 0, "left_out": 0, "rows": count, "repairs": {}}
        for name, count in rows.group_by("source").len().sort("source").iter_rows()
    ]  # fmt: skip
    kept = int(rows["kept"].sum())
    totals = {"records_read": rows.height, "rejects": 0, "train_rows": rows.height, "heldout_rows": heldout}
    return {
        "format": 1, "name": "tiny", "started": "2024-05-01T10:00:00+00:00", "seed": 13, "workers": 1, "inputs": [],
        "recipe": {"name": "tiny", "sources": [], "stages": stages}, "recipe_sha256": "ab" * 32, "versions": {},
        "embedding": None, "sources": sources, "stages": filled, "gates": [], "seconds": 1.0, "peak_memory_mib": 1.0,
        "totals": totals | {"kept": kept, "dropped": rows.height - kept},
    }  # fmt: skip


def _counted(alive: pl.DataFrame, rows: pl.DataFrame, one: dict[str, Any]) -> dict[str, Any]:
    """Return a rule with its counts."""
    hit = pl.concat_list("dropped_by", "flagged_by").list.contains(one["id"])
    first = pl.col("dropped_by").list.first() == one["id"]
    alone = first & (pl.col("dropped_by").list.len() == 1)
    counts = rows.select(failed=hit.sum(), first=first.fill_null(False).sum(), unique=alone.fill_null(False).sum())
    evaluated = {"evaluated": alive.height, "unknown": 0, "flag": False}
    return {**evaluated, **one, **{name: int(value) for name, value in counts.row(0, named=True).items()}}
