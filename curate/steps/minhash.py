"""Find near copies: texts that share most of their word shingles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import schema, shingles, stars
from curate.errors import UserError
from curate.schema import Measured
from curate.shingles import Ragged
from curate.stars import Indices, Shares

# The scheme of datasketch 2 and its default seed: signatures are bit-equal to datasketch.MinHash(num_perm, seed=1,
# scheme="affine32", hashfunc=lower 32 bits of the shingle's hash).
SCHEME, SEED = "affine32", 1
# Shingles signed at a time: 256 KiB per array stay in the cache of a core.
_BLOCK = 1 << 16
_Signatures = npt.NDArray[np.uint32]
# Longest signature: 4,096 values estimate a similarity within 0.008, and every candidate is verified exactly anyway.
PERMUTATIONS = 4096


def state(
    rows: pl.DataFrame, *, on: str | list[str] = "content", shingle: int = 3, permutations: int = 128
) -> pl.DataFrame:
    """Hash the shingles of each text and sign them.

    Args:
        rows: instruction rows.
        on: what is compared. "content" (the default, as templates would make different records look alike) compares
            records; "prompt", "response" or "rendered" compare rows; a list requires all to be similar.
        shingle: words in a shingle. 3 finds 99 % of short questions with one word in twenty changed, where 5 finds
            90 % (300 planted copies of school problems of 45 words, 32 bands); single words bring 40 times the work.
            A text with fewer words is one shingle of all its words.
        permutations: length of a signature. 128 estimates a similarity of 0.7 within 0.04 (one standard deviation).

    Returns:
        Per column k of `on`: hashes_k (list[u64], distinct, ascending; null where the text is null; two different
        shingles share a hash with probability 2**-64), signature_k (array of u32), words_k (u32).
    """
    if shingle < 1 or not 1 <= permutations <= PERMUTATIONS:
        what = f"shingle must be at least 1 and permutations lie in 1 to {PERMUTATIONS:,}"
        raise UserError("minhash", what, "leave them out for 3 and 128")
    found: dict[str, pl.Series] = {}
    for number, column in enumerate(stars.columns(on)):
        texts = schema.column_text(rows, column)
        words = shingles.word_hashes(texts.to_list())
        sets = shingles.as_sets(shingles.windows(words, n=shingle))
        signed = signatures(shingles.from_sets(sets), permutations=permutations)
        known = pl.DataFrame({"sets": sets, "text": texts})
        found[f"hashes_{number}"] = known.select(pl.when(pl.col("text").is_not_null()).then("sets"))["sets"]
        found[f"signature_{number}"] = pl.Series(signed, dtype=pl.Array(pl.UInt32, permutations))
        found[f"words_{number}"] = pl.Series(words.counts, dtype=pl.UInt32)
    return pl.DataFrame(found)


def signatures(sets: Ragged, *, permutations: int) -> _Signatures:
    """Return the MinHash signature of each set, shape (n, permutations); an empty set has the largest value throughout.

    Source: Broder, "On the resemblance and containment of documents" (1997); permutations as in datasketch 2.
    """
    from datasketch import MinHash  # brings scipy

    a, b = MinHash(num_perm=permutations, seed=SEED, scheme=SCHEME).permutations
    signed = np.full((len(sets.offsets) - 1, permutations), np.iinfo(np.uint32).max, dtype=np.uint32)
    filled = np.flatnonzero(sets.counts)
    hashes = _premixed(sets.values.astype(np.uint32))
    # Empty sets own no hashes, so the starts of the filled ones cut the whole array.
    starts = np.append(sets.offsets[:-1][filled], len(hashes))
    edges = np.unique(np.searchsorted(starts[:-1], np.arange(0, len(hashes) + _BLOCK, _BLOCK)))
    for low, high in pairwise(edges):
        block, at = hashes[starts[low] : starts[high]], starts[low:high] - starts[low]
        for place in range(permutations):
            signed[filled[low:high], place] = np.minimum.reduceat(block * a[place] + b[place], at)
    return signed


def _premixed(hashes: _Signatures) -> _Signatures:
    """Return 32-bit hashes after the 32-bit finaliser of MurmurHash3, as datasketch does before it permutes."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def decide(
    state: pl.DataFrame, *, on: str | list[str] = "content", threshold: float = 0.8, bands: int = 32
) -> Measured:
    """Walk from the longest text to the shortest, keep what resembles no keeper so far, verify every similarity.

    Bands of the signatures only propose; the Jaccard similarity of the shingle sets decides. Texts with the same
    shingles are walked as one. Texts without words are similar to nothing.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        on: as for the state.
        threshold: least similarity of a near copy, in (0, 1]. 0.8 is the customary value of the field for removing;
            0.7 and less are for review.
        bands: into how many bands a signature is cut; must divide `permutations`. 32 bands of 4 values propose a pair
            of similarity 0.8 with probability above 0.9999, one of 0.7 with 0.9998 and one of 0.5 with 0.87.

    Signals:
        cluster (str): id of the keeper, its own for a row that stays; null where the text is null.
        rank (u32): 0 = stays, then 1, 2, … within the star, more words first; all rows of a record share it; null
            where the text is null.
        keeper (str): id of the row that stays for this one, the most similar keeper when this one was walked; null for
            a row that stays.
        similarity (f64): exact Jaccard similarity to the keeper, in [threshold, 1]; with several columns the least of
            theirs; null for a row that stays.

    Tables:
        pairs: id, other, similarity: every removed unit (its lowest id) with each keeper it was found similar to.
    """
    if not 0 < threshold <= 1:
        raise UserError("minhash", f"threshold = {threshold} is not in (0, 1]", "0.8 is the default")
    named = range(len(stars.columns(on)))
    found = stars.units(state, on=on)
    first = state[found.first]
    sets = [shingles.from_sets(first[f"hashes_{number}"]) for number in named]
    order = _order(first, sets)
    groups = _grouped(sets, order)
    faces = [_Face(_subset(sets[k], groups.first), _buckets(first, k, groups.first, bands)) for k in named]
    pairs: list[tuple[int, Indices, Shares]] = []
    walked = _walk(faces, groups, threshold=threshold, pairs=pairs)
    unknown = pl.any_horizontal(pl.col(f"hashes_{number}").is_null() for number in named)
    result = _expanded(walked, groups, unknown=first.select(unknown).to_series().to_numpy())
    ids = state["id"].gather(found.first)
    return Measured(
        stars.signals(result, found=found, ids=state["id"], order=order),
        {"pairs": _pairs(pairs, groups, ids=ids)},
    )


