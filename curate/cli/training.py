"""Commands that train: tune, masks, which looks first, and signals, which looks back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from curate.cli.shared import Json, Quiet, network, print_json, progress, shown, stdout
from curate.cli.tables import plain_table
from curate.errors import GATE, UserError
from curate.text import visible

if TYPE_CHECKING:
    from curate.tokenizer import Tokenizer

Source = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or a file of conversations or pairs.")]
Model = Annotated[str, typer.Option("--model", help="smollm2, tiny (from scratch), or a local path.")]
Out = Annotated[Path | None, typer.Option("--out", help="The folder.", show_default="<RUN>.<model>")]
Trackers = Annotated[list[str] | None, typer.Option("--report-to", help="A tracker, e.g. wandb; repeatable.")]
# How a token is drawn, by whether it is trained and whether it is special.
_NOTHING: dict[str, Any] = {"text": "", "token": False, "trained": False, "special": False}
STYLES = {(True, False): "black on green", (True, True): "black on yellow", (False, True): "yellow", (False, False): ""}


def tune(
    source: Source,
    model: Model = "smollm2",
    out: Out = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="See each row so often.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="... or take so many steps.")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", min=1, help="... or read so many tokens.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Tune all weights instead of a LoRA adapter.")] = False,
    layers: Annotated[int | None, typer.Option("--layers", min=1, help="Adapt only so many upper layers.")] = None,
    kept: Annotated[bool, typer.Option("--kept", help="... and compute those below once per text.")] = False,
    pack: Annotated[bool, typer.Option("--pack/--no-pack", help="Lay the rows of a step end to end.")] = True,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Rows of a step.")] = None,
    window: Annotated[int, typer.Option("--window", min=2, help="Greatest number of tokens of a row.")] = 1024,
    rate: Annotated[float | None, typer.Option("--rate", help="The highest learning rate.")] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="bf16, fp32 or auto: the faster one here.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", help="Of first weights and order.")] = 0,
    report_to: Trackers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a small language model on a mix, or on pairs of answers; broken off, the same command goes on."""
    from curate import api

    network(False)
    tuning = api.sibling("tune")
    budget = {"epochs": epochs, "steps": steps, "tokens": tokens}
    values: dict[str, Any] = {**budget, "full": full, "layers": layers, "kept": kept, "pack": pack}
    values |= {"batch": batch, "window": window, "rate": rate, "dtype": dtype, "report_to": tuple(report_to or ())}
    try:
        settings = tuning.Settings(**values)
    except ValueError as error:
        what = str(error.errors()[0]["msg"]).removeprefix("Value error, ") if hasattr(error, "errors") else str(error)
        raise UserError("command line", what, "curate tune --help") from error
    target = out if out is not None else source.parent / f"{source.stem}.{Path(model).name}"
    with progress(quiet or as_json) as update:
        done = tuning.train(source, out=target, model=model, settings=settings, seed=seed, progress=update)
    if as_json:
        print_json({"out": str(done.path), **done.facts})
    elif not quiet:
        _show_training(stdout(), done.path, done.facts)


def _show_training(console: Console, path: Path, facts: Mapping[str, Any]) -> None:
    """Show what was trained and what came of it."""
    what = {"adapter": "a LoRA adapter", "full": "all weights", "scratch": "a model from scratch"}[facts["kind"]]
    console.print(f"[bold]{shown(facts['base']['name'])}[/]: {what}, {facts['dtype']}, on {facts['device']}")
    share = facts["trained_tokens"] / facts["tokens"]
    rows = (f"{facts['rows']:,} pair" + "s" * (facts["rows"] != 1)) if facts["pairs"] else f"{facts['rows']:,} rows"
    console.print(f"  {rows}, {facts['tokens']:,} tokens, {share:.0%} of them trained", highlight=False)
    if facts["truncated"]:
        console.print(f"  [yellow]{facts['truncated']:,} rows lost their end[/] at {facts['window']:,} tokens")
    speed = facts["read_tokens"] / facts["seconds"] if facts["seconds"] else 0.0
    took = f"{facts['steps']:,} steps of up to {facts['batch']} rows, {facts['read_tokens']:,} tokens"
    console.print(f"  {took} in {facts['seconds']:,.0f} s ({speed:,.0f} tokens/s)")
    console.print(
        f"  loss {facts['first_loss']:.3f} → [bold]{facts['last_loss']:.3f}[/] (means of five steps, in nats)"
    )
    console.print(f"[dim]folder[/] {shown(path)}", soft_wrap=True)
    if (path / "dynamics.parquet").is_file():
        console.print(f"[dim]rows[/]   {shown(path / 'dynamics.parquet')}, what it was like for each", soft_wrap=True)
    console.print(f"[dim]next[/]   curate evaluate {shown(path)} --run RUN", soft_wrap=True)


