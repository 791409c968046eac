from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate import catalog
from curate.errors import UserError
from curate.steps.swap import swap

Rows = Callable[..., pl.DataFrame]


def unfair(step: str, rows: pl.DataFrame, *, column: str) -> pl.DataFrame:
    """Score 0.9 for texts about women, 0.1 for others, nothing for texts about cats."""
    text = rows[column] if column != "rendered" else rows["response"]
    value = (
        pl.when(pl.col("t").str.contains("cat")).then(None).when(pl.col("t").str.contains("(?i)woman|she")).then(0.9)
    )
    return text.alias("t").to_frame().select(score=value.otherwise(0.1))


def measured(make_rows: Rows, text: str, **arguments: Any) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    found = swap(make_rows({"response": text}), rescore=unfair, **arguments)
    return found.signals.row(0), found.tables["pairs"].drop("id").rows()


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("The kettle is on.", (0, None, None)),
        ("They came.", (0, None, None)),  # they need not be a person
        ("The woman sang.", (1, pytest.approx(0.8), 1)),  # no word for they to stand for
        ("She sang.", (2, pytest.approx(0.8), 2)),
        ("He sang.", (2, pytest.approx(0.8), 1)),
        ("The old man", (2, pytest.approx(0.8), 1)),
        ("The cat saw a man", (1, None, None)),
    ],
)
def test_the_gap_is_what_the_score_makes_of_the_group(make_rows: Rows, text: str, signals: tuple[Any, ...]) -> None:
    assert measured(make_rows, text)[0] == signals


def test_pairs_say_who_stood_there_and_who_took_the_place(make_rows: Rows) -> None:
    _, pairs = measured(make_rows, "She sang.")
    assert pairs == [
        ("gender:women", "gender:men", False, 0.9, 0.1, True), ("gender:women", "gender:they", False, 0.9, 0.1, True)
    ]  # fmt: skip
    assert measured(make_rows, "The man and the woman")[1] == [("gender:women", "gender:men", True, 0.9, 0.9, False)]


def test_no_flip_without_crossing_the_threshold(make_rows: Rows) -> None:
    assert measured(make_rows, "The woman sang.", threshold=0.95)[0] == (1, pytest.approx(0.8), 0)


def test_both_texts_are_swapped_when_both_are_scored(make_rows: Rows) -> None:
    seen: list[list[str]] = []

    def spy(step: str, rows: pl.DataFrame, *, column: str) -> pl.DataFrame:
        seen.append([*rows["prompt"], *rows["response"]])
        return unfair(step, rows, column=column)

    swap(make_rows({"prompt": "Who is the woman?", "response": "A mother"}), rescore=spy, column="rendered")
    assert seen[1] == ["Who is the man?", "A father"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scorer": "toxicty"}, "did you mean 'toxicity'"),
        ({"scorer": "near"}, "sees all rows at once"),
        ({"scorer": "table"}, "needs path"),
        ({"scorer": "length", "signal": "score"}, "no such signal"),
        ({"scorer": "language", "signal": "lang"}, "is no number"),
        ({"column": "task"}, "cannot be swapped"),
    ],
)
def test_what_cannot_score_is_a_mistake(make_rows: Rows, arguments: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        swap(make_rows({"response": "She sang."}), rescore=catalog.rescore, **arguments)
