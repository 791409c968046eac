"""Find rows made of the same data as held-out rows, through whatever template."""

from __future__ import annotations

import polars as pl

from curate.kinship import COLUMNS, pieces


def shared(rows: pl.DataFrame, *, heldout: pl.DataFrame) -> pl.DataFrame:
    """Tell whether a row shares its record or a passage with a held-out row.

    The step `leak` looks for the whole of what an item asks; this one also finds other questions about the same text,
    which a held-out cluster of tasks must not share with the mix. Texts are compared word for word, without case and
    punctuation, and without the template.

    Args:
        rows: instruction rows.
        heldout: rows of the held-out sources.

    Signals:
        record (bool): all slots are those of a held-out row; null for a null content.
        passage (bool): a slot of 8 words or more (or such a line of instruction data) is one of a held-out row; null
            for a null content.
        match (str): lowest id of the held-out rows with the record, else with the passage; null without one.
    """
    items = pieces(heldout.select(COLUMNS)).group_by("kind", "key").agg(pl.col("id").min().alias("match"))
    hits = (
        pieces(rows.select(COLUMNS)).join(items, on=["kind", "key"]).group_by("id", "kind").agg(pl.col("match").min())
    )
    found = rows.select("id", "content")
    for kind in ("record", "passage"):
        told = hits.filter(pl.col("kind") == kind).select("id", pl.col("match").alias(kind))
        found = found.join(told, on="id", how="left", maintain_order="left")
    known = pl.col("content").is_not_null()
    return found.select(
        *(pl.when(known).then(pl.col(kind).is_not_null()).alias(kind) for kind in ("record", "passage")),
        match=pl.when(known).then(pl.coalesce("record", "passage")),
    )
