from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conversations import frame, sums, talk
from tiny_model import write_model

from curate import lm
from curate.errors import UserError
from tune import adapter, checkpoint, data, dynamics, layout, schedule, training
from tune.settings import Settings

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
QUICK = Settings(steps=6, batch=4, dtype="fp32", rank=2, rate=0.01)


def plain(model: lm.LanguageModel) -> layout.Forward:
    return lambda batch: model.states(batch.ids, **batch.options)


def losses(path: Path) -> list[float]:
    return pl.read_parquet(path / training.LOG)["loss"].to_list()


def test_the_loss_is_that_of_the_answer_computed_by_hand(model: lm.LanguageModel) -> None:
    example = data.encode(
        frame(talk(("user", "hello"), ("assistant", "two and"))), coder=model.coder, window=64
    ).examples[0]
    batch = layout.padded([example], model=model)
    with adapter.opened(model, settings=QUICK, base="base", full=False, seed=0):
        found = float(layout.learn(batch, model=model, forward=plain(model), trained=1).loss)
    with torch.no_grad():
        logits = model.model(torch.tensor([example.ids])).logits[0].double()
    # <|start|> user hello <|end|> <|start|> assistant two and <|end|>: tokens 6 to 8 are predicted at 5 to 7
    wanted = -sum(float(torch.log_softmax(logits[place - 1], 0)[example.ids[place]]) for place in (6, 7, 8))
    assert len(example.ids) == 9
    assert found == pytest.approx(wanted, abs=1e-5)


def test_packed_rows_have_the_loss_and_gradients_of_filled_up_ones(model: lm.LanguageModel) -> None:
    lengths = ["?", "hello", "what is two", " ".join(["and two"] * 20)]
    rows = frame(*(talk(("user", text), ("assistant", "four .")) for text in lengths))
    examples = data.encode(rows, coder=model.coder, window=64).examples
    batches = [layout.padded(examples, model=model), layout.packed(examples, model=model)]
    assert batches[1].ids.shape == (1, sum(len(one.ids) - 1 for one in examples))
    found = []
    for batch in batches:
        with adapter.opened(model, settings=QUICK, base="base", full=True, seed=0) as trained:
            loss = layout.learn(batch, model=model, forward=plain(model), trained=1).loss
            found.append((loss.item(), [weight.grad.clone() for weight in trained.weights]))
            model.model.zero_grad()
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-4)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found[0][1], found[1][1], strict=True))


def test_logits_made_in_parts_give_the_gradients_of_all_at_once(
    model: lm.LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = layout.padded(data.encode(sums(5), coder=model.coder, window=64).examples, model=model)
    found = []
    for logits in (10_000, 40):  # with 18 tokens in the vocabulary: all at once, two at a time
        monkeypatch.setattr(layout, "_LOGITS", logits)
        with adapter.opened(model, settings=QUICK, base="base", full=True, seed=0) as trained:
            loss = layout.learn(batch, model=model, forward=plain(model), trained=7).loss
            found.append([loss, *(weight.grad.clone() for weight in trained.weights)])
            model.model.zero_grad()
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*found, strict=True))


def test_packed_rows_do_not_see_each_other(model: lm.LanguageModel) -> None:
    rows = frame(*(talk(("user", text), ("assistant", "four")) for text in ("hello there", "what is", "and and")))
    first, second, other = data.encode(rows, coder=model.coder, window=64).examples
    assert [len(one.ids) - 1 for one in (first, second, other)] == [8, 8, 8]
    with torch.no_grad():
        batches = [layout.packed([one, second], model=model) for one in (first, other)]
        found = [model.states(batch.ids, **batch.options) for batch in batches]
        alone = model.states(layout.padded([second], model=model).ids)
    assert batches[0].ids.shape == (1, 16)
    assert torch.equal(found[0][0, 8:], found[1][0, 8:])
    assert torch.allclose(found[0][0, 8:], alone[0], atol=1e-5)
    assert not torch.equal(found[0][0, :8], found[1][0, :8])


