"""Recurring spans: against a finder that tries every run of words, and on texts a person can check."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import recurrence, text
from curate.errors import UserError
from curate.schema import Measured
from curate.steps import substring

LICENCE = "Permission is hereby granted, free of charge"
# Few words, so that runs of them recur often and overlap, in forms that are equal or not ASCII.
WORDS = st.lists(st.sampled_from(["a", "A,", "b", "é", "ﬁ", "日本"]), max_size=9).map(" ".join)
Place = tuple[int, int]


def frame(contents: Sequence[str | None], records: Sequence[int] | None = None) -> pl.DataFrame:
    numbers = range(len(contents)) if records is None else records
    columns = {
        "id": [f"{number:032x}" for number in range(len(contents))],
        "record": [f"{number:032x}" for number in numbers],
        "source": ["even" if number % 2 == 0 else "odd" for number in numbers],
        "content": list(contents),
        "response": list(contents),
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def decided(rows: pl.DataFrame, *, words: int, least: int = 2, on: str = "content") -> Measured:
    def texts(ids: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": ids}).join(rows, on="id", how="left", maintain_order="left")

    state = rows.select("id", "record", "source").hstack(substring.state(rows, on=on, words=words))
    return substring.decide(state, texts=texts, on=on, words=words, least=least)


def everywhere(texts: Sequence[list[str]], *, words: int) -> dict[tuple[str, ...], list[Place]]:
    """Return text and first word of every place of every run of words."""
    found: dict[tuple[str, ...], list[Place]] = {}
    for number, one in enumerate(texts):
        for start in range(len(one)):
            for stop in range(start + words, len(one) + 1):
                found.setdefault(tuple(one[start:stop]), []).append((number, start))
    return found


def beside(texts: Sequence[list[str]], place: Place, shift: int) -> tuple[Any, ...]:
    """Return the word at a distance from a place, or something that equals nothing else."""
    number, at = place[0], place[1] + shift
    return (texts[number][at],) if 0 <= at < len(texts[number]) else ("end", number, at)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=7), st.integers(1, 4), st.integers(2, 3))
def test_spans_are_those_that_trying_every_run_of_words_finds(contents: list[str], words: int, least: int) -> None:
    texts = [text.words(content) for content in contents]
    rows_of = {run: len({number for number, _ in places}) for run, places in everywhere(texts, words=words).items()}
    recurring = {run: places for run, places in everywhere(texts, words=words).items() if rows_of[run] >= least}
    outermost = [
        (number, start, run)
        for run, places in recurring.items()
        for number, start in places
        if not (start and (texts[number][start - 1], *run) in recurring)
        and (*run, *texts[number][start + len(run) : start + len(run) + 1]) not in set(recurring) - {run}
    ]
    maximal = {
        run: places
        for run, places in recurring.items()
        if run in {run for _, _, run in outermost}
        or (
            len({beside(texts, place, -1) for place in places}) > 1
            and all(rows_of.get((*run, word), 0) < rows_of[run] for word in {*chain(*texts)})
        )
    }
    found = decided(frame(contents), words=words, least=least)

    listed = found.tables["spans"].select("span", "words", "rows", "sources", "first").rows()
    assert listed == sorted(
        (recurrence.name(word.encode() for word in run), len(run), rows_of[run],
         len({number % 2 for number, _ in places}), f"{min(places)[0]:032x}")
        for run, places in maximal.items()
    )  # fmt: skip
    placed = [text.places(content) for content in contents]
    matched = found.tables["matches"].select("id", "start", "span").rows()
    assert matched == sorted(
        (f"{number:032x}", placed[number][start][0], recurrence.name(word.encode() for word in run))
        for number, start, run in outermost
    )
    covered = [
        {
            start + step
            for run, places in recurring.items()
            for at, start in places
            if at == number
            for step in range(len(run))
        }
        for number in range(len(texts))
    ]
    shares = [len(one) / len(words) if words else 0.0 for one, words in zip(covered, texts, strict=True)]
    assert found.signals["shared_share"].to_list() == shares
    most = [max((rows_of[run] for run, at in recurring.items() if number in dict(at)), default=0)
            for number in range(len(texts))]  # fmt: skip
    assert found.signals["most_rows"].to_list() == most
    longest = [max((len(run) for run, at in recurring.items() if number in dict(at)), default=0)
               for number in range(len(texts))]  # fmt: skip
    assert found.signals["longest"].to_list() == longest


def test_a_shared_passage_is_placed_in_the_text_as_written() -> None:
    rows = frame([f"Mine. {LICENCE}!", f"{LICENCE.upper()} – to you", "Permission is granted"])
    found = decided(rows, words=5)
    assert found.signals.rows() == [(7 / 8, 1, 7, 2), (7 / 9, 1, 7, 2), (0.0, 0, 0, 0)]
    spans = found.tables["spans"]
    assert spans.select("words", "rows", "sources", "text").rows() == [(7, 2, 2, LICENCE)]
    assert found.tables["matches"].select("id", "column", "start", "end", "first").rows() == [
        (f"{0:032x}", "content", 6, 6 + len(LICENCE), True),
        (f"{1:032x}", "content", 0, len(LICENCE), False),
    ]
    assert set(found.tables["matches"]["span"]) == set(spans["span"])


def test_a_passage_in_many_rows_is_told_beside_its_longer_variants() -> None:
    rows = frame(["one a b c x", "two a b c x", "three a b c", "four a b c"])
    spans = decided(rows, words=3).tables["spans"]
    assert spans.select("text", "rows").sort("rows").rows() == [("a b c x", 2), ("a b c", 4)]
    assert spans["core"].n_unique() == 1


def test_renderings_of_one_record_share_nothing_with_each_other() -> None:
    rows = frame(["a b c", "a b c", "d e f"], records=[0, 0, 1])
    assert decided(rows, words=2).signals["spans"].to_list() == [0, 0, 0]
    assert decided(rows, words=2, on="response").signals["spans"].to_list() == [1, 1, 0]


def test_all_rows_of_a_record_have_its_signals_and_its_lowest_id_its_places() -> None:
    found = decided(frame(["a b c", "a b c", "a b"], records=[0, 0, 1]), words=2)
    assert found.signals["shared_share"].to_list() == [2 / 3, 2 / 3, 1.0]
    assert found.tables["matches"]["id"].to_list() == [f"{0:032x}", f"{2:032x}"]


def test_null_has_no_verdict_and_short_texts_share_nothing() -> None:
    found = decided(frame([None, "a b", "", "a b", None]), words=3)
    assert found.signals["shared_share"].to_list() == [None, 0.0, 0.0, 0.0, None]
    assert found.signals["spans"].to_list() == [None, 0, 0, 0, None]


def test_fifty_words_are_the_least_span_by_default() -> None:
    words = [f"w{number}" for number in range(50)]
    rows = frame([" ".join(["x", *words]), " ".join([*words, "y"]), " ".join(words[:49])])
    state = rows.select("id", "record", "source").hstack(substring.state(rows))
    assert state["windows"].list.len().to_list() == [2, 2, 0]
    found = substring.decide(state, texts=lambda ids: rows.filter(pl.col("id").is_in(ids)))
    assert found.signals["longest"].to_list() == [50, 50, 0]


def test_windows_that_share_a_hash_by_chance_make_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame(["a b c d", "d a b c", "b b b b b"])
    expected = decided(rows, words=3)
    honest = recurrence.windows

    def colliding(texts: pl.Series, *, size: int) -> pl.Series:
        return honest(texts, size=size).list.eval(pl.element() * 0)

    monkeypatch.setattr(recurrence, "windows", colliding)
    found = decided(rows, words=3)
    assert found.signals.equals(expected.signals)
    assert found.tables["spans"].equals(expected.tables["spans"])
    assert found.tables["matches"].equals(expected.tables["matches"])
    assert found.signals["spans"].to_list() == [1, 1, 0]


def test_equal_windows_have_equal_hashes_wherever_they_stand() -> None:
    found = recurrence.windows(pl.Series(["a b c a b", None, "", "x a b", "b a"]), size=2)
    first, nothing, empty, last, swapped = found.to_list()
    assert (nothing, empty) == (None, [])
    assert first[0] == first[3] == last[1]
    assert len({*first, *last, *swapped}) == 5  # ab, bc, ca, xa, ba


def test_a_sample_of_a_long_span_is_cut() -> None:
    long = " ".join(f"word{number}" for number in range(200))
    spans = decided(frame([long, long]), words=50).tables["spans"]
    assert spans["text"].to_list() == [long[:300]]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"on": "slots"}, "no text of a row"), ({"words": 0}, "less than one word"), ({"least": 1}, "does not recur")],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        decided(frame(["a b c"]), **{"words": 2, **arguments})


def test_a_word_many_times_over_is_one_span() -> None:
    found = decided(frame(["a " * 3000, "a " * 2000 + "b", "c"]), words=50)
    assert found.tables["spans"].select("words", "rows").rows() == [(2000, 2)]
    assert found.signals["shared_share"].to_list() == [1.0, 2000 / 2001, 0.0]


def test_texts_that_are_beginnings_of_each_other_give_a_span_each() -> None:
    """Each of 300 texts is the beginning of the next, so that every two of them share a span."""
    words = [f"w{number}" for number in range(400)]
    rows = frame([" ".join(words[: 100 + number]) for number in range(300)])
    spans = decided(rows, words=50).tables["spans"]
    assert spans["rows"].sort().to_list() == list(range(2, 301))
    assert spans.sort("rows")["words"].to_list() == list(range(398, 99, -1))


def test_columns_of_the_tables_are_as_documented() -> None:
    tables = decided(frame([]), words=2).tables
    assert tables["spans"].columns == ["span", "words", "rows", "sources", "core", "first", "text"]
    assert tables["matches"].columns == ["id", "record", "column", "start", "end", "span", "first"]
