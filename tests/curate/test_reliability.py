"""Judges with a known fault are found out, and one without is not."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from stub_judge import Mood, fair, parts, served

from curate import judging, reliability
from curate.endpoint import Endpoint
from curate.errors import UserError
from curate.judging import Judge


def noise(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]


def moody() -> Mood:
    """Answer each time at random, from a list of fixed numbers."""
    numbers = itertools.cycle(np.random.Generator(np.random.PCG64(7)).integers(1, 6, size=997).tolist())
    return lambda text: str(next(numbers))


def wordy(text: str) -> str:
    """Score length alone."""
    return str(min(5, 1 + len(parts(text)[1]) // 100))


def forgetful(text: str) -> str:
    """Be strict where the answer comes first."""
    first = text.index("<answer") < text.index("<request")
    return str(max(1, int(str(fair(text))) - 2 * first))


@pytest.mark.parametrize(
    ("mood", "found"),
    [
        (fair, []),
        (moody(), ["agrees with itself"]),
        (wordy, ["filler raises its scores"]),
        (forgetful, ["the order of request and answer shifts"]),
        (lambda text: "3", ["its scores do not differ"]),
        (lambda text: "I like it!", ["0% of its answers could be read", "its scores do not differ"]),
        (lambda text: fair(text) if noise(text) % 5 else "well", ["of its answers could be read"]),
        (lambda text: fair(text) if noise(text) % 5 else 400, ["of its answers could be read"]),
    ],
)
def test_a_fault_of_a_judge_is_found(
    mood: Mood, found: list[str], make_rows: Callable[..., pl.DataFrame], tmp_path: Path
) -> None:
    rows = make_rows(
        *(
            {"prompt": f"Question {n}?", "response": f"{'word ' * (n % 7 * 8)}{1 + noise(str(n)) % 5}"}
            for n in range(80)
        )
    )
    with served(mood) as stub:
        judge = Judge(stub.url, "small")
        facts = reliability.measure(judge, Endpoint(stub.url, "small", 0.0, tmp_path), rows, size=60)
        assert len(stub.asked) == 4 * 60
    assert facts["rows"] == 60
    lacking = judging.lacks(facts)
    assert len(lacking) >= len(found)
    assert all(re.search(text, " ".join(lacking)) for text in found)
    assert bool(lacking) == bool(found)


def test_rows_of_one_record_count_once_and_few_are_refused(
    make_rows: Callable[..., pl.DataFrame], tmp_path: Path
) -> None:
    rows = make_rows(*({"record": f"{n // 2:032d}", "response": None if n > 90 else "word"} for n in range(100)))
    assert reliability.sample(rows, 200)["record"].n_unique() == reliability.sample(rows, 200).height == 46
    ask = Endpoint("http://127.0.0.1:9/v1", "small", 0.0, tmp_path)
    with pytest.raises(UserError, match="has 46 records with prompt and response"):
        reliability.measure(Judge(ask.url, "small"), ask, rows, size=200)


def test_agreement_is_lins() -> None:
    # Lin (1989): 2·cov ÷ (var + var + (difference of means)²), here 2·1.25 ÷ (1.25 + 1.25 + 1).
    first = np.array([1.0, 2.0, 3.0, 4.0] * 25)
    assert reliability._agreement(first, first + 1)[0] == pytest.approx(2.5 / 3.5, abs=1e-4)
    assert reliability._agreement(first, first) == [1.0, 1.0, 1.0]
