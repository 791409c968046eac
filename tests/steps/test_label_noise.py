from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

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
    return label_noise.decide(columns.hstack(label_noise.state(rows, vectors=vectors, seed=13)))


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
