"""Which rule is meant, in which order rows are asked for, and what is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import review
from curate.errors import UserError
from curate.rundir import RunDir

IDS = ["checks/length.words min 1", "checks/length.words min 3 where task=nli", "copies/exact.rank max 0"]
MANIFEST = {"stages": [{"rules": [{"id": name} for name in IDS[:2]]}, {"rules": [{"id": IDS[2]}]}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [(IDS[0], IDS[0]), ("EXACT", IDS[2]), ("min 3", IDS[1]), ("copies/", IDS[2]), (IDS[1], IDS[1])],
)
def test_a_rule_is_found_by_its_id_or_a_part_that_no_other_has(text: str, expected: str) -> None:
    assert review.find_rule(MANIFEST, text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("length", "several rules are called so: checks/length.words min 1; checks/length.words min 3"),
        ("exct.rank", "did you mean 'exact.rank'"),
        ("copies/exact.rank max 1", "did you mean 'copies/exact.rank max 0'"),
        ("", "the run has no such rule"),
    ],
)
def test_a_rule_that_is_none_or_several_is_an_error_that_helps(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        review.find_rule(MANIFEST, text)


def scripted(answers: list[str]) -> tuple[Callable[[int], str], list[int]]:
    """Return a function that answers from a list, and the places it was asked about."""
    asked: list[int] = []

    def ask(place: int) -> str:
        asked.append(place)
        return answers[len(asked) - 1]

    return ask, asked


@pytest.mark.parametrize(
    ("known", "answers", "asked", "given"),
    [
        ({}, ["right", "wrong", "unsure"], [0, 1, 2], [("a", "right"), ("b", "wrong"), ("c", "unsure")]),
        ({"a": "right"}, ["wrong", "stop"], [1, 2], [("b", "wrong")]),
        ({}, ["right", "back", "wrong", "stop"], [0, 1, 0, 1], [("a", "right"), ("a", "wrong")]),
        ({}, ["back", "right", "stop"], [0, 0, 1], [("a", "right")]),
        ({"b": "right"}, ["right", "back", "wrong", "stop"], [0, 2, 1, 2], [("a", "right"), ("b", "wrong")]),
        ({"a": "right", "b": "right", "c": "wrong"}, [], [], []),
    ],
    ids=["all", "resumes", "back", "back at the start", "back to an old answer", "done"],
)
def test_rows_are_asked_for_in_order_and_resumed(
    known: dict[str, str], answers: list[str], asked: list[int], given: list[tuple[str, str]]
) -> None:
    ask, places = scripted(answers)
    assert list(review.interview(["a", "b", "c"], known, ask)) == given
    assert places == asked


SIDES = {"abc1": "victim", "abc2": "near miss", "fff": "victim"}


def test_marks_name_rows_by_their_beginning_and_verdicts_by_theirs() -> None:
    assert review.parse_marks(["abc1=right", "f=w", "abc2=UNSURE"], SIDES) == [
        ("abc1", "right"), ("fff", "wrong"), ("abc2", "unsure"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("abc=right", "several rows of the sample begin so"),
        ("eee=right", "not in the sample"),
        ("abc1=maybe", "is not ID=right"),
        ("abc1", "is not ID=right"),
        ("=right", "is not ID=right"),
    ],
)
def test_a_mark_that_would_not_count_is_refused(mark: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        review.parse_marks([mark], SIDES)


def test_two_verdicts_on_one_row_in_one_command_are_refused() -> None:
    with pytest.raises(UserError, match="the same row is marked right, too"):
        review.parse_marks(["abc1=right", "abc1=wrong"], SIDES)
    assert review.parse_marks(["abc1=right", "abc1=r"], SIDES) == [("abc1", "right")]


def test_answers_are_appended_also_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    run, path = RunDir(tmp_path), tmp_path / "reviews.jsonl"
    review.keep(run, "the rule", [("abc1", "right")], SIDES)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    review.keep(run, "the rule", [("abc2", "wrong"), ("fff", "unsure")], SIDES)
    first, cut, *others = path.read_text(encoding="utf-8").splitlines()
    assert cut == whole.decode()[:20]
    entries = [json.loads(line) for line in (first, *others)]
    assert [(one["rule"], one["id"], one["side"], one["verdict"]) for one in entries] == [
        ("the rule", "abc1", "victim", "right"),
        ("the rule", "abc2", "near miss", "wrong"),
        ("the rule", "fff", "victim", "unsure"),
    ]
