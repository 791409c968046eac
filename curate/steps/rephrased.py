"""Find the held-out item that each row is nearest to in meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import schema
from curate.errors import UserError, suggest

# Texts compared with all items at once: a tile of products is 80 MB for 10,000 items.
_BLOCK = 1024
# Digits that a cosine keeps: the last ones of a product depend on how many are made at once, and so on the workers.
_DIGITS = 6
_SIGNALS = pl.Schema({"similarity": pl.Float64(), "match": pl.String()})


def rephrased(
    rows: pl.DataFrame,
    *,
    heldout: pl.DataFrame,
    vectors: Callable[[Sequence[str]], npt.NDArray[np.float32]],
    column: str = "content",
) -> pl.DataFrame:
    """Find the held-out item that each row is nearest to in meaning.

    What `leak` finds by words it finds surer; this one sees items that are told in other words, and costs an encoding
    of every row (100 to 300 a second on one core; equal texts once). Flag, and read: of public pairs of sentences that
    people judged, a cosine of 0.9 finds two paraphrases in five, and six in seven of the pairs that it finds are
    paraphrases (`python bench/checks.py --topics leaks`); a number changed leaves the cosine where it was. The encoder
    reads the first 256 word pieces.

    Args:
        rows: instruction rows.
        heldout: rows of the held-out sources.
        vectors: the encoder, given by the engine.
        column: the text compared on both sides; the content by default, from which the template is subtracted.

    Signals:
        similarity (f64): cosine to the nearest held-out item, in [-1, 1]; null for a text without words, and without
            held-out items.
        match (str): id of that item, of equal ones the lowest; null likewise.
    """
    if column not in schema.TEXT_COLUMNS:
        fix = suggest(column, schema.TEXT_COLUMNS)
        raise UserError("rephrased", f"column = '{column}' is not in held-out rows", fix)
    texts = _worded(schema.column_text(rows, column))
    items = heldout.select("id", text=_worded(schema.column_text(heldout, column))).drop_nulls().sort("id")
    items = items.unique("text", keep="first", maintain_order=True)
    distinct = texts.drop_nulls().unique(maintain_order=True)
    if not len(distinct) or not items.height:
        return pl.DataFrame({name: [None] * rows.height for name in _SIGNALS}, schema=_SIGNALS)
    sought, given = (vectors(part.to_list()).astype(np.float64) for part in (items["text"], distinct))
    nearest, similarity = np.zeros(len(given), dtype=np.int64), np.zeros(len(given))
    for start in range(0, len(given), _BLOCK):
        cosines = (given[start : start + _BLOCK] @ sought.T).round(_DIGITS)
        best = cosines.argmax(axis=1)
        nearest[start : start + _BLOCK] = best
        similarity[start : start + _BLOCK] = cosines[np.arange(len(best)), best]
    found = pl.DataFrame({"text": distinct, "similarity": similarity.clip(-1, 1), "match": items["id"].gather(nearest)})
    return pl.DataFrame({"text": texts}).join(found, on="text", how="left", maintain_order="left").select(*_SIGNALS)


def _worded(texts: pl.Series) -> pl.Series:
    """Return the texts, null those without words: of them an encoder knows nothing."""
    return texts.set(~texts.str.contains(r"\w").fill_null(False), None)
