"""Pairs of answers, and what a model learns from them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from commands import curate
from conversations import talk

from curate import lm
from curate.errors import UserError
from tune import adapter, data, layout, pairs, preference, sampling, training
from tune.answers import Asked, Choice
from tune.metrics import normalised
from tune.settings import Settings

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
LONG = "neither good nor bad but somewhere in the middle of it all"
RECIPE = """
name = "small"
rejects = 0.5
[templates]
kinds = ["zero_shot"]
per_record = 99
[[sources]]
name = "mood"
path = "mood.jsonl"
task = "classification"
[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", max = 11, why = "a label is short" }]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    labels = ["good", "bad", LONG]
    records = [{"text": f"thing number {n}", "label": labels[n % 3]} for n in range(9)]
    records += [{"text": "thing number 0", "label": LONG}]  # dropped beside a kept answer to the same question
    (folder / "mood.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    (folder / "recipe.toml").write_text(RECIPE)
    done = curate("run", "recipe.toml", "--out", "made", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "made"


def two(*answers: tuple[str, str]) -> pl.DataFrame:
    """Return pairs of answers to one question."""
    asked = [("user", "what is two ?")]
    rows = [
        (f"p{n}", talk(*asked, ("assistant", good)), talk(*asked, ("assistant", bad)))
        for n, (good, bad) in enumerate(answers)
    ]
    turns = data.rows(pl.DataFrame({"messages": [rows[0][1]]})).schema["messages"]
    return pl.DataFrame(rows, schema={"id": pl.String(), "messages": turns, "rejected": turns}, orient="row")


def test_options_and_siblings_of_a_run(run: Path) -> None:
    found = pairs.pairs(run)
    mix = pl.read_parquet(run / "mix.parquet")
    options = found.filter(pl.col("kind") == "options")
    assert options.height == mix.height  # every wording asks for one of three labels
    bare = [(one["chosen"][0]["content"], one["rejected"][0]["content"]) for one in options.iter_rows(named=True)]
    assert {rejected for chosen, rejected in bare if chosen == "good"} == {"bad", LONG}
    assert all(chosen != rejected for chosen, rejected in bare)
    siblings = found.filter(pl.col("kind") == "siblings").to_dicts()
    assert siblings
    for one in siblings:
        assert "thing number 0" in one["prompt"][0]["content"]
        assert "good" in one["chosen"][0]["content"]
        assert LONG in one["rejected"][0]["content"]


def test_a_row_that_stands_behind_another_is_no_worse_answer(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in run.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    rows = pl.read_parquet(run / "rows.parquet")
    behind = pl.when(pl.col("kept")).then("dropped_by").otherwise(pl.lit(["near/minhash.rank max 0"]))
    rows.with_columns(dropped_by=behind).write_parquet(copy / "rows.parquet")
    assert set(pairs.pairs(copy)["kind"]) == {"options"}


def test_pairs_are_written_and_read_as_trl_has_them(run: Path, tmp_path: Path) -> None:
    done = curate("pairs", run, "--out", "new/pairs.jsonl", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kinds"].keys() == {"options", "siblings"}
    first = orjson.loads((tmp_path / "new" / "pairs.jsonl").read_bytes().splitlines()[0])
    assert [turn.keys() for turn in first["prompt"] + first["chosen"]] == [{"role", "content"}] * 2
    assert pairs.holds(tmp_path / "new" / "pairs.jsonl")
    again = pairs.load(tmp_path / "new" / "pairs.jsonl")
    assert 0 < again.height <= told["pairs"] == sum(told["kinds"].values())  # two kinds may hold the same pair
    assert set(again["messages"].list.len()) == set(again["rejected"].list.len()) == {2}
    refused = curate("pairs", run, "--out", "new/pairs.jsonl", cwd=tmp_path)
    assert refused.returncode == 2
    assert "exists already" in refused.stderr


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "both answers are the same"),
        ({"prompt": "a", "chosen": "b", "rejected": 3}, "`rejected` is a number"),
        ({"prompt": ["a"], "chosen": "b", "rejected": "c"}, "turn 1 is a string"),
    ],
)
def test_a_record_that_is_no_pair_is_told_with_its_line(tmp_path: Path, record: dict[str, Any], said: str) -> None:
    good = {"prompt": "a", "chosen": "b", "rejected": "c"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(record) + "\n")
    with pytest.raises(UserError, match="line 2") as caught:
        pairs.load(tmp_path / "pairs.jsonl")
    assert said in caught.value.what


def test_whole_conversations_are_pairs_too(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "b"}]
    record = {key: [*asked, {"role": "assistant", "content": key}] for key in ("chosen", "rejected")}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(record) + "\n")
    (found,) = pairs.load(tmp_path / "pairs.jsonl").to_dicts()
    assert [turn["train"] for turn in found["rejected"]] == [False, False, False, True]
    assert found["rejected"][-1]["content"] == "rejected"


