"""The command that trains a quality filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.shared import Json, Quiet, network, print_json, progress, shown, stdout
from curate.errors import UserError

FilterName = Annotated[str, typer.Argument(metavar="NAME", help="What the filter is called.", show_default=False)]
Positive = Annotated[Path, typer.Option("--positive", metavar="FILE", help="Good texts, in any readable file.")]
Negative = Annotated[Path, typer.Option("--negative", metavar="FILE", help="Bad texts.")]
Folder = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Its folder.", show_default="NAME")]
Column = Annotated[
    str | None, typer.Option("--column", help="Where the text is.", show_default="text, response, … as found")
]
Precision = Annotated[
    float, typer.Option("--precision", min=0.5, max=0.999, help="Share of right removals that lets a rule drop.")
]
Share = Annotated[
    float, typer.Option("--negatives", min=0.001, max=0.999, help="Share of bad texts in the data to be judged.")
]
Model = Annotated[str | None, typer.Option("--embedding", metavar="MODEL", help="Another local encoder.")]


def fit(
    name: FilterName,
    positive: Positive,
    negative: Negative,
    out: Folder = None,
    column: Column = None,
    precision: Precision = 0.9,
    negatives: Share = 0.5,
    embedding: Model = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a quality filter on good and bad texts, for the step `fitted`; judged by cross-validation."""
    from curate import embed, filtercard, fit, folders, rundir, trained
    from curate.engine import CACHE

    network(False)
    target = out if out is not None else Path(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(str(target), "is not empty", "name a new folder: --out")
    known = fit.examples(positive, negative, column=column)
    encoder = embed.load(embedding or embed.DEFAULT)
    store = target.resolve().parent / CACHE / "embeddings"
    with progress(quiet or as_json) as update:

        def encode(texts: Sequence[str]) -> Any:
            return encoder.encode(texts, cache=store, progress=lambda done, total: update("embedding", done, total))

        found = fit.fit(known, name=name, encoder=encoder.model, encode=encode, precision=precision, share=negatives)
    folders.make(target)
    sha = trained.save(target, found)
    rundir.write_text(target / "README.md", filtercard.card(found.facts, sha=sha, folder=str(target)))
    if as_json:
        print_json({"folder": str(target), "digest": sha, **found.facts})
    else:
        _show(target, found.facts)


def _show(target: Path, facts: Mapping[str, Any]) -> None:
    out, (area, low, high) = stdout(), facts["auroc"]
    sides = [facts["trained"][side]["distinct"] for side in ("positive", "negative")]
    both = facts["trained"]["in_both"]
    left = f", of which {both:,} are in both files and left out" if both else ""
    out.print(f"trained on {sides[0]:,} positive and {sides[1]:,} negative texts{left}")
    out.print(f"out of fold: area under the ROC curve {area:.3f} ({low:.3f} to {high:.3f})")
    for side, rule in (("below", "min"), ("above", "max")):
        cut = facts[side]
        if cut is None:
            out.print(f"[yellow]{rule}[/]: no bound was shown to be right in {facts['precision']:.0%}: rules only flag")
        else:
            up_to = "up to" if rule == "min" else "from"
            told = f"{cut['right']:,} right, {cut['wrong']:,} wrong, finds {cut['recall'][0]:.0%}"
            out.print(f"{rule} {up_to} {cut['at']:g} may drop: {told}")
    out.print(f"wrote {shown(target)}/ with its card, README.md", soft_wrap=True)
