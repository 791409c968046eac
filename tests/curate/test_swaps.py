"""The same text told of another group, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import rulebook, swaps
from curate.errors import UserError

PAIRS = {
    frozenset((pair.first, pair.second)): pair
    for found in swaps.pairs(rulebook.lexicon("swaps")).values()
    for pair in found
}
WOMEN, MEN, THEY = "gender:women", "gender:men", "gender:they"


def swapped(text: str, first: str, second: str) -> str | None:
    return PAIRS[frozenset((first, second))].swap(text)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("She told her mother that the book was hers.", "He told his father that the book was his."),
        ("I saw her. HERS was red; Her Hat too.", "I saw him. HIS was red; His Hat too."),
        ("Let her go, give it to her now, ask her that.", "Let him go, give it to him now, ask him that."),
        ("The woman hurt herself", "The man hurt himself"),
        ("Mrs. Lee and the businesswomen", "Mr. Lee and the businessmen"),
        ("A girl likes herds of muslin.", "A boy likes herds of muslin."),
    ],
)
def test_men_and_women_change_places(text: str, other: str) -> None:
    assert swapped(text, WOMEN, MEN) == other
    assert swapped(other, WOMEN, MEN) == text


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("She is late and she has her coat.", "They are late and they have their coat."),
        ("Was he there? He's at home, isn't he?", "Were they there? They're at home, aren't they?"),
    ],
)
def test_verbs_agree_with_they(text: str, other: str) -> None:
    group = WOMEN if "he" not in text.lower().split() and "she" in text.lower() else MEN
    assert swapped(text, group, THEY) == other


@pytest.mark.parametrize(
    ("text", "first", "second", "other"),
    [
        ("an American teacher", "nationality:americans", "nationality:mexicans", "a Mexican teacher"),
        ("A Muslim saw an Atheist", "religion:muslims", "religion:atheists", "An Atheist saw a Muslim"),
        ("a black woman in a black dress", "ethnicity:black", "ethnicity:white", "a white woman in a black dress"),
        ("an African-American, AFRICAN-AMERICANS", "ethnicity:black", "ethnicity:asian",
         "an Asian-American, ASIAN-AMERICANS"),
        ("old people and old houses", "age:old", "age:young", "young people and old houses"),
        ("a gay man and a European", "orientation:gay", "orientation:bisexual", "a bisexual man and a European"),
    ],
)  # fmt: skip
def test_groups_of_other_axes_change_places(text: str, first: str, second: str, other: str) -> None:
    assert swapped(text, first, second) == other


@pytest.mark.parametrize("text", ["a American student", "She gave hers books", "wOMan"])
def test_what_does_not_lead_back_is_not_swapped(text: str) -> None:
    pair = ("nationality:americans", "nationality:mexicans") if "American" in text else (WOMEN, MEN)
    assert swapped(text, *pair) is None


def test_texts_without_the_group_stay() -> None:
    assert swapped("The kettle is on the stove.", WOMEN, MEN) == "The kettle is on the stove."


VOCABULARY = """she he her him his hers they them their is are was a an woman Men MOTHER father's Muslim Jews black
people American old gay . , ' that book let go wait… naïve"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n"])


@given(st.lists(WORDS, max_size=20), st.sampled_from(sorted(PAIRS, key=sorted)))
def test_swapping_twice_is_the_identity(words: list[str], pair: frozenset[str]) -> None:
    text = " ".join(words)
    other = PAIRS[pair].swap(text)
    assert other is None or PAIRS[pair].swap(other) == text


def test_terms_that_do_not_stand_side_by_side_are_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    entry = '[[entries]]\nid = "trade:{}"\ncategory = "trade"\nterms = {}\n'
    path.write_text(
        'why = "x"\nlanguage = "en"\n'
        + entry.format("bakers", '["baker"]')
        + entry.format("smiths", '["smith", "smiths"]')
    )
    with pytest.raises(UserError, match="has 2 terms"):
        swaps.pairs(rulebook.lexicon(path))
