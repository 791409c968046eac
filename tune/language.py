"""Arms tried on a small language model: an adapter is trained on the rows, answers ranked by their likelihood."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import lm
from curate.errors import UserError
from tune import adapter, evaluation, ranking, tiny, training
from tune.answers import Asked
from tune.settings import Settings
from tune.tiers import SCORES, Budget
from tune.trunk import Trunk

# No probability is 0, as with the probe.
_LEAST = 1e-6
_KEYS = ("id", "record", "source", "task")
# How often a model from scratch sees what another sees once, and its rate: of 5, 10 and 20 times the first was enough
# for six intents (120 rows seen twice: 48 of 48 right, with 30 % wrong labels 37), of 1e-3 and 3e-3 the second.
_PASSES, _RATE = 5, 3e-3


def lora(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train an adapter on the upper layers, over states of the lower ones that are kept; see `tune.tiers.RunCell`."""
    trunk = _trunk(budget.tuning.model, budget.tuning.layers)
    return _cell(trunk, train, evaluation, seed=seed, budget=budget)


def lora_all(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train an adapter on all layers; see `tune.tiers.RunCell`."""
    return _cell(model(budget.tuning.model), train, evaluation, seed=seed, budget=budget)


def scratch(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train a small model from scratch; see `tune.tiers.RunCell`.

    Its vocabulary is that of the evaluation rows, so that all arms read in the same tokens, whatever their rows are.
    """
    _alone()
    with tempfile.TemporaryDirectory(prefix="curate-cell-") as folder:
        start = Path(folder) / "start"
        tiny.write_model(start, tiny.texts(evaluation), seed=seed)
        own = lm.load(str(start), dtype="fp32")
        if train.height:
            settings = Settings(epochs=_PASSES, full=True, rate=_RATE, window=min(budget.tuning.window, own.window))
            rows = train.with_columns(copies=pl.col("times"))
            training.train(rows, out=Path(folder) / "out", model=own, settings=settings, seed=seed)
        return scored(own, _items(evaluation, budget))


@lru_cache(maxsize=1)
def model(name: str, *, dtype: str = "auto") -> lm.LanguageModel:
    """Return a model, loaded once in a process: its weights are the same after each cell."""
    _alone()
    return lm.load(name, dtype=dtype)


def _alone() -> None:
    """Use one core in a worker: threads that wait for each other's cores stall both."""
    import torch

    if parent_process() is not None:
        torch.set_num_threads(1)


@lru_cache(maxsize=1)
def _trunk(name: str, layers: int) -> Trunk:
    """Return the trunk whose states all cells of a process share."""
    return Trunk(model(name), layers)


def _cell(
    base: lm.LanguageModel | Trunk, train: pl.DataFrame, judged: pl.DataFrame, *, seed: int, budget: Budget
) -> pl.DataFrame:
    """Train and score once; without a row to train on the model is scored as it is."""
    items = _items(judged, budget)
    if not train.height:
        return scored(base, items)
    kept = isinstance(base, Trunk)
    settings = Settings(
        epochs=1, rank=budget.tuning.rank, layers=budget.tuning.layers if kept else None, kept=kept,
        window=budget.tuning.window,
    )  # fmt: skip
    rows = train.with_columns(copies=pl.col("times"))  # as often as the budget says: one epoch of that is all
    with tempfile.TemporaryDirectory(prefix="curate-cell-") as folder:
        done = training.train(rows, out=Path(folder) / "out", model=base, settings=settings, seed=seed)
        with adapter.worn(base.model if isinstance(base, Trunk) else base, done.path):
            return scored(base, items)


def _items(judged: pl.DataFrame, budget: Budget) -> list[Asked]:
    """Return what the evaluation rows ask."""
    return evaluation.asked(evaluation.Data(Path(), judged, None, budget.told), limit=None)


def scored(base: lm.LanguageModel | Trunk, items: Sequence[Asked]) -> pl.DataFrame:
    """Return the scores of items, columns of `tune.tiers.SCORES`.

    Of a closed answer: `probability`, that of the right option among all by the likelihood of whole answers, its
    `closed_bits`, and `accuracy`. Of a free one: `probability`, the mean (geometric) probability of a character of the
    wanted answer. Both lie in [0, 1]. An empty wanted answer is not scored.

    Args:
        base: a model, or a trunk with one.
        items: what is asked.

    Raises:
        UserError: when the model's chat template cannot render a row.
    """
    loaded, states = (base.model, base.states) if isinstance(base, Trunk) else (base, None)
    asked = [item for item in items if item.choice is not None or item.row["response"]]
    try:
        groups = [ranking.texts(loaded, item.turns, _answers(item)) for item in asked]
    except ValueError as error:
        fix = "take a model whose template fits the data"
        raise UserError(f"model '{loaded.name}'", str(error), fix) from error
    found = ranking.likelihoods(loaded, groups, states=states)
    lines = [
        (*(item.row[key] for key in _KEYS), metric, value)
        for item, nats in zip(asked, found, strict=True)
        for metric, value in _values(item, nats).items()
    ]
    return pl.DataFrame(lines, schema=SCORES, orient="row")


def _answers(item: Asked) -> Sequence[str]:
    return item.choice.answers if item.choice is not None else [item.row["response"]]


def _values(item: Asked, nats: Sequence[float]) -> Mapping[str, float]:
    """Return the measures of an item from the log-likelihoods of its answers."""
    if item.choice is None:
        return {"probability": math.exp(nats[0] / len(item.row["response"]))}
    raised = np.exp(np.array(nats) - max(nats))
    right = max(_LEAST, float(raised[item.choice.right] / raised.sum()))
    best: Any = raised.argmax()
    return {"probability": right, "closed_bits": -math.log2(right), "accuracy": float(best == item.choice.right)}
