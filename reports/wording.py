"""How varied the words are, over equally many words before and after."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.text import UNSPACED
from reports import shown
from reports.view import View

# Rows whose words are counted, drawn by chance: half a million words or so, on which the shares are steady.
ROWS = 5000
# Words compared at most.
WORDS = 200_000
# Characters of a text that are read: a few book-length answers would otherwise be all the words there are.
CUT = 2000
# A word; in scripts without blanks each character is one.
_WORD = rf"[{UNSPACED}]|[\w--[{UNSPACED}]]+"
COLUMNS = ("prompt", "response")


def wording(view: View, drawn: pl.DataFrame) -> dict[str, Any]:
    """Return distinct-1 and distinct-2 of prompts and responses, of all rows and of the kept ones.

    Args:
        view: the run.
        drawn: `kept` and the columns of some rows in an order by chance.
    """
    kept = drawn.filter("kept").head(ROWS)
    every = drawn.head(ROWS)
    return {
        "method": (
            "distinct-n is the number of different sequences of n words ÷ the number of all such sequences (Li et al., "
            "2016), in lower case, within rows; it falls the more text is counted, so as many words are taken of all "
            f"rows as of the kept ones, from {shown.count(every.height)} of {shown.count(view.base.height)} rows and "
            f"{shown.count(kept.height)} of {shown.count(int(view.base['kept'].sum()))} kept rows drawn by chance, the "
            f"first {shown.count(CUT)} characters of each"
        ),
        "texts": [_text(name, every, kept) for name in COLUMNS],
    }


def _text(name: str, every: pl.DataFrame, kept: pl.DataFrame) -> dict[str, Any]:
    """Return the measures of one column."""
    words = [_words(rows[name]) for rows in (every, kept)]
    count = min(WORDS, *(part.height for part in words))
    words = [part.head(count) for part in words]
    pairs = [_pairs(part) for part in words]
    measures = []
    for n, (before, after) in ((1, words), (2, pairs)):
        size = min(before.height, after.height)
        values = [_distinct(part.head(size)) if size else None for part in (before, after)]
        measures.append({"n": n, "counted": size, "all": values[0], "kept": values[1]})
    return {"name": name, "words": count, "measures": measures}


def _words(texts: pl.Series) -> pl.DataFrame:
    """Return the words of all texts in order, each with the number of its row."""
    found = texts.str.slice(0, CUT).str.to_lowercase().str.extract_all(_WORD).alias("word")
    return found.to_frame().with_row_index("row").explode("word").drop_nulls("word")


def _pairs(words: pl.DataFrame) -> pl.DataFrame:
    """Return each two words that follow each other within a row."""
    after = pl.col("word").shift(-1).over("row")
    return words.select("word", after=after).drop_nulls()


def pairs_of(texts: pl.Series) -> list[frozenset[tuple[str, str]]]:
    """Return the different pairs of words that follow each other in each text."""
    found = _words(texts).with_columns(after=pl.col("word").shift(-1).over("row")).drop_nulls()
    told: list[set[tuple[str, str]]] = [set() for _ in texts]
    for row, word, after in found.iter_rows():
        told[row].add((word, after))
    return [frozenset(one) for one in told]


def _distinct(items: pl.DataFrame) -> float:
    """Return the share of different items."""
    columns = [name for name in items.columns if name != "row"]
    return round(items.select(columns).n_unique() / items.height, 6)
