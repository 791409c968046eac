"""Find labels that look wrong beside the other labels of their source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from curate import chance, folds, rulebook, text
from curate.schema import Measured

_Vectors = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]
LABEL = "label"
_WORD = re.compile(r"[^\W\d_]{2}")
# Records of a source below which nothing is said, and of a label: one for each fold.
FEW, RARE = 50, folds.FOLDS
# Neighbours asked, and records among which they are sought: the time grows with both numbers of records.
NEIGHBOURS, AMONG = 10, 20_000
# How much what a text shares with the name of each label counts beside the text itself: at 3, 5 and 10 wrong labels of
# 200 news, three in ten flipped, were told better (area under the curve 0.84, 0.85, 0.85 in twelve draws; without
# 0.82), with one in ten flipped a little worse (0.91, 0.90, 0.90; without 0.92).
_NAMES = 5.0
# Of two texts, the products of the vectors, which are small, count as the square root of their number, halved: then
# products and differences vary about alike (bench/checks_labels.py).
_PRODUCTS = 0.5
# 99 % of a normal distribution, one-sided: of a hundred sources with labels dealt by chance one or two are taken for
# learnable.
_Z = 2.326
# Estimated share of wrong labels from which nothing is said. With three labels in ten flipped it is 0.42 at most where
# the classes can be told apart; for five classes of stars that run into each other, whose flips are found with an area
# under the curve of 0.70 to 0.76, it is 0.44 and more even as published (bench/checks_labels.py; 1 of 36 further draws
# of these passed).
_OVERLAP = 0.44
# Deals of the folds that are averaged, and records below which: of 200 the estimated share of wrong labels varies by
# 0.1 from one deal to the next, of 1,000 and more hardly.
DEALS, _MANY = 5, 1000
_SIGNALS = pl.Schema(
    {"score": pl.Float64(), "suggested": pl.String(), "suspect": pl.Boolean(), "neighbours_share": pl.Float64()}
)
_SOURCE = pl.Schema(
    {
        "source": pl.String(), "records": pl.UInt32(), "labels": pl.UInt32(), "accuracy": pl.Float64(),
        "majority": pl.Float64(), "learnable": pl.Boolean(), "suspects": pl.UInt32(), "noise": pl.Float64(),
    }
)  # fmt: skip


def state(rows: pl.DataFrame, *, vectors: Callable[[Sequence[str]], _Vectors], seed: int) -> pl.DataFrame:
    """Embed what each labelled record puts in; of two texts their difference, their product and the words they share.

    Args:
        rows: instruction rows.
        vectors: texts to vectors of unit length.
        seed: of the folds.

    Returns:
        label (str), fold (u16; for each deal a digit to the base of 5; equal texts share it) and vector (list of f32:
        as it is for one text; for two, which pairs of sentences are, |u - v| and u * v as in Conneau et al. 2017); all
        null for a row without a label.
    """
    families = rulebook.families()
    known = rows.select("task", "slots").iter_rows()
    read = [_texts(slots, families.get(task or "")) for task, slots in known]
    texts = sorted({one for found in read if found for one in found[1]})
    place = {one: number for number, one in enumerate(texts)}
    embedded = vectors(texts) if texts else np.zeros((0, 1), dtype=np.float32)
    values: list[dict[str, Any]] = []
    for found in read:
        if found is None:
            values.append({"label": None, "fold": None, "vector": None})
            continue
        label, parts = found
        joined = " ".join(text.words("\n".join(parts)))
        own = [embedded[place[part]] for part in parts]
        vector = own[0] if len(own) == 1 else _pair(own[0], own[1], parts)
        fold = chance.pick(seed, joined, "fold", size=folds.FOLDS**DEALS)
        values.append({"label": label, "fold": fold, "vector": vector.tolist()})
    return pl.DataFrame(values, schema={"label": pl.String, "fold": pl.UInt16, "vector": pl.List(pl.Float32)})


def _pair(one: _Vectors, other: _Vectors, parts: Sequence[str]) -> _Vectors:
    """Return how two texts differ, (2 d + 1,)."""
    first, second = (set(text.words(part.lower())) for part in parts)
    shared = len(first & second) / max(1, len(first | second))
    products = _PRODUCTS * np.sqrt(len(one)) * one * other
    return np.concatenate([np.abs(one - other), products, [shared]]).astype(np.float32)


def _texts(slots: str | None, family: rulebook.Family | None) -> tuple[str, list[str]] | None:
    """Return the label of a record and its one or two texts, None where it has none."""
    if family is None or LABEL not in family.target or not slots:
        return None
    values: Mapping[str, Any] = orjson.loads(slots)
    given = [values[name] for name in family.inputs if name in family.slots and isinstance(values.get(name), str)]
    label = values.get(LABEL)
    if not isinstance(label, str) or not any(text.words(one) for one in given):
        return None
    return label, given if len(given) <= 2 else ["\n".join(given)]


def decide(state: pl.DataFrame, *, vectors: Callable[[Sequence[str]], _Vectors]) -> Measured:
    """Compare each label with what the other records of its source lead one to expect.

    A small classifier on embeddings is fitted to four fifths of the records and asked about the fifth, so that no
    record speaks for its own label; how near a text is to the name of each label it sees too, where names are words.
    Where it finds the labels no likelier than others dealt out by chance, nothing is said: what it has not learnt it
    cannot check. Nor where nearly half of the labels look wrong: classes then overlap, and of noise one cannot tell
    that apart. An honest but unusual label is suspected too: read before dropping.

    Args:
        state: what `state` returned, with id, record, source, task, template and lang.
        vectors: texts to vectors of unit length.

    Signals:
        score (f64): how much better another label fits, in [0, 1]: above 0.5 one does; null where a source has fewer
            than 50 labelled records, one label, or labels that cannot be told apart, and for a label of fewer than 5
            records.
        suggested (str): the label that fits best; null likewise.
        suspect (bool): whether confident learning counts the record as another label's; null likewise.
        neighbours_share (f64): share of the 10 nearest records that have another label, in [0, 1]; null likewise.

    Tables:
        sources: source, records, labels, accuracy (out of fold), majority (share of the commonest label), learnable,
            suspects (null where not learnable), noise (estimated share of wrong labels, null where labels are as if by
            chance).
    """
    labelled = state.with_row_index("place").filter(pl.col("label").is_not_null())
    units = labelled.unique(["source", "record"], keep="first", maintain_order=True)
    parts, lines = [], []
    for (source,), group in units.group_by("source", maintain_order=True):
        found, line = _source(group, vectors=vectors)
        lines.append({"source": source, **line})
        if found is not None:
            parts.append(group.select("source", "record").hstack(found))
    empty = pl.DataFrame(schema={"source": pl.String, "record": pl.String, **_SIGNALS})
    joined = state.select("source", "record", "label").join(
        pl.concat([empty, *parts]), on=["source", "record"], how="left", maintain_order="left"
    )
    bare = pl.col("label").is_null()
    signals = joined.select(pl.when(~bare).then(name).alias(name) for name in _SIGNALS)
    return Measured(signals, {"sources": pl.DataFrame(lines, schema=_SOURCE).sort("source")})


def _source(
    group: pl.DataFrame, *, vectors: Callable[[Sequence[str]], _Vectors]
) -> tuple[pl.DataFrame | None, dict[str, Any]]:
    """Return the signals of a source's records, None where there is nothing to say, and its line of the table."""
    common = pl.len().over("label") >= RARE
    kept = group.with_row_index("at").with_columns(common.alias("common"))
    usable = kept.filter("common")
    names = usable["label"].unique().sort()
    line: dict[str, Any] = {"records": group.height, "labels": group["label"].n_unique(), "learnable": False}
    if usable.height < FEW or len(names) < 2:
        return None, line
    labels = usable["label"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    known = np.stack(usable["vector"].to_list()).astype(np.float64)
    digits = usable["fold"].to_numpy().astype(np.int64)
    deals = [digits // folds.FOLDS**deal % folds.FOLDS for deal in range(DEALS if usable.height < _MANY else 1)]
    result = folds.averaged(np.hstack([known, _named(known, names, vectors=vectors)]), labels, deals)
    best = result.probabilities.argmax(axis=1)
    right, majority = result.first.argmax(axis=1) == labels, float(np.bincount(labels).max() / len(labels))
    line |= {"accuracy": float(right.mean()), "majority": majority}
    if folds.learnt(result.first, labels) <= _Z:
        return None, line
    line |= {"noise": result.noise, "learnable": result.noise < _OVERLAP}
    if not line["learnable"]:
        return None, line
    line |= {"suspects": int(result.suspects.sum())}
    own = result.probabilities[np.arange(len(labels)), labels]
    others = result.probabilities.copy()
    others[np.arange(len(labels)), labels] = 0
    other = others.max(axis=1)
    found = usable.select("at").with_columns(
        score=pl.Series(other / (other + own)),
        suggested=names.gather(best),
        suspect=pl.Series(result.suspects),
        neighbours_share=pl.Series(folds.disagreement(known, labels, neighbours=NEIGHBOURS, among=AMONG)),
    )
    return kept.select("at").join(found, on="at", how="left", maintain_order="left").drop("at").cast(_SIGNALS), line


def _named(known: _Floats, names: pl.Series, *, vectors: Callable[[Sequence[str]], _Vectors]) -> _Floats:
    """Return how near each text is to the name of each label, (n, c), beside the others and the other texts.

    Nothing, (n, 0), for numbers and codes, of pairs, and where there are more labels than dimensions.
    """
    words = [name.replace("_", " ") for name in names]
    if len(words) > known.shape[1] or not all(_WORD.search(name) for name in words):
        return np.zeros((len(known), 0))
    directions = vectors(words)
    if directions.shape[1] != known.shape[1]:
        return np.zeros((len(known), 0))
    near = known @ directions.T.astype(np.float64)
    near -= near.mean(axis=0)
    found: _Floats = _NAMES * (near - near.mean(axis=1, keepdims=True))
    return found
