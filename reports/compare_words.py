"""The words that mark the prompts of one mix against the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from curate.text import words as split
from reports import shown
from reports.effects import log_odds
from reports.examples import span_tables
from reports.pair import SIDES, Pair, drawn
from reports.view import View

# Rows read per side: with 5,000 a word of one row in a hundred is counted 50 times, which is error enough to see.
SAMPLE = 5000
# Parts of an address are words of nobody else.
ADDRESSES = r"\S*@\S*"
# Characters of a prompt that are read: a few very long prompts would take the time of all others.
READ = 4000
# Words shown per side.
LISTED = 15
# A word that fewer rows of its side have may be a name: it is not shown.
FEW = 5
# Words the prior counts as, and at most which share of all that are read: few, so that it steadies rare words alone.
PRIOR, PRIOR_SHARE = 500.0, 0.1
# Below this z score a word may be more frequent by chance.
SCORE = 1.959964


def characteristic_words(pair: Pair) -> dict[str, Any]:
    """Return the words that each mix says more than the other, those told apart most surely first."""
    samples = [_sample(view) for view in pair.views]
    if not all(frame.height for frame, _ in samples):
        return {"skipped": "a mix has no row whose words may be shown"}
    counted = [_counted(frame) for frame, _ in samples]
    table = counted[0].join(counted[1], on="word", how="full", coalesce=True, suffix="_new").fill_null(0).sort("word")
    old, new = (table[name].cast(pl.Float64).to_numpy() for name in ("said", "said_new"))
    prior = min(PRIOR, PRIOR_SHARE * float(old.sum() + new.sum()))
    table = table.with_columns(score=log_odds(old, new, prior=prior))
    return {
        "method": (
            f"words of prompts drawn by chance, the first {READ:,} characters of each, without rows in which "
            f"personal data was located; log odds with an informative Dirichlet prior worth {prior:.0f} words "
            f"(Monroe and others 2008) in standard errors; shown from {SCORE:.2f} and where {FEW} rows of the side "
            "have the word"
        ),
        "of": {side: {"rows": frame.height, "of": mix} for side, (frame, mix) in zip(SIDES, samples, strict=True)},
        "old": _marked(table, -pl.col("score"), "rows"),
        "new": _marked(table, pl.col("score"), "rows_new"),
    }


def _sample(view: View) -> tuple[pl.DataFrame, int]:
    """Return prompts of the mix drawn by chance, none with located personal data, and the rows of the mix."""
    kept = view.base.filter("kept").select("id")
    tables = [table for name in span_tables(view) if (table := view.run.table(name)) is not None]
    located = [table["id"] for table in tables if "id" in table.columns]
    personal = pl.concat(located) if located else pl.Series(dtype=pl.String)
    ids = drawn(kept.filter(~pl.col("id").is_in(personal.implode())), view, "words")["id"].head(SAMPLE)
    rows = view.run.scan().filter(pl.col("id").is_in(ids.implode()))
    return rows.select("id", pl.col("prompt").str.slice(0, READ).str.replace_all(ADDRESSES, " ")).collect().sort(
        "id"
    ), kept.height


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    """Return how often each word is said and in how many rows; the loop runs over the sample alone."""
    found = [split(prompt) for prompt in frame["prompt"].fill_null("")]
    rows = np.repeat(np.arange(len(found)), [len(words) for words in found])
    table = pl.DataFrame({"word": pl.Series([word for words in found for word in words], dtype=pl.String), "row": rows})
    return table.group_by("word").agg(said=pl.len().cast(pl.Int64), rows=pl.col("row").n_unique().cast(pl.Int64))


def _marked(table: pl.DataFrame, score: pl.Expr, rows: str) -> list[dict[str, Any]]:
    """Return the words of one side; numbers alone are no words."""
    table = table.with_columns(score=score).filter(
        pl.col("score") >= SCORE, pl.col(rows) >= FEW, pl.col("word").str.contains(r"\p{L}")
    )
    table = table.sort("score", "word", descending=[True, False]).head(LISTED)
    listed = table.select("word", "score", "rows", "rows_new", "said", "said_new")
    return [
        {"word": shown.clipped(word, 40), "score": round(score, 2), "rows": [old, new], "said": [said, said_new]}
        for word, score, old, new, said, said_new in listed.iter_rows()
    ]
