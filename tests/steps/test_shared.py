from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl

from curate.steps.shared import shared

Rows = Callable[..., pl.DataFrame]
LONG = "The old bridge over the river was closed for three winters"


def of(**slots: str) -> dict[str, str]:
    return {"slots": json.dumps(slots), "content": "\n".join(slots.values())}


def test_records_and_passages_are_told_apart(make_rows: Rows) -> None:
    heldout = make_rows(of(premise=LONG, hypothesis="It was open", label="no"), of(question="Who?", answer="Ann"))
    rows = make_rows(
        {**of(question="who", answer="ANN!"), "meta": "0"},
        {**of(context=f"{LONG}.", question="When?", answer="then"), "meta": "1"},
        {**of(context="Who?", question="Ann", answer="x"), "meta": "2"},
        {"slots": "{}", "content": f"Summarize this.\n{LONG}\nA bridge.", "meta": "3"},
    )
    found = rows.select("meta").hstack(shared(rows, heldout=heldout)).sort("meta")
    assert found["record"].to_list() == [True, False, False, False]
    assert found["passage"].to_list() == [False, True, False, True]
    bridge, who = (heldout.filter(pl.col("content").str.contains(word))["id"].item() for word in ("bridge", "Who"))
    assert found["match"].to_list() == [who, bridge, None, bridge]


def test_seven_words_are_no_passage_and_eight_are(make_rows: Rows) -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    for count, told in ((7, False), (8, True)):
        text = " ".join(words[:count])
        found = shared(make_rows(of(text=text, label="a")), heldout=make_rows(of(text=text, label="b")))
        assert found.row(0)[:2] == (False, told)


def test_nothing_is_shared_without_held_out_rows(make_rows: Rows) -> None:
    rows = make_rows(of(text=LONG))
    assert shared(rows, heldout=rows.clear()).row(0) == (False, False, None)
