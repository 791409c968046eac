"""Find copies in meaning: texts whose embeddings lie close together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import schema, stars, text
from curate.errors import MISSING, UserError
from curate.schema import Measured
from curate.stars import Indices, Shares, Stars

_Vectors = npt.NDArray[np.float32]
# A removed unit, and the keepers it was found similar to.
_Pairs = list[tuple[int, Indices, Shares]]
# Given units, and the keepers named since the last call: pairs of a place among these units and of a keeper so far that
# may be near it, places ascending.
_Propose = Callable[[Indices, Indices], tuple[Indices, Indices]]

# Units walked at a time, and keepers they are compared with at once: a tile of float32 products is 4 MB.
_BLOCK = 1024
# Clusters searched for a unit. In 100,000 vectors (real texts, mixed in pairs to have enough, a tenth noisy) 8 found
# all of 1,240 copies at 0.95, as did 16 in twice the time; 4 missed one. At 0.85, in 40,000, 8 found 0.996, 4 0.994.
_PROBES = 8
# Vectors per cluster that k-means learns from: faiss asks for 39 to 256, and time grows with them.
_TRAINED = 64
# Units compared with all, to tell how many copies were found: with a tenth of them copies, a recall of 0.99 is known
# within 0.007 (one standard deviation).
_SAMPLE = 2000


def state(
    rows: pl.DataFrame, *, vectors: Callable[[Sequence[str]], _Vectors], on: str | list[str] = "content"
) -> pl.DataFrame:
    """Embed each text; equal texts are embedded once.

    The encoder cuts a text at its own length, the bundled one at 256 tokens: texts that begin alike are one to it.

    Args:
        rows: instruction rows.
        vectors: texts to vectors of unit length.
        on: what is compared. "content" (the default: prompts of one template lie close together whatever they are
            about) compares records; "prompt", "response" or "rendered" compare rows; a list requires all to be similar.

    Returns:
        Per column k of `on`: vector_k (array of f32 of unit length; zeros for a text without words, of which an
        encoder knows nothing; null where the text is null); length (u32, words) and turns (u32).
    """
    found: list[pl.DataFrame] = []
    lengths = pl.repeat(0, rows.height, dtype=pl.UInt32, eager=True)
    for number, column in enumerate(stars.columns(on)):
        texts = schema.column_text(rows, column)
        worded = texts.str.contains(r"\w").fill_null(False)
        embedded = vectors(texts.filter(worded).to_list())
        whole = np.zeros((len(texts), embedded.shape[1]), dtype=np.float32)
        whole[worded.to_numpy()] = embedded
        both = pl.DataFrame({"vector": pl.Series(whole, dtype=pl.Array(pl.Float32, whole.shape[1])), "text": texts})
        known = pl.when(pl.col("text").is_not_null()).then("vector")
        found.append(both.select(known.alias(f"vector_{number}")))
        lengths += pl.Series([len(text.words(value)) if value else 0 for value in texts], dtype=pl.UInt32)
    return pl.concat([*found, stars.merits(rows, lengths)], how="horizontal")


def decide(
    state: pl.DataFrame,
    *,
    on: str | list[str] = "content",
    threshold: float = 0.95,
    prefer: str | list[str] = "longest",
    exact_up_to: int = 200_000,
) -> Measured:
    """Walk from the unit that is to stay first to the last, and keep what resembles no keeper so far.

    An encoder knows what a text is about, less what it says: flag first, and read. With the bundled one the cosine was
    still 0.95 or more in 85 % of 392 school problems with one number changed, in 86 % of 160 questions and all of 387
    school problems with a "not" put in, and in 82 of 109 PAWS pairs (words swapped) that differ in meaning (78 of 91
    that do not). Of the 15 pairs of GSM8K problems from 0.94 up one was the same problem: not for arithmetic. To texts
    in scripts that it never learnt (Amharic, Burmese) it gives 0.9 and more whatever they say.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        on: as for the state.
        threshold: least cosine of a copy, in (0, 1]; it belongs to the encoder. With the bundled one 13 of the 14 QQP
            pairs from 0.95 up are duplicates by their labels (17 % of all duplicates), 31 of 39 from 0.9 up (41 %), 47
            of 65 from 0.85 up (62 %). Of Alpaca's requests a reader found the same asked in all 5 pairs from 0.94 up,
            in 15 of 18 about 0.9 and in 10 of 20 about 0.85.
        prefer: who stays: "longest" (more words, the default, as it loses the least text), "turns" (more turns),
            "source=NAME" (rows of that source), or a numeric signal of an earlier stage (more of it); the contrary with
            a minus before. In a list the next decides where the first ties; in the end the lowest id.
        exact_up_to: units up to which all are compared, so that no two that stay are similar; beyond them faiss
            proposes whom to compare. 100,000 of 384 dimensions take 37 s on one core (faiss: 17 s), 200,000 four times
            that.

    Signals:
        cluster (str): id of the keeper, its own for a row that stays; null where the text is null.
        rank (u32): 0 = stays, then 1, 2, … within the star, those first that `prefer` would keep; all rows of a record
            share it; null where the text is null.
        keeper (str): id of the row that stays for this one, the most similar keeper when this one was walked; null for
            a row that stays.
        similarity (f64): cosine to the keeper, in [threshold, 1]; with several columns the least of theirs; null for a
            row that stays.

    Tables:
        pairs: id, other, similarity: every removed unit (its lowest id) with each keeper it was found similar to.
        recall: sampled, similar, found, recall: what faiss found of what it should have; empty where it was not asked.
    """
    _check(threshold=threshold, exact_up_to=exact_up_to)
    from threadpoolctl import threadpool_limits

    found = stars.units(state, on=on)
    columns = [state[f"vector_{number}"].gather(found.first) for number in range(len(stars.columns(on)))]
    faces = _faces(columns, threshold=threshold)
    order = stars.order(state, found=found, prefer=prefer)
    walked = order[faces.joined[order].any(axis=1)]
    exact = len(walked) <= exact_up_to
    pairs: _Pairs = []
    # Threads that wait for each other on a busy machine take far longer, and faiss would add in another order.
    if not exact:
        _faiss(len(walked))  # a library loaded later would not be limited
    with threadpool_limits(1):
        result = _walk(faces, walked, propose=_compared(faces) if exact else _indexed(faces, walked), pairs=pairs)
        recall = _recall(faces, walked[:0] if exact else walked, result)
    unknown = np.any([column.is_null().to_numpy() for column in columns], axis=0)
    known = Stars(np.where(unknown, stars.UNKNOWN, result.keeper), result.similarity)
    return Measured(
        stars.signals(known, found=found, ids=state["id"], order=order),
        {"pairs": _named(pairs, ids=state["id"].gather(found.first)), "recall": recall},
    )


def _check(*, threshold: float, exact_up_to: int) -> None:
    """Refuse values that mean nothing."""
    if not 0 < threshold <= 1:
        raise UserError("semantic", f"threshold = {threshold} is not in (0, 1]", "0.95 is the default")
    if exact_up_to < 0:
        raise UserError("semantic", f"exact_up_to = {exact_up_to} is negative", "200000 is the default")


@dataclass(frozen=True)
class _Faces:
    """The vectors of m units.

    Args:
        columns: per column compared (m, d), of unit length; zeros without a text.
        joined: (m, columns * d), all columns side by side and of unit length, zeros where one of them is: the product
            of two is the mean of their cosines, which the least of them, the similarity, cannot exceed.
        threshold: least similarity of a copy.
    """

    columns: list[_Vectors]
    joined: _Vectors
    threshold: float

    @property
    def floor(self) -> float:
        """Return what a float32 product of copies reaches, in whatever order it is added.

        Source: n terms are off by n * 2**-24 (Higham, "Accuracy and stability of numerical algorithms", 2002, section
        3.1); more than twice that, as lengths are rounded too.
        """
        return float(self.threshold - (self.joined.shape[1] + 8) * 2.0**-23)

    def similarity(self, unit: int | Indices, others: Indices) -> Shares:
        """Return the least cosine of the columns of one unit, or of each, and each of others, in float64."""
        least = np.ones(len(others), dtype=np.float64)
        for vectors in self.columns:
            own, theirs = (vectors[np.atleast_1d(units)].astype(np.float64) for units in (unit, others))
            lengths = np.sqrt((own * own).sum(axis=1) * (theirs * theirs).sum(axis=1))
            least = np.minimum(least, (theirs * own).sum(axis=1) / lengths)
        return least


def _faces(columns: list[pl.Series], *, threshold: float) -> _Faces:
    """Return the vectors of some columns; a null is zeros."""
    dense: list[_Vectors] = []
    for column in columns:
        values = column.drop_nulls().to_numpy()
        whole = np.zeros((len(column), values.shape[1]), dtype=np.float32)
        whole[column.is_not_null().to_numpy()] = values
        dense.append(whole)
    if len(dense) == 1:
        return _Faces(dense, dense[0], threshold)
    joined: _Vectors = np.hstack(dense) / np.sqrt(len(dense), dtype=np.float32)
    joined[~np.all([vectors.any(axis=1) for vectors in dense], axis=0)] = 0
    return _Faces(dense, joined, threshold)


def _walk(faces: _Faces, walked: Indices, *, propose: _Propose, pairs: _Pairs) -> Stars:
    """Return the stars of the units; what was verified at or above the threshold goes to `pairs`."""
    kept = np.zeros(len(faces.joined), dtype=bool)
    proposals = _proposals(faces, walked, propose=propose, kept=kept)

    def admit(unit: int) -> None:
        kept[unit] = True

    def matches(unit: int) -> tuple[Indices, Shares]:
        others = np.sort(next(proposals))
        found = faces.similarity(unit, others)
        others, found = others[found >= faces.threshold], found[found >= faces.threshold]
        if len(others):
            pairs.append((unit, others, found))
        return others, found

    return stars.cover(walked, size=len(kept), matches=matches, admit=admit)


def _proposals(faces: _Faces, walked: Indices, *, propose: _Propose, kept: npt.NDArray[np.bool_]) -> Iterator[Indices]:
    """Give for each unit the keepers that may be near it: those proposed of earlier blocks, and those of its own.

    The walk marks a keeper in `kept` before it asks for the next unit's.
    """
    new = walked[:0]
    for start in range(0, len(walked), _BLOCK):
        block = walked[start : start + _BLOCK]
        places, keepers = propose(block, new)
        ends = np.searchsorted(places, np.arange(len(block) + 1))
        mates = faces.joined[block] @ faces.joined[block].T >= faces.floor
        for place in range(len(block)):
            near = block[:place][mates[place, :place]]
            yield np.concatenate([keepers[ends[place] : ends[place + 1]], near[kept[near]]])
        new = block[kept[block]]


def _compared(faces: _Faces) -> _Propose:
    """Return a search that compares units with every keeper."""
    tiles: list[Indices] = []

    def propose(units: Indices, new: Indices) -> tuple[Indices, Indices]:
        tiles.extend(new[start : start + _BLOCK] for start in range(0, len(new), _BLOCK))
        own = faces.joined[units]
        places, keepers = [units[:0]], [units[:0]]
        for tile in tiles:
            rows, columns = np.nonzero(own @ faces.joined[tile].T >= faces.floor)
            places.append(rows)
            keepers.append(tile[columns])
        order = np.argsort(found := np.concatenate(places), kind="stable")
        return found[order], np.concatenate(keepers)[order]

    return propose


def _faiss(units: int) -> Any:
    """Return the library."""
    try:
        import faiss
    except ImportError as error:
        what = f"faiss is needed for more than exact_up_to units, here {units:,}, and is not installed"
        raise UserError("semantic", what, "pip install 'curatune[embed]'", code=MISSING) from error
    return faiss


def _indexed(faces: _Faces, walked: Indices) -> _Propose:
    """Return a search that compares units with the keepers of the nearest k-means clusters alone (faiss IVF)."""
    faiss = _faiss(len(walked))
    lists = isqrt(len(walked))
    width = faces.joined.shape[1]
    quantizer = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFFlat(quantizer, width, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical, index.cp.min_points_per_centroid, index.nprobe = True, 1, min(lists, _PROBES)
    # Ids are hashes, so the first by id are a random sample.
    index.train(faces.joined[np.sort(walked)[: lists * _TRAINED]])

    def propose(units: Indices, new: Indices) -> tuple[Indices, Indices]:
        index.add_with_ids(faces.joined[new], new)
        limits, _, keepers = index.range_search(faces.joined[units], faces.floor)
        return np.repeat(np.arange(len(units)), np.diff(limits.astype(np.int64))), keepers

    return propose


def _recall(faces: _Faces, walked: Indices, result: Stars) -> pl.DataFrame:
    """Compare some units with all keepers walked before them, and tell how many copies were found among them."""
    sample = np.sort(walked)[:_SAMPLE]
    walks = np.empty(len(faces.joined), dtype=np.int64)
    walks[walked] = np.arange(len(walked))
    keepers = walked[result.keeper[walked] == walked]
    places, near = _compared(faces)(sample, keepers)
    copies = (faces.similarity(sample[places], near) >= faces.threshold) & (walks[near] < walks[sample[places]])
    similar, found = len(np.unique(places[copies])), int((result.keeper[sample] != sample).sum())
    line = (len(sample), similar, found, found / similar if similar else None)
    kinds = {"sampled": pl.UInt32, "similar": pl.UInt32, "found": pl.UInt32, "recall": pl.Float64}
    return pl.DataFrame([line] if len(walked) else [], schema=kinds, orient="row")


def _named(pairs: _Pairs, *, ids: pl.Series) -> pl.DataFrame:
    """Return the verified pairs of units as ids."""
    unit = np.repeat([unit for unit, _, _ in pairs], [len(others) for _, others, _ in pairs]).astype(np.int64)
    other = np.concatenate([np.zeros(0, dtype=np.int64), *(others for _, others, _ in pairs)])
    found = np.concatenate([np.zeros(0), *(found for _, _, found in pairs)])
    columns = {"id": ids.gather(unit), "other": ids.gather(other), "similarity": found}
    return pl.DataFrame(columns).sort("id", "other")
