from __future__ import annotations

from collections.abc import Callable
from difflib import SequenceMatcher

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.steps.echo import echo

Rows = Callable[..., pl.DataFrame]


def measured(prompt: str | None, response: str | None) -> tuple[float | None, int | None, bool | None]:
    frame = pl.DataFrame(
        {"prompt": [prompt], "response": [response]}, schema={"prompt": pl.String, "response": pl.String}
    )
    return echo(frame).row(0)


@pytest.mark.parametrize(
    ("prompt", "response", "share", "longest", "same"),
    [
        ("the cat sat on the mat", "The cat  sat on the mat", 1.0, 6, True),
        # "a red fox", "red fox ran", "fox ran home": the first of three is in the prompt.
        ("I saw a red fox there", "a red fox ran home", 1 / 3, 3, False),
        ("one two three", "four five six", 0.0, 0, False),
        ("one two three", "three", 1.0, 1, False),
        ("one two three", "two three", 1.0, 2, False),
        ("one two three", "three two", 0.0, 1, False),
        ("anything", "", None, 0, False),
        ("", "", None, 0, True),
        ("今天天气好", "天气好", 1.0, 3, False),
    ],
)
def test_what_is_copied(prompt: str, response: str, share: float | None, longest: int, same: bool) -> None:
    found = measured(prompt, response)
    assert found[0] == (None if share is None else pytest.approx(share))
    assert found[1:] == (longest, same)


def test_a_gap_in_the_prompt_does_not_join_what_it_parts() -> None:
    assert measured("red green yellow blue", "red green blue") == (0.0, 2, False)


def test_without_one_of_the_texts_there_is_no_verdict() -> None:
    assert measured(None, "a") == measured("a", None) == (None, None, None)


# Longer and shorter than `FEW`, the number of words where another way is taken.
@given(*[st.lists(st.sampled_from(["a", "ab", "b", "é", "日"]), min_size=1, max_size=60)] * 2)
def test_share_and_longest_run_agree_with_a_plain_count(source: list[str], copy: list[str]) -> None:
    share, longest, _ = measured(", ".join(source), " ".join(copy))
    size = min(3, len(copy))
    runs = [copy[i : i + size] for i in range(len(copy) - size + 1)]
    known = [source[i : i + size] for i in range(len(source) - size + 1)]
    assert share == sum(run in known for run in runs) / len(runs)
    assert longest == SequenceMatcher(None, source, copy, autojunk=False).find_longest_match().size


def test_two_copies_that_overlap_in_the_response_are_not_one() -> None:
    # "one two three" and "two three four" are both there, "one two three four" is not.
    assert measured("one two three, two three four", "one two three four") == (1.0, 3, False)


def test_each_row_has_its_own_prompt() -> None:
    frame = pl.DataFrame({"prompt": ["red fox", None, "", "red\nfox"], "response": ["fox", "fox", "fox", "red fox"]})
    assert echo(frame)["longest"].to_list() == [1, None, 0, 2]
