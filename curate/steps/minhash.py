"""Find near copies through sketches, for very large data: banded MinHash proposes, the shingles decide."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, copies, similar, stars
from curate.errors import UserError
from curate.schema import Measured
from curate.shingles import Ragged

# The scheme of datasketch 2 and its default seed: signatures are bit-equal to datasketch.MinHash(num_perm, seed=1,
# scheme="affine32", hashfunc=lower 32 bits of the shingle's hash).
SCHEME, SEED = "affine32", 1
# Longest signature: 4,096 values estimate a similarity within 0.008, and every candidate is verified exactly anyway.
PERMUTATIONS = 4096
# Texts whose true neighbours are looked up to measure the recall, and pairs of them that are looked at.
SAMPLE, LOOKED = 500, 1 << 20


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
        a hash with probability 2**-64); length (u32, words) and turns (u32).
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
    workers: int = 1,
) -> Measured:
    """Walk the texts and keep what resembles no keeper so far among those that share a band with it.

    Bands of the signatures only propose; the Jaccard similarity of the shingle sets decides. Texts with the same
    shingles are walked as one. Texts without words are similar to nothing.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
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
    found, sets = copies.read(state, on=on, threshold=threshold)
    order = stars.order(state, found=found, prefer=prefer)
    grouped = similar.groups(sets, order=order)
    texts = sets.take(grouped.walked)
    elements, chosen = _bands(permutations, bands)
    walked, pairs = similar.walked(texts, elements=elements, threshold=threshold, workers=workers, every=sweep)
    facts = {"threshold": threshold, "expected_recall": recall(threshold, rows=permutations // bands, bands=bands)}
    if len(grouped.walked):
        facts |= _sampled(texts, chosen[0].reshape(-1, bands), threshold, seed)
    return copies.measured(state, (found, grouped, walked, pairs), order=order, facts=facts)


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


def _bands(permutations: int, bands: int) -> tuple[similar.Elements, list[npt.NDArray[np.uint64]]]:
    """Return how to cut signatures into bands as elements, and where those that were cut can be found."""
    cut: list[npt.NDArray[np.uint64]] = []

    def chosen(sets: tuple[Any, ...], pool: Executor | None, workers: int) -> tuple[Any, Any]:
        from curate import sketches

        sizes = sets[2] - sets[1]
        column = int(sizes.sum(axis=1).argmax())  # candidates of one column are enough; the longest texts differ most
        drawn = permuted(permutations)
        out = np.empty(sizes.shape[1] * bands, dtype=np.uint64)

        def part(start: int, stop: int) -> None:
            sketches.banded(sets, (column, start, stop), drawn, bands, out[start * bands : stop * bands])

        similar.spread(part, sizes[column], pool=pool, workers=workers)
        cut.append(out)
        return np.arange(sizes.shape[1] + 1, dtype=np.int64) * bands, out

    return chosen, cut


def _sampled(texts: similar.Units, bands: npt.NDArray[np.uint64], threshold: float, seed: int) -> dict[str, int]:
    """Count the true pairs of a sample of texts with all others, and those that share a band."""
    from curate import overlap, sketches

    size = len(bands)
    drawn = chance.generator(seed, "recall of the bands").choice(size, min(SAMPLE, size), replace=False)
    column = int(texts.counts.sum(axis=1).argmax())
    sets = texts.compiled(np.zeros((len(texts.starts), 0, overlap.WORDS), dtype=np.uint64))
    out = (np.empty(LOOKED, dtype=np.int32), np.empty(LOOKED, dtype=np.int32))
    looked = min(LOOKED, sketches.neighbours(sets, column, np.sort(drawn), threshold, out))
    first, second = (bands[places[:looked]] for places in out)
    found = int((first == second).any(axis=1).sum())
    return {"sampled": len(drawn), "sampled_pairs": looked, "sampled_found": found}
