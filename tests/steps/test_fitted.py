"""A filter may drop rows only where its examples showed that it is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from projects import lay_out
from tiny_filter import BAD, GOOD, write_filter

import curate
from curate import embed, plan, proof, trained
from curate.errors import UserError
from curate.recipe import load_recipe
from curate.steps.fitted import doubt, fitted

pytest.importorskip("sklearn")

RECIPE = """
name = "small"
[[sources]]
name = "qa"
path = "qa*.jsonl"
format = "prompt_completion"
fields = {{ prompt = "question", completion = "answer" }}
[[stages]]
name = "quality"
steps = [{{ step = "fitted", folder = "filter" }}]
keep = [{{ {rule}, why = "like the bad examples" }}]
"""
RECORDS = [
    {"question": "What is a pillow?", "answer": "The pillow is described with care, and every claim is explained."},
    {"question": "What is a spoon?", "answer": "lol spoon idk whatever, spoon stuff blah blah ok"},
]


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    found = np.array([list(hashlib.sha256(text.encode()).digest()[:8]) for text in texts], dtype=np.float32)
    unit: npt.NDArray[np.float32] = found.reshape(-1, 8) / np.linalg.norm(found.reshape(-1, 8), axis=1, keepdims=True)
    return unit


class Encoder:
    """Stands in for the real one."""

    def checked(self, cache: Path) -> dict[str, Any]:
        return self.identity()

    def identity(self) -> dict[str, Any]:
        return {"model": "none", "backend": "none", "dimensions": 8}

    def encode(self, texts: Sequence[str], **_: Any) -> npt.NDArray[np.float32]:
        return encode(texts)


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "load", lambda model, *, backend: Encoder())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    write_filter(folder, encode)
    return folder


def test_texts_are_scored_and_nulls_are_not(make_rows: Callable[..., pl.DataFrame], project: Path) -> None:
    rows = make_rows({"response": GOOD[0]}, {"response": None}, {"response": BAD[0]})
    found = rows.select("response").hstack(fitted(rows, folder=project / "filter", vectors=encode))
    scores = dict(found.iter_rows())
    assert scores[None] is None
    assert scores[GOOD[0]] > 0.8
    assert scores[BAD[0]] < 0.2


def rule(project: Path, text: str) -> tuple[Any, dict[str, proof.Doubt]]:
    recipe = load_recipe(lay_out(project, RECORDS, recipe=RECIPE.format(rule=text)))
    return recipe.stages[0].keep[0], proof.unproven(recipe)


def test_a_rule_may_go_as_far_as_the_precision_was_reached_and_no_further(project: Path) -> None:
    facts = trained.load(project / "filter").facts
    low, high = facts["below"]["at"], facts["above"]["at"]
    assert (facts["below"]["low"] >= 0.8, facts["above"]["low"] >= 0.8) == (True, True)
    may = [f"min = {low}", f"min = {low - 0.05}", f"max = {high}", f"max = {high + 0.05}"]
    may_not = [f"min = {low + 0.0001}", f"max = {high - 0.0001}", f"min = 0.01, max = {high - 0.01}", "any_of = [0.1]"]
    for bound in may:
        assert proof.reason(*rule(project, f'signal = "fitted.score", {bound}')) is None, bound
    for bound in may_not:
        said = proof.reason(*rule(project, f'signal = "fitted.score", {bound}'))
        bounds = f"min up to {low:g} or max from {high:g} on"
        assert said == f"filter was right in 80% of what it removes, in cross-validation, with {bounds}"


def test_where_no_bound_reached_it_every_rule_only_flags(tmp_path: Path) -> None:
    write_filter(tmp_path, encode, precision=0.99)
    found = doubt({"folder": tmp_path / "filter"})
    assert found is not None
    assert found.text.endswith("with no bound")
    assert not found.spares("score", least=0.0, most=None)
    assert not found.spares("score", least=None, most=1.0)


def test_a_rule_within_the_bound_drops_and_one_beyond_only_flags(project: Path) -> None:
    low = trained.load(project / "filter").facts["below"]["at"]
    fates = {}
    for name, bound in (("within", low), ("beyond", 0.999)):
        recipe = load_recipe(
            lay_out(project, RECORDS, recipe=RECIPE.format(rule=f'signal = "fitted.score", min = {bound}'))
        )
        done = curate.run(recipe, out=project / "runs" / name)
        fates[name] = dict(done.rows.select("response", "kept").iter_rows())
        entry = done.manifest["stages"][0]["rules"][0]
        assert ("unproven" in entry, entry["flag"]) == (name == "beyond", name == "beyond")
        assert plan.plan(recipe, out=project / "runs" / name)["stages"][0]["rules"][0]["flag"] is (name == "beyond")
    assert fates["within"] == {RECORDS[0]["answer"]: True, RECORDS[1]["answer"]: False}
    assert fates["beyond"] == {RECORDS[0]["answer"]: True, RECORDS[1]["answer"]: True}


def test_the_manifest_names_the_filter_and_another_one_is_computed_again(tmp_path: Path) -> None:
    write_filter(tmp_path, encode)
    recipe = load_recipe(lay_out(tmp_path, RECORDS, recipe=RECIPE.format(rule='signal = "fitted.score", min = 0.1')))
    first = curate.run(recipe, out=tmp_path / "runs" / "r")
    known = trained.load(tmp_path / "filter").digest
    assert first.manifest["stages"][0]["steps"][0]["model"] == {"name": "tiny", "digest": known}
    assert curate.run(recipe, out=tmp_path / "runs" / "r").manifest["stages"][0]["steps"][0]["cached"]
    (tmp_path / "filter").rename(tmp_path / "old")
    write_filter(tmp_path, encode, precision=0.7)
    assert not curate.run(recipe, out=tmp_path / "runs" / "r").manifest["stages"][0]["steps"][0]["cached"]


def test_a_damaged_filter_is_a_mistake_of_the_recipe_before_any_data_is_read(tmp_path: Path) -> None:
    write_filter(tmp_path, encode)
    (tmp_path / "filter" / trained.WEIGHTS).write_bytes(b"\x80\x04K\x01.")
    recipe = load_recipe(lay_out(tmp_path, RECORDS, recipe=RECIPE.format(rule='signal = "fitted.score", min = 0.1')))
    with pytest.raises(UserError, match=r"weights\.npz is not the file that filter\.json names"):
        curate.run(recipe, out=tmp_path / "runs" / "r")
