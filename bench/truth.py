r"""All pairs of rows that reach a Jaccard similarity, by other means than ours: strings, sets, and scipy.

Shingles are five words of `curate.text.words` (Unicode `\w+` after NFKC and casefold), as strings in a dictionary.
Candidates share one of the rarest shingles of each row; intersections are counted by a sparse product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

import curate.text

WORDS = curate.text.words
BATCH = 100_000


def pairs(texts: list[str], *, least: float, width: int = 5) -> pl.DataFrame:
    """Return first, second (row numbers, ascending) and similarity of every pair at `least` or above."""
    numbers: dict[str, int] = {}
    rows, sizes = [], []
    for text in texts:
        words = WORDS(text)
        found = {" ".join(words[at : at + width]) for at in range(max(1, len(words) - width + 1))} if words else set()
        rows += [numbers.setdefault(shingle, len(numbers)) for shingle in found]
        sizes.append(len(found))
    counts, ends = np.array(sizes), np.cumsum([0, *sizes])
    matrix = sparse.csr_matrix((np.ones(len(rows), np.int32), np.array(rows), ends), shape=(len(texts), len(numbers)))
    often = np.bincount(np.array(rows), minlength=len(numbers))
    frame = pl.DataFrame({"row": np.repeat(np.arange(len(texts)), counts), "shingle": rows, "often": often[rows]})
    wanted = pl.DataFrame({"row": np.arange(len(texts)), "most": counts - np.ceil(least * counts - 1e-9) + 1})
    ranked = frame.sort("row", "often", "shingle").with_columns(at=pl.int_range(pl.len()).over("row"))
    rare = ranked.join(wanted, on="row").filter(pl.col("at") < pl.col("most"), pl.col("often") > 1)
    rare = rare.select("row", "shingle")
    parts = [pl.DataFrame(schema={"first": pl.Int64, "second": pl.Int64, "similarity": pl.Float64})]
    for start in range(0, len(texts), 20_000):
        some = rare.filter(pl.col("row").is_between(start, start + 19_999))
        met = some.join(rare, on="shingle", suffix="_2").filter(pl.col("row") < pl.col("row_2"))
        met = met.select("row", "row_2").unique().sort("row", "row_2")
        for place in range(0, met.height, BATCH):
            first, second = (met[name][place : place + BATCH].to_numpy() for name in ("row", "row_2"))
            small, large = np.minimum(counts[first], counts[second]), np.maximum(counts[first], counts[second])
            first, second = first[small >= least * large], second[small >= least * large]
            both = np.asarray(matrix[first].multiply(matrix[second]).sum(axis=1)).ravel()
            share = both / (counts[first] + counts[second] - both)
            parts.append(pl.DataFrame({"first": first, "second": second, "similarity": share}).filter(share >= least))
    return pl.concat(parts)


def score(kept: np.ndarray, truth: pl.DataFrame, rows: int) -> dict[str, float]:
    """Return recall, precision and witnessed share of what was removed.

    Recall is the share of true pairs of which not both are kept; precision the share of removed rows with a true
    neighbour; witnessed the share of them with a true neighbour that is kept.
    """
    stays = np.zeros(rows, dtype=bool)
    stays[kept] = True
    first, second = truth["first"].to_numpy(), truth["second"].to_numpy()
    near, witnessed = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    near[first] = near[second] = True
    witnessed[first[stays[second]]] = True
    witnessed[second[stays[first]]] = True
    removed = max(1, int((~stays).sum()))
    return {
        "recall": round(1 - float((stays[first] & stays[second]).sum()) / max(1, len(first)), 6),
        "precision": round(float((~stays & near).sum()) / removed, 6),
        "witnessed": round(float((~stays & witnessed).sum()) / removed, 6),
        "removed": int((~stays).sum()),
    }


def of(corpus: Path, rows: int, *, least: float) -> pl.DataFrame:
    """Return the pairs of the first rows of a corpus, from a file beside it or computed and kept there."""
    path = corpus.with_suffix(f".{rows}.{least:g}.truth.parquet")
    if not path.is_file():
        pairs(pl.read_parquet(corpus, n_rows=rows)["text"].to_list(), least=least).write_parquet(path)
    return pl.read_parquet(path)
