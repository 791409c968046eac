from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.packing import packing, sequences_needed


@pytest.mark.parametrize(
    ("lengths", "window", "needed"),
    [
        ([], 10, 0),
        ([10, 10], 10, 2),
        ([6, 5, 4, 5], 10, 2),  # 6 + 4, 5 + 5
        ([3] * 7, 10, 3),  # three to a sequence
        ([7, 6, 3, 2, 2], 10, 2),  # 7 + 3, 6 + 2 + 2
        ([1] * 21, 10, 3),
        ([60, 60, 20, 20, 13, 13, 13], 100, 2),  # 60 + 20 + 20, 60 + 13 + 13 + 13
    ],
)
def test_rows_go_where_least_room_is_left(lengths: list[int], window: int, needed: int) -> None:
    assert sequences_needed(np.array(lengths, dtype=np.int64), window) == needed


def one_by_one(lengths: list[int], window: int) -> int:
    """Return what best-fit decreasing needs, row by row as it is defined."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
        rooms.append((min(fitting) if fitting else window) - length)
    return len(rooms)


@given(st.lists(st.integers(1, 24), max_size=80), st.integers(24, 120))
def test_rows_of_one_length_placed_together_need_as_many(lengths: list[int], window: int) -> None:
    assert sequences_needed(np.array(lengths, dtype=np.int64), window) == one_by_one(lengths, window)


def test_longer_rows_fill_a_sequence_and_empty_ones_none() -> None:
    first = packing(np.array([0, 512, 512, 5000]))[0]
    assert (first["tokens"], first["rows"], first["sequences"]) == (1024, 3, 2)
    assert (first["packed"], first["alone"]) == (1.0, 2048 / 3072)
    assert packing(np.zeros(0, dtype=np.int64))[2] == {
        "tokens": 4096, "rows": 0, "sequences": 0, "packed": 0.0, "alone": 0.0
    }  # fmt: skip
