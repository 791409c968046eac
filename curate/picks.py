"""Orders in which rows are picked so that those picked first differ: by distance, by a threshold, by volume."""

from __future__ import annotations

import numpy as np

from curate.neighbours import BLOCK, Indices, Numbers, Vectors, gridded

# Rows that lead, kept up to date after every pick: of 256 to 6,144 the fastest with 50,000 rows on a quiet machine (1.8
# CPU seconds; 2.3 with 1,024).
LEADING = 3072
# Added to the diagonal of the cosines, so that more rows than dimensions have a volume.
RIDGE = 0.1


def farthest_first(vectors: Vectors, *, start: int, picks: int) -> Indices:
    """Take the row farthest from all taken so far (k-centre greedy; Gonzalez, 1985); return all rows in their order.

    The same order as updating every row after every pick. Distances only shrink, so an old distance is an upper bound:
    only the rows with the largest are brought up to date, all that were taken since in one product of matrices, and
    picks go on among them alone while one of them is at least as far as any bound of the others.

    Args:
        vectors: (n, d) on the grid.
        start: the first row.
        picks: rows taken so; the rest by distance to these, the farthest first. Ties go to the first row.
    """
    # Multiples of 2**-23 below 2: float32 has them, their differences from products too.
    halves = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    order = [start]
    bounds = np.full(len(vectors), np.inf)
    bounds[start] = -np.inf
    seen = np.zeros(len(vectors), dtype=np.int64)
    while len(order) < min(picks, len(vectors)):
        leading, floor = _leading(bounds)
        _update(bounds, leading, (vectors, halves), chosen=order, seen=seen)
        leading = leading[bounds[leading] >= floor]
        own, near = vectors[leading], bounds[leading]
        while len(near) and len(order) < picks:
            place = int(near.argmax())
            if near[place] < floor or near[place] == -np.inf:
                break
            order.append(int(leading[place]))
            near = np.minimum(near, (halves[leading[place]] - own @ own[place]).astype(np.float64) + halves[leading])
            near[place] = -np.inf
        bounds[leading], seen[leading] = near, len(order)
    rest = np.setdiff1d(np.arange(len(vectors)), order)
    _update(bounds, rest, (vectors, halves), chosen=order, seen=seen)
    return np.concatenate([order, rest[np.lexsort((rest, -bounds[rest]))]]).astype(np.int64)


def _leading(bounds: Numbers) -> tuple[Indices, float]:
    """Return the rows with the largest bounds, ascending, and the least of these bounds."""
    if len(bounds) <= LEADING:
        return np.arange(len(bounds)), -np.inf
    floor = float(np.partition(bounds, len(bounds) - LEADING)[len(bounds) - LEADING])
    return np.flatnonzero(bounds >= floor), floor


