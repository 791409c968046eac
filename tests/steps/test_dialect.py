from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.dialect import dialect

Rows = Callable[..., pl.DataFrame]


@pytest.mark.parametrize(
    ("value", "markers", "varieties"),
    [
        ("She is working late.", 0, []),
        ("She be working late, it ain't right.", 2, ["african-american", "vernacular"]),
        ("Y’all come back now, y'all hear?", 2, ["southern-us"]),
        ("Ah cannae dae it", 1, ["scots"]),
        ("To be working is good.", 0, []),
    ],
)
def test_markers_are_counted_by_variety(make_rows: Rows, value: str, markers: int, varieties: list[str]) -> None:
    frame = dialect(make_rows({"response": value}), column="response")
    assert frame.row(0) == (markers, varieties)


def test_other_languages_have_no_verdict(make_rows: Rows) -> None:
    assert dialect(make_rows({"response": "innit", "lang": "de"})).row(0) == (None, None)
