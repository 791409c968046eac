"""Near copies through bands of sketches, shard by shard: what is in memory at once does not grow with the texts.

Each shard is sketched alone and its bands go to disk; band after band is sorted alone, to see who shares one; the sets
of those are read again, and one walk over them decides. Texts that share no band never meet.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import chance, similar, stars
from curate.shingles import Ragged, spans
from curate.similar import Groups, Pairs, Units
from curate.stars import Indices
from curate.threads import spread, threads

# Texts whose true neighbours are looked up to measure the recall, and pairs of them that are looked at in a shard.
SAMPLE, LOOKED = 500, 1 << 20
# Bands larger than this go to a file: 256 MiB are a million texts in 32 bands.
_IN_MEMORY = 1 << 28
_Hashes = npt.NDArray[np.uint64]
_Sizes = npt.NDArray[np.int32]
# Of m units: sizes of the sets (f, m), hashes of the bands (bands, m).
Sketched = tuple[_Sizes, _Hashes]


@dataclass(frozen=True)
class Sketch:
    """What is compared, and how.

    Args:
        shards: gives the columns of sets shard by shard, in the order of the rows, as often as it is asked.
        places: (m,) the row of each unit, ascending.
        prints: (m, 2) what tells its sets; not needed where units are only sketched or read.
        columns: how many there are.
        permutations: factors and offsets of the permutations.
        bands: into how many bands a signature is cut.
        workers: threads.
    """

    shards: Callable[[], Iterator[Sequence[Ragged]]]
    places: Indices
    prints: _Hashes
    columns: int
    permutations: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
    bands: int
    workers: int = 1

    def parts(self) -> Iterator[tuple[int, int, Units]]:
        """Yield first and one past the last unit of each shard, and their sets."""
        row = first = 0
        for columns in self.shards():
            rows = len(columns[0].counts)
            last = first + int(np.searchsorted(self.places[first:], row + rows))
            yield first, last, similar.units(columns, places=self.places[first:last] - row)
            row, first = row + rows, last


def joined(
    sketch: Sketch, *, order: Indices, threshold: float, every: bool, seed: int
) -> tuple[Groups, stars.Stars, Pairs | None, dict[str, int]]:
    """Return the groups of equal texts, their stars, their pairs where wanted, and how a sample of them was found.

    Args:
        sketch: what is compared.
        order: (m,) all units, those that should stay first.
        threshold: least Jaccard similarity, in (0, 1].
        every: whether all pairs are wanted, see `similar.walked`.
        seed: draws the sample.
    """
    if not len(order):
        found = similar.walked(similar.units([], places=order), elements=_none, threshold=threshold, every=every)
        return Groups(order, order), *found, {}
    known = grouped(sketch, sketched(sketch), order)
    return walked(sketch, known, threshold=threshold, every=every, seed=seed)


def grouped(sketch: Sketch, found: Sketched, order: Indices) -> tuple[Groups, _Sizes, _Hashes]:
    """Return the groups of equal texts, with the sizes of all sets and the hashes of all bands."""
    sizes, keys = found
    return similar.led(sketch.prints, np.min(sizes, axis=0) > 0, order), sizes, keys


def walked(
    sketch: Sketch, known: tuple[Groups, _Sizes, _Hashes], *, threshold: float, every: bool, seed: int
) -> tuple[Groups, stars.Stars, Pairs | None, dict[str, int]]:
    """Decide in this process; see `joined`."""
    groups, sizes, keys = known
    ends, elements = shared(keys, groups.walked, sketch.workers)
    met = np.flatnonzero(np.diff(ends))  # the groups that share a band, in the order of the walk
    texts = gathered(sketch, groups.walked[met], sizes)
    looked = lookups(ends, elements, met)
    found, pairs = similar.walked(
        texts, elements=lambda *_: looked, threshold=threshold, workers=sketch.workers, every=every
    )
    keeper = np.arange(len(groups.walked), dtype=np.int64)
    similarity = np.ones(len(keeper))
    keeper[met], similarity[met] = met[found.keeper], found.similarity
    if pairs:
        of = met.astype(np.int32)
        pairs = Pairs(of[pairs.later], of[pairs.earlier], pairs.similarity)
    return groups, stars.Stars(keeper, similarity), pairs, recall(sketch, known, threshold, seed)


def lookups(ends: Indices, elements: Any, met: Indices) -> similar.Candidates:
    """Return what makes some units candidates: all elements of each are looked up among all of the others'."""
    starts, stops = ends[met], ends[met + 1]
    parts = []
    for first in range(0, len(met), similar.PART):
        own = slice(first, first + similar.PART)
        spans = np.stack([starts[own], stops[own], stops[own]])
        parts.append((first, spans - spans[0, 0], elements[spans[0, 0] : spans[2, -1]]))
    return similar.Candidates((len(elements), 0), np.zeros(len(met), np.bool_), parts)


def _none(*_: Any) -> similar.Candidates:
    return similar.Candidates((0, 0), np.zeros(0, np.bool_), ())


def room(sketch: Sketch) -> Sketched:
    """Return room for what is sketched."""
    size = len(sketch.places)
    return np.zeros((sketch.columns, size), np.int32), _room(sketch.bands, size)


