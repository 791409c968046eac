from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import schema
from curate.errors import MISSING, UserError
from curate.schema import Measured
from curate.steps import semantic

Rows = Callable[..., pl.DataFrame]
Vectors = npt.NDArray[np.float32]
# A text names its own direction: "30" lies at 30 degrees, and the cosine of 30 degrees is 0.866.
ANGLES = st.lists(st.integers(0, 359).map(str) | st.sampled_from(["", "?!", None]), max_size=40)


def vectors(texts: Sequence[str]) -> Vectors:
    turns = np.radians([float(text.split()[0]) for text in texts])
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32).reshape(-1, 2)


def frame(contents: Sequence[str | None]) -> pl.DataFrame:
    records = [schema.digest(str(number)) for number in range(len(contents))]
    columns = {"id": records, "record": records, "content": contents}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).sort("id")


def decided(rows: pl.DataFrame, *, threshold: float = 0.95, exact_up_to: int = 200_000) -> Measured:
    state = rows.hstack(semantic.state(rows, vectors=vectors))
    return semantic.decide(state, threshold=threshold, exact_up_to=exact_up_to)


def similarity(one: str | None, two: str | None) -> float:
    return float(np.cos(np.radians(float(one or 0) - float(two or 0))))


@settings(max_examples=150)
@given(ANGLES, st.sampled_from([0.1, 0.5, 0.95, 1.0]), st.sampled_from([0, 200_000]))
def test_every_removed_text_names_a_kept_one_at_or_above_the_threshold(
    contents: list[str | None], threshold: float, exact_up_to: int
) -> None:
    rows = frame(contents)
    found = decided(rows, threshold=threshold, exact_up_to=exact_up_to).signals
    content = dict(rows.select("id", "content").iter_rows())
    rank = dict(zip(rows["id"], found["rank"], strict=True))
    for own, line in zip(rows["id"], found.iter_rows(named=True), strict=True):
        if content[own] is None:
            assert set(line.values()) == {None}
        elif line["rank"] == 0:
            assert (line["keeper"], line["similarity"], line["cluster"]) == (None, None, own)
        else:
            assert (rank[line["keeper"]], line["cluster"]) == (0, line["keeper"])
            assert 1 >= line["similarity"] >= threshold
            assert line["similarity"] == pytest.approx(similarity(content[own], content[line["keeper"]]), abs=1e-6)
    for cluster, size in Counter(found["cluster"].drop_nulls()).items():
        assert sorted(found.filter(pl.col("cluster") == cluster)["rank"]) == list(range(size))


@settings(max_examples=100)
@given(ANGLES, st.sampled_from([0.1, 0.5, 0.95]))
def test_no_two_texts_that_stay_are_similar(contents: list[str | None], threshold: float) -> None:
    rows = frame(contents)
    stay = rows.hstack(decided(rows, threshold=threshold).signals).filter(pl.col("rank") == 0)
    worded = [text for text in stay["content"] if text[:1].isdigit()]
    alike = [(a, b) for n, a in enumerate(worded) for b in worded[:n] if similarity(a, b) > threshold + 1e-6]
    assert alike == []
    assert len(stay) - len(worded) == sum(text in ("", "?!") for text in contents)


@settings(max_examples=50)
@given(ANGLES, st.integers(0, 99), st.sampled_from([0, 200_000]))
def test_the_order_in_which_rows_come_does_not_matter(contents: list[str | None], seed: int, exact_up_to: int) -> None:
    rows = frame(contents)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=seed)
    again = shuffled.hstack(semantic.state(shuffled, vectors=vectors)).sort("id")
    found = semantic.decide(again, exact_up_to=exact_up_to).signals
    assert found.equals(decided(rows, exact_up_to=exact_up_to).signals)


def test_blocks_find_what_one_block_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frame([f"{number * 7 % 360} {'word ' * (number % 3)}" for number in range(200)])
    whole = decided(rows, threshold=0.99)
    assert 0 < whole.signals["rank"].eq(0).sum() < 45
    monkeypatch.setattr(semantic, "_BLOCK", 7)
    parts = decided(rows, threshold=0.99)
    assert parts.signals.equals(whole.signals)
    assert parts.tables["pairs"].equals(whole.tables["pairs"])


def test_longer_texts_stay_and_ties_go_to_the_lowest_id() -> None:
    rows = frame(["10", "11 long long", "12", "200"])
    found = rows.hstack(decided(rows).signals)
    assert found.filter(pl.col("rank") == 0)["content"].sort().to_list() == ["11 long long", "200"]
    removed = found.filter(pl.col("rank") > 0).sort("rank")
    assert removed["rank"].to_list() == [1, 2]
    assert removed["id"].is_sorted()


