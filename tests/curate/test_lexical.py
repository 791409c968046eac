"""Vectors without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from projects import lay_out, questions

import curate
from curate import lexical
from curate.errors import UserError

pytest.importorskip("sklearn")
TEXTS = [
    "the cat sat on the mat", "a cat on a mat", "the cat and the mat",
    "stocks fell as rates rose", "rates rose and stocks fell", "when rates rose stocks fell again",
    "ein ganz anderer Satz",
]  # fmt: skip
RECIPE = """
name = "words"
[embedding]
model = "tf-idf"
[[sources]]
name = "qa"
path = "qa*.jsonl"
task = "qa_open"
[[stages]]
name = "diversity"
steps = [{ step = "STEP" }]
"""


def encoder(rows: str = "rows") -> lexical.Lexical:
    return lexical.load(rows, lambda: TEXTS, steps=["diversity"])


def test_texts_that_share_words_are_near_and_others_are_not() -> None:
    vectors = encoder().encode(TEXTS)
    assert vectors.shape == (7, lexical.DIMENSIONS)
    assert vectors.dtype == np.float32
    cosines = vectors @ vectors.T
    assert np.allclose(np.diag(cosines)[:6], 1, atol=1e-6)
    assert cosines[0, 1] > 0.6 and cosines[3, 4] > 0.6
    assert abs(cosines[0, 3]) < 0.1
    assert not vectors[6].any()  # none of its words is in a second text


def test_a_vector_depends_on_its_text_alone_and_is_kept(tmp_path: Path) -> None:
    whole = encoder().encode(TEXTS, cache=tmp_path)
    assert np.array_equal(encoder().encode(TEXTS[4:5]), whole[4:5])
    stopped = lexical.Lexical(encoder().key, lambda: pytest.fail("fitted again"))
    assert np.array_equal(stopped.encode(TEXTS[::-1], cache=tmp_path), whole[::-1])
    assert encoder("other rows").key != encoder().key


@pytest.mark.parametrize("texts", [[], [""], ["one", "two"], ["same"] * 5])
def test_rows_that_tell_nothing_give_vectors_all_the_same(texts: list[str]) -> None:
    found = lexical.load("rows", lambda: texts, steps=["map"]).encode(["same", "", "other"])
    assert found.shape == (3, lexical.DIMENSIONS)
    assert np.isfinite(found).all()


def test_a_run_selects_by_words_without_any_model(tmp_path: Path) -> None:
    lay_out(tmp_path, questions(40))
    (tmp_path / "words.toml").write_text(RECIPE.replace("STEP", "diversity"))
    run = curate.run(curate.load_recipe(tmp_path / "words.toml"), out=tmp_path / "runs" / "r")
    assert sorted(run.rows["diversity.rank"].to_list()) == list(range(40))
    assert json.loads((run.path / "manifest.json").read_text())["embedding"]["model"] == "tf-idf"


def test_steps_that_ask_for_meaning_refuse_it(tmp_path: Path) -> None:
    lay_out(tmp_path, questions(4))
    (tmp_path / "words.toml").write_text(RECIPE.replace("STEP", "relevance"))
    with pytest.raises(UserError, match="relevance must know what they mean"):
        curate.run(curate.load_recipe(tmp_path / "words.toml"), out=tmp_path / "runs" / "r")
