"""Each bundled plan that plants a defect spoils a run as it says, and the oracle drops just that."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from curate import api, concepts, trials
from curate.recipe import load_recipe
from curate.rundir import RunDir
from tune.plan import load_plan

pytest.importorskip("sklearn", reason="the probe needs scikit-learn; install curatune[tune]")
PLANS = {path.stem: path for path in sorted((Path(__file__).parents[2] / "rules" / "ablations").glob("*.toml"))}
PLANTED = [name for name, path in PLANS.items() if load_plan(path).plant is not None]
RECIPE = """
name = "mixed"
[[sources]]
name = "moods"
path = "moods.jsonl"
task = "classification"
[[sources]]
name = "sums"
path = "sums.jsonl"
task = "qa_open"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Return a run over 60 moods and 60 sums."""
    folder = tmp_path_factory.mktemp("mixed")
    pairs = [("fine", "good"), ("grim", "bad")]
    moods = [{"text": f"day {n} was {pairs[n % 2][0]}", "label": pairs[n % 2][1]} for n in range(60)]
    sums = [{"question": f"What is {n} and {n}?", "answer": f"It is {n + n}."} for n in range(60)]
    for name, records in (("moods", moods), ("sums", sums)):
        lines = "".join(json.dumps(one) + "\n" for one in records)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    api.run(load_recipe(folder / "recipe.toml"), out=folder / "run")
    return RunDir.open(folder / "run")


def answers(rows: pl.DataFrame, source: str) -> list[str]:
    """Return the answers of a source as they stand in the slots."""
    slots = [json.loads(one) for one in rows.filter(pl.col("source") == source)["slots"]]
    return [one.get("label", one.get("answer")) for one in slots]


@pytest.fixture(scope="module", params=PLANTED)
def trial(request: pytest.FixtureRequest, run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    plan = load_plan(PLANS[request.param]).model_copy(update={"tier": "probe", "seeds": 2})
    return request.param, trials.prepare(plan, run=run, out=tmp_path_factory.mktemp(request.param) / "trial").folder


def test_a_bundled_plan_spoils_the_run_and_the_oracle_drops_what_is_spoilt(trial: tuple[str, Path]) -> None:
    name, folder = trial
    planted = json.loads((folder / "key" / "planted.json").read_text(encoding="utf-8"))
    raw, oracle = (pl.read_parquet(folder / "arms" / arm / "mix.parquet") for arm in ("no filter", "oracle drop"))
    spoilt = raw.filter(pl.col("record").is_in(planted))
    judged = pl.read_parquet(folder / "evaluation.parquet")
    assert set(oracle["record"]) == set(raw["record"]) - set(planted)
    found = answers(spoilt, "sums") + answers(spoilt, "moods")
    assert found
    if name == "leaks":
        assert set(spoilt["slots"]) <= set(judged["slots"])
        assert not set(oracle["slots"]) & set(judged["slots"])
    elif name == "toxic_answers":
        assert set(found) <= {one.text for one in concepts.read().examples()}
    elif name == "wrong_task_answers":
        assert not {"good", "bad"} & set(found)
        assert not [one for one in found if one.startswith("It is ") and one[6].isdigit()]
    elif name == "label_noise":
        texts = [json.loads(one) for one in spoilt.filter(pl.col("source") == "moods")["slots"]]
        assert {one["label"] == ("good" if "fine" in one["text"] else "bad") for one in texts} == {False}
    elif name == "empty_answers":
        assert set(found) == {""}
    elif name == "duplicates":
        assert len(set(spoilt["slots"])) == 10  # five records of each source