def _update(
    bounds: Numbers, rows: Indices, known: tuple[Vectors, Vectors], *, chosen: list[int], seen: Indices
) -> None:
    """Lower the bounds of some rows by those chosen since they were last brought up to date."""
    vectors, halves = known
    rows = rows[np.argsort(seen[rows], kind="stable")]
    for place in range(0, len(chosen), BLOCK):
        some = np.array(chosen[place : place + BLOCK])
        theirs, their_halves = vectors[some], halves[some]
        late = rows[seen[rows] < place + len(some)]
        for start in range(0, len(late), BLOCK // 2):
            part = late[start : start + BLOCK // 2]
            first = max(int(seen[part[0]]) - place, 0)
            apart = (their_halves[first:] - vectors[part] @ theirs[first:].T).min(axis=1)
            bounds[part] = np.minimum(bounds[part], apart.astype(np.float64) + halves[part])
    seen[rows] = len(chosen)


def apart(vectors: Vectors, *, walk: Indices, threshold: float, picks: int) -> Indices:
    """Walk over the rows and take those whose cosine to all taken is below a threshold (DEITA; Liu et al., 2024).

    Args:
        vectors: (n, d) on the grid.
        walk: (n,) rows in the order in which they are looked at.
        threshold: cosine at which a row is too near.
        picks: rows taken; the walk ends there.

    Returns:
        (n,) rows: those taken, then those never looked at, then those passed over, each in the order of the walk.
    """
    taken: list[int] = []
    passed: list[int] = []
    for start in range(0, len(walk), BLOCK):
        block = walk[start : start + BLOCK]
        best = np.full(len(block), -np.inf)
        for place in range(0, len(taken), BLOCK * 4):
            best = np.maximum(best, (vectors[block] @ vectors[taken[place : place + BLOCK * 4]].T).max(axis=1))
        among = vectors[block] @ vectors[block].T
        for place, row in enumerate(block.tolist()):
            if len(taken) == picks:
                return np.concatenate([taken, walk[start + place :], passed]).astype(np.int64)
            if best[place] < threshold:
                taken.append(row)
                best = np.maximum(best, among[:, place])
            else:
                passed.append(row)
    return np.array([*taken, *passed], dtype=np.int64)


def interleaved(order: Indices, groups: Indices, *, power: float, first: Indices) -> Indices:
    """Reorder rows so that every prefix gives each group its share, in proportion to a power of its size.

    Row j of a group, counted from 0, comes at (2 j + 1) / size**power: the sequence of Webster and Sainte-Laguë, in
    which no group loses by a larger total (Balinski and Young, 1982). A group that has run out leaves its share to the
    others.

    Args:
        order: (n,) rows; within a group they keep this order.
        groups: (n,) the group of each row, 0 to g - 1.
        power: 0 gives equal shares, 1 those that the groups have.
        first: (g,) groups in the order in which ties are settled.
    """
    own = groups[order]
    sizes = np.bincount(groups, minlength=len(first))
    sorted_by = np.argsort(own, kind="stable")
    within = np.empty(len(order), dtype=np.int64)
    within[sorted_by] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Twelve digits, on which machines agree.
    at = np.round((2 * within + 1) / np.round(sizes**power, 12)[own], 12)
    turn = np.argsort(first)[own]
    found: Indices = order[np.lexsort((turn, at))]
    return found


def by_means(vectors: Vectors, groups: Indices) -> Indices:
    """Return the groups by their mean vectors: the largest, then the farthest from all before."""
    sizes = np.bincount(groups)
    sums = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(sums, groups, vectors)
    lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
    means = gridded((sums / np.maximum(lengths, 1e-9)).astype(np.float32))
    return farthest_first(means, start=int(sizes.argmax()), picks=len(sizes))


def volume(vectors: Vectors, *, picks: int) -> tuple[Indices, Numbers]:
    """Take the row that most enlarges the volume that those taken span (greedy mode of a determinantal point process).

    The volume is the determinant of cosines + ridge on the diagonal (Chen, Zhang and Zhou, 2018). The same gains come
    from a matrix of d x d, M = (I + X'X / ridge)^-1 over the rows X taken: row i adds log(ridge + x' M x) (Woodbury),
    and M changes by a rank of one with each pick, so that memory does not grow with the picks.

    Returns:
        (n,) rows: those picked, then the rest by what they would still add; and the gains.
    """
    wide = vectors.astype(np.float64)
    inverse = np.eye(vectors.shape[1])
    left = np.einsum("ij,ij->i", wide, wide)
    order: list[int] = []
    gains: list[float] = []
    for _ in range(min(picks, len(vectors))):
        # Rounded to where linear algebra libraries agree, so that equals are taken in their order.
        row = int(np.round(left, 9).argmax())
        order.append(row)
        gains.append(float(np.log(RIDGE + left[row])))
        turned = inverse @ wide[row]
        scale = RIDGE + float(wide[row] @ turned)
        left -= (wide @ turned) ** 2 / scale
        inverse -= np.outer(turned, turned) / scale
        left[row] = -np.inf
    rest = np.flatnonzero(np.isfinite(left))
    last = np.lexsort((rest, -np.round(left[rest], 9)))
    return np.concatenate([order, rest[last]]).astype(np.int64), np.concatenate(
        [gains, np.log(RIDGE + left[rest][last])]
    )
