from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import arithmetic


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("48/2", 24),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("1,200 - 200", 1000),
        ("$7.50 × 2", 15),
        ("50% * 20", 10),
        (".5*30", 15),
        ("10 - 2 - 3", 5),
    ],
)
def test_works_out_an_expression(expression: str, value: int) -> None:
    assert arithmetic.worked_out(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "5",
        "2 3",
        "1/0",
        "2**3",
        "x + 1",
        "(1 + 2",
        "1 + 2)",
        "__import__('os')",
        "- 3 + 5",
        "8/2/2",
        "1+" * 60 + "1",
    ],
)
def test_anything_else_is_no_expression(expression: str) -> None:
    assert arithmetic.worked_out(expression) is None


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("She sold 48/2 = <<48/2=24>>24 clips.", [True]),
        ("She sold 48/2 = <<48/2=25>>25 clips.", [False]),
        ("She sold 48 / 2 = 24 clips.", [True]),
        ("She sold 48 / 2 = 23 clips.", [False]),
        ("10 / 3 = 3.33 and 10 / 3 = 3", [True, True]),
        ("10 / 4 = 2.4", [False]),
        ("10 / 3 = 4", [False]),
        ("20 / 3 = 6.6 and 20 / 3 = 6.7 and 20 / 3 = 6.8", [True, True, False]),
        ("2 + 2 = 400", [False]),
        ("50 + 50 = 1", [False]),
        ("50 + 50 cents: 50 + 50 = 1 dollar", [True]),
        ("999 + 1 = 1.000", []),
        ("500 * 4 = 2.000 Euro", []),
        ("500 * 4 = 2.001 Euro", [False]),
        ("10:30 + 45 = 11:15", []),
        ("7 + 8 = 3 (mod 12)", []),
        ("√16 + 2 = 6", []),
        ("sqrt 9 + 1 = 4", []),
        ("twice 3 + 4 = 10", []),
        ("0x10 + 1 = 17", []),
        ("pages 10-20 = 11", []),
        ("20-10 = 11", [False]),
        ("100 - 10% = 90", []),
        ("1. 3 + 4 = 7\n- 3 + 5 = 8", [True, True]),
        ("that is .5 * 30 = 15", [True]),
        ("3 of 4 is 3/4 = 75%", [True]),
        ("2 apples x 3 + 4 = 10, f(3) + 1 = 9, 2x + 3 = 7", []),
        ("2 + 3 = 5 + 4 = 9", []),
        ("a == 1 + 1 == 2, b != 3 - 1, x = 5", []),
    ],
)
def test_finds_what_a_text_works_out(text: str, right: list[bool]) -> None:
    assert [one.right for one in arithmetic.equations(text)] == right


@given(st.integers(0, 999), st.integers(1, 999), st.integers(1, 99))
def test_a_sum_is_right_and_one_more_is_wrong(a: int, b: int, c: int) -> None:
    exact = a + b * c
    (found,) = arithmetic.equations(f"In all {a} + {b} * {c} = {exact} of them.")
    assert found.right and found.exact == exact
    (wrong,) = arithmetic.equations(f"In all {a} + {b} * {c} = {exact + 1} of them.")
    assert not wrong.right and wrong.value == Fraction(exact + 1)
