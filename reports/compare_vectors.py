"""Whether the new mix lies where the old one does, in the space of an embedding model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.intervals import wilson
from reports import shown
from reports.pair import SIDES, Pair, drawn
from reports.view import View

TABLE = "map.vectors"
# Rows per side: 4,000 x 4,000 products of 384 numbers take a second, and a share has an interval of under two points.
SAMPLE = 4000
# The old rows farther from their nearest neighbour than this share of them set the bound.
INSIDE = 0.95
# Fewer rows than this say nothing of a tail of 5 per cent.
LEAST = 40
# Far rows shown.
SHOWN = 5
_BLOCK = 512

Vectors = npt.NDArray[np.float32]


def clouds(pair: Pair) -> dict[str, Any]:
    """Return the share of new rows that lie farther from the old data than old rows lie from each other.

    Returns:
        Shares with a 95 per cent interval, the bound as cosine distance, quantiles of both, and the farthest rows.
    """
    tables = [_vectors(view) for view in pair.views]
    reason = _unfit(pair, tables)
    if reason:
        return {"skipped": reason}
    (_, old), (new_ids, new) = ((ids, vectors) for ids, vectors in tables if vectors is not None)
    inner, outer = _nearest(old, old, same=True), _nearest(new, old, same=False)
    bound = float(np.quantile(inner, INSIDE, method="inverted_cdf"))
    far = int((outer > bound).sum())
    low, high = wilson(far, outer.size)
    order = np.lexsort((np.array(new_ids), -outer))[:SHOWN]
    return {
        "method": (
            "cosine distance of each row to its nearest old row, over vectors of the step `map`; the bound is the "
            f"distance that {INSIDE:.0%} of old rows keep to another old row, so about {1 - INSIDE:.0%} of new rows "
            "are beyond it when nothing drifted; interval: Wilson 95 %"
        ),
        "of": {
            side: {"rows": len(ids), "of": int(view.base["kept"].sum())}
            for side, (ids, _), view in zip(SIDES, tables, pair.views, strict=True)
        },
        "bound": round(bound, 4),
        "far": far,
        "share": far / outer.size,
        "low": round(low, 4),
        "high": round(high, 4),
        "expected": round(1 - INSIDE, 4),
        "median": {"old": round(float(np.median(inner)), 4), "new": round(float(np.median(outer)), 4)},
        "farthest": [
            {"row": str(new_ids[place]), "sides": ["new"], "distance": round(float(outer[place]), 4)}
            for place in order
            if outer[place] > bound
        ],
    }


def _vectors(view: View) -> tuple[list[str], Vectors | None]:
    """Return ids and unit vectors of a draw from the mix; None without vectors."""
    table = view.run.table(TABLE)
    if table is None or not {"id", "vector"} <= set(table.columns):
        return [], None
    # One row of each record: its other wordings would be near neighbours that no new row can have.
    kept = view.base.lazy().filter("kept").select("id", "record").collect()
    table = table.filter(pl.col("vector").is_not_null()).join(kept, on="id", how="inner")
    table = drawn(table, view, "clouds").unique("record", keep="first", maintain_order=True).head(SAMPLE).sort("id")
    vectors = np.array(table["vector"].to_list(), dtype=np.float32).reshape(table.height, -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return table["id"].to_list(), np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _unfit(pair: Pair, tables: list[tuple[list[str], Vectors | None]]) -> str | None:
    """Return why the clouds cannot be compared, or None."""
    without = [side for side, (_, vectors) in zip(SIDES, tables, strict=True) if vectors is None]
    if without:
        return f"the {' and the '.join(without)} run has no table {TABLE}: add the step `map` to the recipe"
    models = [_encoder(view.manifest.get("embedding") or {}) for view in pair.views]
    if models[0] != models[1]:
        told = " and ".join(f"{name}, backend {backend}" for name, _, backend in models)
        return f"the runs were embedded in different ways ({told}), their vectors cannot be compared"
    few = [side for side, (ids, _) in zip(SIDES, tables, strict=True) if len(ids) < LEAST]
    if few:
        return f"the {' and the '.join(few)} mix has fewer than {LEAST} rows with a vector"
    widths = {vectors.shape[1] for _, vectors in tables if vectors is not None}
    return None if len(widths) == 1 else "the vectors of the two runs have different lengths"


def _encoder(embedding: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return name, files and backend of the encoder; what it was measured to agree on may differ between machines."""
    name, backend = (shown.clipped(str(embedding.get(key, "unknown")), 60) for key in ("model", "backend"))
    return name, str(embedding.get("files", "")), backend


def _nearest(these: Vectors, those: Vectors, *, same: bool) -> npt.NDArray[np.float64]:
    """Return the cosine distance of each vector to the nearest other one, (n,) in [0, 2].

    Args:
        these: (n, d) unit vectors.
        those: (m, d) unit vectors.
        same: both are the same rows, of which none counts as its own neighbour.
    """
    found = np.empty(len(these))
    for start in range(0, len(these), _BLOCK):
        likeness = these[start : start + _BLOCK] @ those.T
        if same:
            rows = np.arange(len(likeness))
            likeness[rows, rows + start] = -np.inf
        found[start : start + _BLOCK] = 1 - likeness.max(axis=1).astype(np.float64)
    # Products of equal vectors differ in their last bits between machines.
    return np.asarray(np.round(np.maximum(found, 0.0), 5), dtype=np.float64)
