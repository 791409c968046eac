"""The life of one row: where it came from, what was measured, what each rule said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import read
from curate.errors import UserError
from curate.recipe import Recipe, Stage, parse
from curate.rundir import RunDir
from curate.schema import ROW, canonical, digest
from curate.verdict import broken

# Members of a duplicate star that are listed; the rest is counted.
MEMBERS = 10
CHANGED = "the input file has changed since the run"


def explain(run: RunDir, row_id: str) -> dict[str, Any]:
    """Return everything the run knows of one row.

    Args:
        run: a finished run.
        row_id: the id of a train or held-out row, or a prefix that only one row has.

    Returns:
        JSON data: `row`, `origin` (with the raw record where the input still is as it was), `stages` with the signals
        and each rule's verdict (passed, failed, unknown, not covered, unseen), and `stars`: keeper and members per
        dedup step.

    Raises:
        UserError: no row, or several, begin with this id.
    """
    found = _find(run, row_id)
    row = found.to_dicts()[0]
    manifest = run.manifest
    recipe = parse(manifest["recipe"], file=str(run.path), base=Path())
    result: dict[str, Any] = {
        "row": {name: row[name] for name in (*ROW, "kept", "dropped_at", "dropped_by", "flagged_by") if name in row},
        "origin": _origin(run, row["record"], manifest, recipe),
    }
    if "kept" in row:
        result["stages"] = _stages(recipe, found, manifest)
        result["stars"] = _stars(run, row, manifest)
    return result


def _find(run: RunDir, row_id: str) -> pl.DataFrame:
    """Return the one row whose id begins so, from the train rows or the held-out rows."""
    for name in ("rows", "heldout"):
        found = run.scan(name).filter(pl.col("id").str.starts_with(row_id)).head(2).collect()
        exact = found.filter(pl.col("id") == row_id)
        if exact.height == 1 or found.height == 1:
            return exact if exact.height else found
        if found.height > 1:
            several = run.scan(name).filter(pl.col("id").str.starts_with(row_id)).select("id", "template").head(5)
            listed = ", ".join(f"{one} ({template})" for one, template in several.collect().iter_rows())
            raise UserError(f"id '{row_id}'", f"several rows begin so: {listed}", "give more characters")
    raise UserError(f"id '{row_id}'", f"no row of {run.path} begins so", "copy an id from the report or rows.parquet")


def _origin(run: RunDir, record: str, manifest: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return file, line and the raw record, read again when the file has not changed in size since."""
    found = run.scan("origins").filter(pl.col("record") == record).collect().to_dicts()[0]
    source = next(source for source in recipe.sources if source.name == found["source"])
    path, sizes = Path(found["file"]), {item["path"]: item["bytes"] for item in manifest["inputs"]}
    if not path.exists():
        return {**found, "raw": None, "note": "the input file is no longer there"}
    if path.is_file() and path.stat().st_size != sizes.get(str(path)):
        return {**found, "raw": None, "note": CHANGED}
    positional = bool(source.fields) and all(column.isdecimal() for column in source.fields.values())
    options: dict[str, Any] = {"records": source.records, "header": source.header, "positional": positional}

    def same(data: Any) -> bool:  # a JSON document without line breaks has all its records on one line
        return source.key is not None or digest(source.name, canonical(data))[:16] == record[:16]

    try:
        raw = read.fetch(path, found["line"], match=same, **options)
    except UserError as error:
        return {**found, "raw": None, "note": f"the input file cannot be read any more: {error.what}"}
    return {**found, "raw": raw, **({"note": CHANGED} if raw is None else {})}


def _stages(recipe: Recipe, frame: pl.DataFrame, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return signals and verdicts stage by stage, for a frame of one row."""
    row = frame.to_dicts()[0]
    stages: list[dict[str, Any]] = []
    left = False
    for stage, facts in zip(recipe.stages, manifest["stages"], strict=True):
        unseen = {name for step in facts["steps"] if left and step["kind"] == "corpus" for name in step["signals"]}
        names = [name for step in facts["steps"] for name in step["signals"]]
        signals = {name: "unseen" if name in unseen else row[name] for name in names}
        stages.append(
            {"name": stage.name, "signals": signals, "rules": _rules(stage, facts["rules"], frame, left=left)}
        )
        left = left or row["dropped_at"] == stage.name
    return stages


def _rules(
    stage: Stage, entries: Sequence[Mapping[str, Any]], row: pl.DataFrame, *, left: bool
) -> list[dict[str, Any]]:
    rules = []
    for rule, entry in zip(stage.keep, entries, strict=True):
        failed, unknown, covered = (bool(flags[0]) for flags in broken(rule, row))
        verdict = "failed" if failed else "unknown" if unknown else "passed" if covered else "not covered"
        rules.append(
            {
                "id": rule.rule_id(stage.name),
                "why": rule.why,
                "flag": entry["flag"],
                "verdict": "unseen: dropped before" if left else verdict,
            }
        )
    return rules


def _stars(run: RunDir, row: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return, per step that names keepers, this row's keeper and its fate, and the other members of the star."""
    stars = []
    for step in (step for stage in manifest["stages"] for step in stage["steps"]):
        name = f"{step['as']}.cluster"
        cluster = row.get(name)
        if cluster is None:
            continue
        columns = ["id", "record", "source", "template", "prompt", "response", "kept", "dropped_at"]
        ranked = {"rank": f"{step['as']}.rank", "similarity": f"{step['as']}.similarity"}
        members = run.scan().filter(pl.col(name) == cluster).select(*columns, **ranked).sort("rank", "id").collect()
        keeper = members.filter(pl.col("id") == cluster).to_dicts()[0]
        others = members.filter(~pl.col("record").is_in([row["record"], keeper["record"]]))
        entry = {
            "step": step["as"],
            "cluster": cluster,
            "size": members["record"].n_unique(),
            "similarity": row[ranked["similarity"]],
        }
        stars.append({**entry, "keeper": keeper, "members": others.head(MEMBERS).to_dicts()})
    return stars


def as_json(explained: Mapping[str, Any]) -> str:
    """Return what `explain` found as JSON text."""
    return orjson.dumps(explained, default=str, option=orjson.OPT_INDENT_2).decode()