@dataclass(frozen=True)
class _Groups:
    """Units with the same shingles.

    Args:
        first: (g,) the unit that each group is walked as, ascending.
        order: the groups with words, as they are walked.
        of: (m,) the group of each unit.
    """

    first: Indices
    order: Indices
    of: Indices


@dataclass(frozen=True)
class _Face:
    """One column of the groups: their shingle sets, and the buckets each is in that hold another group too."""

    sets: Ragged
    buckets: list[list[int]]


def _order(first: pl.DataFrame, sets: list[Ragged]) -> Indices:
    """Return all units, more words first, then the lowest id."""
    words = sum(first[f"words_{number}"].to_numpy().astype(np.int64) for number in range(len(sets)))
    return np.argsort(-np.asarray(words), kind="stable").astype(np.int64)


def _grouped(sets: list[Ragged], order: Indices) -> _Groups:
    """Group the units by their sets; a unit without words in one column is alone and is not walked."""
    seen: dict[object, int] = {}
    leader = np.arange(len(order), dtype=np.int64)
    wordless = np.any([found.counts == 0 for found in sets], axis=0)
    for unit in order[~wordless[order]].tolist():
        key = tuple(found.values[found.offsets[unit] : found.offsets[unit + 1]].tobytes() for found in sets)
        leader[unit] = seen.setdefault(key, unit)
    first, of = np.unique(leader, return_inverse=True)
    walked = np.array(list(seen.values()), dtype=np.int64)
    return _Groups(first, np.searchsorted(first, walked).astype(np.int64), of.astype(np.int64))


