"""The quality report of a run as plain data: every figure of the page, the card and the terminal comes from here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.errors import INPUT, UserError
from curate.rundir import RECIPE, RunDir, write_json, write_text
from reports import shown
from reports.ablation import ablation
from reports.addresses import masker
from reports.alert import victim
from reports.alerts import alerts
from reports.answers import answers
from reports.associations import associations
from reports.audit import audit
from reports.composition import composition
from reports.contamination import contamination
from reports.coverage import coverage
from reports.diversity import diversity
from reports.duplicates import duplicates
from reports.embedding_map import embedding_map
from reports.examples import ids_in, mark_differences, texts
from reports.fairness import fairness
from reports.funnel import funnel, labels
from reports.headline import headline
from reports.holdout import holdout
from reports.intake import rejects, sources
from reports.label_noise import label_noise
from reports.ledger import ledger
from reports.lengths import lengths
from reports.licences import licences
from reports.masks import masks
from reports.measures import glossary, measures
from reports.outputs import output
from reports.phrasing import phrasing
from reports.provenance import provenance, timing
from reports.recurring import recurring
from reports.repairs import repairs
from reports.reviews import asking, reviews
from reports.rules import rules
from reports.safety import safety
from reports.sample import sample
from reports.swaps import swaps
from reports.text_quality import text_quality
from reports.view import View, open_view
from reports.worth import worth

SCHEMA = 3
# What the run alone tells, in the order of report.json; the sections after these are made from others.
SECTIONS: dict[str, Callable[[View], Any]] = {
    "gates": lambda view: view.manifest["gates"],
    "funnel": funnel,
    "rules": rules,
    "duplicates": duplicates,
    "recurring": recurring,
    "labels": labels,
    "label_noise": label_noise,
    "composition": composition,
    "ledger": ledger,
    "licences": licences,
    "lengths": lengths,
    "safety": safety,
    "sources": sources,
    "rejects": rejects,
    "phrasing": phrasing,
    "diversity": diversity,
    "embedding_map": embedding_map,
    "text_quality": text_quality,
    "coverage": coverage,
    "repairs": repairs,
    "fairness": fairness,
    "associations": associations,
    "swaps": swaps,
    "contamination": contamination,
    "holdout": holdout,
    "masks": masks,
    "reviews": reviews,
    "sample": sample,
    "ablation": ablation,
    "measures": measures,
    "timing": timing,
    "provenance": provenance,
    "glossary": glossary,
}


def facts(run: Path, *, name: str | None = None) -> dict[str, Any]:
    """Return the facts of a run, JSON-able; equal runs give equal facts but for `timing`.

    Args:
        run: a finished run directory.
        name: how the commands shown call the run, by default its path.

    Raises:
        UserError: when there is no finished run.
    """
    view = open_view(run, name=name)
    found: dict[str, Any] = {"schema": SCHEMA, **{key: section(view) for key, section in SECTIONS.items()}}
    found["audit"] = audit(view, found["repairs"])
    found["headline"] = headline(view, found["audit"])
    found["worth"] = worth(view, found)
    found["alerts"] = alerts(found)
    found["answers"] = answers(found)
    found["next"] = following(found)
    found["rows"] = texts(view, ids_in(found), contents=ids_in(found["duplicates"]))
    found = masker(view.name, view.recipe, *(str(file["path"]) for file in found["provenance"]["inputs"]))(found)
    mark_differences(found["duplicates"], found["rows"])  # last: a difference takes words apart
    return found


def following(found: dict[str, Any]) -> list[dict[str, str]]:
    """Return what to do next, each with its command."""
    head = found["headline"]
    run = str(head["run"])
    steps: list[tuple[str, str]] = []
    if found["worth"]["list"]:
        row = found["worth"]["list"][0]["row"]
        steps.append(("read the life of a doubtful row", shown.command("curate", "explain", run, row)))
    firing = [rule for rule in found["rules"]["list"] if rule["failed"]]
    open_rules = {rule["rule"] for rule in found["reviews"]["unjudged"]}
    firing = [rule for rule in firing if rule["id"] in open_rules] or firing
    if firing:
        heaviest = max(firing, key=lambda rule: (rule["first"], rule["failed"], rule["id"]))
        verb = "dropped" if heaviest["first"] else "flagged"
        judge = heaviest["flag"] or heaviest["id"] in open_rules  # what is right by construction needs no judge
        command = asking(run, heaviest["id"]) if judge else victim(found, heaviest["id"])
        steps.append((f"judge what the heaviest rule {verb}", command))
    if head["kind"] == "audit" and head["kept"]:
        steps.append(("run the recipe that it proposes", shown.command("curate", "run", found["audit"]["recipe"])))
    elif head["kept"] and head["verdict"] != "fail":
        target = f"{head['name']}-mix"
        command = shown.command("curate", "export", run, "--to", "messages", "--out", target)
        steps.append(("take the mix away", command))
    return [{"text": text, "command": command} for text, command in steps]


def build(run: Path, *, name: str | None = None) -> dict[str, Any]:
    """Write report.json, report.html, README.md and croissant.json into a run directory and return the facts.

    Into that of an audit also recipe.toml, the recipe that it proposes.

    Args:
        run: a finished run directory.
        name: how the commands shown call the run, by default its path.

    Raises:
        UserError: when there is no finished run.
    """
    from reports import html, markdown  # a template engine and chart libraries, of no use to `load`
    from reports.croissant import croissant

    found = facts(run, name=name)
    page, card, metadata = html.render(found), markdown.card(found), croissant(found)
    write_json(run / "report.json", found)
    write_text(run / "report.html", page)
    write_text(run / "README.md", card)
    if "text" in found["audit"]:
        write_text(run / RECIPE, found["audit"]["text"])
    write_json(run / "croissant.json", metadata)
    return found


def describe(run: Path, folder: Path, told: dict[str, Any]) -> list[str]:
    """Write README.md and croissant.json beside an export of a run.

    Args:
        run: the run directory; facts of another version of the report are computed anew.
        folder: the export.
        told: of the export: `format`, `files` and `left_out`.

    Returns:
        The names of the two files.

    Raises:
        UserError: when there is no finished run.
    """
    from reports import markdown
    from reports.croissant import croissant

    saved = run / "report.json"
    found = load(run) if saved.is_file() else {}
    found = found if found.get("schema") == SCHEMA else facts(run)
    outputs = [output(folder, path) for path in told["files"]]
    made = {**found["provenance"], "layout": told["format"], "left_out": told["left_out"], "outputs": outputs}
    found = {**found, "provenance": made}
    write_text(folder / "README.md", markdown.card(found))
    write_json(folder / "croissant.json", croissant(found))
    return ["README.md", "croissant.json"]


def load(run: Path) -> dict[str, Any]:
    """Return the facts that `build` wrote.

    Args:
        run: a finished run directory.

    Raises:
        UserError: when there is no finished run, or no report in it.
    """
    path = RunDir.open(run).path / "report.json"
    if not path.is_file():
        raise UserError(
            str(path), "no such file", f"write it with `{shown.command('curate', 'report', str(run))}`", code=INPUT
        )
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
