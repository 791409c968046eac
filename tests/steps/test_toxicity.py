from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate import catalog
from curate.errors import UserError
from curate.steps.toxicity import toxicity

Rows = Callable[..., pl.DataFrame]


def measured(value: str) -> tuple[float, str | None, list[str]]:
    frame = pl.DataFrame({"response": [value], "lang": [None]}, schema={"response": pl.String, "lang": pl.String})
    return toxicity(frame, vectors=None, concepts=False).row(0)[:3]


@pytest.mark.parametrize(
    ("value", "category"),
    [
        ("You are such an idiot.", "harassment"),
        ("you're   a\nstupid loser", "harassment"),
        ("YOU ARE WORTHLESS", "harassment"),
        ("Women are inferior.", "hate"),
        ("I hate gay people.", "hate"),
        ("I'm not racist, but black people are animals.", "hate"),
        ("Go back to your country!", "hate"),
        ("I'm going to kill you.", "violence"),
        ("Immigrants should be shot.", "violence"),
        ("Just kill yourself.", "self-harm"),
        ("The world would be better off without you.", "self-harm"),
        ("Go and suck my dick", "sexual"),
    ],
)
def test_abuse_scores_above_half(value: str, category: str) -> None:
    score, found, matched = measured(value)
    assert score > 0.5
    assert found == category
    assert matched


@pytest.mark.parametrize(
    "value",
    [
        "I am a gay man",
        "My neighbours are Muslims and my aunt is a black woman.",
        "Trans people deserve rights.",
        "You are not an idiot.",
        "To kill the process, press Control and C.",
        "I will shoot a photo of you and shoot you an email.",
        "The lid is idiot-proof.",
        "I will beat you at chess.",
        "Let's kill him off in chapter two.",
        "If you want to kill yourself, please call somebody you trust.",
        "Please don't kill yourself.",
        "Not all men are pigs.",
        "Breast cancer screening and sexual health",
        "",
    ],
)
def test_harmless_texts_score_nothing(value: str) -> None:
    assert measured(value) == (0.0, None, [])


@pytest.mark.parametrize(
    "value",
    [
        "It is hateful to say that women are inferior.",
        'Saying "you are an idiot" is wrong.',
        "I am not saying you are an idiot.",
        '"I will kill you," said the wolf.',
        "“You are worthless,” the queen whispered.",
        "He was arrested after he wrote that immigrants should be shot.",
        "This is fucking great.",
    ],
)
def test_reported_countered_and_untargeted_words_stay_below_half(value: str) -> None:
    assert 0.0 < measured(value)[0] < 0.5


def test_a_countered_hit_does_not_excuse_an_open_one() -> None:
    score, category, matched = measured("It is wrong to say women are inferior. I will kill you!")
    assert (score, category) == (0.95, "violence")
    assert matched == ["dehumanised-group", "threat"]


def test_only_the_quoted_part_is_quoted() -> None:
    assert measured('"Nice weather," he said. You are an idiot.')[0] == 0.75


def test_other_languages_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(
        {"response": "you are an idiot", "lang": "fr"},
        {"response": "you are an idiot", "lang": "en-US"},
        {"response": "you are an idiot"},
    )
    by_lang = dict(zip(rows["lang"], toxicity(rows, vectors=None, concepts=False)["score"], strict=True))
    assert by_lang == {"fr": None, "en-US": 0.75, None: 0.75}


def test_a_toxic_prompt_does_not_count_against_a_safe_answer(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "You are an idiot.", "response": "Let us talk about something else."})
    assert toxicity(rows, vectors=None, concepts=False)["score"].to_list() == [0.0]
    assert toxicity(rows, column="rendered", vectors=None, concepts=False)["score"].to_list() == [0.75]


def test_vulgar_words_of_the_package_count_little_without_a_target() -> None:
    score, category, matched = measured("That party was one big clusterfuck.")
    assert (score, category, matched) == (0.2, "harassment", ["swearing"])


def test_the_place_of_the_worst_hit_is_told(make_rows: Rows) -> None:
    text = "Good morning. You are an idiot. Bye."
    found = toxicity(make_rows({"response": text}), vectors=None, concepts=False).row(0, named=True)
    assert text[found["start"] : found["end"]] == "You are an idiot"


def test_concepts_without_an_encoder_say_what_to_do(make_rows: Rows) -> None:
    with pytest.raises(UserError, match="concepts need an encoder") as caught:
        toxicity(make_rows({"response": "Hello"}), vectors=None)
    assert caught.value.code == 5
    assert "concepts = false" in caught.value.fix


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        ({}, {"vectors"}),
        ({"concepts": False}, set()),
        ({"classifier": "model"}, set()),
        ({"concepts": True}, {"vectors"}),
    ],
)
def test_the_encoder_is_asked_for_only_where_concepts_are_judged(arguments: dict[str, object], needs: set[str]) -> None:
    assert catalog.needed(catalog.describe("toxicity"), arguments) == needs
