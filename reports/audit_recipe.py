"""The recipe that an audit proposes, written to be read and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from curate.rundir import RECIPE
from reports import shown
from reports.toml import inline
from reports.view import View

# What the reader does by default, because it is never a loss; of these the step `repair` counts the first.
SAFE = ("mojibake", "unicode", "line_endings")
# Repairs that the reader can make beside these, and those that no reader makes.
MORE, NEVER = ("entities", "controls"), ("markers", "fences", "json")
REJECTS = 0.01  # the default limit of a recipe


def recipe(view: View, facts: Mapping[str, Any], repairs: Mapping[str, Any]) -> str:
    """Return the recipe as TOML with comments.

    Args:
        view: the audit.
        facts: checks, would_drop and exact of the audit.
        repairs: the section on repairs.
    """
    plain = view.manifest["recipe"]
    name = str(plain["name"]).removeprefix("audit-")
    name = name if name[:1].isalnum() or name[:1] == "_" else f"data{name}"
    parts = [
        *_head(view, facts, name),
        f"name = {inline(name)}",
        f"seed = {inline(view.seed)}",
        *_rejects(view),
        "",
        "# --- Sources: read as the audit read them, with the repairs that are never a loss.",
    ]
    for source, read in zip(plain["sources"], view.manifest["sources"], strict=True):
        parts += ["", *_source(source, read, repairs)]
    parts += ["", "# --- Stages: steps measure, rules decide. A rule with `flag = true` reports without dropping."]
    checks = {check["id"]: check for check in facts["checks"]}
    for stage, run in zip(plain.get("stages", []), view.manifest["stages"], strict=True):
        parts += ["", *_stage(stage, [rule["id"] for rule in run["rules"]], checks, view, facts)]
    return "\n".join(parts) + "\n"


def _head(view: View, facts: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield what the recipe is, what it would do, and the commands."""
    path = f"{view.name}/{RECIPE}"
    yield "# The recipe that this audit proposes. It drops what is wrong by construction, and flags the rest:"
    yield f"# of {shown.plural(facts['rows'], 'row')} it would drop {'' if facts['exact'] else 'about '}" + (
        shown.count(facts["would_drop"]) + "."
    )
    if facts["about"]:
        yield f"# About, because {facts['about']}."
    yield "#"
    yield f"#   {shown.command('curate', 'check', path)}"
    yield f"#   {shown.command('curate', 'run', path)}"
    yield f"#       makes runs/{name} with rows, mix, report and dataset card"
    yield f"#   {shown.command('curate', 'review', view.name)} --rule RULE"
    yield "#       shows rows that a rule flags, one by one: take its `flag = true` away when it was right often enough"
    yield "#"
    yield "# The next audit of these files writes this file anew: copy it before you change it."


def _rejects(view: View) -> Iterator[str]:
    """Yield a limit of rejects that the files keep."""
    rejects, read = (int(view.manifest["totals"][key]) for key in ("rejects", "records_read"))
    if rejects <= read * REJECTS:
        return
    share = min(1.0, ceil(rejects / read * 1000) / 1000)
    said = f"{shown.count(rejects)} of {shown.plural(read, 'record')} could not be used, see rejects.jsonl"
    yield f"rejects = {inline(share)} # {said}; lower it when they are mended"


def _source(source: Mapping[str, Any], read: Mapping[str, Any], repairs: Mapping[str, Any]) -> Iterator[str]:
    """Yield one source, its format named and its repairs explained."""
    yield "[[sources]]"
    yield f"name = {inline(source['name'])}"
    yield f"path = {inline(source['path'])}"
    why = f" # {shown.clipped(str(read['detected']), 200)}" if read.get("detected") else ""
    yield f"format = {inline(read['format'] or 'auto')}{why}"
    if read.get("fields"):
        yield f"fields = {inline(read['fields'])}"
    found = _proposed(source["name"], repairs)
    yield f"# Repairs: {_counted(SAFE[:1], found)}; Unicode and line ends are brought into one form."
    yield f"# To be added when they are wanted: {_counted(MORE, found)}."
    yield f"# Proposed in repairs.jsonl, made by no reader: {_counted(NEVER, found)}."
    yield f"clean = {inline(list(SAFE))}"


def _proposed(source: str, repairs: Mapping[str, Any]) -> dict[str, int]:
    """Return rows by kind of repair of one source."""
    lines = (line for line in repairs.get("sources", []) if line["source"] == source)
    return next(({kind: int(rows) for kind, rows in line["kinds"].items()} for line in lines), {})


def _counted(kinds: tuple[str, ...], found: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} in {shown.plural(found.get(kind, 0), 'row')}" for kind in kinds)


def _stage(
    stage: Mapping[str, Any], ids: list[str], checks: Mapping[str, Any], view: View, facts: Mapping[str, Any]
) -> Iterator[str]:
    """Yield one stage; each rule with what it would do to these rows."""
    yield "[[stages]]"
    yield f"name = {inline(stage['name'])}"
    yield "steps = ["
    yield from (f"    {inline(step)}," for step in stage["steps"])
    yield "]"
    if not stage.get("keep"):
        return
    yield "keep = ["
    for rule, name in zip(stage["keep"], ids, strict=True):
        check = checks[name]
        yield f"    # {_said(check, view, facts)}"
        kept = {key: _whole(value) for key, value in rule.items() if key != "flag" and value not in ({}, None)}
        why = kept.pop("why")
        flag = {} if check["drops"] else {"flag": True}
        yield f"    {inline({**kept, **flag, 'why': why})},"
    yield "]"


def _said(check: Mapping[str, Any], view: View, facts: Mapping[str, Any]) -> str:
    """Return what a rule would do."""
    rows = shown.plural(facts["rows"], "row")
    if check["drops"]:
        about = "" if check["exact"] else "about "
        return f"would drop {about}{shown.count(check['would_drop'])} of {rows}; right by construction"
    said = f"flags {shown.count(check['flagged'])} of {rows}"
    if not check["flagged"]:
        return said
    return f"{said}, not judged here yet: {shown.command('curate', 'review', view.name, '--rule', check['id'])}"


def _whole(value: Any) -> Any:
    """Return a whole number as it was written: the parsed recipe has 1.0 for 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