def test_the_ends_of_a_chain_stay_when_the_walk_begins_at_one() -> None:
    rows = frame(["0 two words", "15", "30 word"])
    found = rows.hstack(decided(rows, threshold=0.96).signals)
    assert found.filter(pl.col("rank") == 0)["content"].sort().to_list() == ["0 two words", "30 word"]
    assert found.filter(pl.col("rank") == 1)["content"].to_list() == ["15"]


def test_pairs_hold_every_removed_text_with_its_similar_keepers() -> None:
    rows = frame(["0 two words", "15", "30 word", "180"])
    measured = decided(rows, threshold=0.96)
    name = dict(rows.select("id", "content").iter_rows())
    pairs = [(name[one], name[other], round(found, 3)) for one, other, found in measured.tables["pairs"].iter_rows()]
    assert sorted(pairs) == [("15", "0 two words", 0.966), ("15", "30 word", 0.966)]


def test_each_distinct_text_with_words_is_asked_for_and_no_other(make_rows: Rows) -> None:
    asked: list[str] = []

    def spy(texts: Sequence[str]) -> Vectors:
        asked.extend(texts)
        return vectors(texts)

    rows = make_rows(*({"content": text} for text in ["1", " ", "?!", None, "1"]))
    state = semantic.state(rows, vectors=spy)
    assert asked == ["1", "1"]
    assert state["vector_0"].is_null().to_list() == rows["content"].is_null().to_list()


def test_renderings_of_a_record_share_its_fate(make_rows: Rows) -> None:
    one, two = "1" * 32, "2" * 32
    rows = make_rows(*({"record": record, "content": text} for record, text in [(one, "5"), (two, "6 x")] * 2))
    found = rows.hstack(decided(rows).signals)
    assert found.filter(pl.col("record") == two)["rank"].to_list() == [0, 0]
    assert found.filter(pl.col("record") == one)["rank"].to_list() == [1, 1]
    keeper = found.filter(pl.col("record") == two)["id"].min()
    assert found.filter(pl.col("record") == one)["keeper"].to_list() == [keeper, keeper]


@pytest.mark.parametrize("exact_up_to", [0, 200_000])
def test_a_list_requires_all_columns_and_gives_the_least_similarity(make_rows: Rows, exact_up_to: int) -> None:
    rows = make_rows(
        {"prompt": "0 x", "response": "100"},
        {"prompt": "0", "response": "110"},
        {"prompt": "0", "response": "200"},
        {"prompt": "0", "response": "?"},
    )
    on = ["prompt", "response"]
    state = rows.hstack(semantic.state(rows, vectors=vectors, on=on))
    found = rows.hstack(semantic.decide(state, on=on, exact_up_to=exact_up_to).signals)
    removed = found.filter(pl.col("rank") > 0)
    assert removed["response"].to_list() == ["110"]
    assert removed["similarity"].to_list() == [pytest.approx(0.985, abs=0.001)]


def test_recall_says_what_was_missed() -> None:
    rows = frame([f"{number * 10} {'word ' * (number % 2)}" for number in range(36)] * 3)
    exact, index = decided(rows), decided(rows, exact_up_to=0)
    assert exact.tables["recall"].height == 0
    ((sampled, similar, found, recall),) = index.tables["recall"].rows()
    assert (sampled, similar) == (108, 90)
    assert found == index.signals["rank"].gt(0).sum()
    assert recall == found / similar


def test_recall_falls_when_the_index_looks_in_too_few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "_PROBES", 1)
    monkeypatch.setattr(semantic, "_BLOCK", 8)
    rows = frame([f"{number} {'word ' * (number % 5)}" for number in range(360)])
    ((_, similar, found, recall),) = decided(rows, threshold=0.999, exact_up_to=0).tables["recall"].rows()
    assert 0 < found < similar
    assert recall == found / similar


def test_identical_texts_in_thousands_take_no_time() -> None:
    found = decided(frame(["90"] * 20_000)).signals
    assert found["rank"].max() == 19_999
    assert found["keeper"].n_unique() == 2
    assert found["similarity"].drop_nulls().unique().to_list() == [1.0]


def test_a_missing_index_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"faiss.*curatune\[embed\]") as raised:
        decided(frame(["1", "2"]), exact_up_to=1)
    assert raised.value.code == MISSING


@pytest.mark.parametrize("arguments", [{"threshold": 0.0}, {"threshold": 1.1}, {"exact_up_to": -1}])
def test_bad_arguments_are_named(arguments: dict[str, float]) -> None:
    rows = frame(["1"])
    with pytest.raises(UserError, match=next(iter(arguments))):
        semantic.decide(rows.hstack(semantic.state(rows, vectors=vectors)), **arguments)
