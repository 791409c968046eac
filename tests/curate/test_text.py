"""Words, sentences and n-grams on any script."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import text


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("The cat, the CAT!", ["the", "cat", "the", "cat"]),
        ("don't 3.5", ["don", "t", "3", "5"]),
        ("Straße ﬁne", ["strasse", "fine"]),
        ("日本語 test", ["日", "本", "語", "test"]),
        ("", []),
        ("… !", []),
    ],
)
def test_words_are_casefolded_and_split_unspaced_scripts(given_text: str, expected: list[str]) -> None:
    assert text.words(given_text) == expected


@given(st.text() | st.text(alphabet="aB_9 -.\n\u0301é\u00adſİµ½’“…ΣсЖ日ก\u0e31ｱ\u1100\u1161\x1c\x85\u2028"))
def test_words_are_the_word_characters_between_others(given_text: str) -> None:
    """The definition, without the byte table."""
    folded = unicodedata.normalize("NFKC", given_text).casefold()
    unspaced = rf"[{text.UNSPACED}][\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*"
    assert text.words(given_text) == re.findall(rf"{unspaced}|[^\W{text.UNSPACED}]+", folded)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("The cat, the", [(0, 3), (4, 7), (9, 12)]),
        ("ab é-cd\u00a0x", [(0, 2), (3, 4), (5, 7), (8, 9)]),
        ("e\u0301t 日本", [(0, 3), (4, 5), (5, 6)]),
        ("½ ﬁne", [(0, 1), (0, 1), (2, 5)]),
        ("… !", []),
    ],
)
def test_words_have_places_in_the_text_as_written(given_text: str, expected: list[tuple[int, int]]) -> None:
    assert text.places(given_text) == expected


@given(
    st.text()
    | st.text(alphabet="aB_9 -.\n\u0301é\u00adſİµ½’“…ΣсЖ日ก\u0e31ｱ\uff9e\u1100\u1161\u11a8か\u3099¨ﷺ\u0323\x1c\x85")
)
def test_each_word_stands_at_its_place(given_text: str) -> None:
    words, places = text.words(given_text), text.places(given_text)
    assert len(words) == len(places)
    assert places == sorted(places)
    assert all(word in text.words(given_text[start:end]) for word, (start, end) in zip(words, places, strict=True))


def test_places_of_a_long_piece_are_found_in_linear_time() -> None:
    started = time.process_time()
    assert len(text.places("a." * 50_000 + " é")) == 50_001
    assert time.process_time() - started < 5


def test_every_character_is_the_same_part_of_a_word_as_in_the_definition() -> None:
    signs = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(signs), 50):
        value = " ".join(f"{sign} a{sign}b" for sign in signs[start : start + 50])
        folded = unicodedata.normalize("NFKC", value).casefold()
        assert text.words(value) == text._WORD.findall(folded), start


def test_tokens_keep_what_stands_between_blanks() -> None:
    assert text.tokens("don't  stop\t3.5 …") == ["don't", "stop", "3.5", "…"]
    assert text.tokens("我 是人") == ["我", "是", "人"]


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("One. Two! Three? four", ["One.", "Two!", "Three?", "four"]),
        ("He said “Go.” Then left.", ["He said “Go.", "Then left."]),
        ("今日は。明日も。", ["今日は。", "明日も。"]),
        ("क्या? हाँ।", ["क्या?", "हाँ।"]),
        ("version 3.5 is out", ["version 3.5 is out"]),
    ],
)
def test_sentences_end_at_the_marks_of_their_script(given_text: str, expected: list[str]) -> None:
    assert text.sentences(given_text) == expected


def test_only_line_feeds_part_lines() -> None:
    assert text.lines("a\u2028b\n\nc\x0cd") == ["a\u2028b", "c\x0cd"]
    assert text.paragraphs("a\nb\n \nc") == ["a\nb", "c"]


def test_short_texts_are_one_shingle_and_empty_ones_none() -> None:
    assert text.shingles("a b c d", 3) == [("a", "b", "c"), ("b", "c", "d")]
    assert text.shingles("a b", 3) == [("a", "b")]
    assert text.shingles("?!", 3) == []


@given(st.text())
def test_normalising_twice_changes_nothing_more(given_text: str) -> None:
    once = text.normalise(given_text)
    assert text.normalise(once) == once


@given(st.text())
def test_visible_text_has_no_control_or_override_characters(given_text: str) -> None:
    shown = text.visible(given_text + "\x1b[31m\u202e\u200b")
    assert not any(ord(c) < 32 and c not in "\t\n" for c in shown)
    assert "\u202e" not in shown
    assert shown.endswith("[U+001B][31m[U+202E][U+200B]")
