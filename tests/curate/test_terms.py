"""Finding the terms of a lexicon, one text at a time and many at once."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import terms
from curate.rulebook import Entry, Lexicon


def lexicon(*words: str) -> Lexicon:
    return Lexicon(why="a test", language="en", entries=tuple(Entry(id=w, category="all", terms=(w,)) for w in words))


MATCHER = terms.matcher(lexicon("cat", "cats?", "black cat", "at", "naïve"))
ASCII = terms.matcher(lexicon("cat", "black cat", "at", "it's"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a cat, a concat, at last", ["cat", "at"]),
        ("black  cat black", ["black  cat"]),
        ("écat cat", ["cat"]),
        ("cat² “cat” cat", ["cat", "cat"]),
        ("black “cat", ["cat"]),
        ("cat\u0301", ["cat"]),
        ("", []),
    ],
)
def test_terms_are_whole_words(value: str, words: list[str]) -> None:
    assert [hit.words for hit in ASCII.find(value)] == words
    assert [hit.words for hit in ASCII.hits(pl.Series([value]))[0]] == words


def test_a_missing_text_holds_none() -> None:
    assert ASCII.hits(pl.Series([None, "cat"], dtype=pl.String)) == [[], list(ASCII.find("cat"))]


@pytest.mark.parametrize("matcher", [MATCHER, ASCII])
@given(
    values=st.lists(st.lists(st.sampled_from(["cat", "black", "at", "s", " ", "é", "²", "“", "ï", "na", "ve", "'"])))
)
def test_many_texts_at_once_give_what_each_gives(matcher: terms.Matcher, values: list[list[str]]) -> None:
    texts = pl.Series(["".join(parts) for parts in values], dtype=pl.String)
    assert matcher.hits(texts) == [list(matcher.find(value)) for value in texts]


def test_a_category_without_entries_finds_nothing():
    found = terms.matcher(Lexicon(why="a", language="en", entries=(Entry(category="a", terms=("b",)),)), "other")
    assert found.hits(pl.Series(["b", "", None])) == [[], [], []]
    assert list(found.find("b")) == []
    assert found.pattern.search("b") is None
