"""E-mail addresses are masked wherever they stand, but for the user's own paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.addresses import masker

MAIL = "jane.doe+x@mail.example.org"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"write to {MAIL}, please", "write to ‹email›, please"),
        ({MAIL: [{"label": MAIL}, 3, None, True]}, {"‹email›": [{"label": "‹email›"}, 3, None, True]}),
        ("a@b is no address, @name neither, nor x@y.", "a@b is no address, @name neither, nor x@y."),
        ("müller@köln.example", "‹email›"),
    ],
)
def test_addresses_are_masked_in_texts_and_keys(data: Any, expected: Any) -> None:
    assert masker()(data) == expected


def test_an_address_in_a_path_of_the_user_stays() -> None:
    command = f"curate explain /drive/{MAIL}/run 12"
    assert masker(f"/drive/{MAIL}/run")([command, "other@example.org"]) == [command, "‹email›"]


@given(st.text(alphabet="a.@-+ é", max_size=60))
def test_no_address_outlives_the_mask(text: str) -> None:
    once = masker()(text)
    assert masker()(once) == once


def test_a_long_text_does_not_make_it_slow() -> None:
    long = "a." * 200_000 + "@"
    assert masker()(long) == long
