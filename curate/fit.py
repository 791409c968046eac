"""A quality filter trained on good and bad examples, and judged on texts that it was not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import cutoffs, heads, read, rundir, text
from curate.errors import INPUT, USAGE, UserError, suggest
from curate.schema import digest
from curate.steps import near
from curate.trained import Encode, Filter, prepared, probed

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
# Different texts of each kind: with fewer, a fold of five holds so few that no figure means anything.
FEWEST = 20
FOLDS = 5
# Where the text is, if not said: plain files first, then rows of a run (whose `content` holds the prompt too).
COLUMNS = ("text", "response", "completion", "output", "answer", "content")
_NAMES = ("positive", "negative")
# N-grams counted at most: 100,000 weights are a file of a few megabytes.
_MOST = 100_000
# Similarity from which two texts are copies, as for the step `near`.
_COPY = 0.8


@dataclass(frozen=True)
class Examples:
    """Distinct texts, sorted by hash, so that neither the order of files nor of lines matters.

    Args:
        texts: n texts.
        wanted: (n,) whether positive.
        groups: (n,) texts of one group are copies or near copies of each other.
        facts: about the files: name, column, sha256, texts, distinct; and what was left out.
    """

    texts: list[str]
    wanted: Flags
    groups: Numbers
    facts: dict[str, Any]


def examples(positive: Path, negative: Path, *, column: str | None = None) -> Examples:
    """Read the examples.

    Args:
        positive: file of good texts, in any form that `curate.read` knows.
        negative: file of bad ones.
        column: where the text is; of `COLUMNS` the first that is there when left out.

    Raises:
        UserError: when a file has no such column, or too few texts that are not in the other one too.
    """
    sides = [_texts(path, column) for path in (positive, negative)]
    # Of texts that differ in case or blanks the first in the alphabet, whichever was read first.
    kinds = [{text.normalise(one): one for one in sorted(texts, reverse=True)} for texts, _ in sides]
    both = kinds[0].keys() & kinds[1].keys()
    told = [(digest(key), one, kind == 0) for kind in (0, 1) for key, one in kinds[kind].items() if key not in both]
    told.sort()
    wanted = np.array([good for _, _, good in told], dtype=np.bool_)
    for path, count in ((positive, int(wanted.sum())), (negative, int((~wanted).sum()))):
        if count < FEWEST:
            more = f", {len(both)} more are in both files" if both else ""
            fix = f"give at least {FEWEST} of each kind; a few hundred say more"
            raise UserError(str(path), f"holds {count} different texts of its own{more}", fix, code=INPUT)
    facts = {name: {**side[1], "distinct": len(kind)} for name, side, kind in zip(_NAMES, sides, kinds, strict=True)}
    texts = [one for _, one, _ in told]
    return Examples(texts, wanted, _groups(texts), {**facts, "in_both": len(both)})


def _texts(path: Path, column: str | None) -> tuple[list[str], dict[str, Any]]:
    """Return the texts of a file, and what to tell of it."""
    found: list[str] = []
    left = Counter[str]()
    for item in read.read(path):
        if isinstance(item, read.Reject):
            left["unreadable"] += 1
            continue
        if column is None:
            column = _column(item.data, path)
        try:
            value = read.lookup(item.data, column)
        except KeyError as error:
            if not found and not left["empty"]:
                fix = suggest(column, error.args[1])
                raise UserError(str(path), f"line {item.line} has no column '{column}'", fix, code=USAGE) from None
            value = None
        if isinstance(value, str) and value.strip():
            found.append(prepared(value))
        else:
            left["empty"] += 1
    facts = {"file": path.name, "sha256": rundir.file_digest(path) if path.is_file() else None, "column": column}
    return found, {**facts, "texts": len(found), "empty": left["empty"], "unreadable": left["unreadable"]}


def _column(data: Any, path: Path) -> str:
    known = [name for name in COLUMNS if isinstance(data, dict) and isinstance(data.get(name, 0), str | None)]
    if not known:
        names = ", ".join(map(str, data)) if isinstance(data, dict) else "none with a name"
        what = f"has none of the columns {', '.join(COLUMNS)} (it has {names})"
        raise UserError(str(path), what, "name the one that holds the text: --column")
    return known[0]


def _groups(texts: Sequence[str]) -> Numbers:
    """Return a number for each text, equal for those that a chain of near copies joins."""
    import scipy.sparse.csgraph

    ids = [f"{number:012d}" for number in range(len(texts))]
    frame = pl.DataFrame({"id": ids, "record": ids, "response": texts})
    state = frame.select("id", "record").hstack(near.state(frame, on="response"))
    found = near.decide(state, on="response", threshold=_COPY)
    ends = [frame.select("id", other=found.signals["cluster"]), found.tables["pairs"].select("id", "other")]
    pairs = pl.concat([pair.drop_nulls().cast(pl.Int64) for pair in ends])
    size = len(texts)
    graph = scipy.sparse.coo_matrix((np.ones(pairs.height), (pairs["id"], pairs["other"])), shape=(size, size))
    labels: Numbers = scipy.sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def folds(known: Examples) -> Numbers:
    """Return the fold of each text: groups dealt out in the order of their first text, positive and negative in turn.

    Texts are sorted by hash, so that the order says nothing; a group with texts of both kinds goes with its first.
    """
    _, first, place = np.unique(known.groups, return_index=True, return_inverse=True)
    fold = np.zeros(len(first), dtype=np.int64)
    for kind in (True, False):
        ours = np.flatnonzero(known.wanted[first] == kind)
        fold[ours[np.argsort(first[ours])]] = np.arange(len(ours)) % FOLDS
    found: Numbers = fold[place]
    return found


def fit(known: Examples, *, name: str, encoder: str, encode: Encode, precision: float, share: float) -> Filter:
    """Train a filter, and judge it by cross-validation.

    Args:
        known: the examples.
        name: of the filter.
        encoder: the model that `encode` runs, named in the facts.
        encode: texts to unit vectors.
        precision: share of right removals that a bound must reach, in (0, 1).
        share: of negative texts in the data that will be judged, in (0, 1).

    Raises:
        UserError: when the examples have nothing in common that could be counted, or groups leave a fold one-sided.
    """
    vectors = np.asarray(encode(known.texts))
    held = np.zeros(len(known.texts))
    place = folds(known)
    for fold in range(FOLDS):
        away = place == fold
        if len(set(known.wanted[~away].tolist())) < 2:
            what = "nearly all texts of one kind are near copies of each other"
            raise UserError("examples", what, "give more varied ones", code=INPUT)
        held[away] = _fitted(known, vectors, ~away).scores(_chosen(known.texts, away), vectors[away])[:, 0]
    found = _fitted(known, vectors, np.ones(len(held), dtype=np.bool_))
    facts = {"name": name, "encoder": encoder, "trained": known.facts, "precision": precision, "negatives": share}
    facts |= {"groups": len(set(known.groups.tolist()))} | _figures(held, known.wanted, precision, share)
    return Filter(found, probed(encode), facts)


def _fitted(known: Examples, vectors: npt.NDArray[np.float32], chosen: Flags) -> heads.Heads:
    labels = {"positive": known.wanted[chosen].astype(np.int8)}
    try:
        counters = [heads.letters(most=_MOST)]
        return heads.fit(_chosen(known.texts, chosen), vectors[chosen], labels, counters=counters)
    except ValueError as error:  # of scikit-learn, for a vocabulary of nothing
        what = f"no run of letters stands in three texts ({error})"
        raise UserError("examples", what, "give whole texts", code=INPUT) from None


def _chosen(texts: Sequence[str], chosen: Flags) -> list[str]:
    return [one for one, asked in zip(texts, chosen, strict=True) if asked]


def _figures(scores: Scores, wanted: Flags, precision: float, share: float) -> dict[str, Any]:
    """Return area, curve and the bounds that reach the precision, of scores out of fold."""
    sides = {"below": (scores, ~wanted, share, 1), "above": (-scores, wanted, 1 - share, -1)}
    facts: dict[str, Any] = {"auroc": cutoffs.area(scores, wanted), "curve": {}}
    for side, (values, faulty, part, sign) in sides.items():
        curve = [cutoffs.below(values, faulty, at=sign * at, share=part) for at in cutoffs.SHOWN]
        best = cutoffs.reached(values, faulty, precision=precision, share=part)
        facts["curve"][side] = [replace(cut, at=sign * cut.at).plain() for cut in curve]
        facts[side] = replace(best, at=sign * best.at).plain() if best else None
    return facts
