"""Find near copies, all of them: an exact join of the word shingles."""

from __future__ import annotations

import polars as pl

from curate import copies, similar, stars
from curate.schema import Measured


def state(rows: pl.DataFrame, *, on: str | list[str] = "content", shingle: int = 3) -> pl.DataFrame:
    """Hash the shingles of each text.

    Args:
        rows: instruction rows.
        on: what is compared. "content" (the default, as templates would make different records look alike) compares
            records; "prompt", "response" or "rendered" compare rows; a list requires all to be similar.
        shingle: words in a shingle, at least 1. 3 keeps 99 % of short questions with one word in twenty changed above
            a similarity of 0.7, where 5 keeps 90 % (300 planted copies of school problems of 45 words). A text with
            fewer words is one shingle of all its words.

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
    prefer: str | list[str] = "longest",
    sweep: bool = True,
    workers: int = 1,
) -> Measured:
    """Walk the texts, keep what resembles no keeper so far; no two kept texts reach the threshold.

    Texts with the same shingles are walked as one. Texts without words are similar to nothing.

    Args:
        state: what `state` returned for all living rows, with their ids, sorted by id.
        on: as for the state.
        threshold: least Jaccard similarity of a near copy, in (0, 1]. 0.8 is the customary value of the field for
            removing; 0.7 and less are for review.
        prefer: who stays: "longest" (more words, the default, as it loses the least text), "turns" (more turns),
            "source=NAME" (rows of that source), or a numeric signal of an earlier stage (more of it); the contrary with
            a minus before. In a list the next decides where the first ties; in the end the lowest id.
        sweep: whether all pairs are kept, so that a higher threshold can be decided from the table. With ten pairs per
            text and more, which takes longer than the walk itself, only those with keepers are.
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
        join: threshold, how many units, different texts and pairs there are, and whether the pairs are complete.
    """
    from curate import rarity  # compiled

    copies.require(threshold)
    found = stars.units(state, on=on)
    sets = similar.units(copies.columns(state, on, workers=workers), places=found.first)
    order = stars.order(state, found=found, prefer=prefer)
    grouped = similar.led(copies.prints(state, found.first), sets.worded, order)
    walked, pairs = similar.walked(
        sets.take(grouped.walked),
        elements=rarity.rarest(threshold),
        threshold=threshold,
        workers=workers,
        every=sweep,
    )
    facts = {"threshold": threshold}
    return copies.measured(state, (found, grouped, walked, pairs), order=order, facts=facts)
