"""Find rows that give away a held-out item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import schema, shingles
from curate.errors import UserError, suggest
from curate.shingles import Ragged

# Pairs of an n-gram of a row and its place in a held-out item that are looked at together: about 100 MB.
_BLOCK = 1 << 21
_CANDIDATE = {"row": pl.Int64, "item": pl.Int64, "words": pl.Int64, "share": pl.Float64}
_Indices = npt.NDArray[np.int64]


def leak(
    rows: pl.DataFrame, *, heldout: pl.DataFrame, column: str = "content", n: int = 8, whole: int = 4
) -> pl.DataFrame:
    """Measure how much of the best-matching held-out item stands in each row.

    Of a held-out item the words are counted that lie in an n-gram which it shares with the row, over all its words;
    the single item with the largest share counts (the rule of Tulu 3, Lambert et al. 2024, which flags above 0.5). The
    share is of the item and not of the row, because an item is given away whatever else stands beside it. Words are
    compared without case and punctuation.

    Args:
        rows: instruction rows.
        heldout: rows of the held-out sources.
        column: the text compared on both sides; the content by default, from which the template is subtracted, so that
            another template hides nothing.
        n: words in an n-gram. 8 as in Tulu 3: of 1,319 GSM8K test questions 70 % share a 5-gram with some training
            question, 6 % an 8-gram and 0.2 % a 13-gram.
        whole: an item shorter than n words must stand in the row as a whole; one shorter than this must be all of the
            row. 4, because shorter phrases ("yes", "new york") stand in many innocent rows.

    Signals:
        overlap (f64): share of the best item's words, in [0, 1]; 0 without held-out items; null where the text is null.
        match (str): id of that item, ties the one with more matched words, then the lowest id; null where overlap is 0.
        words (u32): how many of the item's words matched; null where the text is null.
    """
    if column not in schema.TEXT_COLUMNS:
        raise UserError("leak", f"column = '{column}' is not in held-out rows", suggest(column, schema.TEXT_COLUMNS))
    if n < 1:
        raise UserError("leak", f"n = {n} is not positive", "8 is the default")
    if whole < 0:
        raise UserError("leak", f"whole = {whole} is negative", "4 is the default")
    texts = schema.column_text(rows, column)
    items = _items(heldout, column)
    distinct = texts.drop_nulls().unique(maintain_order=True)  # renderings of one record share their content
    candidates = _candidates(distinct.to_list(), items["text"].to_list(), n=n, whole=whole)
    best = _best(candidates)
    best = best.select("row", "share", "words", match=items["id"].gather(best["item"]))
    numbered = pl.DataFrame({"text": distinct}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    found = numbered.join(best, on="row", how="left").drop("row")
    joined = pl.DataFrame({"text": texts}).join(found, on="text", how="left", maintain_order="left")
    known = pl.col("text").is_not_null()
    return joined.select(
        overlap=pl.when(known).then(pl.col("share").fill_null(0.0)),
        match="match",
        words=pl.when(known).then(pl.col("words").fill_null(0)).cast(pl.UInt32),
    )


@dataclass(frozen=True)
class _Index:
    """Where each n-gram stands in the held-out items.

    Args:
        grams: (g,) distinct hashes, ascending.
        offsets: (g + 1,) gram i has `items[offsets[i]:offsets[i + 1]]` and `places` likewise.
        items: item of each occurrence.
        places: number of the occurrence's first word in its item.
    """

    grams: npt.NDArray[np.uint64]
    offsets: _Indices
    items: _Indices
    places: _Indices


def _items(heldout: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return each distinct held-out text with its lowest id, sorted by id."""
    found = pl.DataFrame({"id": heldout["id"], "text": schema.column_text(heldout, column)}).drop_nulls()
    return found.sort("id").unique("text", keep="first", maintain_order=True)


def _candidates(texts: list[str], items: list[str], *, n: int, whole: int) -> pl.DataFrame:
    """Return row, item, matched words and their share of the item for everything that matches."""
    rows, held = shingles.word_hashes(texts), shingles.word_hashes(items)
    if not len(held.values):
        return pl.DataFrame(schema=_CANDIDATE)
    runs = shingles.windows(held, n=n)
    nothing = np.zeros(0, dtype=np.int64)
    found = [
        (nothing, nothing, nothing),
        *_short(rows, held, runs, n=n, whole=whole),
        *_long(rows, _index(held, runs, n), n),
    ]
    row, item, words = (np.concatenate([part[place] for part in found]) for place in range(3))
    return pl.DataFrame({"row": row, "item": item, "words": words, "share": words / held.counts_of(item)})


