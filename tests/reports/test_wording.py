from __future__ import annotations

import polars as pl

from reports import wording


def text(every: list[str], kept: list[bool]) -> dict[str, object]:
    rows = pl.DataFrame({"prompt": every, "kept": kept})
    return wording._text("prompt", rows, rows.filter("kept"))


def test_equally_many_words_are_counted_before_and_after() -> None:
    found = text(["A b a B", "c d e f"], [True, False])
    # of all rows as many words as the kept one has: a b a b; pairs: ab ba ab
    assert found["words"] == 4
    assert found["measures"] == [
        {"n": 1, "counted": 4, "all": 0.5, "kept": 0.5},
        {"n": 2, "counted": 3, "all": round(2 / 3, 6), "kept": round(2 / 3, 6)},
    ]


def test_pairs_stay_within_a_row_and_scripts_without_blanks_count_characters() -> None:
    assert wording._pairs(wording._words(pl.Series(["a b", "c"]))).rows() == [("a", "b")]
    assert wording._words(pl.Series(["公园 park"]))["word"].to_list() == ["公", "园", "park"]


def test_texts_without_words_have_no_share() -> None:
    measures = text(["", "…"], [True, True])["measures"]
    assert measures == [{"n": n, "counted": 0, "all": None, "kept": None} for n in (1, 2)]
