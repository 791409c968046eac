"""Repairs that are proposed and never applied silently."""

from __future__ import annotations

from typing import Any

from reports.view import View


def repairs(view: View) -> dict[str, Any]:
    """Return repairs that are proposed and never applied silently."""
    return {"skipped": "no step of the recipe proposes repairs"}
