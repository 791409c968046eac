"""The steps of a training, planned before it begins: which rows, at which learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from tune.data import Example, batches
from tune.settings import Settings

# Share of the steps in which the learning rate rises; a common choice (3 to 10 %), as is the straight fall after it.
_RISE = 0.06
_EPOCHS = 2


def steps(examples: Sequence[Example], *, settings: Settings, size: int, seed: int) -> list[list[int]]:
    """Return the rows of each step, as places of examples, for as long as the budget lasts.

    Args:
        examples: at least one.
        settings: of them the budget.
        size: rows of a step.
        seed: of the order.
    """
    limit = settings.epochs or (None if settings.steps or settings.tokens else _EPOCHS)
    found: list[list[int]] = []
    spent = 0
    for epoch in count():
        if epoch == limit:
            return found
        for part in batches(examples, size=size, seed=seed, epoch=epoch):
            found.append(part)
            spent += sum(len(examples[place].ids) for place in part)
            if len(found) == settings.steps or (settings.tokens and spent >= settings.tokens):
                return found
    raise AssertionError("unreachable")


def rate(step: int, *, total: int) -> float:
    """Return the share of the highest learning rate at a step, from 0: a straight rise, then a straight fall."""
    return min((step + 1) / max(1.0, _RISE * total), (total - step) / total)
