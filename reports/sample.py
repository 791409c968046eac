"""Rows to search and filter."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.view import View, draw

# Rows drawn: every tenth of a per cent is there with three chances in ten, and their texts weigh about a third of a
# megabyte. The page adds the rows that other sections show.
SIZE = 300


def sample(view: View) -> dict[str, Any]:
    """Return rows to search and filter: a draw over all rows, the same on every machine."""
    if not view.base.height:
        return {"skipped": "the run has no rows"}
    every = pl.repeat(True, view.base.height, dtype=pl.Boolean, eager=True)
    drawn = draw(view, every, "rows to search", size=SIZE)
    return {
        "method": (
            "the rows that any part of this page shows, and a draw by chance over all rows, kept or dropped; "
            "texts are cut as everywhere here, so a search sees the beginning of a long response and both ends of a "
            "long prompt"
        ),
        "of": view.base.height,
        "drawn": [{"row": row} for row in drawn],
    }
