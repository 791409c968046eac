"""Find near copies through sketches, for very large data: banded MinHash proposes, the shingles decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import banded, copies, shuffle, stars
from curate.errors import UserError
from curate.schema import Measured
from curate.shingles import Ragged

# The scheme of datasketch 2 and its default seed: signatures are bit-equal to datasketch.MinHash(num_perm, seed=1,
# scheme="affine32", hashfunc=lower 32 bits of the shingle's hash).
SCHEME, SEED = "affine32", 1
# Longest signature: 4,096 values estimate a similarity within 0.008, and every candidate is verified exactly anyway.
PERMUTATIONS = 4096


def state(rows: pl.DataFrame, *, on: str | list[str] = "content", shingle: int = 3) -> pl.DataFrame:
    """Hash the shingles of each text.

    Args:
        rows: instruction rows.
        on: what is compared. "content" (the default, as templates would make different records look alike) compares
            records; "prompt", "response" or "rendered" compare rows; a list requires all to be similar.
        shingle: words in a shingle, at least 1. 3 finds 99 % of short questions with one word in twenty changed, where
            5 finds 90 % (300 planted copies of school problems of 45 words, 32 bands); single words bring 40 times the
            work. A text with fewer words is one shingle of all its words.

    Returns:
        Per column k of `on`: hashes_k (list[u64], distinct; null where the text is null; two different shingles share
        a hash with probability 2**-64); known (bool), print_0 and print_1 (u64, equal where all sets are), length
        (u32, words) and turns (u32).
    """
    return copies.state(rows, on=on, shingle=shingle)


def decide(
    state: pl.DataFrame,
    *,
    on: str | list[str] = "content",
    threshold: float = 0.8,
    permutations: int = 128,
    bands: int = 32,
    prefer: str | list[str] = "longest",
    sweep: bool = True,
    seed: int = 0,
    shards: Callable[[], Iterator[pl.DataFrame]] | None = None,
    workers: int = 1,
) -> Measured:
    """Walk the texts and keep what resembles no keeper so far among those that share a band with it.

    Bands of the signatures only propose; the Jaccard similarity of the shingle sets decides. Texts with the same
    shingles are walked as one. Texts without words are similar to nothing.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id; without hashes where there are
            shards.
        on: as for the state.
        threshold: least similarity of a near copy, in (0, 1]. 0.8 is the customary value of the field for removing;
            0.7 and less are for review.
        permutations: length of a signature. 128 estimates a similarity of 0.7 within 0.04 (one standard deviation).
        bands: into how many bands a signature is cut; must divide `permutations`. 32 bands of 4 values propose a pair
            of similarity 0.8 with probability above 0.9999, one of 0.7 with 0.9998 and one of 0.5 with 0.87.
        prefer: who stays: "longest" (more words, the default, as it loses the least text), "turns" (more turns),
            "source=NAME" (rows of that source), or a numeric signal of an earlier stage (more of it); the contrary with
            a minus before. In a list the next decides where the first ties; in the end the lowest id.
        sweep: whether all pairs are kept, so that a higher threshold can be decided from the table. With ten pairs per
            text and more, which takes longer than the walk itself, only those with keepers are.
        seed: draws the sample on which the recall is measured.
        shards: gives the state again, part by part: bands are cut and compared one after the other, on disk, and only
            texts that share one are then held in memory together.
        workers: threads.

    Signals:
        cluster (str): id of the keeper, its own for a row that stays; null where the text is null.
        rank (u32): 0 = stays, then 1, 2, … within the star, in the order of the walk; all rows of a record share it;
            null where the text is null.
        keeper (str): id of the row that stays for this one, the most similar keeper when this one was walked; null for
            a row that stays.
        similarity (f64): exact Jaccard similarity to the keeper, in [threshold, 1]; with several columns the least of
            theirs; null for a row that stays.

    Tables:
        pairs: id, other, similarity, place, other_place: pairs of different texts at the threshold or above, the later
            unit of the walk (by its lowest id) before the earlier, and of equal texts each with the first of them.
        join: threshold, how many units, different texts and pairs there are, whether the pairs are complete, the
            expected recall of a pair at the threshold, and of the sampled texts all pairs and how many were proposed.
    """
    if bands < 1 or not bands <= permutations <= PERMUTATIONS or permutations % bands:
        what = f"bands = {bands} and permutations = {permutations}: the first must divide the second"
        raise UserError("minhash", what, f"leave them out for 32 and 128; {PERMUTATIONS:,} permutations are the most")
    copies.require(threshold)
    found = stars.units(state, on=on)
    order = stars.order(state, found=found, prefer=prefer)
    whole = [copies.columns(state, on, workers=workers)] if shards is None else []
    sketch = banded.Sketch(
        shards=shuffle.Columns(shards, on) if shards else lambda: iter(whole),
        places=found.first,
        prints=copies.prints(state, found.first),
        columns=len(stars.columns(on)),
        permutations=permuted(permutations),
        bands=bands,
        workers=workers,
    )
    grouped, walked, pairs, facts = shuffle.joined(sketch, order=order, threshold=threshold, every=sweep, seed=seed)
    expected = recall(threshold, rows=permutations // bands, bands=bands)
    known = {"threshold": threshold, "expected_recall": expected, **facts}
    return copies.measured(state, (found, grouped, walked, pairs), order=order, facts=known)


def recall(similarity: float, *, rows: int, bands: int) -> float:
    """Return how likely a pair shares a band (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.2)."""
    return float(1 - (1 - similarity**rows) ** bands)


def permuted(permutations: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return factors and offsets of the permutations, as datasketch draws them."""
    from datasketch import MinHash  # brings scipy

    factor, offset = MinHash(num_perm=permutations, seed=SEED, scheme=SCHEME).permutations
    return np.ascontiguousarray(factor, dtype=np.uint32), np.ascontiguousarray(offset, dtype=np.uint32)


def signatures(sets: Ragged, *, permutations: int) -> npt.NDArray[np.uint32]:
    """Return the MinHash signature of each set, shape (n, permutations); an empty set has the largest value throughout.

    Source: Broder, "On the resemblance and containment of documents" (1997); permutations as in datasketch 2.
    """
    from curate import sketches

    signed = np.empty((len(sets.counts), permutations), dtype=np.uint32)
    sketches.signed(sets.values, sets.offsets, permuted(permutations), signed)
    return signed
