"""What is needed to make the run again, and what it cost."""

from __future__ import annotations

from typing import Any

from curate.rundir import AUDIT
from reports import shown, toml
from reports.outputs import output
from reports.rule_use import cost, rule_costs
from reports.view import View


def provenance(view: View) -> dict[str, Any]:
    """Return command, recipe, hashes and versions, the file of the mix, and what the maker stated in the recipe."""
    manifest = view.manifest
    return {
        "method": (
            "run the command with the versions listed; the recipe below is as resolved, so it holds what `--set`, "
            "`--seed` and `--limit` changed, its paths as seen from the recipe's folder"
        ),
        "command": command(view),
        "recipe": toml.dumps(manifest["recipe"]),
        "recipe_sha256": manifest.get("recipe_sha256"),
        "seed": view.seed,
        "workers": manifest.get("workers"),
        "embedding": manifest.get("embedding"),
        "inputs": manifest.get("inputs", []),
        "versions": dict(sorted((manifest.get("versions") or {}).items())),
        "format": manifest.get("format"),
        "layout": "run",
        "left_out": 0,
        "outputs": [output(view.run.path, "mix.parquet")],
        "stated": manifest["recipe"].get("card") or {},
    }


def command(view: View) -> str:
    """Return the command that makes the run; an audit has no recipe file of its own."""
    recipe = view.manifest["recipe"]
    if view.recipe == AUDIT:
        uses = [use for stage in recipe.get("stages", []) for use in stage["steps"] if use["step"] == "tokens"]
        more = [word for use in uses for word in ("--tokenizer", str(use["tokenizer"]))]
        more += ["--seed", str(view.seed)] if view.seed else []
        return shown.command("curate", "audit", *(source["path"] for source in recipe["sources"]), *more)
    return shown.command("curate", "run", view.recipe)


def timing(view: View) -> dict[str, Any]:
    """Return seconds and peak memory of the run, its stages and steps; these alone differ between equal runs."""
    manifest = view.manifest
    stages = [
        {
            "name": stage["name"],
            "seconds": float(stage.get("seconds") or 0),
            "peak_memory_mib": stage.get("peak_memory_mib"),
            "steps": [
                {
                    "name": step["as"],
                    "step": step["step"],
                    "kind": step["kind"],
                    "seconds": float(step.get("seconds") or 0),
                    "cached": bool(step.get("cached")),
                    "cost": cost(step),
                }
                for step in stage["steps"]
            ],
        }
        for stage in manifest["stages"]
    ]
    total = {"seconds": float(manifest.get("seconds") or 0), "peak_memory_mib": manifest.get("peak_memory_mib")}
    return {**total, "started": manifest.get("started"), "stages": stages, "rules": rule_costs(view)}
