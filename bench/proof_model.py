"""The small language model of the experiments: tuned on a few rows, then asked how likely answers are.

SmolLM2-135M, an adapter on its six upper layers; what the layers below make of a text is computed once in a process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import lm
from curate.embed import quiet
from curate.schema import MESSAGE
from tune import adapter, data, layout, training
from tune.settings import Settings
from tune.trunk import Trunk

LAYERS, WINDOW = 6, 160
# Texts scored together; of about one length.
_BATCH = 16
# Logits made at once: 128 positions of 49,152 words are 25 MB.
_HEAD = 128
Asked = tuple[str, str]


@dataclass(frozen=True)
class Answered:
    """How likely an answer is, with the marker that ends it.

    Args:
        log: its logarithm, in nats.
        begun: the same without the marker: that the model's answer begins like this.
        chars: of the answer.
    """

    log: float
    begun: float
    chars: int

    @property
    def per_char(self) -> float:
        """Return the mean probability of a character, geometric; that of the end where the answer is empty."""
        return float(np.exp(self.log / max(1, self.chars)))


@lru_cache(maxsize=1)
def trunk() -> Trunk:
    """Return the model, loaded once in a process, on one thread."""
    import torch

    torch.set_num_threads(1)
    return Trunk(lm.load("smollm2"), LAYERS)


def mix(asked: Sequence[Asked]) -> pl.DataFrame:
    """Return questions and answers as rows; equal ones are rows of their own, as copies in a file would be."""
    turns = [
        [{"role": "user", "content": said, "train": False}, {"role": "assistant", "content": answer, "train": True}]
        for said, answer in asked
    ]
    ids = [f"{place:05}" for place in range(len(turns))]
    return pl.DataFrame({"id": ids, "messages": turns}, schema={"id": pl.String, "messages": pl.List(MESSAGE)})


@contextmanager
def tuned(asked: Sequence[Asked], *, steps: int, seed: int) -> Iterator[Trunk]:
    """Tune the model on rows; while it lasts the adapter is in place.

    Args:
        asked: questions and answers.
        steps: batches of eight.
        seed: of the adapter's first weights and of the order.
    """
    base = trunk()
    settings = Settings(steps=steps, layers=LAYERS, kept=True, window=WINDOW, batch=8, dtype=base.model.dtype)
    with tempfile.TemporaryDirectory(prefix="curate-proof-") as folder, quiet():
        done = training.train(mix(asked), out=Path(folder) / "tuned", model=base, settings=settings, seed=seed)
        with adapter.worn(base.model, done.path):
            yield base


def answered(base: Trunk, asked: Sequence[Asked]) -> list[Answered]:
    """Return how likely each answer is to its question.

    Args:
        base: with or without an adapter.
        asked: questions and answers; an empty answer is one that ends at once.
    """
    import torch

    examples = data.encode(mix(asked), coder=base.model.coder, window=WINDOW).examples
    base.prepare(examples)
    found: list[Any] = [None] * len(examples)
    order = sorted(range(len(examples)), key=lambda place: len(examples[place].ids))
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            batch = layout.padded([examples[place] for place in part], model=base.model)
            states = base.forward(batch).flatten(0, 1)[batch.places]
            logs: list[float] = []
            for some, targets in zip(states.split(_HEAD), batch.targets.split(_HEAD), strict=True):
                logits = base.model.head(some)
                chosen = logits.gather(1, targets[:, None])[:, 0]
                logs += (chosen - logits.logsumexp(dim=-1)).tolist()
            at = 0
            for place in part:
                count = int(examples[place].trained.sum())
                own, chars = logs[at : at + count], len(asked[place][1])
                found[place] = Answered(sum(own), sum(own[:-1]), chars)
                at += count
    return found


def quality(base: Trunk, asked: Sequence[Asked]) -> float:
    """Return the mean probability of a character of the right answers."""
    return float(np.mean([one.per_char for one in answered(base, asked)]))
