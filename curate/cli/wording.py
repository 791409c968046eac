"""The command that shows templates: of all families, of one on its example, on a record of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, print_json, shown, stderr, stdout
from curate.errors import UserError, suggest
from curate.rulebook import Family

FamilyName = Annotated[
    str | None, typer.Argument(metavar="[FAMILY]", help="One task family, previewed.", show_default=False)
]
RecordPlace = Annotated[
    str | None,
    typer.Option("--record", metavar="FILE:N", help="Show the N-th record of a file instead.", show_default=False),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=NAME",
        help="With --record SLOT=COLUMN, with --import NAME=SLOT; may be repeated.",
        show_default=False,
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="How a label is worded; may be repeated.", show_default=False),
]
ImportPath = Annotated[
    Path | None,
    typer.Option("--import", metavar="FILE.yaml", help="Carry over templates of promptsource.", show_default=False),
]
OwnPath = Annotated[
    Path | None,
    typer.Option("--templates", metavar="FOLDER", help="Your own templates too, as in a recipe.", show_default=False),
]
OutPath = Annotated[
    Path | None, typer.Option("--out", metavar="OWN.toml", help="Where --import writes.", show_default=False)
]


def templates(
    family: FamilyName = None,
    record: RecordPlace = None,
    imported: ImportPath = None,
    out: OutPath = None,
    field: Fields = None,
    label: Labels = None,
    own: OwnPath = None,
    as_json: Json = False,
) -> None:
    """List the task families, show the templates of one on an example or a record of yours, or import some."""
    from curate import rulebook

    known = rulebook.families(own)
    if family is not None and family not in known:
        raise UserError(f"family '{family}'", "unknown task family", suggest(family, known))
    given = {"--record": record, "--import": imported, "--out": out, "--field": field, "--label": label}
    _require_fitting({name for name, value in given.items() if value}, family)
    if own is not None:
        _tell_faults(own, known)
    if family is None:
        _list(known, as_json)
    elif imported is not None and out is not None:
        _import(known[family], (imported, out), _pairs("--field", field), as_json)
    elif record is not None:
        _show_record(known[family], record, (_pairs("--field", field), _pairs("--label", label)), as_json)
    else:
        _preview(known[family], as_json)


def _tell_faults(own: Path, known: dict[str, Family]) -> None:
    """Print on stderr what the linter finds in the user's own templates, which are shown all the same."""
    from curate import lint

    for fault in lint.told(own, known):
        stderr().print(f"[yellow]fault[/] {shown(fault)}", soft_wrap=True)


def _require_fitting(given: set[str], family: str | None) -> None:
    """Refuse options that do not go together."""
    if given and family is None:
        raise UserError("curate templates", "no family is named", "write `curate templates FAMILY --record FILE:N`")
    main = given & {"--record", "--import"}
    allowed = {"--record": {"--field", "--label"}, "--import": {"--field", "--out"}}
    if len(main) == 2:
        raise UserError("curate templates", "--record and --import do not go together", "leave one out")
    wrong = sorted(given - main - allowed[next(iter(main))]) if main else sorted(given)
    if wrong:
        where = " or ".join(name for name in allowed if wrong[0] in allowed[name])
        raise UserError(f"curate templates {wrong[0]}", f"goes with {where}", "see `curate templates --help`")
    if "--import" in given and "--out" not in given:
        raise UserError("curate templates --import", "does not say where to write", "add --out OWN.toml")


def _pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Return what KEY=VALUE options say."""
    found: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise UserError(f"{option} {text}", "is not of the form name=value", f"write {option} name=value")
        if found.setdefault(key, value) != value:
            raise UserError(f"{option} {text}", f"'{key}' is named twice", "leave one out")
    return found


def _list(known: dict[str, Family], as_json: bool) -> None:
    from curate.cli.renderings import show_families

    listed = [_family(one) for one in known.values()]
    if as_json:
        print_json(listed)
    else:
        show_families(stdout(), listed)


def _preview(family: Family, as_json: bool) -> None:
    from curate import render
    from curate.cli.renderings import show_previews

    previews = _renderings(family, render.preview(family))
    if as_json:
        print_json({**_family(family), "previews": previews})
    else:
        show_previews(stdout(), _family(family), previews)


def _show_record(family: Family, record: str, named: tuple[dict[str, str], dict[str, str]], as_json: bool) -> None:
    from curate import wording
    from curate.cli.renderings import show_record

    found = wording.worded(wording.place(record), family=family, fields=named[0], labels=named[1])
    told = {
        **_family(family),
        "record": {"file": found.file, "line": found.line, "slots": found.slots},
        "labels": found.labels,
        "renderings": _renderings(family, found.renderings),
        "unfit": found.unfit,
    }
    if as_json:
        print_json(told)
    else:
        show_record(stdout(), told)


def _import(family: Family, files: tuple[Path, Path], renames: dict[str, str], as_json: bool) -> None:
    from curate import promptsource
    from curate.cli.renderings import show_import

    carried, faults = promptsource.adopt(*files, family=family, renames=renames)
    told = {
        "family": family.family,
        "out": str(files[1]),
        "templates": [{"id": one.id, "kind": one.kind} for one in carried.templates],
        "refused": [{"name": name, "reason": reason} for name, reason in carried.refused],
        "recipe": promptsource.told(carried),
        "faults": faults,
    }
    if as_json:
        print_json(told)
    else:
        show_import(stdout(), told)


def _renderings(family: Family, renderings: Sequence[Any]) -> list[dict[str, Any]]:
    kinds = {template.id: template.kind for template in family.templates}
    return [
        {
            "template": one.template,
            # A row in which other records speak names its kind behind the template.
            "kind": kinds.get(one.template) or one.template.rpartition(":")[2],
            "prompt": one.prompt,
            "response": one.response,
        }
        for one in renderings
    ]


def _family(family: Family) -> dict[str, Any]:
    kinds = [template.kind for template in family.templates]
    return {
        "family": family.family,
        "why": family.why,
        "slots": list(family.slots),
        "optional": list(family.optional),
        "target": list(family.target),
        "templates": [{"id": template.id, "kind": template.kind} for template in family.templates],
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
    }
