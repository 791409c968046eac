from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import pieces
from curate.errors import UserError
from curate.steps import leak

Rows = Callable[..., pl.DataFrame]
WORDS = [f"w{number}" for number in range(40)]
LONG = " ".join(WORDS[:20])
QUESTION = "Which river runs through the old town of Ljubljana?"


def frame(prefix: str, *contents: str | None) -> pl.DataFrame:
    columns: dict[str, Any] = {"id": [f"{prefix}{number}" for number in range(len(contents))], "content": contents}
    columns |= {"prompt": contents, "response": [None] * len(contents)}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def measured(content: str | None, *heldout: str | None, **arguments: Any) -> tuple[float | None, str | None]:
    found = leak.leak(frame("row", content), heldout=frame("held", *heldout), **arguments).signals
    assert found.columns == ["overlap", "match", "words", "answer", "common"]
    overlap, match, *_ = found.row(0)
    return overlap, match


def asked(task: str, source: str = "exam", **slots: Any) -> dict[str, Any]:
    parts = ["\n".join(value) if isinstance(value, list) else value for value in slots.values()]
    return {"task": task, "source": source, "slots": json.dumps(slots), "content": "\n".join(parts)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (LONG, (1.0, "held0")),
        (LONG.upper().replace(" ", ", ") + "!", (1.0, "held0")),
        (f"Here is something else before {LONG} and after", (1.0, "held0")),
        (" ".join(WORDS[:10]), (0.5, "held0")),  # ten of its words in runs of eight
        (" ".join(WORDS[:7]), (0.0, None)),
        (" ".join(reversed(WORDS[:20])), (0.0, None)),
        ("", (0.0, None)),
        (None, (None, None)),
    ],
)
def test_overlap_is_the_share_of_the_item_in_the_row(
    content: str | None, expected: tuple[float | None, str | None]
) -> None:
    assert measured(content, LONG) == expected


def test_the_single_best_item_counts() -> None:
    half, most = " ".join(WORDS[:16]), " ".join(WORDS[:10])
    assert measured(" ".join(WORDS[:8]), half, most) == (0.8, "held1")
    # Two halves in two items are no whole.
    halves = " ".join(WORDS[:10] + ["x"] * 10), " ".join(["y"] * 10 + WORDS[10:20])
    assert measured(LONG, *halves)[0] == 0.5
    # Equal texts: the lowest id.
    assert measured(LONG, LONG, LONG.upper()) == (1.0, "held0")


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ("Which river goes through the old town of Ljubljana", "runs"),
        ("Which river runs through old town of Ljubljana", "the"),
        ("Which river runs through the the old town of Ljubljana", None),
        ("Which river runs the through old town of Ljubljana", "the"),
        ("Dear all, which river RUNS through an old town of Ljubljana? Thanks", "the"),
    ],
)
def test_a_missing_word_costs_its_letters_and_six_weighed_by_what_may_be_missing(
    content: str, missing: str | None
) -> None:
    overlap, match = measured(content, QUESTION, edited=0.25)
    assert sum(len(word) for word in QUESTION.split()) == 42 + len("?")
    assert overlap == pytest.approx(1 - (len(missing) + 6 if missing else 0) / (42 + 9 * 6) / 0.5)
    assert match == "held0"


@pytest.mark.parametrize(
    "content",
    [
        "Which river runs through Vienna?",
        "What is the old town of Ljubljana famous for?",
        "The old town has a river. Ljubljana runs a tram through it, which is new.",
        "Ljubljana? of town old the through runs river Which",
    ],
)
def test_another_question_on_the_subject_is_no_copy(content: str) -> None:
    assert (measured(content, QUESTION)[0] or 0) <= 0.5


@pytest.mark.parametrize(
    ("content", "item", "overlap"),
    [
        ("tell me: is a lamborghini fast yes", "Is a Lamborghini fast? Yes", 1.0),
        ("yes", "Yes.", 1.0),
        ("yes indeed", "Yes.", 0.0),
        ("?", "?", 0.0),
    ],
)
def test_very_short_items_are_the_whole_row_or_nothing(content: str, item: str, overlap: float) -> None:
    assert measured(content, item)[0] == overlap


