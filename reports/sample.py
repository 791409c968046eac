"""Rows to search and filter."""

from __future__ import annotations

from typing import Any

from reports.view import View


def sample(view: View) -> dict[str, Any]:
    """Return rows to search and filter."""
    return {"skipped": "the run has no rows"}
