from __future__ import annotations

import polars as pl
import pytest

from curate.steps.refusal import refusal


def measured(value: str) -> tuple[bool, bool, str | None]:
    return refusal(pl.DataFrame({"response": [value]})).row(0)


@pytest.mark.parametrize(
    "value",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, but I can’t help with that request.",
        "Thank you for asking. I cannot provide that information.",
        "As an AI language model, I am unable to provide legal advice.",
        "Sorry, I cannot complete this task.",
        "  \nI cannot fulfill your request.",
    ],
)
def test_refusals(value: str) -> None:
    assert measured(value)[0] is True


@pytest.mark.parametrize(
    "value",
    [
        "I'm sorry for your loss. She was a wonderful aunt.",
        "The robot stopped. It turned. \"I'm sorry, but I can't assist with that,\" it said, and rolled away.",
        "\"I'm sorry, but I can't assist with that.\" is the usual wording.",
        "Dear Ann, I am sorry, but I can't come on Friday.",
        "Paris",
        "First, mix the flour. Then wait. After that, rest. I cannot provide for the oven you have.",
        "",
    ],
)
def test_answers(value: str) -> None:
    assert measured(value)[0] is False


@pytest.mark.parametrize(
    ("value", "matched"),
    [
        ("As an AI assistant, I like this poem. It rhymes.", "as-an-ai"),
        ("Certainly! Here are three names: Ann, Bo, Cy.", "certainly-here"),
        ("Use a spoon. Stir well. I hope this helps!", "hope-this-helps"),
        ("Use a spoon. Stir well. Let me know if you have questions. Bye!", "let-me-know"),
    ],
)
def test_set_phrases_are_no_refusals(value: str, matched: str) -> None:
    assert measured(value) == (False, True, matched)


def test_a_closing_phrase_counts_at_the_end_alone() -> None:
    value = "I hope this helps, he wrote. Then he left. The door fell shut. Nobody saw him again."
    assert measured(value) == (False, False, None)


def test_a_refusal_is_named_before_a_set_phrase() -> None:
    assert measured("I'm sorry, but I can't help with that. I hope this helps.") == (True, True, "sorry-cannot-help")
