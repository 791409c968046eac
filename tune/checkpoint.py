"""Where a training stands, as a file of numbers: weights, averages of the optimizer, and the log; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import lm
from curate.precision import BF16, FP32

NAME = "checkpoint.safetensors"
_PARTS, _SEEN = ("weight", "exp_avg", "exp_avg_sq"), "seen"


@dataclass(frozen=True)
class Standing:
    """What a training has to tell so far; it grows with each step.

    Args:
        log: a line for each finished step.
        seen: what each step saw of its examples: place, loss, share of tokens that came first.
    """

    log: list[dict[str, float]]
    seen: list[tuple[int, float, float]]


def save(folder: Path, *, key: str, dtype: str, where: Standing, weights: Sequence[Any], optimizer: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        folder: of the training.
        key: of all that the training depends on.
        dtype: what it computes in.
        where: what it has to tell.
        weights: tensors that are trained, in a fixed order.
        optimizer: AdamW over them.
    """
    import torch
    from safetensors.torch import save_file

    found: dict[str, Any] = {_SEEN: torch.tensor(where.seen, dtype=torch.float64).reshape(-1, 3)}
    for number, weight in enumerate(weights):
        state = optimizer.state[weight]
        parts = (weight.detach(), state["exp_avg"], state["exp_avg_sq"])
        found |= {f"{number}.{name}": part.contiguous() for name, part in zip(_PARTS, parts, strict=True)}
    temporary = folder / f"{NAME}.{os.getpid()}.tmp"
    save_file(found, str(temporary), metadata={"key": key, "dtype": dtype, "log": json.dumps(where.log)})
    temporary.replace(folder / NAME)


def restore(folder: Path, *, key: str, weights: Sequence[Any], optimizer: Any) -> Standing:
    """Put weights and optimizer where a checkpoint of the same key left them; return what it tells, if there is one."""
    import torch
    from safetensors import SafetensorError, safe_open

    path = folder / NAME
    if not path.is_file():
        return Standing([], [])
    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            if told.get("key") != key:
                return Standing([], [])
            log: list[dict[str, float]] = json.loads(told["log"])
            for number, weight in enumerate(weights):
                parts = {name: file.get_tensor(f"{number}.{name}").to(weight.device) for name in _PARTS}
                weight.data.copy_(parts.pop("weight"))
                optimizer.state[weight] = {"step": torch.tensor(float(len(log))), **parts}
            seen = [(int(place), loss, first) for place, loss, first in file.get_tensor(_SEEN).tolist()]
    except (SafetensorError, OSError):
        return Standing([], [])  # cut off by a full disk, say: the training starts over
    return Standing(log, seen)


def dtype(folder: Path) -> str | None:
    """Return what the training in a folder computes in, finished or not; None where there is none that says so."""
    from safetensors import SafetensorError, safe_open

    told: list[Any] = []
    try:
        with safe_open(str(folder / NAME), framework="pt") as file:
            told.append((file.metadata() or {}).get("dtype"))
    except (SafetensorError, OSError):  # there is none, or it was cut off
        pass
    if (folder / lm.TUNED).is_file():
        told.append(json.loads((folder / lm.TUNED).read_bytes()).get("settings", {}).get("dtype"))
    return next((one for one in told if one in (BF16, FP32)), None)
