from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reports import quality
from reports.self_similarity import _side, nearest


def test_the_nearest_other_prompt_counts() -> None:
    """`a b c` and `a b d` share one of two pairs each, `e f` shares none."""
    assert nearest(pl.Series(["a b c", "a B d", "e f", "x"])) == [0.5, 0.5, 0.0, 0.0]
    assert nearest(pl.Series(["same words here", "same words here"])) == [1.0, 1.0]


def test_bands_hold_every_record() -> None:
    side = _side([0.0, 0.1, 0.69, 0.7, 1.0])
    assert [one["records"] for one in side["bands"]] == [1, 1, 0, 1, 2]
    assert (side["median"], side["near_share"]) == (0.69, 0.4)


def test_equally_many_records_are_compared_before_and_after(run: Path) -> None:
    found = quality.facts(run)["diversity"]["similarity"]
    assert found["compared"] == 39
    for side in ("all", "kept"):
        assert sum(one["records"] for one in found[side]["bands"]) == 39
        # all prompts of the sample read "Question N", which is one pair of words, never the same
        assert found[side]["median"] == pytest.approx(0)
