from __future__ import annotations

import sys
import unicodedata

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import text, wordsets

# Letters that fold to others or to several, marks that compose, reorder or stick, scripts without blanks, Hangul in
# parts, signs that are words in NFKC, selectors behind emoji.
PIECES = "aA b.1_'éßǰİıﬁ½ﷺ—…“世ภาษำที่ﾞｶﾞ가ᄀ\u1161\u11a8e\u0301\u0323\u0345ΑΣς❤\ufe0f𝔄अनुच्छे\u102e\u1025\u2028\x00"
TEXTS = st.lists(st.one_of(st.text(alphabet=PIECES, max_size=20), st.text(max_size=12)), max_size=8)


def sets(texts: list[str | None], width: int) -> tuple[list[list[int] | None], list[int]]:
    found, words, _ = wordsets.word_sets(pl.Series(texts, dtype=pl.String), width=width)
    return found.to_list(), words.to_list()


@settings(max_examples=300)
@given(TEXTS, st.integers(1, 4))
def test_hashes_are_equal_exactly_where_the_shingles_of_words_are(texts: list[str], width: int) -> None:
    hashes, words = sets(list(texts), width)
    assert words == [len(text.words(value)) for value in texts]
    known: dict[tuple[str, ...], int] = {}
    for value, found in zip(texts, hashes, strict=True):
        expected = list(dict.fromkeys(text.shingles(value, width)))
        assert found is not None
        assert len(found) == len(expected)
        for shingle, number in zip(expected, found, strict=True):
            assert known.setdefault(shingle, number) == number
    assert len(set(known.values())) == len(known)


def test_every_character_alone_and_between_others_gives_the_words_that_the_whole_text_has() -> None:
    points = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    # One in three, as the others behave as their neighbours do; all would take a minute.
    texts = [f"a{one}b {one}" for one in points[:0x3000] + points[0x3000::3]]
    assert sets(list(texts), 1)[1] == [len(text.words(value)) for value in texts]


def test_whatever_may_compose_with_the_character_before_is_folded_with_its_text() -> None:
    parts = [unicodedata.decomposition(chr(point)).split() for point in range(sys.maxunicode + 1)]
    second = {int(part[1], 16) for part in parts if len(part) == 2 and not part[0].startswith("<")}
    assert len(second) > 50
    assert [f"{point:04X}" for point in second if wordsets.folded(chr(point)) is not None] == []


def test_a_text_of_fewer_words_is_one_shingle_and_null_stays_null() -> None:
    hashes, words = sets(["one two", None, "", "ONE, two!", "one two three", "?!"], 3)
    assert words == [2, 0, 0, 2, 3, 0]
    assert hashes[0] == hashes[3] != hashes[4]
    assert (hashes[1], hashes[2], hashes[5]) == (None, [], [])
    assert sets(["one two three"], 10**9) == sets(["one two three"], 3)


@pytest.mark.parametrize("texts", [[], [None], [""], ["x"] * 3])
def test_lists_come_back_end_to_end_whatever_they_are_cut_from(texts: list[str | None]) -> None:
    column = wordsets.word_sets(pl.Series(["a b", *texts, "c"], dtype=pl.String), width=1)[0]
    part = column[1:-1]
    found = wordsets.ragged(part)
    lists = [value or [] for value in part.to_list()]
    assert found.counts.tolist() == [len(value) for value in lists]
    spans = zip(found.offsets[:-1], found.offsets[1:], strict=True)
    assert [found.values[start:stop].tolist() for start, stop in spans] == lists
    masked = pl.select(pl.when(pl.Series([True, False])).then(pl.Series([[1, 2], [3]], dtype=pl.List(pl.UInt64))))
    assert wordsets.ragged(masked.to_series()).counts.tolist() == [2, 0]


def test_texts_longer_than_a_block_are_cut_between_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["one two three"] * 5 + ["ö" * 50, "", "four five"] * 4
    whole = sets(list(texts), 2)
    monkeypatch.setattr(wordsets, "_BLOCK", 16)
    assert sets(list(texts), 2) == whole


def test_texts_that_grow_when_they_are_folded_have_room() -> None:
    texts = ["㌀㌖㍗ ㎏㏆" * 40, "㌔" * 300, "ﷺ" * 100] * 30
    hashes, words = sets(list(texts), 1)
    assert words == [len(text.words(value)) for value in texts]
    assert [len(found or []) for found in hashes] == [len(set(text.words(value))) for value in texts]
