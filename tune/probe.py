"""The cheapest trial: a linear classifier on the slots of tasks with closed labels, one for each source."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import embed
from tune.draw import TARGETS
from tune.tiers import SCORES, Budget

Floats = npt.NDArray[np.float64]
# Texts of a pair: what is asked, and what it is compared with.
_PARTS = {
    "classification": ("text",),
    "nli": ("premise", "hypothesis"),
    "paraphrase": ("text1", "text2"),
    "multiple_choice": ("question",),
}
# Inverse of the regularisation, scikit-learn's default of 1 times the usual gain of unit-length features; 1, 3, 10 and
# 30 gave the same order of label-noise arms on sst2.
_INVERSE = 10.0
_ITERATIONS = 200
# No probability is 0: a bit more than a label that was never seen deserves.
_LEAST = 1e-6


@dataclass(frozen=True)
class Item:
    """One closed question.

    Args:
        texts: one or two.
        options: the choices, or empty where the source's labels are.
        answer: the right or given answer.
    """

    texts: tuple[str, ...]
    options: tuple[str, ...]
    answer: str


Features = Callable[[Sequence[tuple[str, ...]]], Any]


def tfidf(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train and score on n-grams of words; see `tune.tiers.RunCell`."""
    return cell(train, evaluation, _grams)


