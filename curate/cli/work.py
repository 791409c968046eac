"""Commands that work: init, check, run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.cli.shared import (
    Download,
    Json,
    Quiet,
    Seed,
    Verbose,
    Workers,
    cores,
    network,
    print_json,
    progress,
    shown,
    stderr,
    stdout,
)
from curate.errors import UserError

if TYPE_CHECKING:
    from curate.recipe import Recipe

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).", show_default=False)]
Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a recipe value by its dotted key.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most N records of each source.")]
Out = Annotated[Path | None, typer.Option("--out", help="The run directory.", show_default="runs/<recipe name>")]
Code = Annotated[
    bool, typer.Option("--allow-code", help="Let steps of the recipe be Python functions (module:function).")
]
Engine = Annotated[
    str | None, typer.Option("--engine", help="Where row-wise steps run: local or ray.", show_default="the recipe's")
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="Refuse what would take more, such as 8GiB.")
]
Network = Annotated[
    bool, typer.Option("--allow-network", help="Let steps of the recipe ask the server that they name.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over: use nothing that is cached.")]


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")]) -> None:
    """Start a project: a commented recipe and a small sample, ready to run."""
    from curate.folders import make
    from curate.rulebook import RULES

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(str(folder), "is not empty", "name a new folder")
    make(folder)
    shutil.copytree(RULES / "samples", folder / "samples")
    starter = (RULES / "recipes" / "starter.toml").read_text(encoding="utf-8")
    (folder / "recipe.toml").write_text(starter.replace("../samples/", "samples/"), encoding="utf-8")
    out = stdout()
    out.print(f"wrote {shown(folder / 'recipe.toml')} and {shown(folder / 'samples')}/")
    out.print(f"next: curate run {shown(folder / 'recipe.toml')}")


def check(
    recipe: RecipePath,
    sets: Sets = None,
    limit: Limit = None,
    seed: Seed = None,
    allow_code: Code = False,
    allow_network: Network = False,
    as_json: Json = False,
    workers: Workers = None,
    memory: Memory = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Run 200 records and tell what all would take.")] = False,
) -> None:
    """Validate a recipe without running it, then show the plan."""
    from curate import check as checking
    from curate import lint, plan
    from curate.recipe import load_recipe

    network(False)
    leave = {"allow_code": allow_code, "allow_network": allow_network}
    loaded = load_recipe(recipe, overrides=_overrides(sets, seed), limit=limit, **leave)
    checking.require(loaded)
    if loaded.templates.path:
        lint.require(loaded.resolve(loaded.templates.path))
    planned = plan.plan(loaded, out=Path("runs") / loaded.name)
    if estimate or memory:
        planned["estimate"] = _estimated(loaded, memory, workers or cores())
    if as_json:
        print_json(planned)
        return
    from curate.cli.tables import show_plan

    show_plan(stdout(), planned)


def _estimated(recipe: Recipe, memory: str | None, workers: int, *, quiet: bool = False) -> dict[str, Any]:
    """Return what a run would take.

    Raises:
        UserError: when that is more memory than it may.
    """
    from curate import estimate

    if memory:
        estimate.bytes_of(memory)  # a slip of the pen is told before the probe
    with progress(quiet) as update:
        told = estimate.estimate(recipe, workers=workers, progress=update)
    if memory:
        estimate.require(told, memory=memory, file=recipe.file)
    return told


def run(
    recipe: RecipePath,
    out: Out = None,
    limit: Limit = None,
    sets: Sets = None,
    fresh: Fresh = False,
    workers: Workers = None,
    seed: Seed = None,
    allow_code: Code = False,
    allow_network: Network = False,
    allow_download: Download = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    engine: Engine = None,
    memory: Memory = None,
    stage: Annotated[str | None, typer.Option("--stage", metavar="NAME", help="Only up to this stage.")] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Of --stage, part I of N.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Finish what shards have worked out.")] = False,
) -> None:
    """Run a recipe: read, render, measure, judge, report. Or a part of it, as one of many processes or machines."""
    from curate import check as checking
    from curate import fetch, shards
    from curate.engine import CACHE
    from curate.recipe import load_recipe

    network(allow_download)
    overrides = [*_overrides(sets, seed), *([f"engine={engine}"] if engine else [])]
    leave = {"allow_code": allow_code, "allow_network": allow_network}
    loaded = load_recipe(recipe, overrides=overrides, limit=limit, **leave)
    target = out if out is not None else Path("runs") / loaded.name
    _consistent(stage, shard, merge=merge, fresh=fresh)
    if allow_download:
        loaded = fetch.local(loaded, store=target.parent / CACHE)
    if memory:
        checking.require(loaded)
        _estimated(loaded, memory, workers or cores(), quiet=quiet)
    if stage is not None:
        part(loaded, target, stage=stage, shard=shard or "0/1", workers=workers, as_json=as_json, quiet=quiet)
        return
    merged = shards.require(loaded, out=target) if merge else []
    finish(
        loaded, target, workers=workers, fresh=fresh, as_json=as_json, quiet=quiet,
        after=partial(_merged, target, merged) if merge else _nothing,
    )  # fmt: skip


def _consistent(stage: str | None, shard: str | None, *, merge: bool, fresh: bool) -> None:
    """Refuse flags that contradict each other."""
    if shard and stage is None:
        raise UserError("--shard", "is a part of one stage", "name it: --stage NAME")
    if merge and stage is not None:
        raise UserError("--merge", "finishes the whole run", "leave --stage out")
    if fresh and (merge or stage is not None):
        fix = "leave --fresh out; to start over delete the cache"
        raise UserError("--fresh", "uses nothing that shards have worked out", fix)


def part(
    recipe: Recipe, target: Path, *, stage: str, shard: str, workers: int | None, as_json: bool, quiet: bool
) -> None:
    """Work out a shard of a stage and say so."""
    from curate import shards
    from curate.slices import Shard

    one = Shard.parse(shard)
    with progress(quiet) as update:
        done = shards.work(recipe, one, stage=stage, out=target, workers=workers or cores(), progress=update)
    if as_json:
        print_json(done)
    elif not quiet:
        rest = done["missing"] or "the stage is complete"
        told = (
            f"stage '{stage}', shard {shard}: {done['rows']:,} rows in {done['slices']} slices, {done['seconds']:.1f} s"
        )
        stdout().print(f"{shown(told)}\n{shown(rest)}", soft_wrap=True)


# What a command adds to a finished run: for `--json`, and as lines for the terminal, each with its name.
Outcome = tuple[dict[str, Any], dict[str, str]]


def _nothing(facts: Mapping[str, Any]) -> Outcome:
    return {}, {}


def _merged(target: Path, stages: Sequence[str], facts: Mapping[str, Any]) -> Outcome:
    """Say which stages came from shards, and what of the steps was not there."""
    from curate.rundir import RunDir

    steps = [step for stage in RunDir.open(target).manifest["stages"] for step in stage["steps"]]
    here = [step["as"] for step in steps if not step["cached"]]
    worked = f"worked out here: {', '.join(here)}" if here else "nothing had to be worked out here"
    told = {"stages": list(stages), "worked_out": here}
    return {"merged": told}, {"merged": f"{len(stages)} stages from shards ({', '.join(stages)}); {worked}"}


def finish(
    recipe: Recipe,
    target: Path,
    *,
    workers: int | None,
    fresh: bool,
    as_json: bool,
    quiet: bool,
    after: Callable[[Mapping[str, Any]], Outcome] = _nothing,
) -> None:
    """Run a loaded recipe and show what came of it, also when a gate is broken."""
    from curate import api

    with progress(quiet) as update:
        done, failure = api.attempt(recipe, out=target, workers=workers or cores(), fresh=fresh, progress=update)
    reports = api.sibling("reports")
    facts = reports.load(target)
    told, lines = after(facts) if failure is None else ({}, {})
    if as_json:
        error = (
            {"where": failure.where, "what": failure.what, "fix": failure.fix, "code": failure.code}
            if failure
            else None
        )
        report = str(target / "report.html")
        print_json({"run": str(target), "report": report, "error": error, **told, "facts": facts})
    elif not quiet:
        reports.summary(facts, console=stdout(), run=target)
        for name, line in lines.items():
            stdout().print(f"[dim]{name:<8}[/]{shown(line)}", soft_wrap=True)
        stdout().print(_took(done.manifest))
    if failure is not None:
        if not as_json:
            stderr().print(f"[bold red]error:[/] {shown(failure.what)}; {shown(failure.fix)}", soft_wrap=True)
        raise typer.Exit(failure.code)


def _overrides(sets: list[str] | None, seed: int | None) -> list[str]:
    return [*(sets or []), *([f"seed={seed}"] if seed is not None else [])]


def _took(manifest: Mapping[str, Any]) -> str:
    """Say how long a run took and how much of it an earlier run had done."""
    steps = [step["cached"] for stage in manifest["stages"] for step in stage["steps"]] + [manifest["ingest_cached"]]
    part = "everything" if all(steps) else f"{sum(steps)} of {len(steps)} steps"
    return f"done in {manifest['seconds']:.0f} s" + (f", {part} from the cache" if any(steps) else "")
