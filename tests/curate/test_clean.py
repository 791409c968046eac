"""Repairs: what each changes, what none touches, and how they are counted."""

from __future__ import annotations

import ftfy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import clean


def repaired(text, *repairs):
    counts: dict[str, int] = {}
    return clean.clean(text, repairs=repairs, counts=counts), counts


@pytest.mark.parametrize(
    ("repair", "before", "after"),
    [
        ("mojibake", "donâ€™t", "don’t"),
        ("mojibake", "LÃ¼beck", "Lübeck"),
        ("mojibake", "clear \x96 you", "clear – you"),
        ("mojibake", "fine\nlinÃ©\nfine “too”", "fine\nliné\nfine “too”"),
        ("unicode", "e\u0301", "é"),
        ("unicode", "\u212b", "Å"),
        ("line_endings", "a\r\nb\rc\n", "a\nb\nc\n"),
        ("controls", "a\x00\x1b[b\x85\x7f\ufeffc\n\td", "a[bc\n\td"),
        ("trim", " \n a b\u3000", "a b"),
        ("entities", "a &amp; b &lt;i&gt; &#8217;", "a & b <i> ’"),
    ],
)
def test_each_repair(repair, before, after):
    assert repaired(before, repair) == (after, {repair: 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain ASCII, “curly” ‘quotes’ — and … dots",
        "&amp; stays",
        "ﬁ ligature, Ｗｉｄｅ letters, ½, №",
        "naïve café, Ærøskøbing, Ünïcödé, Ø 5 °C, 10 € × 2²",
        "日本語 текст العربية हिन्दी 🙂👩‍👩‍👧",
        "line\u2028separator\ttab\n",
        " outer blanks ",
    ],
)
def test_defaults_leave_good_text_alone(text):
    assert repaired(text, *clean.DEFAULT) == (text, {})


def test_values_at_any_depth_are_counted_once_per_string_and_repair():
    data = {"a\r\n": ["x\r\ny\r\n", {"b": "cafe\u0301\r"}], "n": 1, "z": None, "t": True}
    found, counts = repaired(data, *clean.DEFAULT)
    assert found == {"a\r\n": ["x\ny\n", {"b": "café\n"}], "n": 1, "z": None, "t": True}
    assert counts == {"line_endings": 2, "unicode": 1}
    assert data["a\r\n"][0] == "x\r\ny\r\n"


def test_counts_add_up_over_calls():
    counts = {"line_endings": 4}
    clean.clean("a\r", repairs=["line_endings"], counts=counts)
    assert counts == {"line_endings": 5}


def test_the_order_in_the_recipe_does_not_matter():
    text = " \r\n&Atilde;&copy;\x07 "
    assert repaired(text, *clean.REPAIRS) == repaired(text, *reversed(clean.REPAIRS))
    assert repaired(text, *clean.REPAIRS)[0] == "é"


def test_no_repair_changes_nothing():
    assert repaired("a\r\n\x00") == ("a\r\n\x00", {})


def test_defaults_are_known():
    assert set(clean.DEFAULT) <= set(clean.REPAIRS)


MOJIBAKE = st.text(st.sampled_from("ab Z.\n\xa0ÃÂ€™â\x80œ“”é×²à¹√±Å°ГВЂўß1("), max_size=12)


@given(MOJIBAKE | st.text())
def test_looking_only_around_foreign_characters_misses_nothing(text):
    assert repaired(text, "mojibake")[0] == ftfy.fix_text(text, clean._ENCODING)


@given(st.text() | st.text(st.sampled_from("e\u0301\x00\r\n \x1c\x85"), max_size=8))
def test_repairing_twice_is_repairing_once(text):
    once, _ = repaired(text, "unicode", "line_endings", "controls", "trim")
    assert repaired(once, "unicode", "line_endings", "controls", "trim") == (once, {})


def test_masks_come_after_repairs_and_are_counted_by_kind():
    counts: dict[str, int] = {}
    data = {"a": ["mail a.b@web.de\r\n", "none"], "b": "c.d@web.de and 81.2.69.142"}
    found = clean.clean(data, repairs=clean.DEFAULT, mask=["email", "ip"], counts=counts)
    assert found == {"a": ["mail [EMAIL]\n", "none"], "b": "[EMAIL] and [IP]"}
    assert counts == {"line_endings": 1, "masked email": 2, "masked ip": 1}


def test_numbers_that_are_personal_data_are_masked_and_others_stay_numbers():
    counts: dict[str, int] = {}
    found = clean.clean({"card": 4111111111111111, "year": 1999, "yes": True}, repairs=(), mask=["card"], counts=counts)
    assert found == {"card": "[CARD]", "year": 1999, "yes": True}
    assert found["yes"] is True and counts == {"masked card": 1}
