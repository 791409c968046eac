from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.schema import Measured
from curate.steps.association import association

Rows = Callable[..., pl.DataFrame]


def found(make_rows: Rows, text: str) -> tuple[Any, list[tuple[Any, ...]]]:
    measured = association(make_rows({"response": text}), column="response")
    assert isinstance(measured, Measured)
    return measured.signals.row(0), measured.tables["sentences"].drop("id").rows()


@pytest.mark.parametrize(
    ("text", "signals", "sentences"),
    [
        ("The kettle is on.", (1, [], []), []),
        (
            "She is a nurse. The weather was fine!",
            (2, ["nurse"], ["gender:women & occupation:nurse"]),
            [(0, ["gender:women"], ["occupation:nurse", "pronoun:she"])],
        ),
        (
            # The engineer stands in another sentence than he.
            "An engineer came.\nHe left",
            (2, ["engineer"], []),
            [(0, [], ["occupation:engineer"]), (1, ["gender:men"], ["pronoun:he"])],
        ),
        (
            "Dr. Ann, a brilliant surgeon, and black women met.",
            (1, ["surgeon"], [
                "ethnicity:black & occupation:surgeon", "ethnicity:black & sentiment:positive",
                "ethnicity:black & trait:competent", "gender:women & occupation:surgeon",
                "gender:women & sentiment:positive", "gender:women & trait:competent",
            ]),
            [(0, ["ethnicity:black", "gender:women"],
              ["occupation:surgeon", "sentiment:positive", "trait:competent"])],
        ),
    ],
)  # fmt: skip
def test_what_stands_in_one_sentence_is_together(
    make_rows: Rows, text: str, signals: tuple[Any, ...], sentences: list[tuple[Any, ...]]
) -> None:
    assert found(make_rows, text) == (signals, sentences)


def test_other_languages_have_no_verdict(make_rows: Rows) -> None:
    measured = association(make_rows({"response": "Nurse! She!", "lang": "de"}))
    assert measured.signals.row(0) == (None, None, None) and measured.tables["sentences"].height == 0


def test_lists_of_ones_own(tmp_path: Path, make_rows: Rows) -> None:
    words, groups = tmp_path / "words.toml", tmp_path / "groups.toml"
    head = 'why = "test"\nlanguage = "en"\n[[entries]]\n'
    words.write_text(head + 'id = "bread"\ncategory = "goods"\nterms = ["bread"]\n', encoding="utf-8")
    groups.write_text(head + 'id = "trade:bakers"\ncategory = "trade"\nterms = ["bakers?"]\n', encoding="utf-8")
    rows = make_rows({"response": "A baker sells bread."})
    measured = association(rows, column="response", lexicon=words, groups=groups)
    assert measured.signals.row(0) == (1, [], ["trade:bakers & goods:bread"])