def sketched(sketch: Sketch) -> Sketched:
    """Return sizes of the sets and hashes of the bands of all units."""
    from curate import sketches

    sizes, keys = room(sketch)
    with threads(sketch.workers) as pool:
        for first, last, texts in sketch.parts():
            sizes[:, first:last] = texts.counts

            def cut(start: int, stop: int, texts: Units = texts, first: int = first) -> None:
                some = texts.values, texts.starts, texts.stops
                sketches.banded(some, (start, stop), sketch.permutations, (keys, first))

            spread(cut, texts.counts.sum(axis=0), pool=pool, workers=sketch.workers)
    return sizes, keys


def _room(bands: int, units: int) -> _Hashes:
    """Return room for the bands, in a file that vanishes with the process where they are many."""
    if bands * units * 8 <= _IN_MEMORY:
        return np.empty((bands, units), np.uint64)
    with tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, bands * units * 8)  # a full disk is an error now, not a signal later
        return np.memmap(file, dtype=np.uint64, mode="w+", shape=(bands, units))


def shared(keys: _Hashes, walked: Indices, workers: int) -> tuple[Indices, npt.NDArray[np.uint32]]:
    """Return the bands of each group that another has too: where they end, with a 0 before, and 32 bits of each."""
    from curate import sketches

    many = np.zeros((len(keys), len(walked)), dtype=bool)
    with threads(workers) as pool:
        spread(
            lambda start, stop: [sketches.companions(keys[band], walked, many[band]) for band in range(start, stop)],
            np.ones(len(keys), np.int64),
            pool=pool,
            workers=workers,
        )
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(many.sum(axis=0, dtype=np.int64))])
    found, next_place = np.empty(int(ends[-1]), np.uint32), ends[:-1].copy()
    for band, row in enumerate(keys):
        chosen = np.flatnonzero(many[band])
        found[next_place[chosen]] = row[walked[chosen]]
        next_place[chosen] += 1
    return ends, found


def gathered(sketch: Sketch, wanted: Indices, sizes: _Sizes) -> Units:
    """Return the sets of some units, in the order asked; shards that hold none of them are passed over."""
    ranked = np.argsort(wanted)
    units = wanted[ranked]
    counts = sizes[:, units].astype(np.int64)
    # Per unit its columns lie end to end.
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts.T.ravel())])
    starts, stops = (edges.reshape(-1, len(sizes)).T for edges in (sums[:-1], sums[1:]))
    values = np.empty(int(sums[-1]), np.uint64)
    for first, last, texts in sketch.parts():
        low, high = np.searchsorted(units, (first, last))
        some = texts.take(units[low:high] - first)
        if first == 0 and last == len(sketch.places):
            return some.take(np.argsort(ranked))  # all in one piece: nothing to copy
        if high > low:
            places = spans(some.starts.T.ravel(), some.counts.T.ravel())
            values[starts[0, low] : stops[-1, high - 1]] = some.values[places]
    back = np.argsort(ranked)
    return Units(values, np.ascontiguousarray(starts[:, back]), np.ascontiguousarray(stops[:, back]))


def recall(sketch: Sketch, known: tuple[Groups, _Sizes, _Hashes], threshold: float, seed: int) -> dict[str, int]:
    """Count the true pairs of a sample of texts with all others, and those that share a band."""
    grouped, sizes, keys = known
    spoken = np.sort(grouped.walked)
    stream = chance.generator(seed, "recall of the bands")
    drawn = spoken[np.sort(stream.choice(len(spoken), min(SAMPLE, len(spoken)), replace=False))]
    sample = gathered(sketch, drawn, sizes)
    true = found = 0
    for first, last, texts in sketch.parts():
        low, high = np.searchsorted(spoken, (first, last))
        some = texts.take(spoken[low:high] - first)
        one, two = np.divmod(_alike(sample, some, threshold, sketch.workers), max(1, high - low))
        other = spoken[low:high][two]
        near = drawn[one] != other
        true += int(near.sum())
        found += int((keys[:, drawn[one[near]]] == keys[:, other[near]]).any(axis=0).sum())
    return {"sampled": len(drawn), "sampled_pairs": true, "sampled_found": found}


def _alike(sample: Units, some: Units, threshold: float, workers: int) -> Indices:
    """Return the pairs that reach the threshold in every column, as place in the sample times units plus unit."""
    from curate import sketches

    units = some.starts.shape[1]
    pairs: Indices | None = None
    for column in range(len(sample.starts)):

        def near(start: int, stop: int, column: int = column) -> Indices:
            out = (np.empty(LOOKED, np.int32), np.empty(LOOKED, np.int32))
            known = (sample.values, sample.starts[column], sample.stops[column])
            others = (some.values, some.starts[column, start:stop], some.stops[column, start:stop])
            looked = min(LOOKED, sketches.neighbours(known, others, threshold, out))
            pairs: Indices = out[0][:looked].astype(np.int64) * units + out[1][:looked] + start
            return pairs

        with threads(workers) as pool:
            parts = spread(near, some.counts[column], pool=pool, workers=workers)
        found = np.concatenate([part for _, _, part in parts])[:LOOKED]
        pairs = found if pairs is None else np.intersect1d(pairs, found, assume_unique=True)
    return np.zeros(0, np.int64) if pairs is None else pairs
