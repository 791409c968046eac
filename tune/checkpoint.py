"""Where a training stands, as a file of numbers: weights, averages of the optimizer, and the log; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAME = "checkpoint.safetensors"
_PARTS = ("weight", "exp_avg", "exp_avg_sq")


def save(folder: Path, *, key: str, log: Sequence[dict[str, float]], weights: Sequence[Any], optimizer: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: of the training.
        key: of all that the training depends on.
        log: a line for each finished step.
        weights: tensors that are trained, in a fixed order.
        optimizer: AdamW over them.
    """
    from safetensors.torch import save_file

    found: dict[str, Any] = {}
    for number, weight in enumerate(weights):
        state = optimizer.state[weight]
        parts = (weight.detach(), state["exp_avg"], state["exp_avg_sq"])
        found |= {f"{number}.{name}": part.contiguous() for name, part in zip(_PARTS, parts, strict=True)}
    temporary = folder / f"{NAME}.{os.getpid()}.tmp"
    save_file(found, str(temporary), metadata={"key": key, "log": json.dumps(list(log))})
    temporary.replace(folder / NAME)


def restore(folder: Path, *, key: str, weights: Sequence[Any], optimizer: Any) -> list[dict[str, float]]:
    """Put weights and optimizer where a checkpoint of the same key left them; return its log, empty without one."""
    import torch
    from safetensors import SafetensorError, safe_open

    path = folder / NAME
    if not path.is_file():
        return []
    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            if told.get("key") != key:
                return []
            log: list[dict[str, float]] = json.loads(told["log"])
            for number, weight in enumerate(weights):
                parts = {name: file.get_tensor(f"{number}.{name}").to(weight.device) for name in _PARTS}
                weight.data.copy_(parts.pop("weight"))
                optimizer.state[weight] = {"step": torch.tensor(float(len(log))), **parts}
    except (SafetensorError, OSError):
        return []  # cut off by a full disk, say: the training starts over
    return log
