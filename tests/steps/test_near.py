"""What is true of every near copy that is removed, against sets compared one by one."""

from __future__ import annotations

from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import schema, similar, text
from curate.errors import UserError
from curate.schema import Measured
from curate.steps import minhash, near

WORDS = st.lists(st.sampled_from([*"abcdefgh", "?", "世", ""]), max_size=20).map(" ".join)
CONTENTS = st.lists(WORDS, max_size=40)
THRESHOLDS = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 0.95, 1.0])


def frame(contents: list[str], **columns: list[object]) -> pl.DataFrame:
    records = [schema.digest(str(number)) for number in range(len(contents))]
    schema_of = {"id": pl.String, "record": pl.String, "content": pl.String}
    return pl.DataFrame({"id": records, "record": records, "content": contents, **columns}, schema_overrides=schema_of)


def decided(rows: pl.DataFrame, *, shingle: int = 1, **arguments: object) -> Measured:
    rows = rows.sort("id")
    return near.decide(rows.hstack(near.state(rows, shingle=shingle)), **arguments)  # type: ignore[arg-type]


def jaccard(one: str, two: str, shingle: int = 1) -> float:
    first, second = set(text.shingles(one, shingle)), set(text.shingles(two, shingle))
    return len(first & second) / len(first | second) if first and second else 0.0


@settings(max_examples=300)
@given(CONTENTS, THRESHOLDS, st.integers(1, 3), st.booleans())
def test_removed_texts_have_a_kept_witness_and_no_two_kept_ones_are_alike(
    contents: list[str], threshold: float, shingle: int, sweep: bool
) -> None:
    rows = frame(contents).sort("id")
    found = rows.hstack(decided(rows, threshold=threshold, shingle=shingle, sweep=sweep).signals)
    content = dict(rows.select("id", "content").iter_rows())
    kept = found.filter(pl.col("rank") == 0)["id"].to_list()
    for own, keeper, similarity in found.filter(pl.col("rank") > 0).select("id", "keeper", "similarity").iter_rows():
        assert keeper in kept
        assert similarity == jaccard(content[own], content[keeper], shingle) >= threshold
    for one, two in combinations(kept, 2):
        assert jaccard(content[one], content[two], shingle) < threshold


@settings(max_examples=150)
@given(CONTENTS, THRESHOLDS)
def test_the_walk_goes_from_the_longest_and_finds_the_most_similar_keeper_so_far(
    contents: list[str], threshold: float
) -> None:
    rows = frame(contents).sort("id")
    walked = [own for own in rows.iter_rows(named=True) if text.words(own["content"])]
    walked.sort(key=lambda row: (-len(text.words(row["content"])), row["id"]))
    keepers: list[dict[str, str]] = []
    expected, met = {}, set()
    for row in walked:
        shares = [jaccard(row["content"], keeper["content"]) for keeper in keepers]
        best = max(shares, default=0.0)
        if best < threshold:
            keepers.append(row)
        elif frozenset(text.words(row["content"])) not in met:  # equal sets follow the first of them
            expected[row["id"]] = keepers[shares.index(best)]["id"]
        met.add(frozenset(text.words(row["content"])))
    found = rows.hstack(decided(rows, threshold=threshold).signals)
    named = dict(found.filter(pl.col("id").is_in(list(expected))).select("id", "keeper").iter_rows())
    assert named == expected
    stays = found.filter(pl.col("rank") == 0, pl.col("id").is_in([row["id"] for row in walked]))["id"].to_list()
    assert stays == sorted(row["id"] for row in keepers)


@settings(max_examples=100)
@given(CONTENTS, THRESHOLDS)
def test_pairs_are_all_that_reach_the_threshold(contents: list[str], threshold: float) -> None:
    rows = frame(contents).sort("id")
    tables = decided(rows, threshold=threshold).tables
    content = dict(rows.select("id", "content").iter_rows())
    pairs = {frozenset(pair): share for *pair, share in tables["pairs"].select("id", "other", "similarity").iter_rows()}
    assert len(pairs) == tables["pairs"].height == tables["join"]["pairs"].item()
    assert all(share == jaccard(*(content[one] for one in pair)) >= threshold for pair, share in pairs.items())
    if tables["join"]["complete"].item():
        texts = {frozenset(text.words(value)): own for own, value in content.items()}
        every = {
            frozenset(pair)
            for pair in combinations(texts.values(), 2)
            if jaccard(*(content[p] for p in pair)) >= threshold
        }
        assert len({pair for pair, share in pairs.items() if share < 1}) == len(every)


@settings(max_examples=60)
@given(CONTENTS, st.integers(0, 99), st.integers(2, 4))
def test_neither_order_nor_slices_nor_threads_nor_the_way_to_the_keepers_matter(
    contents: list[str], seed: int, workers: int
) -> None:
    rows = frame(contents).sort("id")
    alone = decided(rows, threshold=0.6, sweep=False)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=seed)
    again = shuffled.hstack(near.state(shuffled, shingle=1)).sort("id")
    assert near.decide(again, threshold=0.6, workers=workers, sweep=False).signals.equals(alone.signals)
    assert near.decide(again, threshold=0.6, workers=workers).signals.equals(alone.signals)
    slices = pl.concat([near.state(rows[:3]), near.state(rows[3:])])
    assert slices.equals(near.state(rows))


