"""Near copies through bands, shared out to a cluster: what `curate.banded` decides, in three steps.

Each part of the rows is sketched where a hand is free; then the bands are shared out, and for some of them at a time a
task finds who shares one, reads their sets and verifies every such pair; in the end one walk over the pairs covers all
texts. The functions are those of one process, and so is what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import banded, copies, similar, stars
from curate.banded import Sketch
from curate.parts import Parts
from curate.pool import Hands
from curate.shingles import Ragged
from curate.similar import Groups, Pairs
from curate.stars import Indices

# Bands of a task. Each task reads the sets of all that share one of its bands, so that fewer would read more; of 32
# bands eight tasks come, and each is sent 32 bytes a text.
BANDS = 4


@dataclass(frozen=True)
class Columns:
    """The sets of parts of the state, for `Sketch.shards`.

    Args:
        parts: the state.
        on: what is compared.
    """

    parts: Callable[[], Iterator[pl.DataFrame]]
    on: str | list[str]

    def __call__(self) -> Iterator[Sequence[Ragged]]:
        """Yield the columns of sets of each part."""
        return (copies.columns(part, self.on) for part in self.parts())


@dataclass(frozen=True)
class _Bands:
    """Some of the bands, to be verified.

    Args:
        sketch: reads the sets.
        keys: (bands, g) of the groups, in the order of the walk.
        walked: (g,) the unit that speaks for each.
        sizes: (f, m) of all sets.
        threshold: least similarity.
    """

    sketch: Sketch
    keys: npt.NDArray[np.uint64]
    walked: Indices
    sizes: npt.NDArray[np.int32]
    threshold: float


def joined(
    sketch: Sketch, *, order: Indices, threshold: float, every: bool, seed: int
) -> tuple[Groups, stars.Stars, Pairs | None, dict[str, int]]:
    """Return what `banded.joined` returns: found there where the sketch reads no parts that a cluster reaches.

    Args:
        sketch: what is compared.
        order: (m,) all units, those that should stay first.
        threshold: least Jaccard similarity, in (0, 1].
        every: whether all pairs are wanted.
        seed: draws the sample.
    """
    columns = sketch.shards
    if not (isinstance(columns, Columns) and isinstance(columns.parts, Parts) and columns.parts.hands and len(order)):
        return banded.joined(sketch, order=order, threshold=threshold, every=every, seed=seed)
    parts, hands = columns.parts, columns.parts.hands
    sent = replace(sketch, shards=replace(columns, parts=parts.sent()), prints=sketch.prints[:0], workers=1)
    grouped, sizes, keys = banded.grouped(sketch, _sketched(sent, columns, parts, hands), order)
    tasks = (
        _Bands(sent, np.asarray(keys[low : low + BANDS])[:, grouped.walked], grouped.walked, sizes, threshold)
        for low in range(0, len(keys), BANDS)
    )
    found = list(hands.map(_verified, tasks)) if len(grouped.walked) else []
    if any(pairs is None for _, pairs in found):  # so many that only those with keepers are kept: the walk finds them
        return banded.walked(sketch, (grouped, sizes, keys), threshold=threshold, every=every, seed=seed)
    pairs = _united([pairs for _, pairs in found if pairs is not None])
    size = len(grouped.walked)
    met = np.unique(np.concatenate([np.zeros(0, np.int64), *(groups for groups, _ in found)]))
    whole = every and len(pairs.later) <= similar.PAIRS * len(met)
    facts = banded.recall(sketch, (grouped, sizes, keys), threshold, seed)
    return grouped, _covered(size, pairs), pairs if whole else None, facts


def _sketched(sketch: Sketch, columns: Columns, parts: Parts, hands: Hands) -> banded.Sketched:
    """Sketch each part, and put together what comes."""
    edges = np.cumsum([0, *parts.heights])
    cuts = np.searchsorted(sketch.places, edges).tolist()
    tasks = []
    for number, (low, high) in enumerate(pairwise(cuts)):
        own = replace(columns, parts=parts.some(number))
        tasks.append(replace(sketch, shards=own, places=sketch.places[low:high] - edges[number]))
    sizes, keys = whole = banded.room(sketch)
    for (low, high), found in zip(pairwise(cuts), hands.map(banded.sketched, tasks), strict=True):
        sizes[:, low:high], keys[:, low:high] = found
    return whole


def _verified(task: _Bands) -> tuple[Indices, Pairs | None]:
    """Return the groups that share one of some bands, and all their pairs at the threshold; None for too many."""
    ends, elements = banded.shared(task.keys, np.arange(len(task.walked)), 1)
    met = np.flatnonzero(np.diff(ends))
    texts = banded.gathered(task.sketch, task.walked[met], task.sizes)
    looked = banded.lookups(ends, elements, met)
    _, pairs = similar.walked(texts, elements=lambda *_: looked, threshold=task.threshold, every=True)
    return met, pairs and Pairs(
        met[pairs.later].astype(np.int32), met[pairs.earlier].astype(np.int32), pairs.similarity
    )


def _united(found: Sequence[Pairs]) -> Pairs:
    """Return each pair once, ascending by the later one, then the earlier."""
    later = np.concatenate([np.zeros(0, np.int32), *(pairs.later for pairs in found)])
    earlier = np.concatenate([np.zeros(0, np.int32), *(pairs.earlier for pairs in found)])
    similarity = np.concatenate([np.zeros(0), *(pairs.similarity for pairs in found)])
    _, first = np.unique(later.astype(np.int64) << 32 | earlier, return_index=True)
    return Pairs(later[first], earlier[first], similarity[first])


def _covered(size: int, pairs: Pairs) -> stars.Stars:
    """Walk over all groups with all their pairs."""
    from curate import joins

    keeper, best = joins.covered(size, (pairs.later, pairs.earlier, pairs.similarity))
    stays = keeper < 0
    return stars.Stars(np.where(stays, np.arange(size, dtype=np.int64), keeper), np.where(stays, 1.0, best))