def test_without_heldout_items_nothing_overlaps() -> None:
    assert measured("anything") == (0.0, None)
    assert measured("anything", None, "") == (0.0, None)


def test_the_question_is_enough(make_rows: Rows) -> None:
    held = make_rows(asked("multiple_choice", question=QUESTION, choices=["Sava", "Ljubljanica"], answer="Ljubljanica"))
    bare = {"content": f"Tell me: {QUESTION}", "prompt": f"Tell me: {QUESTION}"}
    rows = make_rows({**bare, "response": "No idea."}, {**bare, "response": "The Ljubljanica."})
    found = rows.hstack(leak.leak(rows, heldout=held).signals)
    assert found["overlap"].to_list() == [1.0, 1.0]
    assert found["match"].unique().to_list() == held["id"].to_list()
    assert dict(found.select("response", "answer").iter_rows()) == {"No idea.": False, "The Ljubljanica.": True}


def test_an_inverted_row_bears_the_answer_in_its_prompt(make_rows: Rows) -> None:
    held = make_rows(asked("qa_open", question=QUESTION, answer="Ljubljanica"))
    rows = make_rows({"content": f"x\n{QUESTION}", "prompt": "Answer: Ljubljanica. Question?", "response": QUESTION})
    assert leak.leak(rows, heldout=held).signals["answer"].to_list() == [True]


def test_another_question_on_the_same_passage_is_no_leak(make_rows: Rows) -> None:
    passage = " ".join(WORDS)
    held = make_rows(
        asked("qa_closed", context=passage, question="Which one of the words is the very first?", answer="w0"),
        asked("qa_closed", context=passage, question="Which is last?", answer="w39"),
    )
    rows = make_rows(
        asked("qa_closed", context=passage, question="How many of them are even numbers?", answer="20"),
        asked("qa_closed", context="Alpha, omega.", question="Which is last?", answer="omega"),
        asked("qa_closed", context=passage, question="Which is last?", answer="none"),
    )
    found = rows.hstack(leak.leak(rows, heldout=held).signals).sort("content")
    assert found["overlap"].to_list() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("place", ["before", "after", "alone", "nowhere"])
def test_a_passage_that_holds_the_words_of_its_question_does_not_ask_it(make_rows: Rows, place: str) -> None:
    passage = (
        f"{LONG}. The river that runs through the old town of Ljubljana is the Ljubljanica. {' '.join(WORDS[20:])}"
    )
    question = "What is the river that runs through the old town of Ljubljana called?"
    other = "How many words with a number are there?"
    held = make_rows(asked("qa_closed", context=passage, question=question, answer="Ljubljanica"))
    parts = {"before": [question, passage], "after": [passage, question], "alone": [question], "nowhere": [passage]}
    rows = make_rows({"content": "\n".join([*parts[place], other, "40"])})
    (overlap,) = leak.leak(rows, heldout=held).signals["overlap"]
    assert overlap == (0.0 if place == "nowhere" else 1.0)


def test_both_texts_of_a_pair_must_be_there(make_rows: Rows) -> None:
    one, other = "A man in a red coat walks his dog.", "Somebody is outside with an animal."
    held = make_rows(asked("nli", premise=one, hypothesis=other, label="yes"))
    rows = make_rows({"content": one}, {"content": f"{one} {other}"})
    found = rows.hstack(leak.leak(rows, heldout=held).signals)
    assert dict(found.select("content", "overlap").iter_rows()) == {one: 0.0, f"{one} {other}": 1.0}


def test_a_long_answer_gives_its_item_away(make_rows: Rows) -> None:
    held = make_rows({"task": None, "prompt": "Sing", "response": LONG, "content": f"Sing\n{LONG}"})
    rows = make_rows({"content": f"Please\n{LONG}", "prompt": "Please", "response": LONG})
    assert leak.leak(rows, heldout=held).signals.select("overlap", "answer").row(0) == (1.0, True)


def test_a_passage_that_holds_a_long_answer_gives_nothing_away(make_rows: Rows) -> None:
    passage = " ".join(WORDS)
    answer = " ".join(WORDS[5:20])
    held = make_rows(
        asked("qa_closed", context=passage, question="What comes after the word number four here?", answer=answer)
    )
    rows = make_rows(asked("qa_closed", context=passage, question="How many of them are even numbers?", answer="20"))
    assert leak.leak(rows, heldout=held).signals["overlap"].to_list() == [0.0]