def test_parts_of_the_walk_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{number}" for number in range(60)]
    contents = [" ".join(words[start : start + 30]) for start in range(30)] * 2 + [" ".join(words[:40])]
    rows = frame(contents)
    whole = decided(rows, threshold=0.7)
    monkeypatch.setattr(similar, "PART", 3)
    monkeypatch.setattr(similar, "_ROOM", 1)
    for workers in (1, 2):
        parts = decided(rows, threshold=0.7, workers=workers)
        assert parts.signals.equals(whole.signals)
        assert parts.tables["pairs"].equals(whole.tables["pairs"])
        assert decided(rows, threshold=0.7, workers=workers, sweep=False).signals.equals(whole.signals)
    assert whole.tables["join"]["complete"].item()


def test_thousands_of_near_copies_of_one_text_keep_pairs_with_the_keeper_alone() -> None:
    words = " ".join(f"w{number}" for number in range(60))
    rows = frame([f"{words} x{number}" for number in range(3000)])
    found = decided(rows, threshold=0.8, shingle=3)
    assert found.tables["join"].row(0, named=True) == {
        "threshold": 0.8, "units": 3000, "texts": 3000, "pairs": 2999, "complete": False,
    }  # fmt: skip
    assert found.signals["keeper"].n_unique() == 2
    assert found.signals["similarity"].drop_nulls().unique().to_list() == [58 / 60]


def test_a_list_requires_every_column_to_be_alike() -> None:
    words = " ".join(f"w{number}" for number in range(30))
    rows = pl.DataFrame(
        {
            "id": ["1", "2", "3", "4"],
            "record": ["1", "2", "3", "4"],
            "prompt": [words, words + " x", words, "other"],
            "response": ["yes", "yes", "no", "yes"],
        }
    )
    on = ["prompt", "response"]
    found = near.decide(rows.hstack(near.state(rows, on=on)), on=on, threshold=0.8)
    assert found.signals["keeper"].to_list() == ["2", None, None, None]
    assert found.signals["similarity"].to_list() == [28 / 29, None, None, None]


POLICIES = [
    ("longest", "c"),
    ("turns", "b"),
    ("source=web", "d"),
    ("quality.score", "a"),
    ("-quality.score", "c"),
    (["source=none", "turns", "longest"], "b"),
    (["source=gold", "-quality.score"], "c"),
    (["-source=gold", "longest"], "d"),
    ("-turns", "a"),
    ([], "a"),
]


@pytest.mark.parametrize(("prefer", "kept"), POLICIES)
def test_the_survivor_is_chosen_by_policy(prefer: str | list[str], kept: str) -> None:
    words = " ".join(f"w{number}" for number in range(40))
    turns = [[{"role": "user"}] * count for count in (1, 3, 1, 2)]
    rows = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "record": ["a", "b", "c", "d"],
            "content": [words, words, words + " x", words],
            "messages": turns,
            "source": ["gold", "gold", "gold", "web"],
            "quality.score": [0.9, None, 0.1, 0.5],
        }
    )
    state = rows.hstack(near.state(rows))
    found = rows.hstack(near.decide(state, prefer=prefer).signals)
    assert found.filter(pl.col("rank") == 0)["id"].to_list() == [kept]
    assert minhash.decide(state, prefer=prefer).signals.equals(near.decide(state, prefer=prefer).signals)


@pytest.mark.parametrize("prefer", ["longst", "content", "quality.score", ["longest", "-x"]])
def test_a_preference_that_is_none_is_answered(prefer: str | list[str]) -> None:
    with pytest.raises(UserError, match="prefer"):
        decided(frame(["a b c"]), prefer=prefer)


@pytest.mark.parametrize(("arguments", "said"), [({"threshold": 0.0}, "threshold"), ({"threshold": 1.01}, "threshold")])
def test_bad_arguments_are_named(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        decided(frame(["a b c"]), **arguments)
    with pytest.raises(UserError, match="shingle"):
        near.state(frame(["a b c"]), shingle=0)


def test_sketches_tell_how_many_pairs_they_find() -> None:
    words = [f"w{number}" for number in range(50)]
    rows = frame([" ".join(words[start : start + 40]) for start in range(10)] * 2).sort("id")
    state = rows.hstack(minhash.state(rows))
    join = minhash.decide(state, threshold=0.6).tables["join"].row(0, named=True)
    pairs = near.decide(state, threshold=0.6).tables["pairs"].filter(pl.col("similarity") < 1)
    # Every text is in the sample, so each pair is met from both its sides.
    assert (join["sampled"], join["sampled_pairs"]) == (10, 2 * pairs.height)
    assert join["sampled_found"] <= join["sampled_pairs"]
    assert round(join["expected_recall"], 4) == round(1 - (1 - 0.6**4) ** 32, 4) == 0.9882
    poor = minhash.decide(state, threshold=0.6, bands=1).tables["join"].row(0, named=True)
    assert poor["sampled_found"] < poor["sampled_pairs"] / 2
