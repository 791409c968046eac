"""Adds the tables of the step `map` to the small run: three bundles of vectors by source, and their places."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from curate import rundir

AXES = {"news": 0, "reviews": 1, "notes": 2, "chat": 2}


def add_map(run: Path) -> Path:
    """Write vectors, points (a cluster for each axis, at places that can be told) and settings; return the run."""
    rows = pl.read_parquet(run / "rows.parquet").select("id", "source", "meta")
    numbers = rows["meta"].str.json_path_match("$.number").cast(pl.Int64).to_list()
    axes = [AXES[source] for source in rows["source"]]
    vectors = np.zeros((rows.height, 4), dtype=np.float32)
    for place, (axis, number) in enumerate(zip(axes, numbers, strict=True)):
        angle = number / 200  # rows of a bundle lie near each other, none at the same place
        vectors[place, axis], vectors[place, 3] = np.cos(angle), np.sin(angle)
    tables = {
        "vectors": rows.select("id", vector=pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32))),
        "points": rows.select(
            "id",
            x=pl.Series([-0.8 + 0.8 * axis for axis in axes]) + pl.Series(numbers) / 1000,
            y=pl.Series([0.5 - 0.01 * number for number in numbers]),
            cluster=pl.Series(axes, dtype=pl.UInt32),
        ),
        "settings": pl.DataFrame(
            {
                "name": ["characters", "clusters", "column", "points", "projection", "rows", "seed", "size"],
                "value": ["250", "3", "content", "60", "places set by hand", "60", "13", "60"],
            }
        ),
    }
    for name, table in tables.items():
        rundir.write_frame(run / "tables" / f"map.{name}.parquet", table)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["stages"][0]["steps"].append(
        {"as": "map", "step": "map", "kind": "corpus", "seconds": 0.5, "cached": False, "signals": []}
    )
    rundir.write_json(run / "manifest.json", manifest)
    return run
