"""The plan of the confirmatory experiments is fit to decide, and decides as it says."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"
PLAN = tomllib.loads((BENCH / "proof.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def proof() -> ModuleType:
    pytest.importorskip("scipy", reason="statistics need scipy; install curatune[tune]")
    sys.path.insert(0, str(BENCH))
    try:
        import proof as module
    finally:
        sys.path.remove(str(BENCH))
    return module


def cells(**values: list[float]) -> list[dict[str, Any]]:
    """Return cells of seeds 0, 1, … with one metric, `value`, for each arm."""
    count = len(next(iter(values.values())))
    arms = [{name: {"value": found[seed]} for name, found in values.items()} for seed in range(count)]
    return [{"seed": seed, "arms": one, "seconds": 1.0, "cpu_seconds": 1.0} for seed, one in enumerate(arms)]


def decided(proof: ModuleType, found: list[dict[str, Any]], **plan: Any) -> list[dict[str, Any]]:
    """Return the contrasts of a plan over cells."""
    contrasts: list[dict[str, Any]] = proof.decided({"about": "x", "metric": "value", "margin": 0.01, **plan}, found)[
        "contrasts"
    ]
    return contrasts


@pytest.mark.parametrize("name", PLAN)
def test_no_seed_of_the_plan_was_looked_at_before(name: str) -> None:
    plan = PLAN[name]
    assert not set(plan["seeds"]) & set(plan["pilot"])
    # Fewer than eight decide too little; what only explores claims nothing, and is told with its wide intervals.
    claims = any(not one.get("exploratory") for one in plan["contrasts"])
    assert len(plan["seeds"]) == len(set(plan["seeds"])) >= (8 if claims else 4)


@pytest.mark.parametrize("name", PLAN)
def test_no_experiment_has_more_contrasts_than_its_seeds_can_carry(name: str) -> None:
    family = [one for one in PLAN[name]["contrasts"] if not one.get("null") and not one.get("exploratory")]
    assert len(family) <= 6
    pairs = [(one["arm"], one["against"], one.get("metric")) for one in PLAN[name]["contrasts"]]
    assert len(pairs) == len(set(pairs))


def test_a_rise_is_better_and_a_rise_of_a_harm_is_worse(proof: ModuleType) -> None:
    found = cells(a=[0.50, 0.61, 0.70, 0.42], b=[0.40, 0.50, 0.61, 0.31])
    plain = decided(proof, found, contrasts=[{"arm": "a", "against": "b"}])[0]
    harm = decided(proof, found, harm=True, contrasts=[{"arm": "a", "against": "b"}])[0]
    assert (plain["verdict"], harm["verdict"]) == ("better", "worse")
    assert plain["mean"] == harm["mean"] == pytest.approx(0.1025)  # (0.10 + 0.11 + 0.09 + 0.11) / 4


def test_null_and_exploratory_contrasts_do_not_dilute_the_others(proof: ModuleType) -> None:
    found = cells(a=[0.50, 0.61, 0.70, 0.42], b=[0.40, 0.50, 0.61, 0.31], c=[0.4, 0.5, 0.7, 0.3])
    pair = {"arm": "a", "against": "b"}
    extra = [{"arm": "a", "against": "c", "null": True}, {"arm": "b", "against": "c", "exploratory": True}]
    alone, beside = decided(proof, found, contrasts=[pair]), decided(proof, found, contrasts=[pair, *extra])
    assert alone[0]["holm"] == beside[0]["holm"] == alone[0]["p"]
    assert [one["holm"] for one in beside[1:]] == [None, None]
    both = decided(proof, found, contrasts=[pair, {"arm": "a", "against": "c"}])
    assert both[0]["holm"] == pytest.approx(2 * alone[0]["p"])  # the smaller p of two counts twice
