from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate import shingles, text

TEXTS = st.lists(st.text(alphabet="ab .日", max_size=12), max_size=6)


@given(TEXTS, st.integers(1, 4))
def test_windows_are_equal_exactly_where_the_runs_of_words_are(texts: list[str], n: int) -> None:
    found = shingles.windows(shingles.word_hashes(texts), n=n)
    runs = [run for value in texts for run in text.shingles(value, n)]
    assert found.counts.tolist() == [len(text.shingles(value, n)) for value in texts]
    by_run = dict(zip(runs, found.values.tolist(), strict=True))
    assert [by_run[run] for run in runs] == found.values.tolist()
    assert len(set(by_run.values())) == len(by_run)


def test_the_order_of_words_counts_and_null_is_empty() -> None:
    found = shingles.windows(shingles.word_hashes(["a b c", None, "c b a", "A, b: C!"]), n=3)
    assert found.counts.tolist() == [1, 0, 1, 1]
    first, second, third = found.values.tolist()
    assert first == third != second


def test_spans_lie_end_to_end() -> None:
    assert shingles.spans(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert shingles.spans(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).tolist() == []
