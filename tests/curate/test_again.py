from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import schema
from curate.again import again
from curate.schema import Measured
from curate.steps import near

WORDS = st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join)


def decided(rows: pl.DataFrame, threshold: float) -> Measured:
    return near.decide(rows.hstack(near.state(rows, shingle=1)), threshold=threshold)


def frame(contents: list[str]) -> pl.DataFrame:
    records = [schema.digest(str(number)) for number in range(len(contents))]
    return pl.DataFrame({"id": records, "record": records, "content": contents}).sort("id")


def removed(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    return rows.hstack(found).filter(pl.col("rank") > 0).select("id", "keeper", "similarity")


@settings(max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=25), st.sampled_from([0.3, 0.5]), st.sampled_from([0.5, 0.6, 0.8, 1.0]))
def test_a_higher_threshold_is_decided_as_a_new_run_would(contents: list[str], low: float, high: float) -> None:
    rows = frame(contents)
    first = decided(rows, low)
    if first.tables["join"]["complete"].item():
        found = again(first.tables["pairs"], threshold=high)
        assert found.equals(removed(rows, decided(rows, high).signals))


@settings(max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=25), st.data())
def test_fewer_texts_are_decided_as_a_new_run_of_them_would(contents: list[str], data: st.DataObject) -> None:
    rows = frame(contents)
    first = decided(rows, 0.4)
    living = rows.filter(pl.Series(data.draw(st.lists(st.booleans(), min_size=rows.height, max_size=rows.height))))
    if first.tables["join"]["complete"].item():
        found = again(first.tables["pairs"], threshold=0.4, living=living["id"])
        assert found.equals(removed(living, decided(living, 0.4).signals))
