"""Label noise on the shared classification sources: flipped labels found, and the source named.

`python bench/checks.py --topics labels`: 10, 20 and 30 % of the labels of each source are flipped, evenly to the
others, with three seeds, sources of 200 rows with twelve, as they differ more. The bar holds where the labels can be
learnt from the texts, which the step says itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plants
import polars as pl
from goals import area, figure

from curate import chance, embed
from curate.steps import label_noise

RATES, GOAL = (0.0, 0.1, 0.2, 0.3), ">= 0.85"
SEEDS, MORE, SMALL = range(1, 4), range(1, 13), 1000
CACHE = Path.home() / ".cache" / "curatune" / "bench"
SOURCES = (
    plants.Source("sst2", "sst2_train.tsv", "classification", {}, 5000),
    plants.Source("clinc150", "clinc150.json", "classification", {}, 4000),
    plants.Source("tweets", "hate_offensive_tweets.csv", "classification", {"text": "tweet", "label": "class"}, 3000),
    plants.Source("ag_news", "ag_news.jsonl", "classification", {}),
    plants.Source("yelp", "yelp.jsonl", "classification", {}),
    plants.Source("qqp", "qqp.jsonl", "paraphrase", {"text1": "question1", "text2": "question2"}),
    plants.Source("mrpc", "mrpc.jsonl", "paraphrase", {"text1": "sentence1", "text2": "sentence2"}),
    plants.Source("paws", "paws.jsonl", "paraphrase", {"text1": "sentence1", "text2": "sentence2"}),
)


def figures() -> dict[str, Any]:
    """Return the area under the curve of the score for each source and rate, and the estimated noise."""
    if not plants.DATA.is_dir():
        return {"figures": [], "failures": [], "notes": [f"skipped: no data at {plants.DATA}"]}
    found: list[dict[str, Any]] = []
    failures: list[str] = []
    for source in SOURCES:
        rows = pl.DataFrame([one.row("label") for one in plants.records(source)])
        rows = rows.with_columns(template=pl.lit("bench"), lang=pl.lit("en"))
        state = label_noise.state(rows, vectors=vectors, seed=plants.SEED)
        columns = rows.select("id", "record", "source", "task", "template", "lang")
        seeds = SEEDS if rows.height > SMALL else MORE
        for rate in RATES:
            runs = [_run(columns.hstack(state), rate=rate, seed=seed) for seed in (seeds if rate else seeds[:1])]
            found += _lines(source.name, rate, runs, failures)
    notes = ["flips are uniform; the labels as published have noise of their own, which lowers every figure"]
    return {"figures": found, "failures": failures, "notes": notes}


def vectors(texts: Sequence[str]) -> Any:
    """Return sentence vectors, (n, d) float32; kept on disk."""
    return embed.load().encode(texts, cache=CACHE)


def _run(state: pl.DataFrame, *, rate: float, seed: int) -> dict[str, Any]:
    """Flip labels and measure; the area is null where the step has no verdict."""
    names = state["label"].unique().sort().to_list()
    keys = state["id"].to_list()
    flipped = chance.uniforms(seed, keys, "flip") < rate
    by = 1 + (chance.uniforms(seed, keys, "to") * (len(names) - 1)).astype(int)
    labels = [
        names[(names.index(label) + int(step)) % len(names)] if flip else label
        for label, flip, step in zip(state["label"], flipped, by, strict=True)
    ]
    result = label_noise.decide(state.with_columns(label=pl.Series(labels)), vectors=vectors)
    known = result.signals["score"].is_not_null().to_numpy()
    line = result.tables["sources"].row(0, named=True)
    scores = result.signals["score"].fill_null(0).to_numpy()
    found = area(scores[known & flipped], scores[known & ~flipped]) if (known & flipped).any() else None
    suspects = result.signals["suspect"].fill_null(False).to_numpy()
    hit = float(flipped[suspects].mean()) if suspects.any() else None
    return {
        **line,
        "area": found,
        "precision": hit,
        "recall": float(suspects[flipped].mean()) if flipped.any() else None,
    }


def _lines(source: str, rate: float, runs: list[dict[str, Any]], failures: list[str]) -> list[dict[str, Any]]:
    """Return the figures of one source and rate: means over seeds, their least and greatest."""
    lines = []
    for name, goal in (("area", GOAL), ("noise", None), ("precision", None), ("recall", None), ("accuracy", None)):
        values = [run[name] for run in runs if run.get(name) is not None]
        if not values:
            continue
        mean = float(np.mean(values))
        title = f"{source}, {rate:.0%} flipped: {name}"
        lines.append(figure(title, mean, runs[0]["records"], (min(values), max(values)), goal))
        if name == "area" and len(values) < len(runs):
            failures.append(f"{source} at {rate:.0%}: no verdict in {len(runs) - len(values)} of {len(runs)} draws")
        if lines[-1]["met"] is False:
            failures.append(f"{source} at {rate:.0%}: {mean:.3f}; accuracy out of fold {runs[0]['accuracy']:.3f}")
    if not any(run["learnable"] for run in runs):
        accuracy = (
            f"{runs[0]['accuracy']:.3f}, commonest label {runs[0]['majority']:.3f}" if runs[0]["accuracy"] else "-"
        )
        failures.append(f"{source} at {rate:.0%}: no verdict, not learnable (accuracy {accuracy})")
    return lines
