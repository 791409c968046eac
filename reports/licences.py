"""Under which terms the mix stands: the licences of its sources, and what the strictest of them asks."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate import licences as known
from reports.view import View


def licences(view: View) -> dict[str, Any]:
    """Return each declared licence with its SPDX name, terms and rows, the strictest term of the mix, and the gate."""
    counted = view.base.group_by("license").agg(
        rows=pl.len(), kept=pl.col("kept").sum(), sources=pl.col("source").unique().sort()
    )
    gate = view.manifest["recipe"].get("licenses") or {}
    allow, refuse = gate.get("allow", ()), gate.get("refuse", ())
    found = [
        {
            "name": name, "spdx": known.spdx(name), "terms": list(known.terms(name)), "rows": rows, "kept": kept,
            "sources": sources, "refused": known.refusal(name, allow=allow, refuse=refuse),
        }
        for name, rows, kept, sources in counted.select("license", "rows", "kept", "sources").iter_rows()
    ]  # fmt: skip
    found.sort(key=lambda one: (-known.TERMS.index(one["terms"][0]), -one["kept"], one["name"] or ""))
    kept = [one for one in found if one["kept"]]
    without = [one for one in found if one["name"] is None]
    return {
        "method": (
            "licences as the sources declare them; the terms are ordered from "
            f"{known.TERMS[0]} over {', '.join(known.TERMS[1:-1])} to {known.TERMS[-1]}"
        ),
        "list": found,
        "strictest": known.strictest(one["name"] for one in kept),
        "without": {"rows": sum(one["rows"] for one in without), "kept": sum(one["kept"] for one in without)},
        "gate": {"allow": list(allow), "refuse": list(refuse)},
    }
