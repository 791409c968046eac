"""Commands that look at data and runs: audit, report, explain, export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, Quiet, RunPath, Seed, Workers, network, print_json, shown, stdout
from curate.errors import UserError
from curate.rundir import RECIPE


def audit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Chat or instruction data.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="The run directory.", show_default="runs/audit-<name>")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="PATH", help="Count tokens with this one.", show_default=False)
    ] = None,
    takes_away: Annotated[
        bool, typer.Option("--export/--no-export", help="Whether all rows are written for a trainer, too.")
    ] = True,
    workers: Workers = None,
    seed: Seed = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Report on the quality of an existing dataset; nothing is dropped.

    Leaves the report, a recipe that acts on what was found, and all rows as messages for a trainer.
    """
    from curate.audit import audit_recipe, take_away
    from curate.cli.work import Outcome, finish

    network(False)
    recipe = audit_recipe(files, seed=seed or 0, tokenizer=tokenizer)
    target = out if out is not None else Path("runs") / recipe.name

    def left(facts: Mapping[str, Any]) -> Outcome:
        told = {"recipe": str(target / RECIPE)}
        about = "" if facts["audit"]["exact"] else "about "
        would = f"would drop {about}{facts['audit']['would_drop']:,} of {facts['audit']['rows']:,} rows"
        lines = {"recipe": f"{told['recipe']}  {would}"}
        if not takes_away:
            return {**told, "export": None}, lines
        written = take_away(target)
        size = f"{written['bytes'] / 1e6:,.1f} MB" if written["bytes"] >= 1e6 else f"{written['bytes'] / 1e3:,.0f} kB"
        lines["export"] = f"{written['folder']}  {written['rows']:,} rows as {written['format']}, {size}"
        return {**told, "export": written}, lines

    finish(recipe, target, workers=workers, fresh=False, as_json=as_json, quiet=quiet, after=left)


def report(
    run: RunPath,
    against: Annotated[Path | None, typer.Option("--against", metavar="RUN2", help="Compare with another run.")] = None,
    rules: Annotated[bool, typer.Option("--rules", help="A line for each rule: cost, hits, removals.")] = False,
    as_json: Json = False,
) -> None:
    """Write the report of a run again, or compare two runs."""
    from curate import api
    from curate.rundir import RunDir

    RunDir.open(run)
    reports = api.sibling("reports")
    if against is not None:
        compared = reports.compare(run, against)
        if as_json:
            print_json(compared)
        else:
            reports.comparison(compared, console=stdout())
        return
    facts = reports.build(run)
    if as_json:
        print_json(facts)
    elif rules:
        reports.rule_table(facts, console=stdout())
    else:
        reports.summary(facts, console=stdout(), run=run)


def explain(
    run: RunPath,
    row: Annotated[str, typer.Argument(metavar="ID", help="A row's id, or how it begins.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Tell the life of one row: record, rendering, signals, verdicts, duplicates."""
    from curate import explain as explaining
    from curate.cli.tables import show_explanation
    from curate.rundir import RunDir

    found = explaining.explain(RunDir.open(run), row)
    if as_json:
        print_json(found)
    else:
        show_explanation(stdout(), found)


def export(
    run: RunPath,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="messages, alpaca, sharegpt or prompt-completion.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.")],
    as_json: Json = False,
) -> None:
    """Write the mix in a trainer's format."""
    from curate import api

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(str(out), "is not empty", "name a new folder")
    written = api.Run(run).export(to, out)
    if as_json:
        print_json(written)
    else:
        stdout().print(f"wrote {written['rows']:,} rows as {to}: {shown(', '.join(written['files']))}")
