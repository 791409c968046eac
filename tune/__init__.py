"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune.settings import Settings
    from tune.train import Tuned, train
    from tune.trunk import Trunk

__all__ = ["Settings", "Trunk", "Tuned", "train"]
_HOMES = {"Settings": "tune.settings", "Trunk": "tune.trunk", "Tuned": "tune.train", "train": "tune.train"}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tune' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
