"""Find exact copies: texts equal but for case, Unicode form and blanks."""

from __future__ import annotations

import numpy as np
import polars as pl

from curate import schema, stars, text


def state(rows: pl.DataFrame, *, on: str | list[str] = "content", punctuation: bool = True) -> pl.DataFrame:
    """Hash the normalised text.

    Args:
        rows: instruction rows.
        on: what is compared. "content" (the default, as templates would make different records look alike and equal
            ones different) compares records; "prompt", "response" or "rendered" compare rows; a list requires all.
        punctuation: whether punctuation counts. It does by default, because "2 + 2" and "2 - 2" differ in it alone.

    Returns:
        key: BLAKE2b-128 hex of the normalised texts; null where one is null; length (u32, characters of the normalised
        texts, which differ in punctuation at most) and turns (u32).
    """
    texts = [schema.column_text(rows, column).to_list() for column in stars.columns(on)]
    keys: list[str | None] = []
    lengths = []
    for values in zip(*texts, strict=True):
        known = [value for value in values if value is not None]
        normal = [text.normalise(value) for value in known]
        forms = normal if punctuation else [" ".join(text.words(value)) or text.normalise(value) for value in known]
        keys.append(schema.digest(*forms) if len(forms) == len(values) else None)
        lengths.append(sum(map(len, normal)))
    merits = stars.merits(rows, pl.Series(lengths, dtype=pl.UInt32))
    return pl.DataFrame({"key": pl.Series(keys, dtype=pl.String)}).hstack(merits)


def decide(
    state: pl.DataFrame, *, on: str | list[str] = "content", prefer: str | list[str] = "longest"
) -> pl.DataFrame:
    """Keep one copy, by policy. Blank texts are copies of each other.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        on: as for the state.
        prefer: who stays: "longest" (the default; more characters, which only punctuation can be), "turns" (more
            turns), "source=NAME" (rows of that source), or a numeric signal of an earlier stage (more of it); the
            contrary with a minus before. In a list the next decides where the first ties; in the end the lowest id.

    Signals:
        cluster (str): id of the copy that stays, its own for one that stays; null where the text is null.
        rank (u32): 0 = stays, then 1, 2, … in the order of preference; all rows of a record share it; null where the
            text is null.
        keeper (str): id of the copy that stays; null for a row that stays.
        similarity (f64): 1 for a row with a keeper; null for a row that stays.
    """
    found = stars.units(state, on=on)
    order = stars.order(state, found=found, prefer=prefer)
    compared = pl.DataFrame({"unit": order, "key": state["key"].gather(found.first)[order]})
    keeper = pl.when(pl.col("key").is_null()).then(stars.UNKNOWN).otherwise(pl.col("unit").first().over("key"))
    kept = np.empty(len(order), dtype=np.int64)
    kept[order] = compared.select(keeper.cast(pl.Int64).alias("keeper"))["keeper"].to_numpy()
    return stars.signals(stars.Stars(kept, np.ones(len(order))), found=found, ids=state["id"], order=order)
