"""Random and adversarial cases against the guarantees of duplicates: `python bench/campaign.py [--cases N]`.

Each case is a small corpus of sets: unrelated ones, edits, chains, nested sets, equal and empty ones, in one or two
columns, at a threshold that some pair often meets exactly. It is walked in an order of chance by the exact join (with
and without all pairs) and through bands, and everything is recomputed with Python's own sets and fractions.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
from reading import ROOT, write

from curate import banded, joins, overlap, rarity, similar, stars
from curate.shingles import Ragged
from curate.steps import minhash

OUT = ROOT / "bench" / "results" / "campaign.json"
SEED = 29
PART = 5_000  # cases drawn from one stream
Sets = list[frozenset[int]]
BANDS = 8
similar.PART = 5  # so that these small corpora come in parts too


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    found = campaign(given.cases, given.seed)
    print(", ".join(f"{count:,} {key.replace('_', ' ')}" for key, count in found.items()))
    write(given.out, seed=given.seed, broken=0, **found)
    return 0


def campaign(cases: int, seed: int) -> dict[str, int]:
    """Run so many cases on two cores; return what was met in them.

    Raises:
        AssertionError: a guarantee was broken.
    """
    parts = [(min(PART, cases - start), (seed, start)) for start in range(0, cases, PART)]
    total: Counter[str] = Counter()
    with ProcessPoolExecutor(2) as pool:
        for met in pool.map(part, *zip(*parts, strict=True)):
            total.update(met)
    return dict(total)


def part(cases: int, seed: tuple[int, int]) -> dict[str, int]:
    """Run some of the cases.

    Raises:
        AssertionError: a guarantee was broken, with the case.
    """
    drawn = np.random.Generator(np.random.PCG64(seed))
    permutations = minhash.permuted(4 * BANDS)
    met: Counter[str] = Counter()
    for number in range(cases):
        columns, threshold = corpus(drawn)
        order = drawn.permutation(len(columns[0]))
        try:
            met.update(checked(columns, threshold, order, permutations))
        except AssertionError as error:
            raise AssertionError(f"case {number} of seed {seed}: {columns}, {threshold}, {order}") from error
    return dict(met)


def corpus(drawn: np.random.Generator) -> tuple[list[Sets], float]:
    """Return columns of sets of small numbers, and a threshold."""
    size, letters = int(drawn.integers(2, 13)), int(drawn.integers(2, 25))
    columns = []
    for _ in range(1 if drawn.random() < 0.8 else 2):
        sets: Sets = []
        for number in range(size):
            kind = drawn.random()
            if number == 0 or kind < 0.3:
                sets.append(frozenset(drawn.integers(1, letters + 1, int(drawn.integers(0, 16))).tolist()))
            elif kind < 0.4:
                sets.append(sets[int(drawn.integers(number))])
            elif kind < 0.8:  # an edit of one before: chains come by themselves, as edits are edited again
                edits = drawn.integers(1, letters + 1, int(drawn.integers(1, 4))).tolist()
                sets.append(sets[-1 if kind < 0.6 else int(drawn.integers(number))] ^ frozenset(edits))
            else:
                before = sorted(sets[-1])
                sets.append(frozenset(before[: int(drawn.integers(len(before) + 1))]))
        columns.append(sets)
    one, two = (columns[0][int(place)] for place in drawn.integers(size, size=2))
    meets = len(one & two) / len(one | two) if one & two else 0.0
    threshold = meets if meets and drawn.random() < 0.6 else float(drawn.choice([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0]))
    return columns, threshold


def jaccard(columns: list[Sets], one: int, two: int) -> Fraction:
    """Return the least similarity of two units over the columns; nothing resembles a set without elements."""
    shares = [Fraction(len(sets[one] & sets[two]), max(1, len(sets[one] | sets[two]))) for sets in columns]
    return min(shares) if all(sets[one] and sets[two] for sets in columns) else Fraction(0)


def checked(columns: list[Sets], threshold: float, order: np.ndarray, permutations: tuple) -> dict[str, int]:
    """Decide one corpus in every way and assert what is promised; return what was met."""
    size = len(columns[0])
    given = [ragged(sets) for sets in columns]
    units = similar.units(given, places=np.arange(size))
    shares = {pair: jaccard(columns, *pair) for pair in combinations(range(size), 2)}
    near = {pair for pair, share in shares.items() if share and float(share) >= threshold}

    grouped = similar.groups(units, order=order)
    texts = units.take(grouped.walked)
    elements = rarity.rarest(threshold)
    walked, _ = similar.walked(texts, elements=elements, threshold=threshold)
    with_pairs, pairs = similar.walked(texts, elements=elements, threshold=threshold, every=True)
    exact = similar.expanded(walked, grouped)
    kept = promised(exact, columns, threshold)
    assert not [pair for pair in combinations(sorted(kept), 2) if pair in near]
    assert (with_pairs.keeper == walked.keeper).all()
    assert (with_pairs.similarity == walked.similarity).all()
    if pairs is not None:
        named = {
            tuple(sorted(pair)) for pair in zip(grouped.walked[pairs.later], grouped.walked[pairs.earlier], strict=True)
        }
        spoken = set(grouped.walked.tolist())
        assert named == {pair for pair in near if set(pair) <= set(spoken)}
        again = joins.covered(len(grouped.walked), (pairs.later, pairs.earlier, pairs.similarity))
        assert (np.where(again[0] < 0, np.arange(len(again[0])), again[0]) == walked.keeper).all()

    prints = overlap.fingerprinted(units.values, units.starts, units.stops)
    sketch = banded.Sketch(lambda: iter([given]), np.arange(size), prints, len(columns), permutations, BANDS)
    groups, found, _, _ = banded.joined(sketch, order=order, threshold=threshold, every=False, seed=0)
    banded_kept = promised(similar.expanded(found, groups), columns, threshold)
    removed = size - len(kept)
    return {
        "cases": 1,
        "removed": removed,
        "kept": len(kept),
        "pairs": len(near),
        "at_the_threshold": sum(float(shares[pair]) == threshold for pair in near),
        "cases_with_a_chain": int(chained(near, size)),
        "missed_by_bands": len([pair for pair in combinations(sorted(banded_kept), 2) if pair in near]),
    }


def promised(found: stars.Stars, columns: list[Sets], threshold: float) -> set[int]:
    """Assert that every removed unit names a kept one at the threshold or above, exactly; return those kept."""
    kept = {unit for unit, keeper in enumerate(found.keeper.tolist()) if unit == keeper}
    for unit, keeper in enumerate(found.keeper.tolist()):
        if unit != keeper:
            assert keeper in kept
            assert found.similarity[unit] == float(jaccard(columns, unit, keeper)) >= threshold
    return kept


def ragged(sets: Sets) -> Ragged:
    """Return sets of small numbers as hashes."""
    values = [number * 0x9E3779B97F4A7C15 % (1 << 64) for one in sets for number in one]
    return Ragged(np.array(values, dtype=np.uint64), np.cumsum([0, *map(len, sets)]).astype(np.int64))


def chained(near: set[tuple[int, int]], size: int) -> bool:
    """Tell whether two units that are not alike resemble the same third."""
    for middle in range(size):
        ends = sorted({one for pair in near if middle in pair for one in pair} - {middle})
        if any(pair not in near for pair in combinations(ends, 2)):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
