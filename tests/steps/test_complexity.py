from __future__ import annotations

import polars as pl
import pytest

from curate.steps import complexity


def measured(*prompts: str | None, lang: str | None = "en") -> pl.DataFrame:
    rows = pl.DataFrame(
        {"prompt": prompts, "lang": [lang] * len(prompts)}, schema={"prompt": pl.String, "lang": pl.String}
    )
    return complexity.decide(complexity.state(rows))


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("Tell me about dogs.", 0),
        ("Write at least 200 words about dogs.", 1),
        ("Write at least 200 words. Use no more than 300 words.", 1),
        ("Act as a vet. Write in one paragraph, as a letter, and do not use any jargon.", 4),
    ],
)
def test_kinds_of_constraints_are_counted_once(prompt: str, kinds: int) -> None:
    assert measured(prompt)["constraints"].to_list() == [kinds]


def test_saying_a_request_twice_makes_it_no_more_complex() -> None:
    once = "Act as a vet, and explain why dogs bark; write at least 50 words."
    one, two = measured(once, f"{once} {once}").iter_rows()
    assert one == two


def test_depth_is_clauses_a_sentence() -> None:
    assert measured("One. Two.", "One, two. Three.", "Who (of all), then, came?", "")["depth"].to_list() == [
        1,
        1.5,
        4,
        None,
    ]


def test_words_that_all_rows_share_are_not_rare() -> None:
    found = measured("name the red one", "name the red one", "name the red zygote", "quaint obelisks wobble")["rarity"]
    assert found[0] == found[1] < found[2] < found[3] == 1.0
    assert measured("all the same", "all the same")["rarity"].to_list() == [0.0, 0.0]
    assert measured("two words", "and three more")["rarity"].to_list() == [None, 1.0]


def test_other_languages_have_no_constraints_to_count() -> None:
    assert measured("Erzähle mir etwas über Hunde.", lang="de")["constraints"].to_list() == [None]
    assert measured(None).row(0) == (None, None, None)
