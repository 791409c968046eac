"""How the rows are worded: templates, kinds and how much one of them rules."""

from __future__ import annotations

from typing import Any

from reports.view import View


def phrasing(view: View) -> dict[str, Any]:
    """Return how the rows are worded: templates, kinds and how much one of them rules."""
    return {"skipped": "the rows name no template"}