def _best(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the best candidate of each row."""
    ranked = candidates.sort("row", "share", "words", "item", descending=[False, True, True, False])
    return ranked.unique("row", keep="first", maintain_order=True)


def _index(held: Ragged, runs: Ragged, n: int) -> _Index:
    """Index the n-grams of items with at least n words."""
    long = held.counts >= n
    items = np.repeat(np.arange(len(long)), runs.counts)
    places = np.arange(len(runs.values)) - runs.offsets[items]
    chosen = np.flatnonzero(long[items])
    order = chosen[np.argsort(runs.values[chosen], kind="stable")]
    grams, counts = np.unique(runs.values[order], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _Index(grams, offsets, items[order], places[order])


def _short(
    rows: Ragged, held: Ragged, runs: Ragged, *, n: int, whole: int
) -> Iterator[tuple[_Indices, _Indices, _Indices]]:
    """Give row, item and matched words for items shorter than n words: they match whole or not at all."""
    for width in range(1, n):
        items = np.flatnonzero(held.counts == width)
        if not len(items):
            continue
        # Items differing in punctuation alone have one hash: the first, of lowest id, speaks for them.
        hashes, first = np.unique(runs.values[runs.offsets[items]], return_index=True)
        parts = shingles.windows(rows, n=width)
        owner = np.repeat(np.arange(len(rows.offsets) - 1), parts.counts)
        place = np.minimum(np.searchsorted(hashes, parts.values), len(hashes) - 1)
        hit = hashes[place] == parts.values
        if width < whole:
            hit &= rows.counts[owner] == width
        yield owner[hit], items[first[place[hit]]], np.full(int(hit.sum()), width)


def _long(rows: Ragged, index: _Index, n: int) -> Iterator[tuple[_Indices, _Indices, _Indices]]:
    """Give row, item and covered words for items of at least n words, some rows at a time."""
    if not len(index.grams):
        return
    parts = shingles.windows(rows, n=n)
    owner = np.repeat(np.arange(len(rows.offsets) - 1), parts.counts)
    place = np.minimum(np.searchsorted(index.grams, parts.values), len(index.grams) - 1)
    hit = index.grams[place] == parts.values
    # One number per pair sorts far faster than two columns; a row may repeat an n-gram.
    pairs = np.sort(owner[hit] * len(index.grams) + place[hit])
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    row, gram = np.divmod(pairs, len(index.grams))
    counts = np.diff(index.offsets)[gram]
    block = np.cumsum(counts) // _BLOCK
    start = 0
    while start < len(row):
        # Up to the end of the row in which the block ends: a row is never cut.
        last = row[np.searchsorted(block, block[start], side="right") - 1]
        stop = int(np.searchsorted(row, last, side="right"))
        occurrences = shingles.spans(index.offsets[gram[start:stop]], counts[start:stop])
        owners = np.repeat(row[start:stop], counts[start:stop])
        yield _covered(owners, index.items[occurrences], index.places[occurrences], n)
        start = stop


def _covered(row: _Indices, item: _Indices, place: _Indices, n: int) -> tuple[_Indices, _Indices, _Indices]:
    """Return for each pair of row and item how many of the item's words lie in a shared n-gram."""
    # As one number again; rows x items x words of an item stay far below 2**63.
    items, places = int(item.max()) + 1, int(place.max()) + 1
    pair, place = np.divmod(np.sort((row * items + item) * places + place), places)
    new = np.append(True, pair[1:] != pair[:-1])
    # An n-gram adds its n words up to the next n-gram of the same pair.
    width = np.full(len(pair), n, dtype=np.int64)
    width[:-1] = np.where(new[1:], n, np.minimum(place[1:] - place[:-1], n))
    starts = np.flatnonzero(new)
    row, item = np.divmod(pair[starts], items)
    return row, item, np.add.reduceat(width, starts)
