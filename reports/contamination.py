"""Held-out items that stand in training rows."""

from __future__ import annotations

from typing import Any

from reports.view import View


def contamination(view: View) -> dict[str, Any]:
    """Return held-out items that stand in training rows."""
    return {"skipped": "no step of the recipe looks for leaks"}
