"""Broken JSON is mended where punctuation alone is wrong; what is no JSON stays what it is."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.mend import mended

VALUES = st.recursive(
    st.integers(-999, 999) | st.booleans() | st.none() | st.text("abc é", min_size=1, max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"a": 1, "b": 2,}', '{"a": 1, "b": 2}'),
        ('["a" "b"]', '["a", "b"]'),
        ('[{"a": 1} {"a": 2}]', '[{"a": 1}, {"a": 2}]'),
        ('{"a": [1, {"b": 3}', '{"a": [1, {"b": 3}]}'),
        ('{"a": "b"}}', '{"a": "b"}'),
        ('{name: "Ann", age: 3}', '{"name": "Ann", "age": 3}'),
        ('{\n    "a": "x",\n}', '{\n    "a": "x"\n}'),
        ('{"a": "it\'s",}', '{"a": "it\'s"}'),
    ],
)
def test_wrong_punctuation_is_mended(text: str, meant: str) -> None:
    assert mended(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        "[Your name], I am glad",
        "[Insert name here]",
        "{placeholder}",
        '[laughs] "Well", he said.',
        "[0, 1)",
        "[1, 2, 3",
        '{"a", "b"}',
        '{"a": 1}\n{"b": 2}',
        '["x", ...]',
        '{"a": 1, // a remark\n "b": 2}',
        '{"a": red}',
        '{"a": "cut off in',
        '{"a": "say "hi" now"}',
        '{"a": 1.50,}',
        '{"a": {"x": 1}, "a": {"x": 2},}',
        '{"a": "x" + "y"}',
        '{"n": NaN, "a": "b",}',
        "The answer is {1}",
        "",
    ],
)
def test_what_is_json_already_or_none_is_left_alone(text: str) -> None:
    assert mended(text, wanted=True) is None


def test_single_quotes_are_python_unless_json_was_asked_for() -> None:
    assert mended("{'it': True, 'x': None}") is None
    assert mended("{'it': True, 'x': None}", wanted=True) == '{"it": true, "x": null}'


@given(data=st.lists(VALUES, min_size=1, max_size=4) | st.dictionaries(st.text("xyz", min_size=1), VALUES, min_size=1))
def test_a_comma_too_many_is_taken_away_and_nothing_else(data: object) -> None:
    sound = json.dumps(data, ensure_ascii=False)
    found = mended(f"{sound[:-1]},{sound[-1]}")
    assert found is None or json.loads(found) == data
    if '"' in sound:
        assert found is not None


@given(text=st.text('{}[]",:ab1 \n', max_size=40))
def test_what_comes_out_is_json_with_the_same_words(text: str) -> None:
    found = mended(text)
    if found is not None:
        json.loads(found)
        assert [c for c in found if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize("unit", ['["a" ', '{"a":', "{", '{"a": "\\"', '["a",'])
def test_hostile_text_is_given_up_soon(unit: str) -> None:
    started = time.process_time()
    mended(unit * (200_000 // len(unit)))
    mended(unit * (19_000 // len(unit)))
    assert time.process_time() - started < 2
