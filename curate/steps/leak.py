"""Find rows that give away a held-out item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import heldout as held
from curate import schema, shingles, text
from curate.errors import UserError, suggest
from curate.heldout import Items
from curate.schema import Measured

# Texts looked at together, and room for what is found in them to begin with: a few MB each.
_PART, _ROOM = 4096, 1 << 16
# Words of the runs by which edited copies are found, and least words of a piece that takes them: pairs of words tell
# short questions apart, and of a long text too many stand in any other.
_RUNS = ((1, 1), (2, 2), (3, 24))
# Least overlap that is reported: texts on one subject share turns of phrase.
LEAST = 0.25
# Items given away by one row from which on it is what they share that stands there: five questions on one passage.
COMMON = 5
_HIT = ("row", "piece", "covered", "aligned", "begin", "end")
_SIGNALS = pl.Schema(
    {
        "overlap": pl.Float64(),
        "match": pl.String(),
        "words": pl.UInt32(),
        "answer": pl.Boolean(),
        "common": pl.Boolean(),
    }
)
_Numbers = npt.NDArray[np.int64]


def reads(path: Path) -> list[Path]:
    """Return the files that `references` means."""
    return held.reference_files(path)


def leak(
    rows: pl.DataFrame,
    *,
    heldout: pl.DataFrame,
    column: str = "content",
    n: int = 8,
    edited: float = 0.3,
    whole: int = 4,
    references: Path | None = None,
) -> Measured:
    """Measure how much of the best-matching held-out item stands in each row.

    An item is what asks for its answer: its question, or the premise and the hypothesis, or the document. Without its
    template, its choices and its answer it is found all the same; a question of fewer than 8 words about a passage only
    with the passage, and a long answer that is not taken from the passage also by itself. An item of several texts has
    the overlap of the least.

    The overlap is the larger of two. One is the share of the item's words in runs of n words that the row has too (Tulu
    3, Lambert et al. 2024, which flags above 0.5; GPT-3, Brown et al. 2020, flags any of 13). The other finds edited
    copies, in which few such runs are left: it is 1 less the share of the item's words that are missing, in their
    order, from one place of the row, weighed so that 0.5 are left where `edited` are missing. Words are compared
    without case and punctuation. Of planted copies of items of 6 to 9 words, most with one word in ten edited, both
    find 99 %, runs of 8 words alone 74 %.

    Args:
        rows: instruction rows.
        heldout: rows of the held-out sources.
        column: the text compared on both sides; the content by default, from which the template is subtracted.
        n: words in a run. 8 as in Tulu 3: of 1,319 GSM8K test questions 70 % share a 5-gram with some training
            question, 6 % an 8-gram and 0.2 % a 13-gram.
        edited: share of an item's words that may be missing in a copy, for an overlap of 0.5. 0.3 finds 99 % of items
            with one word in ten substituted, left out, put in or moved, 0.25 some 96 %; with either one in five pairs
            of near questions that ask something else (QQP, MRPC) is taken for a copy.
        whole: an item with fewer words must be all of the row, word for word. 4, because shorter phrases ("yes", "new
            york") stand in many innocent rows.
        references: more items: a .jsonl or .txt file or a folder of them, an item per line, matched by all texts of the
            line or any of 8 words; they are called file:line.

    Signals:
        overlap (f64): of the best item, in [0, 1]; 0 without held-out items and below 0.25; null for a null text.
        match (str): id of that item, ties the one with more matched words, then the lowest id; null where overlap is 0.
        words (u32): how many of the item's words were found; null where the text is null.
        answer (bool): whether the item's answer stands in the response, or in the prompt where the response asks the
            question; null where overlap is 0 or the answer is not known.
        common (bool): whether half of 5 items or more stands in the row, so that the text is one that items share;
            null where overlap is 0.

    Tables:
        spans: id, item, overlap, begin, end, text: where the item stands, first and one past the last word of the text
            compared; the text of an item of `references`.
    """
    _check(column, n=n, whole=whole, edited=edited)
    texts = schema.column_text(rows, column)
    items = held.items(heldout, column=column, whole=whole, references=references)
    distinct = texts.drop_nulls().unique(maintain_order=True)  # renderings of one record share their content
    found = pl.DataFrame({"text": distinct}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    found = found.join(_best(distinct.to_list(), items, n=n, edited=edited), on="row", how="left").drop("row")
    joined = pl.DataFrame({"text": texts}).join(found, on="text", how="left", maintain_order="left")
    known = pl.col("text").is_not_null()
    signals = joined.select(
        overlap=pl.when(known).then(pl.col("share").fill_null(0.0)),
        match=pl.Series(items.ids, dtype=pl.String).gather(joined["item"]),
        words=pl.when(known).then(pl.col("words").fill_null(0)),
        answer=_answered(rows, joined["item"], items),
        common=pl.col("items") >= COMMON,
    )
    return Measured(signals.cast(_SIGNALS), {"spans": _spans(rows, joined, items)})


def _check(column: str, *, n: int, whole: int, edited: float) -> None:
    """Refuse values that mean nothing."""
    if column not in schema.TEXT_COLUMNS:
        raise UserError("leak", f"column = '{column}' is not in held-out rows", suggest(column, schema.TEXT_COLUMNS))
    if n < 1:
        raise UserError("leak", f"n = {n} is not positive", "8 is the default")
    if whole < 0:
        raise UserError("leak", f"whole = {whole} is negative", "4 is the default")
    if not 0 < edited < 1:
        raise UserError("leak", f"edited = {edited} is not between 0 and 1", "0.3 is the default")


@dataclass(frozen=True)
class _Texts:
    """The words of some texts as numbers, -1 for a word that no piece has, and where each text begins."""

    words: _Numbers
    offsets: _Numbers

    @property
    def sizes(self) -> _Numbers:
        return np.diff(self.offsets)


def _numbered(texts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> _Texts:
    """Return the words of texts as numbers."""
    values: list[int] = []
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    number = vocabulary.get
    for place, words in enumerate(texts):
        values.extend([number(word, -1) for word in words])
        offsets[place + 1] = len(values)
    return _Texts(np.array(values, dtype=np.int64), offsets)


def _best(texts: list[str], items: Items, *, n: int, edited: float) -> pl.DataFrame:
    """Return the best item of each text that gives one away, and how many it gives half of."""
    vocabulary: dict[str, int] = {}
    for words in items.pieces:
        for word in words:
            vocabulary.setdefault(word, len(vocabulary))
    pieces = _numbered(items.pieces, vocabulary)
    given = _numbered([text.words(one) for one in texts], vocabulary)
    sizes = pieces.sizes
    size = pl.col("size")
    long = _hits(given, pieces, np.flatnonzero(sizes >= n), n=n, align=False)
    found = [long.with_columns(share=pl.col("covered") / size)]
    for place, (width, least) in enumerate(_RUNS):
        longest = _RUNS[place + 1][1] if place + 1 < len(_RUNS) else np.inf
        near = _hits(given, pieces, np.flatnonzero((sizes >= least) & (sizes < longest)), n=width, align=True)
        found.append(near.with_columns(share=1 - (size - pl.col("aligned")) / size / (2 * edited)))
    hits = pl.concat(found).filter(pl.col("share") >= LEAST)
    hits = hits.sort("row", "piece", "share", descending=[False, False, True])
    return _ranked(hits.unique(["row", "piece"], keep="first", maintain_order=True), items.ways, pieces, given)


def _hits(given: _Texts, pieces: _Texts, chosen: _Numbers, *, n: int, align: bool) -> pl.DataFrame:
    """Return which of the chosen pieces share runs of n words with the texts, and how many words."""
    from curate import covers

    counts = pieces.sizes[chosen]
    words = pieces.words[shingles.spans(pieces.offsets[chosen], counts)]
    own = _Texts(words, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    keys = covers.keys(own.words, own.offsets, n)
    distinct = np.unique(keys[keys > 0])
    table = covers.tabled(distinct)
    index = _index(own, covers.numbered(keys, *table), grams=len(distinct))
    grams = covers.numbered(covers.keys(given.words, given.offsets, n), *table)
    size, start, room = len(given.sizes) if len(chosen) else 0, 0, _ROOM
    parts = [np.zeros((len(_HIT), 0), dtype=np.int64)]
    while start < size:
        out: Any = np.empty((len(_HIT), room), dtype=np.int64)
        part = (start, min(size, start + _PART))
        reached, used = covers.found((given.words, grams, given.offsets), (n, align), index, part, tuple(out))
        parts.append(out[:, :used].copy())
        # A single text with more hits than there is room for is looked at again with twice the room.
        room = room if reached > start else 2 * room
        start = reached
    hits = np.concatenate(parts, axis=1)
    frame = pl.DataFrame(dict(zip(_HIT, hits, strict=True)))
    return frame.with_columns(piece=pl.Series(chosen[hits[1]]), size=pl.Series(counts[hits[1]]))


def _index(own: _Texts, mine: npt.NDArray[np.int32], *, grams: int) -> tuple[Any, ...]:
    """Return the pieces by the rarer half of their grams: whoever shares most of a piece shares some of these."""
    owner = np.repeat(np.arange(len(own.sizes)), own.sizes)
    known = pl.DataFrame({"piece": owner, "gram": mine}).filter(pl.col("gram") >= 0).unique()
    ranked = known.with_columns(often=pl.len().over("gram")).sort("piece", "often", "gram")
    ranked = ranked.with_columns(at=pl.int_range(pl.len()).over("piece"), many=pl.len().over("piece"))
    rare = ranked.filter(pl.col("at") <= (pl.col("many") + 1) // 2)
    # After edits to one word in ten six in ten grams are left; a quarter leaves room for the luck of the draw.
    need = np.maximum(1, np.bincount(rare["piece"].to_numpy(), minlength=len(own.sizes)) // 4).astype(np.int32)
    posted = rare.sort("gram", "piece")
    starts = np.concatenate([[0], np.cumsum(np.bincount(posted["gram"].to_numpy(), minlength=grams))]).astype(np.int64)
    return starts, posted["piece"].to_numpy().astype(np.int32), need, own.offsets, own.words, mine


def _ranked(hits: pl.DataFrame, ways: pl.DataFrame, pieces: _Texts, given: _Texts) -> pl.DataFrame:
    """Return the best item of each text: the least share of a way's pieces is the way's, the best way's the item's."""
    sizes = pl.DataFrame({"piece": np.arange(len(pieces.sizes)), "size": pieces.sizes})
    lengths = pl.DataFrame({"row": np.arange(len(given.sizes)), "length": given.sizes})
    ways = ways.join(sizes, on="piece", maintain_order="left").with_columns(
        longest=pl.col("size").rank("ordinal", descending=True).over("way") == 1,
        pieces=pl.len().over("way"),
        total=pl.col("size").sum().over("way"),
    )
    # Through the longest piece of each way, as a short one ("yes") is in many.
    met = hits.select("row", "piece").join(ways.filter("longest").select("way", "piece"), on="piece")
    every = met.select("row", "way").join(ways.drop("size"), on="way").join(hits, on=["row", "piece"])
    found = every.group_by("row", "way").agg(
        pl.col("item", "pieces", "total", "entire").first(),
        pl.col("share", "begin").min(),
        pl.col("end").max(),
        words=pl.max_horizontal("covered", "aligned").sum(),
        found=pl.len(),
    )
    alone = (pl.col("share") == 1) & (pl.col("length") == pl.col("total"))
    found = found.join(lengths, on="row").filter(pl.col("found") == pl.col("pieces"), ~pl.col("entire") | alone)
    best = found.sort("row", "share", "words", "item", "way", descending=[False, True, True, False, False])
    best = best.with_columns(items=pl.col("item").filter(pl.col("share") >= held.HALF).n_unique().over("row"))
    best = best.unique("row", keep="first", maintain_order=True)
    return best.select("row", "share", "words", "item", "items", "begin", "end")


def _answered(rows: pl.DataFrame, matched: pl.Series, items: Items) -> pl.Series:
    """Tell whether the answer of the matched item stands in the response, or in the prompt of an inverted row."""
    known = matched.is_not_null().arg_true()
    found: list[bool | None] = [None] * rows.height
    given = rows[known].select("prompt", "response").iter_rows() if len(known) else ()
    for row, item, (prompt, response) in zip(known.to_list(), matched.gather(known).to_list(), given, strict=True):
        if (answer := text.words(items.answers[item])) and response is not None:
            said = text.words(response)
            inverted = (
                held.share(items.asked[item], said) >= held.HALF
                and held.share(answer, text.words(prompt or "")) >= held.HALF
            )
            found[row] = held.share(answer, said) >= held.HALF or inverted
    return pl.Series(found, dtype=pl.Boolean)


def _spans(rows: pl.DataFrame, joined: pl.DataFrame, items: Items) -> pl.DataFrame:
    """Return where the items stand in the rows."""
    texts = pl.Series(
        [items.texts[at] if at in items.references else None for at in range(len(items.ids))], dtype=pl.String
    )
    named = joined.select(
        id=rows["id"],
        item=pl.Series(items.ids, dtype=pl.String).gather(joined["item"]),
        overlap=pl.col("share"),
        begin=pl.col("begin").cast(pl.UInt32),
        end=pl.col("end").cast(pl.UInt32),
        text=texts.gather(joined["item"]),
    )
    return named.drop_nulls("item")
