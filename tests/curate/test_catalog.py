"""Steps are described by their own files."""

from __future__ import annotations

import pytest

from curate import catalog
from curate.errors import UserError


def test_a_row_wise_step_tells_its_parameters_and_signals() -> None:
    info = catalog.describe("length")
    assert info.kind == "row-wise"
    assert info.signals == {"words": "u32", "chars": "u32", "tokens": "u32"}
    assert info.parameters["column"].default == "response"
    assert not info.parameters["column"].required
    assert info.needs == frozenset()
    assert all(info.meanings.values())


def test_a_corpus_step_joins_what_its_two_functions_take() -> None:
    info = catalog.describe("near")
    assert info.kind == "corpus"
    assert info.names_keepers
    assert {"on", "shingle", "prefer", "threshold"} <= set(info.parameters)
    assert "threshold" in catalog.accepts("near", "decide")
    assert "threshold" not in catalog.accepts("near", "state")


@pytest.mark.parametrize(("step", "need"), [("leak", "heldout"), ("diversity", "vectors"), ("balance", "seed")])
def test_what_the_engine_supplies_is_no_parameter(step: str, need: str) -> None:
    info = catalog.describe(step)
    assert need in info.needs
    assert need not in info.parameters


@pytest.mark.parametrize("name", catalog.names())
def test_every_parameter_and_signal_is_explained(name: str) -> None:
    info = catalog.describe(name)
    assert info.summary.endswith(".")
    assert [key for key, one in info.parameters.items() if not one.text] == []
    assert [key for key, text in info.meanings.items() if not text] == []


def test_an_unknown_step_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'minhash'"):
        catalog.describe("minhsh")


def test_the_frame_that_a_step_gets_is_no_argument() -> None:
    assert catalog.accepts("substring", "state") == {"on", "words"}
    assert catalog.accepts("substring", "decide") == {"texts", "on", "words", "least"}


def test_no_step_takes_from_a_recipe_what_the_engine_supplies() -> None:
    taken = {(name, one) for name in catalog.names() for one in catalog.describe(name).parameters}
    assert not [pair for pair in taken if pair[1] in catalog.SUPPLIED]
    assert catalog.describe("language").parameters["score"].default == 0.5
