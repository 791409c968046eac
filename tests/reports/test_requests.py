from __future__ import annotations

import polars as pl
import pytest

from reports import requests


@pytest.mark.parametrize(
    ("prompt", "verb", "thing"),
    [
        ("Write a short story about a fox.", "write", "story"),
        ("Please generate a list of ten items", "generate", "list"),
        ("Could you explain the concept of gravity?", "explain", "concept"),
        ("Rewrite the following sentence in active voice.", "rewrite", "sentence"),
        ("The film was long.\n\nSummarize this review in one line.", "summarize", "review"),
        ("1. Translate the text", "translate", "text"),
        ("What is the capital of France?", "what?", "capital"),
        ("Is this correct?", "yes or no?", "correct"),
        ("user: Name three rivers\nassistant: …\nuser: And lakes?", "name", "rivers"),
        ("system: Be kind.\nuser: Design a game", "design", "game"),
        ("w " * 900 + "\nClassify the tweet.", "classify", "tweet"),
        ("Premise: it rains.", None, None),
        ("Schreibe ein Gedicht", None, None),
        ("Listen to the wind", None, None),
        ("Explain", "explain", None),
        ("Is it 7?", "yes or no?", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_verb_and_object_of_a_prompt(prompt: str | None, verb: str | None, thing: str | None) -> None:
    assert requests.asked(pl.Series([prompt], dtype=pl.String)).row(0) == (verb, thing)


def test_prompts_keep_their_order() -> None:
    prompts = ["none here", "x " * 900 + "\nSort the words.", "Sort the cards."]
    assert requests.asked(pl.Series(prompts))["object"].to_list() == [None, "words", "cards"]
