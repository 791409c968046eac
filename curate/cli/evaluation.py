"""The command that evaluates models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from curate.cli.shared import Json, Quiet, network, print_json, progress, shown, stdout
from curate.cli.tables import plain_table
from curate.errors import UserError

Model = Annotated[str, typer.Argument(metavar="MODEL", help="smollm2, or a model's or adapter's folder.")]
On = Annotated[Path | None, typer.Option("--run", metavar="RUN", help="Evaluate on the held-out rows of a run.")]
Rows = Annotated[Path | None, typer.Option("--data", metavar="FILE", help="... or on a file of rows or conversations.")]
Most = Annotated[int | None, typer.Option("--limit", min=1, help="At most N records of each source.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder.", show_default="<RUN>.<MODEL>")]
Others = Annotated[list[str] | None, typer.Option("--against", metavar="MODEL", help="Another model; repeatable.")]
Harness = Annotated[Path | None, typer.Option("--lm-eval", metavar="DIR", help="Write tasks for lm-eval as well.")]
# Measures that are shown first; the others are in evaluation.json.
MAIN = ("accuracy", "exact_match", "numeric_match", "token_f1", "rougeL", "chrf", "bits_per_byte")
# Worst answers shown, and characters of each.
WORST, PEEK = 5, 70


def evaluate(
    model: Model,
    run: On = None,
    data: Rows = None,
    limit: Most = None,
    out: Out = None,
    against: Others = None,
    harness: Harness = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate a model on held-out rows: ranked options, written answers, calibration, bias, the worst answers."""
    from curate import api

    if (run is None) == (data is None):
        raise UserError("command line", "needs the data: one of --run and --data", "curate evaluate MODEL --run RUN")
    network(False)
    tune = api.sibling("tune")
    on = run if run is not None else data
    with progress(quiet or as_json) as update:
        found = tune.evaluate(model, on=on, out=out, limit=limit, against=against or (), progress=update)
        if harness is not None:
            found["lm_eval"] = tune.export_tasks(model, on=on, out=harness, limit=limit)
    if as_json:
        print_json(found)
    elif not quiet:
        show(stdout(), found)


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Show what came of an evaluation."""
    model, data = found["model"], found["data"]
    head = f"[bold]{shown(model['name'])}[/], {model['parameters'] / 1e6:.0f} M parameters, {model['dtype']}, on "
    console.print(f"{head}{data['rows']:,} rows of {data['records']:,} records in {found['seconds']:.0f} s\n")
    _show_means(console, found["means"])
    _show_models(console, found)
    for one in found["labels"]:
        always = one["always"]
        console.print(
            f"labels of {shown(one['source'])}: accuracy {one['accuracy']:.2f}, macro F1 {one['macro_f1']:.2f}; always "
            f"“{shown(always['label'])}”: {always['accuracy']:.2f}, {always['macro_f1']:.2f}; {_confused(one)}",
            soft_wrap=True,
        )
    for one in found["calibration"]:
        console.print(f"calibration of {shown(one['task'])}: error {one['ece']:.2f} over {one['n']:,} rows")
    console.print()
    _show_worst(console, found["worst"])
    _show_character(console, found["character"])
    console.print(f"\n[dim]all of it[/]  {shown(found['out'])}/evaluation.json", soft_wrap=True)
    if "lm_eval" in found:
        console.print(f"[dim]lm-eval[/]    {shown(found['lm_eval']['command'])}", soft_wrap=True)


def _show_means(console: Console, means: Sequence[Mapping[str, Any]]) -> None:
    """Show the main measures by task and setting, with their intervals."""
    table = plain_table("by", "slice", "measure", "mean", "95 % interval", "rows")
    before = ("", "")
    for one in means:
        if one["by"] not in ("task", "setting") or one["metric"] not in MAIN:
            continue
        if one["by"] == "setting" and one["metric"] not in ("accuracy", "bits_per_byte"):
            continue
        here = (one["by"], one["slice"])
        names = ("", "") if here == before else (one["by"], shown(one["slice"]))
        interval = f"{one['low']:.3f} to {one['high']:.3f}"
        table.add_row(*names, one["metric"], f"{one['mean']:.3f}", interval, f"{one['n']:,}")
        before = here
    console.print(table, "")


def _show_models(console: Console, found: Mapping[str, Any]) -> None:
    """Show the main measures of several models side by side; differences whose interval leaves out 0 are starred."""
    models = found.get("models", [])
    if not models:
        return
    names = [str(one["model"]["name"]) for one in models]
    table = plain_table("task", "measure", *(shown(name) for name in names))
    sure = {(one["model"], one["task"], one["metric"]) for one in found["against"] if one["low"] > 0 or one["high"] < 0}
    values = {
        (name, one["slice"], one["metric"]): one["mean"]
        for name, model in zip(names, models, strict=True)
        for one in model["means"]
    }
    for task, metric in dict.fromkeys((task, metric) for _, task, metric in values):
        if metric in MAIN:
            cells = [f"{values[name, task, metric]:.3f}{'*' if (name, task, metric) in sure else ''}" for name in names]
            table.add_row(shown(task), metric, *cells)
    console.print(table)
    console.print("[dim]* differs from the first: the 95 % interval of paired differences leaves out 0[/]\n")


def _confused(one: Mapping[str, Any]) -> str:
    """Return the most frequent confusion of two labels."""
    wrong = [pair for pair in one["confusion"] if pair["wanted"] != pair["said"]]
    if not wrong:
        return "nothing confused"
    most = max(wrong, key=lambda pair: pair["n"])
    return f"most confused: “{shown(most['said'])}” for “{shown(most['wanted'])}” ({most['n']})"


def _show_worst(console: Console, worst: Sequence[Mapping[str, Any]]) -> None:
    """Show the worst answer of each task, and what the mix has of the like."""
    seen: set[str] = set()
    for one in worst:
        if one["task"] in seen or len(seen) == WORST:
            continue
        seen.add(one["task"])
        console.print(f"worst of {shown(one['task'])} ({one['id'][:12]}, {one['outcome']})", style="bold")
        console.print(f"  wanted {shown(_cut(one['wanted']))}\n  answer {shown(_cut(one['answer']))}", soft_wrap=True)
        for near in one["nearest"][:1]:
            fate = "in the mix" if near["kept"] else f"dropped by {', '.join(near['dropped_by'])}"
            flags = f", flagged by {', '.join(near['flagged_by'])}" if near.get("flagged_by") else ""
            close = f"{near['similarity']:.2f} by {near['method']}"
            console.print(f"  nearest training row {near['id'][:12]} ({close}): {shown(fate + flags)}", soft_wrap=True)
    console.print()


def _show_character(console: Console, character: Mapping[str, Any]) -> None:
    """Show bias and safety in three lines."""
    pairs = character["pairs"][0]
    span = f"{pairs['share_low']:.2f} to {pairs['share_high']:.2f}"
    console.print(f"prefers the prejudice in {pairs['share']:.2f} of {pairs['n']} minimal pairs ({span})")
    for one in character["toxicity"]:
        if one["n"]:
            console.print(f"abusive {one['of']}: {one['toxic']} of {one['n']}, greatest score {one['max']:.2f}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PEEK else f"{line[:PEEK]} …"
