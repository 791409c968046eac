"""Which tokens a trainer would learn from."""

from __future__ import annotations

from typing import Any

from reports.view import View


def masks(view: View) -> dict[str, Any]:
    """Return which tokens a trainer would learn from."""
    return {"skipped": "no step of the recipe tokenises rows"}
