"""Several processes that train together, as `accelerate launch` starts them; alone, there is nothing to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


def count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first() -> bool:
    """Tell whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def join() -> None:
    """Meet the other processes, if there are any; each has a GPU of its own from then on where there are GPUs."""
    if count() > 1:
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def share(items: Sequence[Item]) -> Sequence[Item]:
    """Return those of the items that are this process's work."""
    return items[int(os.environ.get("RANK", "0")) :: count()]


def total(weights: Sequence[Any], loss: Any | None) -> float:
    """Add up gradients and loss over the processes, in place; return the loss.

    Each process has divided its loss by the trained tokens of the whole step, so sums are what one process would have.

    Args:
        weights: those that are trained.
        loss: of this process's share, None where it had none.
    """
    if count() == 1:
        return float(loss) if loss is not None else 0.0
    import torch
    from accelerate.utils import reduce

    for weight in weights:
        weight.grad = reduce(torch.zeros_like(weight) if weight.grad is None else weight.grad, "sum")
    return float(reduce(torch.zeros((), device=weights[0].device) if loss is None else loss, "sum"))
