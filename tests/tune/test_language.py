"""The tiers with a language model, tried with one of a few hundred weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest
from conversations import talk
from tiny_model import write_model

from curate import lm
from tune import head, language, ranking
from tune.tiers import SCORES, Budget, RunCell
from tune.trunk import Trunk
from tune.tuning import Tuning

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
# A template of the bundled family whose wording does not matter here: its answer is the label.
TEMPLATE = "classification.text_first"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_model(tmp_path_factory.mktemp("language"), layers=3))


def rows(count: int, *, start: int = 0, wrong: bool = False) -> pl.DataFrame:
    """Return sums whose label is their last word, closed by a bundled template."""
    found = []
    for place in range(start, start + count):
        label = ("two", "four")[(place + wrong) % 2]
        asked = f"{('two', 'four')[place % 2]} and {'and ' * (place % 3)}what ?"
        found.append(
            {"record": f"r{place:03}", "id": f"r{place:03}", "source": "sums", "like": "sums", "task": "classification",
             "template": TEMPLATE, "prompt": asked, "response": label, "copies": 1, "times": 1,
             "slots": json.dumps({"text": asked, "label": label}),
             "messages": talk(("user", asked), ("assistant", label))}
        )  # fmt: skip
    return pl.DataFrame(found)


def budget(model: str, **more: int) -> Budget:
    return Budget(0, Path(), Tuning(model=model, layers=2, rank=2, **more))


def mean(scores: pl.DataFrame, metric: str) -> float:
    return float(scores.filter(pl.col("metric") == metric)["value"].to_numpy().mean())


@pytest.mark.parametrize("tier", [language.lora, language.lora_all, language.scratch])
def test_what_is_taught_becomes_more_probable(model: str, tier: RunCell) -> None:
    judged, train = rows(6, start=100), rows(24).with_columns(times=pl.lit(6))
    base, taught, wrongly = (
        tier(part, judged, seed=1, budget=budget(model))
        for part in (train.clear(), train, rows(24, wrong=True).with_columns(times=pl.lit(6)))
    )
    assert dict(taught.schema) == SCORES
    assert set(taught["metric"]) == {"probability", "closed_bits", "accuracy"}
    assert mean(taught, "probability") > mean(base, "probability") > mean(wrongly, "probability")
    assert mean(taught, "closed_bits") < mean(base, "closed_bits") < mean(wrongly, "closed_bits")


def test_a_model_from_scratch_is_the_same_for_each_seed_and_reads_all_arms_in_the_same_tokens(model: str) -> None:
    judged, train = rows(6, start=100), rows(4)
    odd = train.with_columns(prompt=pl.lit("words that no other row has"))
    first = language.scratch(train.clear(), judged, seed=1, budget=budget(model))
    assert language.scratch(odd.clear(), judged, seed=1, budget=budget(model)).equals(first)
    assert not language.scratch(train.clear(), judged, seed=2, budget=budget(model)).equals(first)
    taught = language.scratch(train, judged, seed=1, budget=budget(model))
    assert language.scratch(train, judged, seed=1, budget=budget(model)).equals(taught)


def test_a_head_on_kept_states_learns_labels_and_computes_each_text_once(model: str, tmp_path: Path) -> None:
    own = Budget(0, tmp_path, Tuning(model=model))
    judged, train = rows(6, start=100), rows(24)
    taught = head.trunk_head(train, judged, seed=0, budget=own)
    assert set(taught["metric"]) == {"probability", "closed_bits", "accuracy"}
    assert mean(taught, "accuracy") == 1
    assert mean(head.trunk_head(rows(24, wrong=True), judged, seed=0, budget=own), "accuracy") == 0
    files = list(tmp_path.glob("states/*/*.npz"))
    assert head.trunk_head(train, judged, seed=0, budget=own).equals(taught)
    assert list(tmp_path.glob("states/*/*.npz")) == files


def test_a_state_depends_on_its_text_alone(model: str, tmp_path: Path) -> None:
    loaded = lm.load(model, dtype="fp32")
    texts = ["two", "two and four", "", "what is two and two ?"]
    together = head.states(texts, model=loaded, cache=tmp_path / "one")
    assert together.shape == (4, 32)
    for place, text in enumerate(texts):
        alone = head.states([text], model=loaded, cache=tmp_path / str(place))
        assert alone[0] == pytest.approx(together[place], abs=1e-5)
    with torch.inference_mode():
        layers = loaded.model.base_model(torch.tensor([[12]]), output_hidden_states=True).hidden_states
    half = layers[2][0, 0].numpy()  # of three layers two are read; 12 is `two`
    assert together[0] == pytest.approx([*half, *half], abs=1e-5)


def test_a_cell_leaves_nothing_behind(model: str) -> None:
    judged, train = rows(6, start=100), rows(8)
    first = language.lora(train, judged, seed=1, budget=budget(model))
    language.lora(rows(8, wrong=True), judged, seed=2, budget=budget(model))
    assert language.lora(train, judged, seed=1, budget=budget(model)).equals(first)
    assert not language.lora(train, judged, seed=2, budget=budget(model)).equals(first)


def test_the_probabilities_of_all_options_sum_to_one(model: str) -> None:
    one, other = (rows(1, start=100, wrong=wrong) for wrong in (False, True))
    both = pl.concat([one, other.with_columns(id=pl.lit("other"))])
    scores = language.lora(both.clear(), both, seed=0, budget=budget(model))
    assert scores.filter(pl.col("metric") == "probability")["value"].sum() == pytest.approx(1, abs=1e-5)
    assert scores.filter(pl.col("metric") == "accuracy")["value"].sum() == 1


def test_a_free_answer_is_worth_the_mean_probability_of_its_characters(model: str) -> None:
    row = rows(1).with_columns(template=pl.lit(None, pl.String), response=pl.lit("two and two"))
    turns = talk(("user", "hello"), ("assistant", "two and two"))
    row = row.with_columns(messages=pl.Series([turns], dtype=row.schema["messages"]))
    scores = language.lora(row.clear(), row, seed=0, budget=budget(model))
    assert scores["metric"].to_list() == ["probability"]
    loaded = lm.load(model)
    [[nats]] = ranking.likelihoods(loaded, [ranking.texts(loaded, turns, ["two and two"])])
    assert scores["value"][0] ** len("two and two") == pytest.approx(math.exp(nats), rel=1e-2)  # bf16 on some machines


def test_kept_states_rank_as_the_whole_model_does(model: str) -> None:
    loaded = lm.load(model, dtype="fp32")
    turns = talk(("user", "what is two and two ?"), ("assistant", "four"))
    short = talk(("user", "hello"), ("assistant", "four"))
    groups = [
        ranking.texts(loaded, turns, ["four", "two and two", "two"]),
        ranking.texts(loaded, short, ["hello there", "what"]),
        ranking.texts(loaded, short, ["four and four"]),
    ]
    trunk = Trunk(loaded, 1)
    plain = ranking.likelihoods(loaded, groups)
    for _ in range(2):  # the second time from what is kept
        for own, other in zip(ranking.likelihoods(loaded, groups, states=trunk.states), plain, strict=True):
            assert own == pytest.approx(other, abs=1e-4)
