"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune.evaluate import evaluate
    from tune.harness import export_tasks
    from tune.settings import Settings
    from tune.train import Tuned, train

__all__ = ["Settings", "Tuned", "evaluate", "export_tasks", "train"]
_HOMES = {
    "Settings": "tune.settings",
    "Tuned": "tune.train",
    "evaluate": "tune.evaluate",
    "export_tasks": "tune.harness",
    "train": "tune.train",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tune' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
