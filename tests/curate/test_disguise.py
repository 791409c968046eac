from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.disguise import Speller, plain

SPELLER = Speller(["i hate all those worthless animals", "i hate them"], frozenset({"hats", "late", "house"}))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("I H4TE y0u", "i hate you"),
        ("w0rthl3ss", "worthless"),
        ("I h a t e them", "ihate them"),
        ("k.i.l.l", "kill"),
        ("loooooser", "loser"),
        ("ＨＡＴＥ", "hate"),
        ("ha\u200bte", "hate"),
        ("What a day!", "what a day!"),
        ("the 3rd of 10km, b2", "the 3rd of 10km, b2"),
        ("I saw a cat", "i saw a cat"),
    ],
)
def test_disguised_words_are_seen_through(written: str, meant: str) -> None:
    assert plain(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("htae", "hate"),
        ("hte animls", "hte animals"),
        ("wortthless", "worthless"),
        ("worthlass", "worthless"),
        ("ihateallanimals", "i hate all animals"),
        ("hats late house", "hats late house"),
        ("hating", "hating"),
        ("ihate them", "i hate them"),
    ],
)
def test_only_words_that_no_dictionary_has_are_corrected(written: str, meant: str) -> None:
    assert SPELLER.text(written) == meant


@given(st.text(max_size=200))
def test_seeing_through_is_done_after_one_look(text: str) -> None:
    assert plain(plain(text)).islower() or not any(letter.isascii() and letter.isalpha() for letter in plain(text))