def test_a_model_whose_attention_is_its_own_gets_rows_filled_up(model: lm.LanguageModel) -> None:
    examples = data.encode(sums(2), coder=model.coder, window=64).examples
    assert layout.packed(examples, model=model).ids.shape[0] == 1
    windowed = copy.deepcopy(model.model)
    windowed.config.sliding_window = 4
    odd = replace(model, model=windowed)
    assert not odd.packs
    batch = layout.packed(examples, model=odd)
    assert (batch.ids.shape[0], batch.options) == (2, {})


def test_training_lowers_the_loss_and_leaves_a_base_as_it_was(model: lm.LanguageModel, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in model.model.named_parameters()}
    done = training.train(sums(8), out=tmp_path / "out", model=model, settings=Settings(steps=40, batch=4, rate=0.03))
    assert done.facts["last_loss"] < 0.8 * done.facts["first_loss"]
    after = dict(model.model.named_parameters())
    assert after.keys() == before.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_same_seed_gives_the_same_adapter_and_another_does_not(base: Path, tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        training.train(sums(8), out=tmp_path / name, model=str(base), settings=QUICK, seed=seed)
        made.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert made[0] == made[1] != made[2]


class Stopped(Exception):
    """Stands for whatever ends a process."""


def test_a_training_that_was_broken_off_ends_as_one_that_was_not(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_PAUSE", 0.0)
    monkeypatch.setattr(training, "_SHARE", 0)

    def stop(label: str, done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    training.train(sums(8), out=tmp_path / "whole", model=str(base), settings=QUICK)
    with pytest.raises(Stopped):
        training.train(sums(8), out=tmp_path / "broken", model=str(base), settings=QUICK, progress=stop)
    assert (tmp_path / "broken" / checkpoint.NAME).is_file()
    seen: list[int] = []
    training.train(
        sums(8), out=tmp_path / "broken", model=str(base), settings=QUICK, progress=lambda _, n, total: seen.append(n)
    )
    assert seen == [4, 5, 6]
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == names
    for name in ("adapter_model.safetensors", dynamics.NAME):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()


@pytest.mark.parametrize("full", [False, True])
def test_a_training_stays_with_the_dtype_that_it_began_in(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    monkeypatch.setattr(training, "_PAUSE", 0.0)
    monkeypatch.setattr(training, "_SHARE", 0)
    monkeypatch.setattr(training, "precision", lambda: "fp32")
    settings = QUICK.model_copy(update={"dtype": "auto", "full": full})

    def stop(label: str, done: int, total: int) -> None:
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        training.train(sums(8), out=tmp_path, model=str(base), settings=settings, progress=stop)
    monkeypatch.setattr(training, "precision", lambda: "bf16")  # as if decided anew, and otherwise
    seen: list[int] = []
    for _ in range(2):  # goes on, then is done
        done = training.train(
            sums(8), out=tmp_path, model=str(base), settings=settings, progress=lambda _, n, total: seen.append(n)
        )
    assert seen == [4, 5, 6]
    assert done.facts["settings"]["dtype"] == "fp32"
    assert training.train(sums(8), out=tmp_path / "new", model=str(base), settings=settings).facts["settings"][
        "dtype"
    ] == ("bf16")


def test_a_checkpoint_of_another_training_is_not_gone_on_from(base: Path, tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    where = checkpoint.Standing([{"step": 1.0}], [(3, 0.5, 1.0)])
    checkpoint.save(tmp_path, key="one", dtype="fp32", where=where, weights=[weight], optimizer=optimizer)
    other = torch.nn.Parameter(torch.zeros(2))
    again = torch.optim.AdamW([other])
    assert checkpoint.restore(tmp_path, key="two", weights=[other], optimizer=again) == checkpoint.Standing([], [])
    assert other.tolist() == [0, 0]
    assert checkpoint.restore(tmp_path, key="one", weights=[other], optimizer=again) == where
    assert torch.equal(other, weight)


def test_a_finished_training_is_not_done_again(base: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    for _ in range(2):
        training.train(
            sums(8), out=tmp_path / "out", model=str(base), settings=QUICK, progress=lambda _, n, total: seen.append(n)
        )
    assert seen == [1, 2, 3, 4, 5, 6]


def test_an_adapter_loads_with_its_base(base: Path, tmp_path: Path, model: lm.LanguageModel) -> None:
    done = training.train(sums(8), out=tmp_path / "out", model=str(base), settings=QUICK)
    loaded = lm.load(str(done.path), dtype="fp32")
    ids = torch.tensor([[2, 4, 8]])
    with torch.no_grad():
        assert not torch.allclose(loaded.head(loaded.states(ids)), model.head(model.states(ids)), atol=1e-3)
    assert done.facts["base"]["sha"] == model.sha


def test_an_adapter_is_refused_on_other_weights(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    done = training.train(sums(4), out=tmp_path / "out", model=str(base), settings=QUICK)
    write_model(base, seed=9)
    with pytest.raises(UserError, match="tuned on other weights"):
        lm.load(str(done.path))


def test_full_tuning_writes_a_whole_model(base: Path, tmp_path: Path) -> None:
    settings = Settings(steps=3, batch=4, full=True, dtype="fp32")
    done = training.train(sums(8), out=tmp_path / "out", model=str(base), settings=settings)
    assert done.facts["kind"] == "full"
    assert not (done.path / lm.ADAPTER).exists()
    assert lm.load(str(done.path)).model.config.num_hidden_layers == 2


def test_a_folder_of_something_else_is_left_alone(base: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is no training"):
        training.train(sums(2), out=tmp_path, model=str(base), settings=QUICK)


def test_a_training_that_cannot_begin_leaves_no_folder(base: Path, tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"window": 3})
    with pytest.raises(UserError, match="no trained token"):
        training.train(sums(2), out=tmp_path / "out", model=str(base), settings=settings)
    assert not (tmp_path / "out").exists()


def test_a_budget_ends_a_training(model: lm.LanguageModel) -> None:
    examples = data.encode(sums(10), coder=model.coder, window=64).examples
    total = sum(len(one.ids) for one in examples)

    def plan(**budget: Any) -> list[list[int]]:
        return schedule.steps(examples, settings=Settings(**budget), size=4, seed=0)

    assert [len(plan(epochs=2)), len(plan(steps=7)), len(plan())] == [6, 7, 6]
    spent = [sum(len(examples[place].ids) for place in part) for part in plan(tokens=2 * total + 1)]
    assert sum(spent[:-1]) < 2 * total + 1 <= sum(spent)


def test_only_one_budget_is_taken() -> None:
    with pytest.raises(ValueError, match="one budget"):
        Settings(steps=3, epochs=1)


@pytest.mark.parametrize("total", [1, 2, 50, 1000])
def test_the_rate_rises_and_falls(total: int) -> None:
    found = [schedule.rate(step, total=total) for step in range(total)]
    assert min(found) > 0 and max(found) <= 1
    assert max(found) > 0.9
    top = found.index(max(found))
    assert found[:top] == sorted(found[:top]) and found[top:] == sorted(found[top:], reverse=True)


def test_a_loss_that_is_no_number_ends_the_training(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no number"):
        training.train(sums(8), out=tmp_path / "out", model=str(base), settings=Settings(steps=30, batch=4, rate=1e30))


def test_tiny_learns_a_few_rows_by_heart_and_loads(tmp_path: Path) -> None:
    settings = Settings(steps=20, batch=8, rate=1e-2)
    done = training.train(sums(8), out=tmp_path / "out", model="tiny", settings=settings)
    assert done.facts["last_loss"] < 0.5 * done.facts["first_loss"]
    loaded = lm.load(str(done.path))
    assert loaded.coder.template is not None and loaded.coder.template.marker == "<|end|>"
    assert done.facts["first_loss"] < 1.5 * math.log(loaded.model.config.vocab_size)


def test_trackers_are_told_each_step(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback, integrations

    told: list[tuple[int, float]] = []

    class Tracker(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            told.append((state.global_step, logs["loss"]))

    monkeypatch.setattr(integrations, "get_reporting_integration_callbacks", lambda names: [Tracker])
    settings = QUICK.model_copy(update={"report_to": ("tensorboard",)})
    done = training.train(sums(8), out=tmp_path / "out", model=str(base), settings=settings)
    assert [step for step, _ in told] == [1, 2, 3, 4, 5, 6]
    assert [loss for _, loss in told] == losses(done.path)


def test_an_unknown_tracker_is_told(base: Path, tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"report_to": ("nonsense",)})
    with pytest.raises(UserError, match="nonsense"):
        training.train(sums(8), out=tmp_path / "out", model=str(base), settings=settings)
