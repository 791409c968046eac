from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from curate.intervals import clustered, wilson
from tune.summary import SLICES, band, beside, labelled, means


def scores(values: list[float], *, metric: str = "accuracy", records: list[str] | None = None) -> pl.DataFrame:
    ids = [f"row{number}" for number in range(len(values))]
    table = {"id": ids, "record": records or ids, "task": ["t"] * len(ids), "metric": [metric] * len(ids)}
    return pl.DataFrame({**table, "value": values})


def facts(count: int, **columns: list[str | None]) -> pl.DataFrame:
    empty: dict[str, list[str | None]] = {name: [None] * count for name in SLICES}
    return pl.DataFrame(
        {"id": [f"row{number}" for number in range(count)], **empty, **columns},
        schema=dict.fromkeys(("id", *SLICES), pl.String()),
    )


@pytest.mark.parametrize(
    ("words", "name"), [(0, "0-25"), (25, "0-25"), (26, "26-50"), (400, "201-400"), (401, "over 400")]
)
def test_bands_of_length(words: int, name: str) -> None:
    assert band(words) == name


def test_two_renderings_of_a_record_count_as_one_observation() -> None:
    apart = means(scores([1, 1, 0, 0]), facts(4), seed=0)[0]
    together = means(scores([1, 1, 0, 0], records=["a", "a", "b", "b"]), facts(4), seed=0)[0]
    assert (apart["low"], apart["high"]) == wilson(2, 4)
    assert (together["low"], together["high"]) == wilson(1, 2)
    assert (together["n"], together["records"], together["mean"]) == (4, 2, 0.5)


def test_small_slices_are_left_out_but_of_tasks_and_settings() -> None:
    found = means(scores([1.0] * 12), facts(12, task=["t"] * 12, lang=["en"] * 11 + ["de"]), seed=0)
    assert [(one["by"], one["slice"]) for one in found] == [("all", "all"), ("task", "t"), ("lang", "en")]


def test_an_interval_of_clusters_is_that_of_their_number() -> None:
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(size=200), 10)
    low, high = clustered(values, np.repeat(np.arange(200), 10), generator=np.random.default_rng(1))
    expected = 2 * 1.96 * values.std() / np.sqrt(200)
    assert high - low == pytest.approx(expected, rel=0.15)
    assert clustered([3.0, 5.0], ["a", "a"], generator=np.random.default_rng(1)) == (4.0, 4.0)


def test_confusion_and_what_always_the_same_label_would_reach() -> None:
    predictions = pl.DataFrame(
        {
            "record": ["x", "y", "z"],
            "source": ["s"] * 3,
            "label": ["a", "a", "b"],
            "said": ["a", "b", "b"],
            "task": ["t"] * 3,
        }
    )
    [found] = labelled(predictions, seed=0)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert (found["macro_f1_low"], found["macro_f1_high"]) == (0.0, 1.0)  # three records may all be wrong, or right
    assert found["always"] == {"label": "a", "accuracy": pytest.approx(2 / 3), "macro_f1": pytest.approx(0.4)}
    assert {"wanted": "a", "said": "b", "n": 1} in found["confusion"]


def test_models_are_compared_over_the_rows_of_both() -> None:
    first, second = scores([0, 0, 0, 1]), scores([1, 1, 0])
    [found] = beside({"one": first, "two": second}, seed=0)
    assert (found["model"], found["n"]) == ("two", 3)
    assert found["difference"] == pytest.approx(2 / 3)
    assert found["low"] <= 2 / 3 <= found["high"]
