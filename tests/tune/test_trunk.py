from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from conversations import sums
from tiny_model import write_model

from curate import lm
from curate.errors import UserError
from tune import data, training
from tune.settings import Settings
from tune.trunk import Trunk

torch = pytest.importorskip("torch")
pytest.importorskip("peft")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> lm.LanguageModel:
    return lm.load(str(write_model(tmp_path_factory.mktemp("base"), layers=4)), dtype="fp32")


def test_kept_states_train_as_the_whole_model_does(model: lm.LanguageModel, tmp_path: Path) -> None:
    plain = Settings(steps=8, batch=4, layers=2, rate=0.01, rank=2)
    trunk = Trunk(model, 2)
    found = []
    for name, given, kept in (("plain", model, False), ("kept", trunk, True)):
        settings = plain.model_copy(update={"kept": kept})
        done = training.train(sums(8), out=tmp_path / name, model=given, settings=settings)
        found.append(pl.read_parquet(done.path / training.LOG)["loss"].to_list())
    assert found[0] == pytest.approx(found[1], abs=1e-5)
    assert found[0][0] != pytest.approx(found[0][-1], abs=1e-3)


def test_a_text_is_computed_once_whatever_trains_on_it(model: lm.LanguageModel) -> None:
    examples = data.encode(sums(6), coder=model.coder, window=64).examples
    trunk = Trunk(model, 1)
    tokens = sum(len(one.ids) - 1 for one in examples)
    assert trunk.prepare(examples[:4]) + trunk.prepare(examples) == tokens
    assert trunk.prepare(examples) == 0


def test_the_model_has_all_its_layers_afterwards(model: lm.LanguageModel) -> None:
    Trunk(model, 1).prepare(data.encode(sums(1), coder=model.coder, window=64).examples)
    assert len(model.model.base_model.layers) == 4
    assert "Identity" not in type(model.model.base_model.norm).__name__


def test_a_trunk_of_another_height_is_refused(model: lm.LanguageModel, tmp_path: Path) -> None:
    settings = Settings(steps=1, layers=3, kept=True)
    with pytest.raises(UserError, match="the trunk leaves 2, the settings adapt 3"):
        training.train(sums(2), out=tmp_path / "out", model=Trunk(model, 2), settings=settings)


def test_keeping_needs_a_number_of_layers() -> None:
    with pytest.raises(ValueError, match="needs `layers`"):
        Settings(kept=True)