def test_gradients_are_those_of_the_published_objective(model: lm.LanguageModel) -> None:
    encoded = data.encode(pairs.unpaired(two(("four .", "two"), ("two and", "."))), coder=model.coder, window=64)
    examples = encoded.examples
    forward: layout.Forward = lambda batch: model.states(batch.ids, **batch.options)  # noqa: E731
    before = {one.id: -3.0 - number for number, one in enumerate(examples)}  # as if the model began elsewhere
    with adapter.opened(model, settings=Settings(), base="base", full=True, seed=0) as trained:
        objective = preference.Preference(before, beta=0.5)
        batch = layout.padded(examples, model=model)
        loss = layout.learn(batch, model=model, forward=forward, trained=2, objective=objective).loss
        found = [weight.grad.clone() for weight in trained.weights]
        model.model.zero_grad()
        sums = []
        for one in examples:
            shares = torch.log_softmax(model.model(torch.tensor([one.ids])).logits[0], dim=-1)
            sums.append(sum(shares[place - 1, one.ids[place]] for place in range(len(one.ids)) if one.trained[place]))
        gains = [value - before[one.id] for value, one in zip(sums, examples, strict=True)]
        margins = torch.stack([0.5 * (gains[0] - gains[1]), 0.5 * (gains[2] - gains[3])])
        wanted = -torch.log(torch.sigmoid(margins)).mean()
        wanted.backward()
        assert float(loss) == pytest.approx(wanted.item(), abs=1e-5)
        assert all(
            torch.allclose(one, weight.grad, atol=1e-5) for one, weight in zip(found, trained.weights, strict=True)
        )
        model.model.zero_grad()


def test_a_model_learns_what_is_preferred(model: lm.LanguageModel, tmp_path: Path) -> None:
    settings = Settings(steps=20, batch=2, dtype="fp32", rate=0.01)
    done = training.train(two(("four .", "two"), ("and", ".")), out=tmp_path / "out", model=model, settings=settings)
    assert done.facts["pairs"]
    assert done.facts["first_loss"] < math.log(2) + 0.01  # before the first change exactly ln 2
    assert done.facts["last_loss"] < 0.5 * math.log(2)
    assert training.train(two(("four .", "two"), ("and", ".")), out=tmp_path / "out", model=model, settings=settings)


def test_tune_takes_a_file_of_pairs(base: Path, tmp_path: Path) -> None:
    lines = [{"prompt": "what is two ?", "chosen": "four .", "rejected": "two"}]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    done = curate("tune", "pairs.jsonl", "--model", base, "--steps", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 pair" in done.stdout


def test_right_answers_of_a_models_own_are_kept(
    model: lm.LanguageModel, make_rows: Callable[..., pl.DataFrame]
) -> None:
    rows = make_rows(*({"prompt": prompt, "response": "two"} for prompt in ("what is two", "hello there", "and")))
    choice = Choice(("two", "four ."), ("two", "four ."), 0)
    items = [Asked(row, choice, ("two",), (), None) for row in rows.iter_rows(named=True)]
    found = sampling.sample(model, items, tries=40, temperature=1.5)
    assert (found.asked, found.drawn) == (3, 120)
    assert 0 < found.right < 120
    assert found.solved == found.rows["row"].n_unique() <= found.rows.height
    assert {normalised(turns[-1]["content"]) for turns in found.rows["messages"].to_list()} == {"two"}
    assert sampling.sample(model, items, tries=40, temperature=1.5).rows.equals(found.rows)


def test_what_cannot_be_checked_is_refused(model: lm.LanguageModel, make_rows: Callable[..., pl.DataFrame]) -> None:
    rows = make_rows({"prompt": "hello", "response": "two and"})
    items = [Asked(row, None, ("two and",), ("rougeL",), None) for row in rows.iter_rows(named=True)]
    with pytest.raises(UserError, match="can be checked"):
        sampling.sample(model, items)
