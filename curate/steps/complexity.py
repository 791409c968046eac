"""Measure how demanding a request is, by figures that do not grow with its length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
import polars as pl

from curate import languages, rulebook, schema, shingles, text
from curate.rulebook import Pattern

RULES = {"patterns": ("patterns/constraints",)}
# Words and characters of a text that are read: a request is at the beginning, and a book is no request.
WORDS, CUT = 500, 4000
# Words below which a mean says little.
FEWEST = 3
# What parts clauses in a sentence: brackets and marks of any script.
_CLAUSE = r"[,;:—–(\[{،؛、，；：（]"


def state(rows: pl.DataFrame, *, column: str = "prompt") -> pl.DataFrame:
    """Count constraints and clauses, and hash the words.

    Args:
        rows: instruction rows.
        column: the text to measure; the prompt by default, as the request makes a task hard.

    Returns:
        depth and constraints as below; words (list of u64): their hashes; null where the text is null.
    """
    patterns = rulebook.patterns("constraints")
    values = schema.column_text(rows, column).str.slice(0, CUT)
    found = shingles.word_hashes(values.to_list())
    ends = np.asarray(found.offsets)
    parts = [found.values[low : min(high, low + WORDS)].tolist() for low, high in pairwise(ends.tolist())]
    counted = pl.Series([_constraints(value, patterns) for value in values], dtype=pl.UInt32)
    none = pl.DataFrame({"counted": counted, "foreign": languages.foreign(rows, values)})
    unknown = pl.col("foreign") & (pl.col("counted") == 0)
    return pl.DataFrame(
        {
            "depth": pl.Series([_depth(value) for value in values], dtype=pl.Float64),
            "constraints": none.select(pl.when(~unknown).then("counted")).to_series(),
            "words": pl.Series(parts, dtype=pl.List(pl.UInt64)).set(values.is_null(), None),
        }
    )


def decide(state: pl.DataFrame) -> pl.DataFrame:
    """Tell how rare the words are among the rows alive; pass depth and constraints on.

    Proxies, where DEITA and InsTag ask a large model. None is a sum over the text, so that a request does not become
    complex by being long.

    Args:
        state: what `state` returned for all living rows, sorted by id.

    Signals:
        rarity (f64): mean of log(n / rows with the word) over the words, divided by log n, in [0, 1]: 0 where
            all rows have all its words, 1 where no other row has any; null below three words or two rows.
        depth (f64): clauses a sentence, mean: 1 + commas, semicolons, colons, dashes and opening brackets; null where
            there is no sentence.
        constraints (u32): kinds of constraints that the text states (length, form, ban, demand, audience, role, choice,
            condition), 0 to 8; English; null where the text is null or in another language and none was found.
    """
    words = state.select("words").with_row_index("row").explode("words").drop_nulls("words")
    known = int(state["words"].is_not_null().sum())
    frequency = words.group_by("words").agg(pl.col("row").n_unique().alias("rows"))
    told = words.join(frequency, on="words", how="left")
    scale = math.log(known) if known > 1 else 1.0
    told = told.with_columns(rare=(pl.lit(float(max(known, 1))) / pl.col("rows")).log() / scale)
    means = told.sort("row", "words").group_by("row", maintain_order=True).agg(pl.len(), pl.col("rare").mean().round(9))
    enough = (pl.col("len") >= FEWEST) & pl.lit(known > 1)
    means = means.select("row", rarity=pl.when(enough).then(pl.col("rare").clip(0, 1)))
    joined = state.with_row_index("row").join(means, on="row", how="left", maintain_order="left")
    return joined.select(pl.col("rarity").cast(pl.Float64), "depth", "constraints")


def _constraints(value: str | None, patterns: Sequence[Pattern]) -> int | None:
    """Return how many kinds of constraints a text states."""
    if value is None:
        return None
    plain = " ".join(value.split())
    return len({pattern.kind for pattern in patterns if pattern.regex.search(plain)})


def _depth(value: str | None) -> float | None:
    """Return the mean number of clauses of a sentence."""
    found = pl.Series(text.sentences(value) if value else [], dtype=pl.String)
    counts = found.str.count_matches(_CLAUSE).to_list()
    return round(fmean(1 + count for count in counts), 6) if counts else None
