"""A recipe worked out in shards."""

from __future__ import annotations

from pathlib import Path

import curate
from curate import shards
from curate.recipe import Recipe
from curate.slices import Shard


def sharded(recipe: Recipe, out: Path, of: int) -> curate.Run:
    """Work out all shards of all stages, the last ones first, then merge; nothing may be left to work out."""
    for stage in recipe.stages:
        for number in reversed(range(of)):
            done = shards.work(recipe, Shard(number, of), stage=stage.name, out=out)
            assert (done["missing"] is None) == (number == 0)
    assert shards.require(recipe, out=out) == [stage.name for stage in recipe.stages]
    merged = curate.run(recipe, out=out)
    assert all(step["cached"] for stage in merged.manifest["stages"] for step in stage["steps"])
    return merged
