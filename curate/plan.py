"""What a run would do: stages, rules, what is cached, which models are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate import catalog, formats, gates, needs, proof, read
from curate.engine import CACHE
from curate.ingest import cached_folder
from curate.recipe import Recipe, Source

# Records read per source to tell its format and whether the first ones can be used.
PROBE = 50


def plan(recipe: Recipe, *, out: Path) -> dict[str, Any]:
    """Return the plan of a valid recipe as JSON data."""
    encoder = needs.encoder(recipe)
    doubts = proof.unproven(recipe)
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "sources": [_source(source, recipe) for source in recipe.sources],
        "rows_cached": cached_folder(recipe, out.parent / CACHE) is not None,
        "stages": [
            {
                "name": stage.name,
                "steps": [
                    {"as": use.name, "step": use.step, "kind": catalog.describe(use.step).kind, **use.arguments}
                    for use in stage.steps
                ],
                "rules": [
                    {"id": rule.rule_id(stage.name), "why": rule.why, "flag": rule.flag or unproven is not None}
                    | {"unproven": unproven}
                    for rule in stage.keep
                    for unproven in (proof.reason(rule, doubts),)
                ],
            }
            for stage in recipe.stages
        ],
        "refused_licences": gates.refused(recipe),
        "gates": recipe.gates.model_dump(exclude_none=True),
        "models": [encoder.identity()] if encoder else [],
    }


def _source(source: Source, recipe: Recipe) -> dict[str, Any]:
    """Probe the first records of a source."""
    paths = read.expand(source.path, base=recipe.base)
    positional = bool(source.fields) and all(column.isdecimal() for column in source.fields.values())
    options: dict[str, Any] = {"records": source.records, "header": source.header, "positional": positional}
    probed: list[Any] = []
    rejects = 0
    for item in read.read(paths[0], **options):
        if isinstance(item, read.Record):
            probed.append(item.data)
        else:
            rejects += 1
        if len(probed) + rejects >= PROBE:
            break
    detected = formats.detect(probed) if source.format == "auto" else None
    entry: dict[str, Any] = {"name": source.name, "files": len(paths), "split": source.split}
    entry |= {"task": source.task, "format": detected.format if detected else source.format}
    return entry | {"detected": detected.why if detected else None, "probed": len(probed), "probe_rejects": rejects}
