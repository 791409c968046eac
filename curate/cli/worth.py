"""The command that tells which groups of a mix helped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from curate.cli.shared import Json, Quiet, RunPath, Workers, cores, network, print_json, progress, shown, stdout
from curate.cli.tables import plain_table
from curate.errors import UserError

if TYPE_CHECKING:
    from tune.groups import Work

By = Annotated[str, typer.Option("--by", help="Column of the run whose values are the groups: task, source …")]
TierName = Annotated[str, typer.Option("--tier", help="What is trained: tiny, a probe, lora … as with ablate.")]
Seeds = Annotated[int, typer.Option("--seeds", min=2, help="Trainings of each set of groups.")]
First = Annotated[int, typer.Option("--seed", help="The first of them.")]
Rows = Annotated[int, typer.Option("--rows", min=1, help="Rows of the whole mix that a seed of a model draws.")]
Model = Annotated[str, typer.Option("--model", help="Of the tiers that tune one: smollm2 or a local path.")]
Out = Annotated[Path | None, typer.Option("--out", show_default="RUN/worth/<by> <tier>", help="Where everything goes.")]
Heldout = Annotated[bool, typer.Option("--heldout", help="All held-out rows of the run judge, and no others.")]
STYLES = {"helps": "green", "harms": "bold red", "inconclusive": "dim"}


def worth(
    run: RunPath,
    by: By = "task",
    tier: TierName = "tiny",
    seeds: Seeds = 5,
    seed: First = 0,
    heldout: Heldout = False,
    rows: Rows = 400,
    model: Model = "smollm2",
    out: Out = None,
    workers: Workers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell which groups of a mix helped a model: each left out, and its Shapley value over all sets of groups."""
    from curate import api

    network(False)
    groups, hands, silent = api.sibling("tune.groups"), workers or cores(), quiet or as_json
    told = {"by": by, "tier": tier, "seeds": seeds, "seed": seed, "heldout": heldout}
    try:
        asked = groups.Groups(**told, tuning={"rows": rows, "model": model})
    except ValueError as error:
        what = str(error.errors()[0]["msg"]).removeprefix("Value error, ") if hasattr(error, "errors") else str(error)
        raise UserError("command line", what, "curate worth --help") from error
    work = groups.prepare(run, asked, out=out, workers=hands)
    if not silent:
        _show_work(stdout(), work)
    with progress(silent) as update:
        found = groups.finish(work, workers=hands, progress=update)
    if as_json:
        print_json(found)
    elif not quiet:
        show(stdout(), found)


def _show_work(console: Console, work: Work) -> None:
    """Print what will be trained, before it is."""
    groups, orders = len(work.names), work.orders(work.asked.seed)
    each = len(work.cells) // work.asked.seeds
    which = f"all {each} sets of groups" if orders is None else f"the sets of {len(orders)} orders of joining"
    console.print(
        f"{groups} groups by {shown(work.asked.by)}: {which} x {work.asked.seeds} seeds = {len(work.cells)} trainings "
        f"on tier {shown(work.asked.tier)}, about {work.seconds:,.0f} s",
        soft_wrap=True,
    )


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Show what each group is worth."""
    console.print(
        f"{found['metric']} of {found['items']:,} items: {found['base']:.3f} trained on nothing, "
        f"{found['whole']:.3f} on all ({found['rows']:,.0f} rows, mean of {len(found['seeds'])} seeds)\n",
        soft_wrap=True,
    )
    table = plain_table(shown(found["by"]), "rows", "left out [95 %]", "Shapley [95 %]", "own items", "others")
    for one in sorted(found["groups"], key=lambda one: -one["shapley"]["mean"]):
        left, share = one["left_out"], one["shapley"]
        split = ("–" if share[name] is None else f"{share[name]:+.3f}" for name in ("own", "others"))
        table.add_row(shown(one["group"]), f"{one['rows']:,}", _told(left), _told(share), *split)
    console.print(table)
    share = sum(one["shapley"]["mean"] for one in found["groups"])
    console.print(
        f"\nShapley values sum to {share:+.3f}, what all add together; an interval with 0 in it decides nothing"
    )
    if found["orders"] is not None:
        error = max(one["shapley"]["sampling_error"] for one in found["groups"])
        console.print(
            f"over {found['orders']} orders a seed, not all: that alone gives them a standard error of {error:.4f} "
            "at most, which the intervals hold",
            soft_wrap=True,
        )
    console.print(f"{found['trainings']:,} trainings, {found['seconds']:,.0f} s of processor time")
    console.print(f"[dim]all of it[/]  {shown(found['folder'])}/worth.json", soft_wrap=True)


def _told(effect: Mapping[str, Any]) -> str:
    """Return a mean with its interval and the verdict."""
    said = effect["verdict"]
    return f"{effect['mean']:+.3f} [{effect['low']:.3f}, {effect['high']:.3f}] [{STYLES[said]}]{said}[/]"