def _subset(sets: Ragged, places: Indices) -> Ragged:
    """Return some of the sets, their hashes renumbered 0, 1, … so that membership is a look-up in an array."""
    counts = sets.counts[places]
    numbers = np.unique(sets.take(places), return_inverse=True)[1]
    return Ragged(numbers.astype(np.uint64), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def _buckets(first: pl.DataFrame, number: int, places: Indices, bands: int) -> list[list[int]]:
    """Return for each group the buckets of its bands that it shares with another group."""
    signed = first[f"signature_{number}"].gather(places)
    width = signed.dtype.shape[0] if isinstance(signed.dtype, pl.Array) else 0
    if bands < 1 or width % bands:
        raise UserError("minhash", f"bands = {bands} does not divide {width} permutations", "32 is the default")
    values = signed.to_numpy().reshape(len(places), bands, width // bands).astype(np.uint64)
    keys = np.zeros((len(places), bands), dtype=np.uint64)
    for place in range(values.shape[2]):
        keys = shingles.mixed(keys + values[:, :, place])  # a collision only proposes one more pair to verify
    shared = np.full(keys.shape, -1, dtype=np.int64)
    taken = 0
    for band in range(bands):
        _, bucket, members = np.unique(keys[:, band], return_inverse=True, return_counts=True)
        shared[:, band] = np.where(members[bucket] > 1, bucket + taken, -1)
        taken += len(members)
    return [[bucket for bucket in row if bucket >= 0] for row in shared.tolist()]


def _walk(
    faces: list[_Face], groups: _Groups, *, threshold: float, pairs: list[tuple[int, Indices, Shares]]
) -> stars.Stars:
    """Return the stars of the groups; what was verified at or above the threshold goes to `pairs`.

    A group is compared with the keepers in its buckets alone, so a bucket costs its members times its keepers.
    """
    kept: list[dict[int, list[int]]] = [{} for _ in faces]
    marks = [np.zeros(int(face.sets.values.max(initial=0)) + 1, dtype=bool) for face in faces]

    def admit(group: int) -> None:
        for face, buckets in zip(faces, kept, strict=True):
            for bucket in face.buckets[group]:
                buckets.setdefault(bucket, []).append(group)

    def matches(group: int) -> tuple[Indices, Shares]:
        proposed = [
            [buckets.get(bucket, []) for bucket in face.buckets[group]]
            for face, buckets in zip(faces, kept, strict=True)
        ]
        # With several columns the one that proposes least is enough: all are verified.
        fewest = min(proposed, key=lambda lists: sum(map(len, lists)))
        others = np.array(sorted(set().union(*fewest)), dtype=np.int64)
        found = np.ones(len(others), dtype=np.float64)
        for face, mark in zip(faces, marks, strict=True):
            near = _near_sizes(face.sets, group, others, threshold)
            others, found = others[near], found[near]
            found = np.minimum(found, _jaccard(face.sets, group, others, mark))
            others, found = others[found >= threshold], found[found >= threshold]
        if len(others):
            pairs.append((group, others, found))
        return others, found

    return stars.cover(groups.order, size=len(groups.first), matches=matches, admit=admit)


def _near_sizes(sets: Ragged, group: int, others: Indices, threshold: float) -> npt.NDArray[np.bool_]:
    """Tell which sets are of a size that lets them reach the threshold: similarity is at most smaller / larger."""
    counts = sets.counts_of(others)
    own = sets.counts_of(np.array([group]))[0]
    return np.asarray(np.minimum(counts, own) / np.maximum(counts, own) >= threshold)


def _jaccard(sets: Ragged, group: int, others: Indices, mark: npt.NDArray[np.bool_]) -> Shares:
    """Return the exact Jaccard similarity of one set to each of others; `mark` is scratch space, all false."""
    if not len(others):
        return np.zeros(0, dtype=np.float64)
    own = sets.values[sets.offsets[group] : sets.offsets[group + 1]]
    counts = sets.counts_of(others)
    mark[own] = True
    hits = mark[sets.values[shingles.spans(sets.offsets[others], counts)]]
    mark[own] = False
    shared = np.add.reduceat(hits.astype(np.int64), np.cumsum(counts) - counts)
    return np.asarray(shared / (len(own) + counts - shared), dtype=np.float64)


def _expanded(walked: stars.Stars, groups: _Groups, *, unknown: npt.NDArray[np.bool_]) -> stars.Stars:
    """Return the stars of the units: members of a keeper's group join it at similarity 1, others share their fate."""
    keeper = groups.first[walked.keeper[groups.of]]
    keeper[unknown] = stars.UNKNOWN
    return stars.Stars(keeper, walked.similarity[groups.of])


def _pairs(pairs: list[tuple[int, Indices, Shares]], groups: _Groups, *, ids: pl.Series) -> pl.DataFrame:
    """Return the verified pairs of units as ids."""
    member = np.arange(len(groups.of), dtype=np.int64)
    leader = groups.first[groups.of]
    group = np.concatenate([np.full(len(others), group) for group, others, _ in pairs] or [member[:0]])
    other = np.concatenate([others for _, others, _ in pairs] or [member[:0]])
    found = np.concatenate([found for _, _, found in pairs] or [np.zeros(0)])
    removed = pl.DataFrame({"group": group, "other": groups.first[other], "similarity": found})
    units = pl.DataFrame({"group": groups.of, "unit": member, "leader": leader})
    joined = removed.join(units, on="group").select("unit", "other", "similarity")
    same = units.join(removed, on="group", how="anti").filter(pl.col("unit") != pl.col("leader"))
    whole = pl.concat([joined, same.select("unit", other="leader", similarity=pl.lit(1.0))])
    return whole.select(id=ids.gather(whole["unit"]), other=ids.gather(whole["other"]), similarity="similarity").sort(
        "id", "other"
    )
