"""The command that measures how far a model can be relied on as a judge."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, RunPath, network, print_json, shown, stdout
from curate.errors import UserError

StepName = Annotated[str | None, typer.Option("--step", metavar="NAME", help="The judge, where a run has several.")]
Size = Annotated[int, typer.Option("--rows", min=50, help="Rows it is asked about, four times each.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="The figures.", show_default="NAME-figures.json")
]
Leave = Annotated[bool, typer.Option("--allow-network", help="Ask the server that the recipe names.")]


def trust(
    run: RunPath,
    step: StepName = None,
    rows: Size = 200,
    out: Out = None,
    allow_network: Leave = False,
    as_json: Json = False,
) -> None:
    """Ask the judge of a run again, with filler, and with request and answer swapped: may its scores drop rows?"""
    from curate import judging, reliability, seals
    from curate.endpoint import Endpoint
    from curate.engine import CACHE
    from curate.rundir import RunDir
    from curate.steps.judge import of

    network(False)  # of the hub's libraries
    folder = RunDir.open(run)
    name, arguments = reliability.judges(folder, step=step)
    if not allow_network:
        what = f"asks {arguments['url']}, and sends it the texts of rows"
        raise UserError("curate trust", what, "if that is right, add --allow-network")
    judge = of(arguments)
    more = {key: arguments[key] for key in ("timeout", "parallel") if key in arguments}
    store = folder.path.resolve().parent / CACHE / "answers"
    ask = Endpoint(judge.url, judge.model, judge.temperature, store, **more)
    facts = reliability.measure(judge, ask, folder.rows(["id", "record", "prompt", "response"]), size=rows)
    target = out if out is not None else Path(f"{name}-figures.json")
    seals.write(target, facts)
    lacking = judging.lacks(facts)
    if as_json:
        print_json({"file": str(target), "lacks": lacking, **facts})
    else:
        _show(facts, lacking, target)


def _show(facts: Mapping[str, Any], lacking: list[str], target: Path) -> None:
    out = stdout()
    read = f"{facts['parsed']:.0%} of the replies could be read"
    out.print(f"{shown(facts['judge']['model'])}: asked 4 times about {facts['rows']} rows, {read}")
    told = {
        "agreement": "two scores of a row agree (1 is wholly)",
        "position": "shift by the answer standing first, in deviations",
        "length": "shift by filler, in deviations",
    }
    for name, meaning in told.items():
        if facts[name] is not None:
            value, low, high = facts[name]
            out.print(f"{name:<10}{value:6.2f}  ({low:.2f} to {high:.2f})  [dim]{meaning}[/]")
    if facts["with_length"] is not None:
        out.print(
            f"[dim]rank correlation of score and length {facts['with_length']:.2f}: long answers may be better ones[/]"
        )
    for one in lacking:
        out.print(f"[yellow]not good enough[/]: {shown(one)}", soft_wrap=True)
    if lacking:
        out.print("rules on its scores only flag")
    else:
        out.print("rules on its scores may drop rows, with this in its step:")
        out.print(f'  figures = "{shown(target)}"', soft_wrap=True)
    out.print(f"wrote {shown(shlex.quote(str(target)))}", soft_wrap=True)
