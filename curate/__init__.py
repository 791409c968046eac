"""Curatune: raw task data in, an explained instruction mix out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.api import Run, run
    from curate.errors import UserError
    from curate.recipe import Recipe, load_recipe

__all__ = ["Recipe", "Run", "UserError", "load_recipe", "run"]

_HOMES = {"Run": "api", "run": "api", "UserError": "errors", "Recipe": "recipe", "load_recipe": "recipe"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a step or a report needs not the whole engine."""
    if name not in _HOMES:
        raise AttributeError(f"module 'curate' has no attribute '{name}'")
    return getattr(importlib.import_module(f"curate.{_HOMES[name]}"), name)
