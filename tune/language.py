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
from tune import adapter, evaluation, ranking, training
from tune.answers import Asked
from tune.settings import Settings
from tune.tiers import SCORES, Budget
from tune.trunk import Trunk

# No probability is 0, as with the probe.
_LEAST = 1e-6
_KEYS = ("id", "record", "source", "task")


def lora(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train an adapter on the upper layers, over states of the lower ones that are kept; see `tune.tiers.RunCell`."""
    trunk = _trunk(budget.tuning.model, budget.tuning.layers)
    return _cell(trunk, train, evaluation, seed=seed, budget=budget)


def lora_all(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train an adapter on all layers; see `tune.tiers.RunCell`."""
    return _cell(model(budget.tuning.model), train, evaluation, seed=seed, budget=budget)


@lru_cache(maxsize=1)
def model(name: str, *, dtype: str = "auto") -> lm.LanguageModel:
    """Return a model, loaded once in a process: its weights are the same after each cell."""
    import torch

    if parent_process() is not None:
        torch.set_num_threads(1)  # workers share the machine; threads that wait for each other's cores stall both
    return lm.load(name, dtype=dtype)


@lru_cache(maxsize=1)
def _trunk(name: str, layers: int) -> Trunk:
    """Return the trunk whose states all cells of a process share."""
    return Trunk(model(name), layers)


def _cell(
    base: lm.LanguageModel | Trunk, train: pl.DataFrame, judged: pl.DataFrame, *, seed: int, budget: Budget
) -> pl.DataFrame:
    """Train and score once; without a row to train on the model is scored as it is."""
    items = evaluation.asked(evaluation.Data(Path(), judged, None, budget.told), limit=None)
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
