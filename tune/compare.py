"""Contrasts between arms: what the analysis plan says, from the scores of all cells; no other file is opened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.rundir import file_digest, write_json
from tune import statistics
from tune.grid import CELL, EPOCHS, SCORED
from tune.plan import BASE, ORACLE, RAW, RUN, SHUFFLED
from tune.tiers import TIERS

Floats = npt.NDArray[np.float64]
ABLATION, ANALYSIS = "ablation.json", "analysis.json"
# A share of examples that moves by more than this between arms is told: 1 of 100 is rounding in small sources.
SHIFT = 0.01


def compare(folder: Path) -> dict[str, Any]:
    """Write ablation.json and return it.

    Args:
        folder: of the ablation; it holds analysis.json, arms/arms.json, pilot.json and the cells.
    """
    analysis = json.loads((folder / ANALYSIS).read_text(encoding="utf-8"))
    specs = json.loads((folder / "arms" / "arms.json").read_text(encoding="utf-8"))
    cells = _cells(folder, analysis["seeds"], [spec["name"] for spec in specs])
    files = (SCORED,) if TIERS[analysis["tier"]].tuned else (SCORED, EPOCHS)
    scores = {file: _scores(folder, cells, file) for file in files}
    metric = analysis["metric"]
    arms = [_arm(spec, cells, scores[SCORED], metric) for spec in specs]
    contrasts = _contrasts(analysis, scores, arms)
    found = {
        "name": analysis["name"], "why": analysis["why"], "tier": analysis["tier"], "metric": metric,
        "margin": analysis["margin"], "alpha": statistics.ALPHA, "seeds": analysis["seeds"],
        "items": int(scores[SCORED].filter(pl.col("arm") == RUN)["id"].n_unique()),
        "evaluation": analysis["evaluation"], "run": analysis["run"], "recipe_sha256": analysis["recipe_sha256"],
        "mix_sha256": analysis["mix_sha256"], "analysis_sha256": file_digest(folder / ANALYSIS),
        "pilot": json.loads((folder / "pilot.json").read_text(encoding="utf-8")),
        "arms": arms, "contrasts": contrasts, "efficiency": _efficiency(scores[SCORED], arms, metric, analysis),
        "alerts": list(_alerts(arms, contrasts)),
    }  # fmt: skip
    write_json(folder / ABLATION, found)
    return found


def pilot_differences(folder: Path, seeds: Sequence[int], pair: Mapping[str, str], metric: str) -> list[float]:
    """Return the difference of the two arms of a contrast in each cell of the pilot."""
    found = []
    for seed in seeds:
        means = []
        for name in (pair["arm"], pair["against"]):
            scores = pl.read_parquet(folder / "pilot" / name / str(seed) / SCORED, glob=False)
            means.append(float(scores.filter(pl.col("metric") == metric)["value"].to_numpy().mean()))
        found.append(means[0] - means[1])
    return found


def _cells(folder: Path, seeds: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the facts of all cells; every one that was declared is there."""
    paths = [folder / "cells" / name / str(seed) / CELL for name in names for seed in seeds]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _scores(folder: Path, cells: Sequence[Mapping[str, Any]], file: str) -> pl.DataFrame:
    """Return arm, seed and scores of all cells; of a metric in bits the negative, so that more is always better."""
    parts = []
    for cell in cells:
        path = folder / "cells" / cell["arm"] / str(cell["seed"]) / file
        arm, seed = pl.lit(cell["arm"]).alias("arm"), pl.lit(cell["seed"], dtype=pl.Int64).alias("seed")
        parts.append(pl.read_parquet(path, glob=False).with_columns(arm, seed))
    sign = pl.when(pl.col("metric").str.ends_with("bits")).then(-1.0).otherwise(1.0)
    return pl.concat(parts).with_columns(value=pl.col("value") * sign)


def _table(scores: pl.DataFrame, arm: str, metric: str) -> tuple[Floats, list[str]]:
    """Return the scores of an arm, (seeds, items), and the record of each item."""
    wide = scores.filter((pl.col("arm") == arm) & (pl.col("metric") == metric)).sort("seed", "id")
    seeds = wide["seed"].n_unique()
    records = wide.head(wide.height // seeds)["record"].to_list()
    return wide["value"].to_numpy().reshape(seeds, -1), records


def _arm(spec: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], scores: pl.DataFrame, metric: str) -> Any:
    """Return what an arm is, sees, costs and scores; every run of it is told."""
    own = [cell for cell in cells if cell["arm"] == spec["name"]]
    mine = scores.filter(pl.col("arm") == spec["name"])
    means = mine.group_by("metric").agg(pl.col("value").mean()).sort("metric")
    by_seed = mine.filter(pl.col("metric") == metric).group_by("seed").agg(pl.col("value").mean()).sort("seed")
    seen = sum(cell["examples"] for cell in own)
    sources = sorted({source for cell in own for source in cell["sources"]})
    shares = {name: sum(cell["sources"].get(name, 0) for cell in own) / max(1, seen) for name in sources}
    return {
        "name": spec["name"], "change": spec["change"], "control": spec["control"], "pool": own[0]["pool"],
        "rows": round(float(np.mean([cell["rows"] for cell in own])), 1), "examples": own[0]["examples"],
        "shares": shares, "scores": dict(means.iter_rows()), "by_seed": by_seed["value"].to_list(),
        "seconds": {"curation": spec["seconds"], "training": float(np.mean([cell["seconds"] for cell in own]))},
    }  # fmt: skip


