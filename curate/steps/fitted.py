"""Score texts with a filter of your own, trained with `curate fit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate import schema, trained
from curate.doubts import Doubt


def fitted(
    rows: pl.DataFrame, *, folder: Path, vectors: Callable[[Sequence[str]], Any], column: str = "response"
) -> pl.DataFrame:
    """Score texts with a filter of your own, trained with `curate fit` on good and bad examples.

    Args:
        rows: instruction rows.
        folder: what `curate fit` wrote.
        vectors: texts to unit vectors.
        column: the text to judge; the response by default. Give what the filter was trained on.

    Signals:
        score (f64): how much the text is like the positive examples, in [0, 1]; of its first 4,000 characters; null
            where the text is null.
    """
    model = trained.load(folder)
    texts = schema.column_text(rows, column)
    scores = pl.Series(model.scores(texts.drop_nulls().to_list(), vectors), dtype=pl.Float64)
    places = pl.int_range(rows.height, eager=True).filter(texts.is_not_null())
    told = pl.DataFrame({"row": places, "score": scores})
    every = pl.int_range(rows.height, eager=True).to_frame("row")
    return every.join(told, on="row", how="left", maintain_order="left").select("score")


def reads(path: Path) -> list[Path]:
    """Return the files that a filter is made of."""
    return trained.files(path)


def identity(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says of the filter."""
    model = trained.load(arguments["folder"])
    return {"name": model.facts["name"], "digest": model.digest}


def doubt(arguments: Mapping[str, Any]) -> Doubt | None:
    """Tell up to which bound a rule may drop rows: where the precision asked for was reached in cross-validation."""
    folder: Path = arguments["folder"]
    facts = trained.load(folder).facts
    below, above = ((facts[side] or {}).get("at") for side in ("below", "above"))
    sides = [f"min up to {below:g}" if below is not None else "", f"max from {above:g} on" if above is not None else ""]
    reached = " or ".join(side for side in sides if side) or "no bound"
    text = (
        f"{folder.name} was right in {facts['precision']:.0%} of what it removes, in cross-validation, with {reached}"
    )
    return Doubt(text, signal="score", below=below, above=above)
