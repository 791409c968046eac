"""The command that puts rules and mixes on trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.shared import Json, Quiet, Workers, cores, network, print_json, progress, shown, stdout

if TYPE_CHECKING:
    from curate.rundir import RunDir
    from curate.trials import Trial

Target = Annotated[Path, typer.Argument(metavar="PLAN|RUN", help="A plan (TOML), or a run directory with --rule.")]
Rule = Annotated[str | None, typer.Option("--rule", metavar="R", help="Put this rule of the run on trial, no plan.")]
Of = Annotated[Path | None, typer.Option("--run", metavar="RUN", help="The run that a plan is about.")]
Out = Annotated[Path | None, typer.Option("--out", show_default="RUN/ablations/<name>", help="Where everything goes.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=2, help="Trainings per arm.", show_default="the tier's")]
TierName = Annotated[str | None, typer.Option("--tier", help="How arms are tried.", show_default="by --minutes")]
Minutes = Annotated[float | None, typer.Option("--minutes", help="What may pass; decides the tier.", show_default="5")]
Margin = Annotated[
    float | None, typer.Option("--margin", help="Smallest difference that matters.", show_default="0.01")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Begin again: forget an earlier trial of this name.")]


def ablate(
    target: Target,
    rule: Rule = None,
    run: Of = None,
    out: Out = None,
    seeds: Seeds = None,
    tier: TierName = None,
    minutes: Minutes = None,
    margin: Margin = None,
    fresh: Fresh = False,
    workers: Workers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a rule, or the arms of a plan, on trial: train on each, score, tell which differences are real."""
    from curate import api, trials

    network(False)
    told = {"seeds": seeds, "tier": tier, "minutes": minutes, "margin": margin}
    plan, about = _plan(target, rule, run, {key: value for key, value in told.items() if value is not None})
    hands, silent = workers or cores(), quiet or as_json
    with progress(silent) as update:
        trial = trials.prepare(plan, run=about, out=out, workers=hands, fresh=fresh, progress=update)
    if not silent:
        _show_tier(trial, plan.minutes)
    with progress(silent) as update:
        pilot = trials.pilot(trial, workers=hands, progress=update)
    if not silent:
        _show_pilot(pilot, trial)
    with progress(silent) as update:
        found = trials.finish(trial, workers=hands, progress=update)
    if as_json:
        print_json({"ablation": str(trial.folder), **found})
    elif not quiet:
        api.sibling("reports.terminal_ablation").ablation(found, console=stdout(), folder=trial.folder)


def _plan(target: Path, rule: str | None, run: Path | None, told: dict[str, Any]) -> tuple[Any, RunDir]:
    """Return the plan and the run that it is about."""
    from curate import api, trials
    from curate.rundir import RunDir

    plans = api.sibling("tune.plan")
    if rule is not None:
        about = RunDir.open(target)
        return plans.parse({**trials.of_rule(about, rule), **told}, file="command line"), about
    plan = plans.load_plan(target)
    plan = plans.parse({**plan.model_dump(mode="json", exclude_none=True), **told}, file=str(target))
    return plan, RunDir.open(run or api.sibling("tune.ablation").own_run(plan, target))


def _show_tier(trial: Trial, minutes: float) -> None:
    """Print which tier was chosen, and what the others would take."""
    console, chosen = stdout(), trial.analysis["tier"]
    for name, seconds in trial.estimates.items():
        mark = "this one" if name == chosen else "over the time" if seconds > 60 * minutes else ""
        console.print(f"tier {name:<16} about {seconds:,.0f} s of {60 * minutes:,.0f} s  {mark}".rstrip())
    cells = len(trial.analysis["seeds"]) * len(trial.analysis["arms"])
    console.print(f"{len(trial.analysis['arms'])} arms x {len(trial.analysis['seeds'])} seeds = {cells} trainings")
    console.print(f"analysis fixed before any of them: {shown(trial.folder / 'analysis.json')}", soft_wrap=True)


def _show_pilot(pilot: dict[str, Any], trial: Trial) -> None:
    """Print what difference the grid can find, before it is run."""
    needed = "more than 200" if pilot["needed"] is None else pilot["needed"]
    stdout().print(
        f"smallest detectable difference {pilot['detectable']:.4f} of {trial.analysis['metric']} (80 % power, "
        f"{pilot['of']} seeds, spread {pilot['sd']:.4f} from {pilot['seeds']} pilot seeds); the margin of "
        f"{pilot['margin']:g} needs {needed} seeds",
        soft_wrap=True,
    )
    if pilot["ahead"]:
        stdout().print(f"by what the pilot took, the grid takes about {pilot['ahead']:,.0f} s")
