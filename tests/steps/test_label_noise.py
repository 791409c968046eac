from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from curate import chance, folds
from curate.schema import Measured
from curate.steps import label_noise

Rows = Callable[..., pl.DataFrame]


def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Put texts about cats on one side of a plane and those about dogs on the other."""
    found = np.array([[1.0 if "cat" in one else -1.0, len(one) % 7 / 7, len(one) % 5 / 5] for one in texts])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def pets(number: int, *, source: str = "pets", wrong: Sequence[int] = ()) -> list[dict[str, Any]]:
    rows = []
    for one in range(number):
        animal = ("cat", "dog")[one % 2]
        label = {"cat": "dog", "dog": "cat"}[animal] if one in wrong else animal
        said = {"text": f"A {animal} came by {'again ' * (one % 11)}number {one}", "label": label}
        rows.append({"task": "classification", "source": source, "slots": json.dumps(said), "meta": str(one)})
    return rows


def measured(rows: pl.DataFrame) -> Measured:
    columns = rows.select("id", "record", "source", "task", "template", "lang")
    return label_noise.decide(columns.hstack(label_noise.state(rows, vectors=vectors, seed=13)), vectors=vectors)


def test_flipped_labels_are_suspected_and_the_right_one_suggested(make_rows: Rows) -> None:
    rows = make_rows(*pets(100, wrong=[4, 51]))
    result = measured(rows)
    found = rows.select("meta").hstack(result.signals)
    doubted = found.filter("suspect").sort("meta")
    assert doubted.select("meta", "suggested").rows() == [("4", "cat"), ("51", "dog")]
    assert (doubted["score"] > 0.5).all() and (doubted["neighbours_share"] > 0.5).all()
    assert (found.filter(~pl.col("suspect"))["score"] < 0.5).all()
    line = result.tables["sources"].row(0, named=True)
    assert (line["source"], line["records"], line["suspects"], line["learnable"]) == ("pets", 100, 2, True)
    assert line["noise"] == pytest.approx(0.02, abs=0.005)


def test_labels_that_cannot_be_learnt_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(*pets(100, wrong=[one for one in range(100) if one % 4 > 1]))
    result = measured(rows)
    assert result.signals.null_count().row(0) == (100,) * 4
    assert result.tables["sources"].select("learnable", "noise").row(0) == (False, None)


def test_labels_dealt_by_chance_are_seldom_taken_for_learnable() -> None:
    """Of 200 sources of 60 rows whose labels have nothing to do with their texts, two are expected."""
    learnable = 0
    for number in range(200):
        draw = np.random.default_rng(number)
        labels = draw.integers(0, 2, 60)
        deals = [draw.permutation(60) % folds.FOLDS for _ in range(label_noise.DEALS)]
        found = folds.averaged(draw.normal(size=(60, 20)), labels, deals)
        learnable += folds.learnt(found.first, labels) > label_noise._Z
    # Above 8 in 200 the binomial of a twentieth has 67 %, of a hundredth 0.02 %.
    assert learnable <= 8


def test_classes_that_run_into_each_other_have_no_verdict(make_rows: Rows) -> None:
    """Five stars, each as far from the next as texts of one star are from each other: nothing is flipped."""
    stars = [number % 5 for number in range(300)]
    given = [{"task": "classification", "source": "stars"} for _ in stars]
    rows = make_rows(*[
        {**one, "slots": json.dumps({"text": f"number {number}", "label": f"{star}"})}
        for number, (one, star) in enumerate(zip(given, stars, strict=True))
    ])  # fmt: skip
    draw, place = np.random.default_rng(5), {f"number {number}": star for number, star in enumerate(stars)}
    along = {text: star - 2 + draw.normal() for text, star in place.items()}

    def line(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        angles = np.array([0.4 * along.get(text, 0.0) for text in texts], np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    state = label_noise.state(rows, vectors=line, seed=13)
    columns = rows.select("id", "record", "source", "task", "template", "lang")
    result = label_noise.decide(columns.hstack(state), vectors=line)
    told = result.tables["sources"].row(0, named=True)
    assert told["accuracy"] > 2 * told["majority"] - 0.05
    assert told["noise"] > 0.44 and not told["learnable"] and told["suspects"] is None
    assert result.signals.null_count().row(0) == (300,) * 4


def test_a_lead_is_counted_in_standard_errors() -> None:
    probabilities, labels = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]]), np.array([0, 0, 1, 1])
    # Shares are even: each row's own label has 0.4, 0.1, 0.2 and 0 more than the mean of both.
    assert folds.learnt(probabilities, labels) == pytest.approx(0.175 / (np.std([0.4, 0.1, 0.2, 0.0], ddof=1) / 2))


def test_small_sources_and_rows_without_labels_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(*pets(60), *pets(20, source="few"), {"task": "qa_open"})
    found = rows.select("source").hstack(measured(rows).signals)
    unknown = found.filter(pl.col("score").is_null())
    assert dict(unknown.group_by("source").len().iter_rows()) == {"few": 20, "test": 1}


def test_renderings_of_a_record_count_once_and_share_the_verdict(make_rows: Rows) -> None:
    base = pets(60, wrong=[7, 17, 27, 37])
    again = [{**base[7], "record": "7" * 32}] * 2
    rows = make_rows(*base[:7], *base[8:], *again)
    result = measured(rows)
    assert result.tables["sources"]["records"].to_list() == [60]
    found = rows.select("record").hstack(result.signals).filter(pl.col("record") == "7" * 32)
    assert found["suggested"].to_list() == ["dog", "dog"]
    assert found["score"].n_unique() == 1 and found["score"][0] > 0.5


def test_pairs_are_told_by_how_their_texts_differ(make_rows: Rows) -> None:
    rows = []
    for one in range(80):
        texts = [f"a cat {'x' * (one % 9)}", f"a {('cat', 'dog')[one % 2]} {'y' * (one % 8)}"]
        slots = {"text1": texts[0], "text2": texts[1], "label": ("yes", "no")[one % 2]}
        rows.append({"task": "paraphrase", "slots": json.dumps(slots)})
    line = measured(make_rows(*rows)).tables["sources"].row(0, named=True)
    assert line["accuracy"] == 1.0 and line["noise"] == 0.0


def test_of_two_texts_differences_products_and_shared_words_are_kept(make_rows: Rows) -> None:
    slots = {"text1": "One cat sat", "text2": "one dog, one CAT", "label": "yes"}
    rows = make_rows({"task": "paraphrase", "slots": json.dumps(slots)})
    state = label_noise.state(rows, vectors=lambda texts: np.array([[0.6, 0.8], [1.0, 0.0]], np.float32), seed=1)
    # Half of the root of two dimensions; {one, cat} of {one, cat, sat, dog}.
    assert state["vector"][0].to_list() == pytest.approx([0.4, 0.8, 0.6 / 2**0.5, 0.0, 0.5])


def test_labels_that_say_what_they_mean_are_compared_with_the_texts() -> None:
    known = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])

    def named(*labels: str) -> npt.NDArray[np.float64]:
        return label_noise._named(known, pl.Series(labels), vectors=lambda texts: np.eye(2, dtype=np.float32))

    near = known - known.mean(axis=0)
    assert np.allclose(named("big_cats", "dogs"), 5 * (near - near.mean(axis=1, keepdims=True)))
    assert named("0", "1").shape == named("A", "B").shape == named("a cat", "a dog", "other").shape == (3, 0)


def test_the_names_of_labels_tell_what_few_noisy_examples_do_not(make_rows: Rows) -> None:
    """Texts that differ in much besides their subject; two labels in ten are flipped."""

    def scattered(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = np.array([0.25 * chance.generator(0, one).normal(size=90) for one in texts], np.float32)
        if max(map(len, texts)) < 4:
            found[:] = 0
        for place, one in enumerate(texts):
            found[place, 0] += 0.5 * (("cat" in one) - ("dog" in one))
        return found

    wrong = [one for one in range(120) if one % 10 < 2]

    def area(**codes: str) -> float:
        given = pets(120, wrong=wrong)
        for one in given:
            said = json.loads(one["slots"])
            one["slots"] = json.dumps({**said, "label": codes.get(said["label"], said["label"])})
        rows = make_rows(*given)
        columns = rows.select("id", "record", "source", "task", "template", "lang")
        state = label_noise.state(rows, vectors=scattered, seed=13)
        found = label_noise.decide(columns.hstack(state), vectors=scattered).signals["score"].to_numpy()
        flipped = np.isin(rows["meta"].cast(pl.Int64), wrong)
        return float((found[flipped][:, None] > found[~flipped][None]).mean())

    assert area() > area(cat="0", dog="1") > 0.5