def signals(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder of a trained model or adapter.")],
    run: Annotated[Path | None, typer.Option("--run", metavar="RUN", help="All train rows of a run.")] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="FILE", help="... or a file of them.")] = None,
    base: Annotated[str | None, typer.Option("--base", help="The model before it was trained.")] = None,
    validation: Annotated[Path | None, typer.Option("--validation", help="Rows to be good at: file or run.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The table.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write what a trained model says of each row, learnability and influence, for the step `table`."""
    from curate import api

    if (run is None) == (data is None):
        raise UserError("command line", "needs the rows: one of --run and --data", "curate signals MODEL --run RUN")
    network(False)
    tuning = api.sibling("tune")
    with progress(quiet or as_json) as update:
        found = tuning.signals(model, on=run or data, out=out, base=base, validation=validation, progress=update)
    if as_json:
        print_json(found)
    elif not quiet:
        console = stdout()
        console.print(f"{found['measured']:,} of {found['rows']:,} rows measured in {found['seconds']:,.0f} s")
        console.print(f"[dim]table[/]  {shown(found['out'])}", soft_wrap=True)
        use = f'{{ step = "table", as = "trained", path = "{found["out"]}" }}'
        console.print(f"[dim]next[/]   {shown(use)} in a recipe", soft_wrap=True)


def masks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Conversations, or a run directory.")],
    tokenizer: Annotated[str, typer.Option("--tokenizer", metavar="PATH", help="A model's folder, smollm2 or tiny.")],
    seed: Annotated[int, typer.Option("--seed", help="Chooses the row that is shown.")] = 0,
    as_json: Json = False,
) -> None:
    """Show which tokens would be trained, and what is wrong with that; status 3 when a check fails."""
    from curate import api

    network(False)
    api.sibling("tune")
    from tune import data
    from tune import masks as doctor

    rows = data.rows(file)
    found = doctor.examine(rows, _coder(tokenizer, rows), seed=seed)
    found["tokenizer"]["asked"] = tokenizer
    if as_json:
        print_json(found)
    else:
        _show_masks(stdout(), found)
    if not all(check["ok"] for check in found["checks"]):
        raise typer.Exit(GATE)


def _coder(name: str, rows: Any) -> Tokenizer:
    """Return a tokenizer by its name or path; `tiny` has one of its own, made from the rows."""
    from curate import tokenizer, weights
    from tune import tiny

    if name == tiny.NAME:
        with tempfile.TemporaryDirectory() as folder:
            tiny.write_tokenizer(Path(folder), tiny.texts(rows))
            return tokenizer.load(Path(folder))
    path = Path(name).expanduser()
    known = name == weights.SMOLLM2 or (path.exists() and not (path / tokenizer.TOKENIZER).exists() and path.is_dir())
    return tokenizer.load(weights.folder(name) if known else path)


def _show_masks(console: Console, found: Mapping[str, Any]) -> None:
    """Show the checks, the limits and one row."""
    about = found["tokenizer"]
    ends = f"ends a turn with {shown(about['marker'])}" if about["marker"] else "has no end-of-turn marker"
    console.print(f"[bold]{found['rows']:,} rows[/] by the tokenizer {shown(about['asked'])}, which {ends}\n")
    table = plain_table("", "check", "rows", "what it means", "first row")
    for one in found["checks"]:
        sign = "[green]✓[/]" if one["ok"] else "[bold red]✗[/]"
        bad = ("", "", "") if one["ok"] else (f"{one['rows']:,}", shown(one["means"]), shown(str(one["first"])[:12]))
        table.add_row(sign, one["check"], *bad)
    console.print(table)
    for one in found["causes"]:
        console.print(f"  [red]{one['rows']:,} rows:[/] {shown(one['cause'])}", soft_wrap=True)
    if found["tokens"]:
        figures = f"{found['tokens']:,} tokens, {found['trained_share']:.1%} of them trained"
        console.print(f"\n{figures}; the longest row has {found['longest']:,}")
    limits = plain_table("window", "rows that lose their end", "rows of which nothing is left to train on")
    for one in found["windows"]:
        left = f"{one['nothing_left']:,}"
        limits.add_row(f"{one['window']:,}", f"{one['cut']:,}", f"[red]{left}[/]" if one["nothing_left"] else left)
    console.print(limits)
    if found["example"]:
        _show_row(console, found["example"])


def _show_row(console: Console, example: Mapping[str, Any]) -> None:
    """Show one row token by token: what is trained on green, special tokens yellow, each second token underlined."""
    plain = console.no_color or not console.is_terminal
    key = "«trained», the rest is context" if plain else "[black on green] trained [/] [yellow]special[/], rest context"
    console.print(f"row {shown(example['id'])}: {key}\n")
    text = Text()
    number, within = 0, False
    for piece in [*example["pieces"], _NOTHING]:
        if plain and piece["trained"] != within:
            text.append("«" if piece["trained"] else "»")
        within = piece["trained"]
        style = STYLES[bool(piece["trained"]), bool(piece["special"])] if piece["token"] else "dim"
        number += bool(piece["token"])
        underlined = " underline" if number % 2 and piece["token"] else ""
        lines = piece["text"].split("\n")
        for place, line in enumerate(lines):
            text.append(visible(line), f"{style}{underlined}".strip())
            if place < len(lines) - 1:
                text.append("↵", "dim")
                text.append("\n")
    console.print(text, soft_wrap=True)
    if example["cut"]:
        console.print("[dim]… cut[/]")
