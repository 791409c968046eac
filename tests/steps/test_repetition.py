from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from curate import text
from curate.steps.repetition import repetition


def measured(value: str) -> dict[str, float | None]:
    return repetition(pl.DataFrame({"response": [value]})).row(0, named=True)


@pytest.mark.parametrize(
    ("signal", "value", "share"),
    [
        # 3 lines of 4, 4 and 2 characters; the second repeats the first: 4 of 10.
        ("duplicate_line_share", "abcd\nabcd\nef", 4 / 10),
        ("duplicate_line_share", "abcd\n\n  abcd  \nabcd", 8 / 12),
        ("duplicate_line_share", "abcd\nefgh", 0.0),
        ("duplicate_paragraph_share", "ab\ncd\n\nab\ncd\n\nx", 5 / 11),
        ("duplicate_paragraph_share", "ab\nab", 0.0),
        # "to be" twice is 8 of the 13 letters of "to be or not to be".
        ("top_2gram_share", "To be, or not to be", 8 / 13),
        ("top_2gram_share", "hello world", 0.0),
        # Three overlapping "a a" cover four letters, once each.
        ("top_2gram_share", "a a a a b", 4 / 5),
        # "aa bb" and "c d" twice each: the one that covers more letters counts.
        ("top_2gram_share", "c d x aa bb y c d z aa bb", 8 / 15),
        ("top_3gram_share", "a b c x a b c y", 6 / 8),
        ("top_3gram_share", "To be, or not to be", 0.0),
        ("top_4gram_share", "a b c d x a b c d", 8 / 9),
        # The second five are a repeat, the first are not.
        ("duplicate_5gram_share", "a b c d e x a b c d e", 5 / 11),
        ("duplicate_6gram_share", "a b c d e x a b c d e", 0.0),
        # A run of twelve: the first five-gram is new, all others repeat it; words 2 to 12 are covered.
        ("duplicate_5gram_share", "a a a a a a a a a a a a", 11 / 12),
        ("duplicate_10gram_share", "a a a a a a a a a a a a", 11 / 12),
        ("duplicate_10gram_share", "a a a a a a a a a a", 0.0),
        ("duplicate_5gram_share", "aa b c d e aa b c d e", 6 / 12),
    ],
)
def test_shares(signal: str, value: str, share: float) -> None:
    assert measured(value)[signal] == pytest.approx(share)


def test_blanks_and_punctuation_change_nothing() -> None:
    plain, spaced = measured("to be or not to be"), measured("To  be -- or, not\tto be!")
    assert {key: value for key, value in plain.items() if "gram" in key} == {
        key: value for key, value in spaced.items() if "gram" in key
    }


def test_a_text_without_words_has_no_word_shares() -> None:
    found = measured("?!")
    assert found["duplicate_line_share"] == 0.0
    assert found["top_2gram_share"] is None
    assert set(measured("").values()) == {None}


# Words of up to 8, of up to 16 and of more bytes are told apart in different ways.
WORDS = ["a", "bb", "cccccccc", "cccccccd", "x" * 12, "x" * 11 + "y", "ж" * 9, "z" * 17, "z" * 16 + "y"]


@given(st.lists(st.sampled_from(WORDS[:3]) | st.sampled_from(WORDS), min_size=1, max_size=40))
def test_ngram_shares_agree_with_a_plain_count(words: list[str]) -> None:
    """The same definitions without the shortcut from one length to the next."""
    found, whole = measured(" ".join(words)), sum(map(len, words))
    for n in range(2, 11):
        grams = text.ngrams(words, n)
        if n <= 4:
            counts = Counter(grams)
            most = max(counts.values(), default=0)
            marks = [{i for i, g in enumerate(grams) if g == one} for one in counts if counts[one] == most > 1]
        else:
            marks = [{i for i, gram in enumerate(grams) if gram in grams[:i]}]
        covered = [{i + k for i in starts for k in range(n)} for starts in marks]
        share = max((sum(len(words[i]) for i in places) for places in covered), default=0) / whole
        assert found[f"top_{n}gram_share" if n <= 4 else f"duplicate_{n}gram_share"] == pytest.approx(share)


def test_texts_do_not_repeat_each_other() -> None:
    value = "one two three four five six"
    assert repetition(pl.DataFrame({"response": [value, None, value, ""]}))["duplicate_5gram_share"].to_list() == [
        0.0,
        None,
        0.0,
        None,
    ]


def test_blocks_of_texts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"response": ["a b a b c", "", "ж ж ж", None, "x y z " * 30, "a b a b"] * 5})
    whole = repetition(frame)
    monkeypatch.setattr("curate.steps.repetition.BLOCK", 7)
    assert_frame_equal(repetition(frame), whole, check_exact=True)
