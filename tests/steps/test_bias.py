from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from curate.steps.bias import bias

Rows = Callable[..., pl.DataFrame]


def measured(value: str) -> tuple[int, list[str], list[str]]:
    frame = pl.DataFrame({"response": [value], "lang": [None]}, schema={"response": pl.String, "lang": pl.String})
    return bias(frame, column="response").row(0)


@pytest.mark.parametrize(
    ("value", "mentions", "groups"),
    [
        ("The kettle is on the stove.", 0, []),
        ("She told him.", 2, ["gender:men", "gender:women"]),
        ("Black women sang.", 2, ["ethnicity:black", "gender:women"]),
        ("a black cat on a white wall, straight ahead, in an old house", 0, []),
        ("an OLD man", 2, ["age:old", "gender:men"]),
        ("Straight couples and gay couples", 2, ["orientation:gay", "orientation:straight"]),
        ("He — and he — naïvely", 2, ["gender:men"]),
        ("The Muslims’ fast", 1, ["religion:muslims"]),
        ("", 0, []),
    ],
)
def test_who_is_mentioned(value: str, mentions: int, groups: list[str]) -> None:
    assert measured(value)[:2] == (mentions, groups)


def test_axes_are_those_of_the_groups() -> None:
    assert measured("A Jewish mother and her children")[2] == ["age", "gender", "religion"]


def test_texts_beyond_ascii_are_counted_alike() -> None:
    plain = "The old man told the young woman that black people and white men vote."
    assert measured(plain)[:2] == measured(plain + " ✓")[:2]


def test_other_languages_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows({"response": "he", "lang": "de"}, {"response": "he", "lang": "en-GB"}, {"response": "he"})
    by_lang = dict(zip(rows["lang"], bias(rows)["mentions"], strict=True))
    assert by_lang == {"de": None, "en-GB": 1, None: 1}


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'why = "test"\nlanguage = "en"\n[[entries]]\nid = "trade:bakers"\ncategory = "trade"\nterms = ["bakers?"]\n',
        encoding="utf-8",
    )
    frame = pl.DataFrame({"response": ["Two bakers met a baker."], "lang": ["en"]})
    assert bias(frame, column="response", lexicon=path).row(0) == (2, ["trade:bakers"], ["trade"])
