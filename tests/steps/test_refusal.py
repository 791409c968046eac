from __future__ import annotations

import polars as pl
import pytest

from curate.steps.refusal import refusal


def measured(value: str) -> tuple[bool, bool, str | None]:
    return refusal(pl.DataFrame({"response": [value], "lang": ["en"]})).row(0)


@pytest.mark.parametrize(
    "value",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, but I can’t help with that request.",
        "Thank you for asking. I cannot provide that information.",
        "As an AI language model, I am unable to provide legal advice.",
        "Sorry, I cannot complete this task.",
        "  \nI cannot fulfill your request.",
        "I'm sorry, but as an AI language model I cannot help with that request.",
        "I’m sorry, but as an AI language model, I’m not able to help with that.",
        "I cannot assist with that.",
        "Sorry, I can't do that.",
        "Sorry, I can’t do that.",
        "As an AI, I am unable to give legal advice.",
        "I'm not able to provide information on that topic.",
        "I’m not able to provide medical advice.",
        "I'm afraid I can't do that.",
        "I must decline this request.",
        "I don’t feel comfortable helping with that.",
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
        "I can't help but smile when I see her.",
        "Sorry, no tickets were left.",
        'The old man shook his head. "I can\'t help you," he said.',
        "“I can’t help you,” said the old man, and shut the door.",
        "To apologise, say what you did. Then say that you are sorry: \"I'm sorry, I can't undo it.\"",
        "As an AI researcher, I cannot share my data.",
        "I'm not able to come to the meeting tomorrow.",
        "I can't do that dance as well as my sister.",
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