def _contrasts(
    analysis: Mapping[str, Any], scores: Mapping[str, pl.DataFrame], arms: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return all contrasts: the declared ones corrected for their number, all others as exploratory."""
    declared = [(one["arm"], one["against"]) for one in analysis["contrasts"]]
    others = [(arm["name"], RUN) for arm in arms if arm["name"] not in (RUN, BASE)]
    others = [pair for pair in others if pair not in declared and pair[::-1] not in declared]
    found = [_contrast(pair, analysis, scores) for pair in (*declared, *others)]
    blind = _blind(found)
    adjusted = statistics.holm([one["p"] for one in found[: len(declared)]])
    for place, one in enumerate(found):
        confirmatory = place < len(declared)
        test = statistics.Paired(**{key: one[key] for key in statistics.Paired.__dataclass_fields__})
        one |= {"confirmatory": confirmatory, "holm": adjusted[place] if confirmatory else None}
        least = adjusted[place] if confirmatory else one["p"]
        one["verdict"] = statistics.verdict(test, adjusted=least, margin=analysis["margin"])
        if blind and one["verdict"] == statistics.EQUIVALENT:
            # A trial that cannot tell right answers from dealt-out ones says nothing by finding no difference (the
            # assay sensitivity of ICH E10).
            one["verdict"] = statistics.INCONCLUSIVE
        one["t"] = one["t"] if np.isfinite(one["t"]) else None
    return found


def _contrast(pair: tuple[str, str], analysis: Mapping[str, Any], scores: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """Return one contrast at equal steps, with other metrics, sources and equal epochs beside it."""
    metric, steps = analysis["metric"], scores[SCORED]
    (first, records), (second, _) = (_table(steps, name, metric) for name in pair)
    apart = first - second
    test = statistics.paired(apart.mean(axis=1))
    metrics = steps["metric"].unique().sort().to_list()
    sources = steps["source"].unique().sort().to_list()
    return {
        "arm": pair[0], "against": pair[1], **vars(test), "by_seed": apart.mean(axis=1).tolist(),
        "two_level": list(statistics.two_level(apart, records, seed=analysis["seed"])),
        "items_only": list(statistics.items_only(apart, records)),
        "moved": bool(np.abs(apart).max(initial=0.0) > 0),
        "others": {name: _plain(steps, pair, name) for name in metrics if name != metric},
        "sources": {name: _plain(steps.filter(pl.col("source") == name), pair, metric) for name in sources},
        "equal_epochs": _plain(scores[EPOCHS], pair, metric) if EPOCHS in scores else None,
    }  # fmt: skip


def _blind(contrasts: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether answers dealt out anew may teach as much as the run's, whichever of both a plan names first."""
    form = next((one for one in contrasts if {one["arm"], one["against"]} == {SHUFFLED, RUN}), None)
    return form is not None and (form["high"] >= 0 if form["arm"] == SHUFFLED else form["low"] <= 0)


def _plain(scores: pl.DataFrame, pair: tuple[str, str], metric: str) -> dict[str, float]:
    """Return mean and 95 % interval of a contrast that decides nothing."""
    first, second = (_table(scores, name, metric)[0].mean(axis=1) for name in pair)
    test = statistics.paired(first - second)
    return {"mean": test.mean, "low": test.low, "high": test.high}


def _efficiency(
    scores: pl.DataFrame, arms: Sequence[Mapping[str, Any]], metric: str, analysis: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return (run - raw) / (oracle - raw), None where nothing was planted."""
    if ORACLE not in {arm["name"] for arm in arms}:
        return None
    run, raw, oracle = (_table(scores, name, metric)[0].mean(axis=1) for name in (RUN, RAW, ORACLE))
    return dict(statistics.efficiency(run, raw, oracle, seed=analysis["seed"]))


def _alerts(arms: Sequence[Mapping[str, Any]], contrasts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what makes a contrast mean something else than it says."""
    by_name = {arm["name"]: arm for arm in arms}
    run = by_name[RUN]["shares"]
    for arm in arms:
        if arm["name"] == BASE:
            continue
        moved = {name: arm["shares"].get(name, 0) - run.get(name, 0) for name in {*arm["shares"], *run}}
        name, shift = max(sorted(moved.items()), key=lambda one: abs(one[1]), default=("", 0.0))
        if abs(shift) > SHIFT:
            yield (
                f"arm '{arm['name']}' changes shares of sources ({name} by {shift:+.0%}): "
                "its contrasts measure the shares"
            )
    for one in contrasts:
        if not one["moved"]:
            yield f"'{one['arm']}' and '{one['against']}' gave the same scores: the tier does not see what differs"
    if _blind(contrasts):
        yield "answers dealt out anew teach as much as the run's: nothing is learned, so no two arms are equivalent"