def test_a_row_that_holds_many_items_is_common() -> None:
    items = [" ".join([*WORDS[:12], f"x{number}"]) for number in range(5)]
    found = leak.leak(frame("row", " ".join(WORDS[:12]), items[0]), heldout=frame("held", *items)).signals
    assert found["common"].to_list() == [True, True]
    assert leak.leak(frame("row", items[0]), heldout=frame("held", *items[:2])).signals["common"].to_list() == [False]


def test_spans_name_the_words_of_the_row() -> None:
    rows = frame("row", f"a b c {LONG} d", "nothing")
    table = leak.leak(rows, heldout=frame("held", LONG)).tables["spans"]
    assert table.to_dicts() == [{"id": "row0", "item": "held0", "overlap": 1.0, "begin": 3, "end": 23, "text": None}]


def test_reference_files_are_items_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "Ljubljanica", "n": 3}) + "\n")
    (tmp_path / "b.txt").write_text(f"\n{LONG}\n")
    rows = frame("row", f"So: {QUESTION}", LONG, "other")
    found = leak.leak(rows, heldout=frame("held"), references=tmp_path)
    assert found.signals["match"].to_list() == ["a.jsonl:1", "b.txt:2", None]
    assert found.tables["spans"]["text"].to_list() == [f"{QUESTION}\nLjubljanica", LONG]
    assert [path.name for path in leak.reads(tmp_path)] == ["a.jsonl", "b.txt"]
    (tmp_path / "a.jsonl").write_text("{")
    with pytest.raises(UserError, match="one JSON value per line"):
        leak.leak(rows, heldout=frame("held"), references=tmp_path)
    with pytest.raises(UserError, match="no reference file there"):
        leak.reads(tmp_path / "none")


def test_reference_files_of_any_case_and_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "dir.txt").mkdir()
    (tmp_path / "a.JSONL").write_text("\ufeff" + json.dumps({"question": QUESTION}) + "\n", encoding="utf-8")
    (tmp_path / "sub" / "a.txt").write_text(LONG, encoding="utf-8")
    found = leak.leak(frame("row", QUESTION, LONG), heldout=frame("held"), references=tmp_path)
    assert found.signals["match"].to_list() == ["a.JSONL:1", "sub/a.txt:1"]


def test_references_that_give_no_item_are_refused(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text(" \n\n", encoding="utf-8")
    with pytest.raises(UserError, match="no text with words"):
        leak.leak(frame("row", LONG), heldout=frame("held"), references=tmp_path)
    (tmp_path / "test.csv").write_text(f"question\n{LONG}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"test\.csv: references are not read from \.csv files"):
        leak.reads(tmp_path)


TEXTS = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)


@settings(max_examples=200)
@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, max_size=5))
def test_a_whole_copy_has_the_overlap_1_and_nothing_has_more(contents: list[str], items: list[str]) -> None:
    found = leak.leak(frame("row", *contents), heldout=frame("held", *items), n=3, whole=2).signals
    for content, overlap in zip(contents, found["overlap"].to_list(), strict=True):
        assert overlap == 0 or leak.LEAST <= overlap <= 1
        if any(item == content and len(item) > 2 for item in items):
            assert overlap == 1


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame("row", *(" ".join(WORDS[start : start + 15]) for start in range(20)))
    heldout = frame("held", *(" ".join(WORDS[start : start + 12]) for start in range(25)))
    whole = leak.leak(rows, heldout=heldout).signals
    monkeypatch.setattr(pieces, "_PART", 3)
    monkeypatch.setattr(pieces, "_ROOM", 2)
    assert leak.leak(rows, heldout=heldout).signals.equals(whole)


def test_wrong_arguments_are_refused(make_rows: Rows) -> None:
    rows = make_rows({"content": LONG})
    with pytest.raises(UserError, match="did you mean 'content'"):
        leak.leak(rows, heldout=rows, column="contents")
    with pytest.raises(UserError, match="edited = 2 is not between"):
        leak.leak(rows, heldout=rows, edited=2)
