from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from curate.threads import ahead


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_made_ahead_comes_in_order(workers: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 if item < 3 else 0)
        return item * item

    assert list(ahead(slow_at_first, range(20), workers=workers)) == [item * item for item in range(20)]


def test_the_next_is_made_while_one_is_used() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            second.set()
        return item

    for _ in ahead(work, range(2), workers=2):
        assert second.wait(timeout=60)


def test_one_worker_makes_nothing_ahead() -> None:
    made: list[int] = []

    def work(item: int) -> int:
        made.append(item)
        return item

    for item in ahead(work, range(5), workers=1):
        assert made[-1] == item


def test_an_error_reaches_who_uses_it_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return item

    found: Iterator[int] = ahead(work, range(500), workers=2)
    with pytest.raises(ValueError, match="three"):
        list(found)
    assert len(begun) < 500