def embedding(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train and score on sentence vectors; see `tune.tiers.RunCell`."""
    encoder = embed.load()

    def vectors(texts: Sequence[str]) -> Floats:
        return encoder.encode(texts, cache=budget.cache / "embeddings").astype(np.float64)

    return cell(train, evaluation, lambda pairs: _joined(pairs, vectors))


def cell(train: pl.DataFrame, evaluation: pl.DataFrame, prepare: Callable[..., Features]) -> pl.DataFrame:
    """Score each source with a classifier of its own."""
    parts = [pl.DataFrame(schema=SCORES)]
    for (like, task), rows in evaluation.group_by(["like", "task"], maintain_order=True):
        if task not in TARGETS:
            continue
        known = train.filter(pl.col("source") == like)
        asked = [(row, item) for row, item in zip(rows.iter_rows(named=True), items(rows), strict=True) if item]
        if asked:
            given = [(item, times) for item, times in zip(items(known), known["times"], strict=True) if item]
            found = _scores(given, [item for _, item in asked], prepare)
            parts.append(_frame([row for row, _ in asked], found))
    return pl.concat(parts)


def items(rows: pl.DataFrame) -> list[Item | None]:
    """Return the closed question of each row, None where it has none."""
    return [_item(task, json.loads(slots)) for task, slots in zip(rows["task"], rows["slots"], strict=True)]


def _item(task: str | None, slots: dict[str, Any]) -> Item | None:
    target = slots.get(TARGETS.get(task or "", ""))
    if task is None or target is None:
        return None
    options = tuple(str(one) for one in slots.get("choices", ())) if task == "multiple_choice" else ()
    texts = tuple(str(slots.get(part, "")) for part in _PARTS[task])
    if task == "multiple_choice" and slots.get("context"):
        texts = (f"{slots['context']}\n{texts[0]}",)
    return Item(texts, options, str(target))


def _scores(given: Sequence[tuple[Item, int]], asked: Sequence[Item], prepare: Callable[..., Features]) -> Floats:
    """Return probability of the right answer, bits among the options, and whether it is right, (items, 3)."""
    if asked[0].options:
        return _choices(given, asked, prepare)
    labels = sorted({item.answer for item in asked})
    classes = sorted({*labels, *(item.answer for item, _ in given)})
    right = np.array([classes.index(item.answer) for item in asked])
    learned = sorted({item.answer for item, _ in given})
    probabilities = np.full((len(asked), len(classes)), 1 / len(labels) if not learned else _LEAST)
    if not learned:
        probabilities[:, [place for place, name in enumerate(classes) if name not in labels]] = _LEAST
    elif len(learned) == 1:
        probabilities[:, classes.index(learned[0])] = 1 - _LEAST
    else:
        features = prepare([item.texts for item, _ in given])
        model = _fit(features([i.texts for i, _ in given]), [i.answer for i, _ in given], [t for _, t in given])
        places = [classes.index(name) for name in model.classes_]
        probabilities[:, places] = model.predict_proba(features([item.texts for item in asked]))
    closed = [classes.index(name) for name in labels]
    return _measured(probabilities, right, closed)


def _measured(probabilities: Floats, right: npt.NDArray[np.int64], closed: Sequence[int]) -> Floats:
    """Return what is told of each item; a foreign answer that was taught takes its share of the probability."""
    probabilities = np.clip(probabilities, _LEAST, 1)
    own = probabilities[np.arange(len(right)), right]
    among = probabilities[:, list(closed)].sum(axis=1)
    hit = probabilities.argmax(axis=1) == right
    return np.stack([own, -np.log2(own / among), hit.astype(np.float64)], axis=1)


def _choices(given: Sequence[tuple[Item, int]], asked: Sequence[Item], prepare: Callable[..., Features]) -> Floats:
    """Return the same for questions with choices of their own: each choice is judged, the sum over a question is 1."""
    usable = [(item, times) for item, times in given if item.answer in item.options]
    pairs = [(item.texts[0], option) for item, _ in usable for option in item.options]
    wanted = [option == item.answer for item, _ in usable for option in item.options]
    times = [count for item, count in usable for _ in item.options]
    model, features = None, None
    if len(set(wanted)) == 2:
        features = prepare(pairs)
        model = _fit(features(pairs), wanted, times)
    found = []
    for item in asked:
        logits = np.zeros(len(item.options))
        if model is not None and features is not None:
            logits = model.decision_function(features([(item.texts[0], option) for option in item.options]))
        raised = np.exp(logits - logits.max())
        right = np.array([item.options.index(item.answer) if item.answer in item.options else 0])
        found.append(_measured((raised / raised.sum())[None, :], right, range(len(item.options)))[0])
    return np.stack(found)


def _fit(features: Any, answers: Sequence[Any], times: Sequence[int]) -> Any:
    """Return a multinomial logistic regression, deterministic; a row counts as often as it is seen."""
    from sklearn.linear_model import LogisticRegression

    weights = np.asarray(times, dtype=np.float64)
    return LogisticRegression(C=_INVERSE, max_iter=_ITERATIONS, tol=1e-3).fit(features, answers, sample_weight=weights)


def _grams(known: Sequence[tuple[str, ...]]) -> Features:
    """Return the maker of features: n-grams of each text, and of the words that both, or one alone, have."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    def tokens(texts: tuple[str, ...]) -> list[str]:
        words = [text.casefold().split() for text in texts]
        if len(words) == 1:
            return words[0] + [f"{one} {two}" for one, two in zip(words[0], words[0][1:], strict=False)]
        first, second = set(words[0]), set(words[1])
        marked = [f"{place}:{word}" for place, one in enumerate(words) for word in one]
        sizes = [f"shared:{min(9, 10 * len(first & second) // max(1, len(first | second)))}"] * 8
        return marked + [f"both:{word}" for word in sorted(first & second)] + sizes

    maker = TfidfVectorizer(analyzer=tokens, sublinear_tf=True)
    try:
        maker.fit(known)
    except ValueError:  # texts without a word
        return lambda pairs: np.zeros((len(pairs), 1))
    return lambda pairs: maker.transform(pairs)


def _joined(known: Sequence[tuple[str, ...]], vectors: Callable[[Sequence[str]], Floats]) -> Features:
    """Return the maker of features: a vector, or both of a pair, their distance and their product."""
    scale = 4.0  # the spread of single coordinates of unit vectors is far below that of n-grams

    def features(pairs: Sequence[tuple[str, ...]]) -> Floats:
        sides = [vectors([pair[place] for pair in pairs]) for place in range(len(pairs[0]))]
        if len(sides) == 2:
            sides += [np.abs(sides[0] - sides[1]), sides[0] * sides[1] * np.sqrt(sides[0].shape[1])]
        return np.hstack(sides) * scale

    return features


def _frame(rows: Sequence[dict[str, Any]], found: Floats) -> pl.DataFrame:
    """Return scores in long form."""
    names = ["id", "record", "source", "task"]
    keys = pl.DataFrame({name: [row[name] for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String))
    values = [
        keys.with_columns(metric=pl.lit(metric), value=pl.Series(found[:, place], dtype=pl.Float64))
        for place, metric in enumerate(("probability", "closed_bits", "accuracy"))
    ]
    return pl.concat(values).select(list(SCORES))
