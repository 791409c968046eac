"""Commands that go on from a run and a model: pairs of answers, right answers of a model's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, Quiet, network, print_json, progress, shown, stdout
from curate.errors import UserError

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE.jsonl", help="The file; a new one.")]
Kind = Annotated[list[str] | None, typer.Option("--kind", help="options, siblings or model; may be repeated.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most N records of each source.")]


def pairs(
    run: Run,
    out: Out,
    kind: Kind = None,
    model: Annotated[str | None, typer.Option("--model", help="With --kind model: who answers.")] = None,
    limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write pairs of a right and a wrong answer, as `curate tune` and TRL learn preferences from them."""
    from curate import api, lm

    network(False)
    api.sibling("tune")
    from tune import data
    from tune import pairs as made

    _require_new(out)
    if model is not None and "model" not in (kind or ()):
        raise UserError("--model", "goes with --kind model", "add it, or leave --model out")
    answering = None if model is None else lm.load(model, dtype="fp32")
    with progress(quiet or as_json) as update:
        found = made.pairs(run, kinds=kind or made.PLAIN, lm=answering, limit=limit, progress=update)
    data.write(found, out)
    kinds = dict(found.group_by("kind").len().sort("kind").iter_rows())
    told: dict[str, Any] = {"out": str(out), "pairs": found.height, "kinds": kinds}
    if as_json:
        print_json(told)
    elif not quiet:
        parts = ", ".join(f"{shown(name)} {count:,}" for name, count in kinds.items())
        stdout().print(f"[bold]{found.height:,} pairs[/]: {parts}", highlight=False)
        stdout().print(f"[dim]next[/]  curate tune {shown(out)}", soft_wrap=True)


def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="smollm2, or a model's or adapter's folder.")],
    run: Annotated[Path, typer.Option("--run", metavar="RUN", help="The run whose mix is asked.")],
    out: Out,
    tries: Annotated[int, typer.Option("--tries", min=1, help="Answers drawn for each row.")] = 4,
    temperature: Annotated[float, typer.Option("--temperature", min=0.01, help="Of the draw.")] = 0.7,
    limit: Limit = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a model's own answers and keep those that are checked to be right, as conversations to train on."""
    from curate import api, lm

    network(False)
    api.sibling("tune")
    from tune import data, evaluation, sampling
    from tune import pairs as made

    _require_new(out)
    items = evaluation.asked(made.taught(run), limit=limit)
    with progress(quiet or as_json) as update:
        found = sampling.sample(
            lm.load(model, dtype="fp32"), items, tries=tries, temperature=temperature, seed=seed, progress=update
        )
    data.write(found.rows, out)
    told = {"out": str(out), "rows": found.rows.height, "asked": found.asked, "drawn": found.drawn}
    told |= {"right": found.right, "solved": found.solved}
    if as_json:
        print_json(told)
    elif not quiet:
        stdout().print(
            f"[bold]{found.rows.height:,} answers[/] to {found.solved:,} of {found.asked:,} rows; of {found.drawn:,} "
            f"drawn {found.right:,} were right ({found.right / found.drawn:.1%})",
            highlight=False,
        )
        stdout().print(f"[dim]next[/]  curate tune {shown(out)}", soft_wrap=True)


def _require_new(out: Path) -> None:
    """Refuse to write over a file."""
    if out.exists():
        raise UserError(str(out), "exists already", "choose another --out, or remove it yourself")
