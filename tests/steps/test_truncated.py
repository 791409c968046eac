from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.truncated import truncated

Rows = Callable[..., pl.DataFrame]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The cat slept. Then it woke up and looked at", (True, "sentence")),
        ("She bought apples, pears and", (True, "word")),
        ("She bought apples, pears,", (True, "sign")),
        ("He spoke of Ada Lovelace (the first to", (True, "bracket")),
        ("Use this:\n```python\nprint(1)", (True, "fence")),
        ('{"name": "Ada", "born": 18', (True, "json")),
        ("1. Boil the water.\n2. Add the tea.\n3.", (True, "item")),
        ("- Boil the water.\n- Add the tea.\n- Let it rest for some", (True, "sentence")),
        ("猫睡着了。然后它醒来看着", (True, "sentence")),
        ("The cat slept. Then it woke up.", (False, None)),
        ("He said: “It is late.”", (False, None)),
        ('{"name": "Ada"}', (False, None)),
        ("positive", (None, None)),
        ("Paris", (None, None)),
        ("A cat on a mat", (None, None)),
        ("- milk\n- eggs\n- bread", (None, None)),
        ("Roses are red\nViolets are blue\nSugar is sweet\nAnd so are you", (None, None)),
        ("I wonder...", (None, None)),
        ("x = 3\ny = x + 1", (None, None)),
        ("Dear Tom, thank you for the letter. It came today.\n\nYours\nAnna Keller", (None, None)),
        ("Sentence one. Sentence two. THE END", (None, None)),
        ("That's all. Thank you. Your friend, Bob", (None, None)),
        ("I agree with you all the way. He is the one I was thinking of", (None, None)),
        ("Thank you for the mail. It was nice to hear. Yours sincerely,", (None, None)),
        ("Thank you for the mail. It was nice to hear, and when I,", (True, "sign")),
        ("", (None, None)),
    ],
)
def test_tells_what_breaks_off(make_rows: Rows, response: str, expected: tuple[bool | None, str | None]) -> None:
    assert truncated(make_rows({"response": response})).row(0) == expected


def test_a_label_is_whole_and_a_joining_word_belongs_to_its_language(make_rows: Rows) -> None:
    label = make_rows({"response": "She bought apples, pears and", "task": "classification"})
    assert truncated(label)["cut"].to_list() == [None]
    german = make_rows({"response": "Sie kaufte Äpfel, Birnen und", "lang": "de"})
    assert truncated(german).row(0) == (True, "word")
    assert truncated(german.with_columns(lang=pl.lit("en")))["cut"].to_list() == [None]


def test_joining_words_of_english_are_not_looked_for_in_other_languages(make_rows: Rows) -> None:
    texts = ["Ich rufe dich morgen wieder an", "She bought apples, pears and an", "Elle a les yeux fermés but"]
    rows = make_rows(*({"response": text, "lang": None} for text in texts)).sort("response")
    assert truncated(rows)["cut"].to_list() == [None, None, True]
