from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import text
from curate.steps.length import length

Rows = Callable[..., pl.DataFrame]


def measured(value: str) -> tuple[int, int, int]:
    found = length(pl.DataFrame({"response": [value]}))
    return found.row(0)


@pytest.mark.parametrize(
    ("value", "words", "chars", "tokens"),
    [
        ("", 0, 0, 0),
        ("   \n", 0, 4, 1),
        ("one", 1, 3, 1),
        ("one two", 2, 7, 2),
        ("five!", 1, 5, 2),
        ("don't stop-gap", 2, 14, 4),
        ("天气很好", 4, 4, 3),
        ("我爱 Python", 3, 9, 4),
        ("é", 1, 1, 1),
        ("👩‍👩‍👧", 1, 5, 5),
        ("a\x1cb", 2, 3, 1),
        ("a\u2028b\u00a0c", 3, 5, 2),
    ],
)
def test_counts_words_characters_and_bytes_over_four(value: str, words: int, chars: int, tokens: int) -> None:
    assert measured(value) == (words, chars, tokens)


def test_looks_at_the_column_it_is_given(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "one two three", "response": "four"})
    assert length(rows, column="prompt")["words"].to_list() == [3]
    assert length(rows, column="rendered")["words"].to_list() == [4]


@given(st.text(max_size=200))
def test_words_agree_with_the_tokens_of_the_kernel(value: str) -> None:
    assert measured(value)[0] == len(text.tokens(value))
