"""Signals that come out of a training: cartography, learnability, influence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conversations import frame, sums, talk

import tune
from curate import lm, losses
from tune import data, dynamics, influence, training
from tune.settings import Settings

torch = pytest.importorskip("torch")
pytest.importorskip("peft")


@pytest.fixture(scope="module")
def taught(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(steps=20, batch=4, rate=0.03, rank=2, dtype="fp32")
    return training.train(sums(6), out=tmp_path_factory.mktemp("taught"), model=str(base), settings=settings).path


def by_hand(model: str, rows: pl.DataFrame) -> list[tuple[float, float]]:
    """Return of each row the mean loss of the trained tokens and the share that came first, from whole logits."""
    loaded = lm.load(model, dtype="fp32")
    found = []
    for one in data.encode(rows, coder=loaded.coder, window=64).examples:
        with torch.no_grad():
            logits = loaded.model(torch.tensor([one.ids])).logits[0].double()
        places = np.flatnonzero(one.trained)
        shares = [float(torch.log_softmax(logits[at - 1], 0)[one.ids[at]]) for at in places]
        firsts = [int(logits[at - 1].argmax()) == one.ids[at] for at in places]
        found.append((-sum(shares) / len(shares), sum(firsts) / len(firsts)))
    return found


def test_dynamics_are_the_means_and_spread_over_epochs() -> None:
    examples = [data.Example(name, [1, 2], np.array([False, True])) for name in ("b", "a", "a#2")]
    seen = [(0, math.log(2), 0.0), (1, math.log(4), 1.0), (2, 0.0, 1.0), (0, 0.0, 1.0)]
    found = dynamics.table(seen, examples)
    assert found.rows() == [("a", 0.625, 0.375, 1.0, 2), ("b", 0.75, 0.25, 0.5, 2)]


@pytest.mark.parametrize("pack", [True, False])
def test_dynamics_are_recorded_before_the_weights_change(base: Path, tmp_path: Path, pack: bool) -> None:
    settings = Settings(epochs=2, batch=3, rate=1e-9, rank=2, dtype="fp32", pack=pack)
    done = training.train(sums(7), out=tmp_path / "out", model=str(base), settings=settings)
    found = pl.read_parquet(done.path / dynamics.NAME)
    wanted = by_hand(str(base), sums(7))
    assert found["id"].to_list() == sums(7)["id"].to_list()
    assert found["epochs"].to_list() == [2] * 7
    assert found["confidence"].to_list() == pytest.approx([math.exp(-loss) for loss, _ in wanted], rel=1e-4)
    assert found["correctness"].to_list() == pytest.approx([first for _, first in wanted])
    assert found["variability"].to_list() == pytest.approx([0] * 7, abs=1e-5)


def test_learnability_is_what_the_training_took_off_the_loss(base: Path, taught: Path, tmp_path: Path) -> None:
    rows = sums(6)
    said = tune.signals(str(taught), on=rows, out=tmp_path / "signals.parquet")
    found = pl.read_parquet(tmp_path / "signals.parquet")
    before, after = ([loss for loss, _ in by_hand(str(model), rows)] for model in (base, taught))
    assert (said["rows"], said["measured"]) == (6, 6)
    assert found["base_loss"].to_list() == pytest.approx(before, rel=1e-4)
    assert found["loss"].to_list() == pytest.approx(after, rel=1e-4)
    wanted = [one - other for one, other in zip(before, after, strict=True)]
    assert found["learnability"].to_list() == pytest.approx(wanted, abs=1e-4)
    assert min(wanted) > 0.1


def test_rows_without_an_answer_have_no_verdict(taught: Path, tmp_path: Path) -> None:
    rows = frame(talk(("user", "hello"), ("assistant", "")), talk(("user", "hello"), ("assistant", "two")))
    said = tune.signals(str(taught), on=rows, out=tmp_path / "signals.parquet")
    assert said["measured"] == 1
    assert pl.read_parquet(tmp_path / "signals.parquet")["learnability"].is_null().to_list() == [True, False]


def aimed(*conversations: list[dict[str, Any]], sources: list[str]) -> pl.DataFrame:
    return frame(*conversations).with_columns(source=pl.Series(sources))


def test_influence_foretells_how_a_step_towards_the_validation_rows_changes_a_loss(taught: Path) -> None:
    model = lm.load(str(taught), dtype="fp32")
    goal = aimed(talk(("user", "what is two and two ?"), ("assistant", "four .")), sources=["sums"])
    rows = sums(6)
    aims = influence._directions(model, goal, progress=lambda *_: None)
    found = influence._influence(model, rows, aims, progress=lambda *_: None)

    def measured() -> list[float]:
        scored = losses.answers(model, rows["messages"].to_list(), window=64)
        return [float(one.mean()) for one in losses.token_losses(model, [one.whole for one in scored if one])]

    before, step = measured(), 1e-2
    start = 0
    with torch.no_grad():
        for weight in influence._weights(model):
            weight -= step * aims["sums"][start : start + weight.numel()].view_as(weight)
            start += weight.numel()
    changes = [one - other for one, other in zip(before, measured(), strict=True)]
    foretold = [step * cosine * norm for cosine, norm in found.rows()]
    assert changes == pytest.approx(foretold, rel=0.1, abs=2e-4)
    assert max(map(abs, changes)) > 1e-3


def test_a_row_that_stands_among_the_validation_rows_has_the_gradient_of_its_source(taught: Path) -> None:
    model = lm.load(str(taught), dtype="fp32")
    one, other = talk(("user", "hello"), ("assistant", "there")), talk(("user", "two ?"), ("assistant", "and and ."))
    aims = influence._directions(model, aimed(one, other, sources=["a", "b"]), progress=lambda *_: None)
    found = influence._influence(model, frame(one, other), aims, progress=lambda *_: None)
    assert found["influence"].to_list() == pytest.approx([1, 1], abs=1e-5)
    both = influence._directions(model, aimed(one, other, sources=["a", "a"]), progress=lambda *_: None)
    assert influence._influence(model, frame(one), both, progress=lambda *_: None)["influence"][0] < 0.999


def test_a_whole_model_is_compared_by_its_last_layer(base: Path) -> None:
    model = lm.load(str(base), dtype="fp32")
    weights = influence._weights(model)
    layer = sum(weight.numel() for weight in model.model.base_model.layers[-1].parameters())
    assert sum(weight.numel() for weight in weights) == layer
    assert all(weight.requires_grad for weight in weights)
