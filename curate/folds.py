"""Labels as a small classifier sees them that was not shown them: out-of-fold scores, and labels that look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FOLDS = 5
# Penalties tried; the least squared error out of fold decides. 30 was best for 6,920 film reviews, 10 for 200 news.
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
# From scores, which are about 0 and 1, to probabilities: a lead of 1 becomes 98 : 2.
_SHARPNESS = 4.0
# Vectors compared at once.
_BLOCK = 1024


@dataclass(frozen=True)
class Judged:
    """What is thought of n labels.

    Args:
        probabilities: (n, c) of each label, out of fold.
        suspects: (n,) whether confident learning counts the row as another label's.
        noise: estimated share of wrong labels.
        first: (n, c) probabilities of the first round. In the second, which rows are learnt from depends a little on
            the label of the row that is asked about, so that it agrees with labels dealt by chance too.
    """

    probabilities: Floats
    suspects: Flags
    noise: float
    first: Floats


def judged(features: Floats, labels: Numbers, folds: Numbers) -> Judged:
    """Return what ridge regressions on the other folds say of each label, suspects left out of a second round.

    Regression on one-hot labels (Hoerl and Kennard 1970; as a classifier Rifkin et al. 2003) has a closed form, so that
    it is fast and the same everywhere. With one label in five flipped it told them better than logistic regression
    (area under the curve 0.86 against 0.84 for 5,000 film reviews, 0.956 against 0.947 for 5,000 tweets).

    Args:
        features: (n, d).
        labels: (n,) numbers of labels from 0.
        folds: (n,) numbers from 0 to FOLDS - 1.
    """
    every = np.ones(len(labels), dtype=np.bool_)
    first = confident(_probabilities(_scores(features, labels, folds, every)), labels)
    trusted = ~first.suspects
    # A label that only suspects bear could not be learnt again.
    trusted |= ~np.isin(labels, labels[trusted])
    second = confident(_probabilities(_scores(features, labels, folds, trusted)), labels)
    return replace(second, first=first.probabilities)


def averaged(features: Floats, labels: Numbers, deals: Sequence[Numbers]) -> Judged:
    """Return what is thought of the labels on average over some deals of the folds; see `judged`."""
    found = [judged(features, labels, folds) for folds in deals]
    whole = confident(np.mean([one.probabilities for one in found], axis=0), labels)
    noise, first = float(np.mean([one.noise for one in found])), np.mean([one.first for one in found], axis=0)
    return replace(whole, noise=noise, first=first)


def learnt(probabilities: Floats, labels: Numbers) -> float:
    """Return by how many standard errors rows give their own label more than one dealt out by chance.

    For a row that is p[own] - sum over labels of share * p[label]; of labels that have nothing to do with the texts its
    mean is 0. It sees more than accuracy does, which stays that of the commonest label where few rows are another's.

    Args:
        probabilities: (n, c), out of fold.
        labels: (n,) as given.
    """
    shares = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
    more = probabilities[np.arange(len(labels)), labels] - probabilities @ shares
    return float(more.mean() / max(more.std(ddof=1) / len(labels) ** 0.5, 1e-12))


def _scores(features: Floats, labels: Numbers, folds: Numbers, trusted: Flags) -> Floats:
    """Return the scores out of fold, (n, c), of the best penalty; only trusted rows are learnt from and judge it."""
    wanted = np.eye(int(labels.max()) + 1)[labels]
    found = np.zeros((len(PENALTIES), *wanted.shape))
    for fold in range(FOLDS):
        inside, outside = (folds != fold) & trusted, folds == fold
        if not inside.any() or not outside.any():
            continue
        centre, base = features[inside].mean(axis=0), wanted[inside].mean(axis=0)
        known = features[inside] - centre
        sizes, axes = np.linalg.eigh(known.T @ known)
        onto = axes.T @ (known.T @ (wanted[inside] - base))
        turned = (features[outside] - centre) @ axes
        for place, penalty in enumerate(PENALTIES):
            found[place, outside] = turned @ (onto / (np.maximum(sizes, 0) + penalty)[:, None]) + base
    errors = ((found[:, trusted] - wanted[trusted]) ** 2).mean(axis=(1, 2))
    best: Floats = found[int(np.argmin(errors))]
    return best


def _probabilities(scores: Floats) -> Floats:
    raised = np.exp(_SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def confident(probabilities: Floats, labels: Numbers) -> Judged:
    """Return which labels confident learning doubts, and how many are wrong (Northcutt, Jiang and Chuang 2021).

    A row counts as of the label whose probability is largest among those that reach the mean that they have where they
    are given. The counts, scaled to how often each label is given, are the estimated joint; what is off its diagonal
    is noise. Suspects are as many rows of each label as are estimated to be another's, those that another fits better
    by most (their "prune by class", by margin).

    Args:
        probabilities: (n, c), out of fold.
        labels: (n,) as given.
    """
    count = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    given = np.bincount(labels, minlength=count)
    least = np.bincount(labels, weights=own, minlength=count) / np.maximum(given, 1)
    reached = probabilities >= np.where(given > 0, least, np.inf)
    seen = np.where(reached, probabilities, -1.0).argmax(axis=1)
    known = reached.any(axis=1)
    joint = np.zeros((count, count))
    np.add.at(joint, (labels[known], seen[known]), 1)
    rows = joint.sum(axis=1)
    right = np.where(rows > 0, np.diag(joint) / np.maximum(rows, 1), 1.0)
    wrong = (1 - right) * given
    noise = float(wrong.sum() / max(1, len(labels)))
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = 0
    lead = others.max(axis=1) - own
    suspects: Flags = np.zeros(len(labels), dtype=np.bool_)
    for label in range(count):
        rows_of = np.flatnonzero((labels == label) & (lead > 0))
        suspects[rows_of[np.argsort(-lead[rows_of], kind="stable")][: round(wrong[label])]] = True
    return Judged(probabilities, suspects, noise, probabilities)


def disagreement(vectors: Floats, labels: Numbers, *, neighbours: int, among: int) -> Floats:
    """Return the share of each row's nearest neighbours (by cosine) that have another label, (n,).

    Args:
        vectors: (n, d).
        labels: (n,).
        neighbours: how many.
        among: the first so many rows are compared with.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    pool = unit[:among]
    wanted = min(neighbours, len(pool) - 1)
    found = np.zeros(len(unit))
    for start in range(0, len(unit), _BLOCK):
        near = unit[start : start + _BLOCK] @ pool.T
        own = np.arange(start, min(start + _BLOCK, len(unit)))
        inside = own < len(pool)
        near[np.flatnonzero(inside), own[inside]] = -np.inf
        nearest = np.argpartition(-near, max(0, wanted - 1), axis=1)[:, :wanted]
        found[own] = (labels[nearest] != labels[own][:, None]).mean(axis=1)
    return found
