"""Rule files, cost of steps and order of stages, measured: `python bench/checks.py --topics rules`.

Precision and recall of each bundled file of rules on its named sets (see `labels.py`), with Wilson intervals; seconds
per 1,000 rows of every step of `recipes/raw.toml` over at most 1,000 records of each of its sources (some ten thousand
rows), computed in one process without any cache; and which rows change sides when any two stages of that recipe swap.
The last two need `../shared/data` and are left out, saying so, without it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labels
from goals import figure, share

from curate import engine
from curate.order import order
from curate.recipe import load_recipe
from curate.rundir import RunDir

RAW = labels.ROOT / "bench" / "recipes" / "raw.toml"
# Records of each source, for cost and order.
LIMIT = 1000
# What the texts written for a file are asked to give; of what people judged on other data nothing is promised.
PRECISION = ">= 0.9"
SHOWN = 40


def figures() -> dict[str, Any]:
    """Return figures (name, value, low, high, n, goal, met), failures and notes, JSON-able."""
    found: list[dict[str, Any]] = []
    failures: list[list[str]] = []
    notes = []
    for name in labels.FILES:
        for count in labels.counts(name):
            found += _quality(name, count)
            failures.append([f"{name}: {text}" for text in count.failures])
    if labels.SHARED.is_dir():
        measured, told = _run()
        found += measured
        notes += told
    else:
        notes.append(f"no cost and no order: {labels.SHARED.name} data is absent")
    # In turn from each set, so that a large one does not crowd out the others.
    longest = max(map(len, failures), default=0)
    mixed = [texts[place] for place in range(longest) for texts in failures if place < len(texts)]
    return {"figures": found, "failures": mixed[:SHOWN], "notes": notes}


def _quality(name: str, count: labels.Count) -> Iterator[dict[str, Any]]:
    """Yield precision and, where it is known, recall of a file on a set."""
    ours = count.data.startswith("bench/")
    parts = [("precision", count.right, count.right + count.wrong, PRECISION if ours else None)]
    parts += [] if count.missed is None else [("recall", count.right, count.right + count.missed, None)]
    for what, right, whole, goal in parts:
        yield share(f"{name}: {what}, {count.data}", right, whole, goal)


def _run() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cost of each step and what swapping neighbours changes, and notes on both."""
    recipe = load_recipe(RAW, limit=LIMIT)
    with tempfile.TemporaryDirectory(prefix="curate-rules-") as folder:
        out = Path(folder) / "run"
        engine.execute(recipe, out=out)
        run = RunDir.open(out)
        manifest = run.manifest
        swaps = order(run, every=True)
    steps = [step for stage in manifest["stages"] for step in stage["steps"]]
    found = [
        figure(
            f"cost: {step['as']}, seconds per 1,000 rows",
            round(step["cost"]["seconds"] * 1000 / max(1, step["cost"]["rows"]), 4),
            step["cost"]["rows"],
        )
        for step in steps
    ]
    notes = [f"{manifest['totals']['train_rows']:,} rows, {manifest['totals']['kept']:,} kept; costs hold one process"]
    notes.append(
        "the first step that uses compiled loops also pays for compiling them, unless the machine has them cached"
    )
    for pair in swaps["pairs"]:
        name = f"order: {pair['first']} before {pair['second']}"
        if pair["state"] != "replayed":
            notes.append(f"{name}: {pair['state']}, {pair['why']}")
            continue
        found.append(figure(f"{name}, rows kept only so", pair["only_now"], swaps["rows"]))
        found.append(figure(f"{name}, rows kept only swapped", pair["only_swapped"], swaps["rows"]))
    use = manifest["use"]["rules"]
    stage_alone = {rule["id"]: rule["unique"] for stage in manifest["stages"] for rule in stage["rules"]}
    for rule in use:
        if rule["hit"]:
            notes.append(f"{rule['id']}: {rule['hit']} hits, {stage_alone[rule['id']]} unique, {rule['alone']} alone")
    return found, notes
