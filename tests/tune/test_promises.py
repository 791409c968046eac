"""What the statistics promise: few false alarms, intervals that hold, and no difference between an arm and itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from tune import draw, probe, statistics
from tune.tiers import Budget

pytest.importorskip("sklearn", reason="the probe needs scikit-learn; install curatune[tune]")
SIMULATE = Path(__file__).parents[2] / "bench" / "simulate.py"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate", SIMULATE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_false_positives_and_coverage_are_as_promised(simulation: ModuleType, count: int) -> None:
    found = simulation.simulate(count, seeds=5)
    near = 2.6 * np.sqrt(0.05 * 0.95 / count)  # 99 % of simulations of this size lie so near
    assert all(abs(share - 0.05) <= near for share in found["false_positives"])
    assert all(abs(share - 0.95) <= near for share in found["coverage"])
    assert found["family_after_holm"] <= 0.05 + near


def test_an_arm_does_not_beat_itself() -> None:
    rows = [
        {"record": f"r{place}", "id": f"r{place}", "source": "s", "like": "s", "task": "classification", "copies": 1,
         "slots": f'{{"text": "w{place % 7} w{place % 5} w{place % 3}", "label": "{"ab"[place % 7 % 2]}"}}'}
        for place in range(120)
    ]  # fmt: skip
    frame = pl.DataFrame(rows).sort("id")
    train, judged = frame.head(80), frame.tail(40)

    def score(seed: int) -> float:
        drawn = draw.repeated(draw.drawn(train, share=0.5, seed=seed), examples={"s": 40})
        found = probe.tfidf(drawn, judged, seed=seed, budget=Budget(40, Path()))
        return float(found.filter(pl.col("metric") == "probability")["value"].to_numpy().mean())

    scores = [score(seed) for seed in range(200)]
    apart = np.array(scores[:100]) - np.array(scores[100:])
    tests = [statistics.paired(apart[start : start + 5]) for start in range(0, 100, 5)]
    assert sum(one.p < 0.05 for one in tests) <= 4  # 20 trials at 5 %: more than 4 by chance in 0.3 %
