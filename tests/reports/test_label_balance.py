"""Labels by wording: a template that tells the label is named, chance is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate import rundir
from reports import quality
from reports.label_balance import effective


def labelled(run: Path, labels: Callable[[int], tuple[str, str]]) -> dict[str, Any]:
    """Return the facts of the run with other templates and labels for its 20 rows of news, by number of the row."""
    for name in ("rows", "mix"):
        frame = pl.read_parquet(run / f"{name}.parquet")
        numbers = frame["meta"].str.json_path_match("$.number").cast(pl.Int64).to_list()
        plain = [json.dumps({"label": labels(number)[1]}) if number < 20 else None for number in numbers]
        told = [labels(number)[0] if number < 20 else None for number in numbers]
        frame = frame.with_columns(
            template=pl.coalesce(pl.Series(told, dtype=pl.String), "template"),
            slots=pl.coalesce(pl.Series(plain, dtype=pl.String), "slots"),
        )
        rundir.write_frame(run / f"{name}.parquet", frame.sort("id"))
    return quality.facts(run)


def test_a_wording_with_one_label_is_named(run: Path) -> None:
    facts = labelled(run, lambda number: ("news.a", "good") if number < 10 else ("news.b", "bad"))
    news = facts["labels"]["sources"][0]
    assert [(one["template"], one["rows"], one["distinct"], one["apart"]) for one in news["templates"]] == [
        ("news.a", 10, 1, 0.5), ("news.b", 10, 1, 0.5)
    ]  # fmt: skip
    assert (news["effective"], news["kept_effective"]) == (2.0, 2.0)
    said = [one["text"] for one in facts["alerts"] if "wording tells" in one["text"]]
    assert len(said) == 2
    assert "Template news.a of source news has a single label (“good”)" in said[0]


def test_labels_dealt_alike_say_nothing(run: Path) -> None:
    facts = labelled(run, lambda number: (f"news.{number % 2}", "good" if number % 4 < 2 else "bad"))
    assert [one["apart"] for one in facts["labels"]["sources"][0]["templates"]] == [0.0, 0.0]
    assert not [one for one in facts["alerts"] if "wording tells" in one["text"]]


@pytest.mark.parametrize(("counts", "labels"), [([5, 5], 2.0), ([7], 1.0), ([], 0.0), ([0, 3], 1.0)])
def test_effective_number_of_labels(counts: list[int], labels: float) -> None:
    assert effective(counts) == labels
