"""Find rows that give away a held-out item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from curate import heldout as held
from curate import schema, shingles, text
from curate.errors import UserError, suggest
from curate.heldout import Items
from curate.pieces import UNKNOWN, Texts, hits_of, numbered, numbers
from curate.schema import Measured

# Words of the runs by which edited copies are found, and least words of a piece that takes them: pairs of words tell
# short questions apart, and of a long text too many stand in any other.
_RUNS = ((1, 1), (2, 2), (3, 24))
# Least overlap that is reported: texts on one subject share turns of phrase.
LEAST = 0.25
# Items given away by one row from which on it is what they share that stands there: five questions on one passage.
COMMON = 5
_AROUND = {"piece": pl.Int64, "passage": pl.Int64}
_SIGNALS = pl.Schema(
    {
        "overlap": pl.Float64(),
        "match": pl.String(),
        "words": pl.UInt32(),
        "answer": pl.Boolean(),
        "common": pl.Boolean(),
    }
)


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
    copies, in which few such runs are left: it is 1 less the share of the item that is missing, in its order, from one
    place of the row, where a word weighs its letters and six, scaled so that 0.5 are left where `edited` are missing.
    Words are compared without case and punctuation. A question of which half stands in its own passage is looked for
    beside the passage in rows that hold that too. Of planted copies, half of them with one word in ten edited, both
    find 99 %, runs of 8 words alone 84 %, any run of 13 77 %; 92 %, 97 % and 71 % of what they find are copies.

    Args:
        rows: instruction rows.
        heldout: rows of the held-out sources.
        column: the text compared on both sides; the content by default, from which the template is subtracted.
        n: words in a run. 8 as in Tulu 3: of 1,319 GSM8K test questions 70 % share a 5-gram with some training
            question, 6 % an 8-gram and 0.2 % a 13-gram.
        edited: share of an item that may be missing in a copy, for an overlap of 0.5. 0.3 finds 95 % of planted copies
            of 4 or 5 words and 99 % of longer ones, and 92 % of what it finds are copies; 0.25 finds 92 % and 99 %, of
            which 93 % are; with either one in five pairs of near questions that ask something else (QQP, MRPC) is
            taken for a copy, and weighing words by rarity does not change that.
        whole: an item with fewer words must be all of the row, word for word. 4, because shorter phrases ("yes", "new
            york") stand in many innocent rows.
        references: more items: a .jsonl or .txt file or a folder of them, an item per line, matched by all texts of the
            line or any of 8 words; they are called file:line, files of folders with their path in it.

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


def _best(texts: list[str], items: Items, *, n: int, edited: float) -> pl.DataFrame:
    """Return the best item of each text that gives one away, and how many it gives half of."""
    vocabulary = numbers([*items.pieces, *items.passages])
    sought, passages = numbered(items.pieces, vocabulary), numbered(items.passages, vocabulary)
    given = numbered([text.words(one) for one in texts], vocabulary)
    search = partial(_shares, sought=sought, n=n, edited=edited)
    hits = search(given)
    restated = _restated(hits, passages, items.around, search)
    if restated.height:
        places, blanked = _outside(restated, given, passages)
        own = places.join(search(blanked).rename({"row": "place"}), on=["place", "piece"]).select(hits.columns)
        hits = pl.concat([hits.join(places, on=["row", "piece"], how="anti"), own])
    return _ranked(hits, items.ways, sought, given)


def _shares(given: Texts, *, sought: Texts, n: int, edited: float) -> pl.DataFrame:
    """Return which pieces stand in which texts, and the larger of the two overlaps."""
    sizes = sought.sizes
    long = hits_of(given, sought, np.flatnonzero(sizes >= n), n=n, align=False)
    found = [long.with_columns(share=pl.col("covered") / pl.col("size"))]
    for place, (width, least) in enumerate(_RUNS):
        longest = _RUNS[place + 1][1] if place + 1 < len(_RUNS) else np.inf
        near = hits_of(given, sought, np.flatnonzero((sizes >= least) & (sizes < longest)), n=width, align=True)
        found.append(near.with_columns(share=1 - pl.col("missing") / (2 * edited)))
    hits = pl.concat(found).filter(pl.col("share") >= LEAST)
    hits = hits.sort("row", "piece", "share", descending=[False, False, True])
    return hits.unique(["row", "piece"], keep="first", maintain_order=True)


def _restated(
    hits: pl.DataFrame, passages: Texts, around: Sequence[tuple[int, int]], search: Callable[[Texts], pl.DataFrame]
) -> pl.DataFrame:
    """Return row, piece and passage of each hit that the passage of its question would be too, unasked."""
    met = hits.select("row", "piece").join(pl.DataFrame(around, schema=_AROUND, orient="row"), on="piece")
    if not met.height:
        return met
    chosen = met["passage"].unique().sort()
    own = search(passages.taken(chosen.to_numpy())).filter(pl.col("share") >= held.HALF)
    return met.join(own.select("piece", passage=chosen.gather(own["row"])), on=["piece", "passage"], how="semi")


def _outside(met: pl.DataFrame, given: Texts, passages: Texts) -> tuple[pl.DataFrame, Texts]:
    """Blank the passages in the texts that hold them, as the words of a question may stand in there alone.

    Args:
        met: row, piece and passage of each question in question.
        given: the texts.
        passages: what is put in beside questions.

    Returns:
        Row, piece and place of each blanked text, and these.
    """
    rows, chosen = (met[name].unique().sort().to_numpy() for name in ("row", "passage"))
    stands = hits_of(given.taken(rows), passages, chosen, n=_RUNS[-1][0], align=False)
    stands = stands.filter(pl.col("covered") >= held.HALF * pl.col("size"))
    stands = stands.with_columns(row=pl.Series(rows[stands["row"].to_numpy()]), passage="piece").drop("piece")
    both = met.join(stands, on=["row", "passage"]).sort("row", "piece", "covered", descending=[False, False, True])
    both = both.unique(["row", "piece"], keep="first", maintain_order=True).with_row_index("place")
    blanked = given.taken(both["row"].to_numpy())
    # The window is wider than the passage, and may begin with a question that stands before.
    begin = blanked.offsets[:-1] + np.maximum(
        both["begin"].to_numpy(), both["end"].to_numpy() - both["size"].to_numpy()
    )
    end = blanked.offsets[:-1] + both["end"].to_numpy()
    blanked.words[shingles.spans(begin, end - begin)] = UNKNOWN
    return both.select("row", "piece", pl.col("place").cast(pl.Int64)), blanked


def _ranked(hits: pl.DataFrame, ways: pl.DataFrame, pieces: Texts, given: Texts) -> pl.DataFrame:
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
        pl.col("words").sum(),
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
            # Whether the row is inverted is asked last: most are not, and it takes as long again.
            found[row] = held.share(answer, said) >= held.HALF or (
                held.share(answer, text.words(prompt or "")) >= held.HALF
                and held.share(items.asked[item], said) >= held.HALF
            )
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
