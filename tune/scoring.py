"""Every row answered by one model: options ranked, answers written, likelihoods of the wanted answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from curate.lm import LanguageModel
from tune import generation, ranking
from tune.answers import Asked, Choice
from tune.metrics import WRITTEN, brier, normalised
from tune.trees import Text

Progress = Callable[[str, int, int], None]
# Longest answer that is written, in tokens: a paragraph, and 3 seconds on one core with SmolLM2.
LONGEST = 128
# Words of an answer from which it counts as copied when the prompt has them in a row: shorter ones may be quoted.
COPIED = 8
SCORES: dict[str, pl.DataType] = {
    **dict.fromkeys(("id", "record", "source", "task", "template", "metric"), pl.String()), "value": pl.Float64(),
}  # fmt: skip
PREDICTIONS: dict[str, pl.DataType] = {
    **dict.fromkeys(("id", "record", "source", "task", "template", "wanted", "answer", "label", "said"), pl.String()),
    "right": pl.Boolean(), "confidence": pl.Float64(), "outcome": pl.String(), "primary": pl.Float64(),
    "options": pl.List(pl.String), "likelihoods": pl.List(pl.Float64),
}  # fmt: skip
_KEYS = ("id", "record", "source", "task", "template")


def answered(
    lm: LanguageModel, items: Sequence[Asked], *, progress: Progress = lambda label, done, total: None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the scores of all items, a line for each measure, and what was answered, a line for each item.

    Args:
        lm: the model.
        items: what is asked.
        progress: told a label, what is done and the total.

    Raises:
        ValueError: when the model's chat template cannot render a row.
    """
    closed = [item for item in items if item.choice is not None]
    free = [item for item in items if item.choice is None]
    ranked = _ranked(lm, closed, lambda done, total: progress("options", done, total))
    wanted = _wanted(lm, free, lambda done, total: progress("wanted answers", done, total))
    written = _written(lm, free, lambda done, total: progress("answers", done, total))
    pairs = [(item, *one) for item, one in zip(closed, ranked, strict=True)]
    for item, bits, answer in zip(free, wanted, written, strict=True):
        values, told = _judged(item, answer)
        pairs.append((item, {**values, **bits}, told))
    pairs.sort(key=lambda one: str(one[0].row["id"]))
    scores = [(*(item.row[key] for key in _KEYS), name, v) for item, values, _ in pairs for name, v in values.items()]
    lines = [{key: item.row[key] for key in _KEYS} | {"wanted": item.row["response"]} | one for item, _, one in pairs]
    return pl.DataFrame(scores, schema=SCORES, orient="row"), pl.DataFrame(lines, schema=PREDICTIONS)


def _ranked(
    lm: LanguageModel, items: Sequence[Asked], progress: ranking.Progress
) -> list[tuple[dict[str, float], dict[str, Any]]]:
    """Return scores and answer of each item with options.

    The prior of an option, for PMI, is its likelihood after the same turns without a word of the user's.
    """
    choices = [item.choice for item in items if item.choice is not None]
    groups = [ranking.texts(lm, item.turns, choice.answers) for item, choice in zip(items, choices, strict=True)]
    sets = sorted({choice.answers for choice in choices})
    empty = [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]
    blank = [ranking.texts(lm, empty, answers) for answers in sets]
    found = ranking.likelihoods(lm, [*groups, *blank], progress=progress)
    priors = dict(zip(sets, found[len(groups) :], strict=True))
    return [
        _chosen(choice, group, values, priors[choice.answers])
        for choice, group, values in zip(choices, groups, found, strict=False)
    ]


def _chosen(
    choice: Choice, group: Sequence[Text], values: Sequence[float], prior: Sequence[float]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the scores of one ranking: of the whole answer, per token, per character, and beyond its prior."""
    raw = np.array(values)
    tokens = np.array([max(1, one.scored) for one in group])
    characters = np.array([max(1, len(answer)) for answer in choice.answers])
    right = choice.right
    shares = np.exp(raw - raw.max()) / np.exp(raw - raw.max()).sum()
    best = int(raw.argmax())
    nats = -float(raw[right])
    scores = {
        "accuracy": float(best == right),
        "accuracy_per_token": float((raw / tokens).argmax() == right),
        "accuracy_per_character": float((raw / characters).argmax() == right),
        "accuracy_pmi": float((raw - np.array(prior)).argmax() == right),
        "brier": brier(shares.tolist(), right),
        "closed_bits": -math.log2(max(float(shares[right]), 1e-300)),
        **_bits(nats, int(tokens[right]), choice.answers[right]),
    }
    told = {
        "answer": choice.answers[best], "label": choice.labels[right], "said": choice.labels[best],
        "right": best == right, "confidence": float(shares[best]), "primary": float(shares[right]),
        "outcome": "right" if best == right else "another option",
        "options": list(choice.answers), "likelihoods": [float(value) for value in values],
    }  # fmt: skip
    return scores, told


def _bits(nats: float, tokens: int, answer: str) -> dict[str, float]:
    """Return bits for each token and for each byte of the wanted answer; the second compares models of other tokens."""
    bits = nats / math.log(2)
    return {"bits_per_token": bits / max(1, tokens), "bits_per_byte": bits / max(1, len(answer.encode()))}


def _wanted(lm: LanguageModel, items: Sequence[Asked], progress: ranking.Progress) -> list[dict[str, float]]:
    """Return the likelihood of what was wanted of each item; nothing for an empty answer."""
    groups = [ranking.texts(lm, item.turns, [item.row["response"]]) for item in items]
    found = ranking.likelihoods(lm, groups, progress=progress)
    return [
        _bits(-values[0], group[0].scored, item.row["response"]) if group[0].scored else {}
        for item, group, values in zip(items, groups, found, strict=True)
    ]


def _written(lm: LanguageModel, items: Sequence[Asked], progress: ranking.Progress) -> list[generation.Written]:
    """Return the answer that the model writes to each item."""
    return generation.write(
        lm, [ranking.prompt(lm, item.turns) for item in items], limits(lm, items), progress=progress
    )


def limits(lm: LanguageModel, items: Sequence[Asked]) -> list[int]:
    """Return the most tokens that an answer to each item may have.

    All answers of a task may be as long as the longest that is wanted, and a half more.
    """
    lengths: dict[str, int] = {}
    for item, coded in zip(items, lm.coder.encode([item.row["response"] for item in items]), strict=True):
        task = str(item.row["task"])
        lengths[task] = max(lengths.get(task, 0), len(coded.ids))
    return [min(LONGEST, 4 + 3 * lengths[str(item.row["task"])] // 2) for item in items]


def _judged(item: Asked, written: generation.Written) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the scores of a written answer, each against the wanted one that suits it best."""
    values = {name: max(WRITTEN[name](written.text, one) for one in item.wanted) for name in item.metrics}
    primary = values[item.metrics[0]]
    exact = any(normalised(written.text) == normalised(one) for one in item.wanted)
    told = {"answer": written.text, "primary": primary, "outcome": _outcome(item, written, exact or primary == 1)}
    return values, told


def _outcome(item: Asked, written: generation.Written, right: bool) -> str:
    """Return what became of a written answer."""
    words = normalised(written.text).split()
    if right:
        return "right"
    if not words:
        return "empty"
    if len(words) >= COPIED and " ".join(words) in " ".join(normalised(str(item.row["prompt"])).split()):
        return "copied from the prompt"
    return "other words" if written.ended else "cut off"
