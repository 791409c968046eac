from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.toxicity import toxicity

Rows = Callable[..., pl.DataFrame]


def measured(value: str) -> tuple[float, str | None, list[str]]:
    frame = pl.DataFrame({"response": [value], "lang": [None]}, schema={"response": pl.String, "lang": pl.String})
    return toxicity(frame).row(0)


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
    by_lang = dict(zip(rows["lang"], toxicity(rows)["score"], strict=True))
    assert by_lang == {"fr": None, "en-US": 0.75, None: 0.75}


def test_a_toxic_prompt_does_not_count_against_a_safe_answer(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "You are an idiot.", "response": "Let us talk about something else."})
    assert toxicity(rows)["score"].to_list() == [0.0]
    assert toxicity(rows, column="rendered")["score"].to_list() == [0.75]
