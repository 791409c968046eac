from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.steps.symbols import symbols


def measured(value: str) -> dict[str, float | None]:
    return symbols(pl.DataFrame({"response": [value]})).row(0, named=True)


@pytest.mark.parametrize(
    ("signal", "value", "share"),
    [
        ("digit_share", "a1b2", 0.5),
        ("digit_share", "٣٤", 1.0),
        ("digit_share", "½ Ⅷ", 0.0),
        ("punctuation_share", "a, b", 0.25),
        ("punctuation_share", "1+1=2", 0.4),
        ("punctuation_share", "。、", 1.0),
        ("non_ascii_share", "naïf", 0.25),
        ("non_ascii_share", "plain", 0.0),
        ("symbol_words_share", "one two... three four", 0.25),
        ("symbol_words_share", "#one #two three… four", 0.75),
        ("symbol_words_share", "####", 1.0),
        ("alphabetic_words_share", "two 2 words 10%", 0.5),
        ("alphabetic_words_share", "x1 -- 9", 1 / 3),
        ("alphabetic_words_share", "天气 9", 2 / 3),
        ("alphabetic_words_share", "นี้", 1.0),
        ("alphabetic_words_share", "❤️", 0.0),
    ],
)
def test_shares(signal: str, value: str, share: float) -> None:
    assert measured(value)[signal] == pytest.approx(share)


def test_a_text_without_characters_has_no_shares() -> None:
    assert set(measured("").values()) == {None}


def test_a_text_without_words_has_no_word_shares() -> None:
    found = measured("  \n")
    assert (found["symbol_words_share"], found["alphabetic_words_share"]) == (None, None)
    assert found["digit_share"] == 0.0


@given(st.text(alphabet=st.characters(max_codepoint=0x2FFF), min_size=1, max_size=100))
def test_digits_agree_with_the_unicode_database(value: str) -> None:
    digits = sum(unicodedata.category(character) == "Nd" for character in value)
    assert measured(value)["digit_share"] == pytest.approx(digits / len(value))
