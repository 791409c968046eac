"""What a training was like for each of its rows: data-set cartography, from the losses that it computes anyway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from curate.rundir import write_frame
from tune.data import Example
from tune.layout import Learned

NAME = "dynamics.parquet"
# The place of an example, the mean loss of its trained tokens in nats, and the share of them that came first.
Seen = tuple[int, float, float]
_COPY = r"#\d+$"


def seen(places: Sequence[int], examples: Sequence[Example], learned: Learned) -> list[Seen]:
    """Return what a step saw of each of its examples, before it changed the weights.

    Args:
        places: where they stand among all examples.
        examples: those of the batch, in the order in which it was laid out.
        learned: what the batch taught.
    """
    counts = [int(one.trained.sum()) for one in examples]
    losses, firsts = learned.losses.split(counts), learned.first.float().split(counts)
    return [
        (place, float(loss.mean()), float(first.mean()))
        for place, loss, first in zip(places, losses, firsts, strict=True)
    ]


def write(folder: Path, found: Sequence[Seen], examples: Sequence[Example]) -> None:
    """Write the table; copies of a row count as more epochs of it."""
    write_frame(folder / NAME, table(found, examples))


def table(found: Sequence[Seen], examples: Sequence[Example]) -> pl.DataFrame:
    """Return a line for each row that was trained on, sorted by id (Swayamdipta et al. 2020).

    Of labels the paper takes the probability of the right one; of answers of several tokens it is here the geometric
    mean over the trained tokens, the end marker among them.

    Args:
        found: in the order of the steps.
        examples: all of the training.

    Returns:
        id; confidence: mean over the epochs of that probability, in [0, 1]; variability: its standard deviation, in
            [0, 0.5]; correctness: mean share of the tokens that the model ranked first, in [0, 1]; epochs (u32): how
            often the row was seen.
    """
    schema = {"place": pl.Int64, "loss": pl.Float64, "first": pl.Float64}
    names = pl.DataFrame({"id": [one.id for one in examples]}, schema={"id": pl.String}).with_row_index("place")
    told = pl.DataFrame(found, schema=schema, orient="row")
    whole = told.join(names.cast({"place": pl.Int64}), on="place", maintain_order="left")
    likely = whole.select(pl.col("id").str.replace(_COPY, ""), (-pl.col("loss")).exp().alias("likely"), "first")
    return (
        likely.group_by("id", maintain_order=True)
        .agg(
            confidence=pl.col("likely").mean(),
            variability=pl.col("likely").std(ddof=0),
            correctness=pl.col("first").mean(),
            epochs=pl.len().cast(pl.UInt32),
        )
        .sort("id")
    )
