"""Keep rules on small frames whose verdict a person can see."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.recipe import Keep, Stage
from curate.verdict import Verdicts, broken, judge

FRAME = pl.DataFrame(
    {
        "task": ["nli", "summarization", "nli", None],
        "s.words": [0, 5, None, 7],
        "s.clean": [True, False, None, True],
        "s.lang": ["en", "de", None, "fr"],
        "s.kinds": [["email"], [], None, ["email", "phone"]],
    }
)


@pytest.mark.parametrize(
    ("rule", "failed", "unknown"),
    [
        ({"signal": "s.words", "min": 1}, [1, 0, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.words", "max": 5}, [0, 0, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.words", "min": 5, "max": 6}, [1, 0, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.words", "is": 5}, [1, 0, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.clean", "is": True}, [0, 1, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.lang", "is": "en"}, [0, 1, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.lang", "any_of": ["en", "de"]}, [0, 0, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.lang", "none_of": ["de"]}, [0, 1, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.words", "any_of": [0, 7]}, [0, 1, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.kinds", "none_of": ["phone"]}, [0, 0, 0, 1], [0, 0, 1, 0]),
        ({"signal": "s.kinds", "any_of": ["phone", "iban"]}, [1, 1, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.words", "min": 9, "where": {"task": "nli"}}, [1, 0, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.words", "min": 9, "where": {"task": ["nli", "summarization"]}}, [1, 1, 0, 0], [0, 0, 1, 0]),
        ({"signal": "s.words", "min": 9, "where": {"s.lang": "fr"}}, [0, 0, 0, 1], [0, 0, 0, 0]),
    ],
)
def test_each_form_fails_exactly_the_rows_it_says(rule: dict[str, Any], failed: list[int], unknown: list[int]) -> None:
    result = broken(Keep.model_validate({"why": "x", **rule}), FRAME)
    assert result[0].astype(int).tolist() == failed
    assert result[1].astype(int).tolist() == unknown


def stage(*rules: dict[str, Any]) -> Stage:
    """Build a stage of rules."""
    return Stage.model_validate({"name": "st", "keep": [{"why": "x", **rule} for rule in rules]})


def test_every_failed_rule_of_a_stage_is_recorded_and_counted() -> None:
    verdicts = Verdicts.start(4)
    facts = judge(
        stage(
            {"signal": "s.words", "min": 1, "max": 6},
            {"signal": "s.kinds", "none_of": ["email"]},
            {"signal": "s.clean", "is": True, "flag": True},
        ),
        verdicts,
        FRAME,
    )
    words, kinds, clean = (fact["id"] for fact in facts)
    assert verdicts.failed(flag=False) == [[words, kinds], [], [], [words, kinds]]
    assert verdicts.failed(flag=True) == [[], [clean], [], []]
    assert verdicts.dropped_at().to_list() == ["st", None, None, "st"]
    assert verdicts.alive.tolist() == [False, True, True, False]
    assert verdicts.frame(1, 4).rows() == [
        (True, None, [], [clean]),
        (True, None, [], []),
        (False, "st", [words, kinds], []),
    ]
    assert [(f["evaluated"], f["failed"], f["first"], f["unique"], f["unknown"]) for f in facts] == [
        (4, 2, 2, 0, 1),
        (4, 2, 0, 0, 1),
        (4, 1, 0, 0, 1),
    ]


def test_rows_dropped_before_are_not_judged_again() -> None:
    verdicts = Verdicts.start(4)
    verdicts.alive[:] = np.array([False, True, True, True])
    facts = judge(stage({"signal": "s.words", "min": 6}), verdicts, FRAME)
    assert (facts[0]["evaluated"], facts[0]["failed"], facts[0]["unknown"]) == (3, 1, 1)
    assert verdicts.failed(flag=False)[0] == []


def test_a_stage_without_rules_drops_nothing() -> None:
    verdicts = Verdicts.start(4)
    assert judge(stage(), verdicts, FRAME) == []
    assert verdicts.alive.all()
