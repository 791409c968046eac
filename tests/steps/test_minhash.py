from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import schema, text, wordsets
from curate.errors import UserError
from curate.schema import Measured
from curate.steps import minhash

Rows = Callable[..., pl.DataFrame]
# Texts of few words meet often; blanks and marks give texts without words.
WORDS = st.lists(st.sampled_from([*"abcdef", "?", ""]), max_size=14).map(" ".join)


def frame(contents: list[str], *, start: int = 0) -> pl.DataFrame:
    records = [schema.digest(str(start + number)) for number in range(len(contents))]
    columns = {"id": records, "record": records, "content": contents}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).sort("id")


def decided(rows: pl.DataFrame, *, threshold: float = 0.8) -> Measured:
    return minhash.decide(rows.hstack(minhash.state(rows)), threshold=threshold)


def jaccard(one: str, two: str) -> float:
    first, second = set(text.shingles(one, 3)), set(text.shingles(two, 3))
    return len(first & second) / len(first | second) if first and second else 0.0


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=25), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_every_removed_text_names_a_kept_one_at_or_above_the_threshold(contents: list[str], threshold: float) -> None:
    rows = frame(contents)
    found = decided(rows, threshold=threshold).signals
    content = dict(rows.select("id", "content").iter_rows())
    rank = dict(zip(rows["id"], found["rank"], strict=True))
    for own, line in zip(rows["id"], found.iter_rows(named=True), strict=True):
        if line["rank"] == 0:
            assert (line["keeper"], line["similarity"], line["cluster"]) == (None, None, own)
        else:
            assert rank[line["keeper"]] == 0
            assert line["cluster"] == line["keeper"]
            assert line["similarity"] == jaccard(content[own], content[line["keeper"]]) >= threshold
    sizes = Counter(found["cluster"])
    for cluster, size in sizes.items():
        members = found.filter(pl.col("cluster") == cluster)["rank"]
        assert sorted(members) == list(range(size))


@settings(max_examples=50)
@given(st.lists(WORDS, max_size=20), st.integers(0, 99))
def test_the_order_in_which_rows_come_does_not_matter(contents: list[str], seed: int) -> None:
    rows = frame(contents)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=seed)
    again = shuffled.hstack(minhash.state(shuffled)).sort("id")
    assert minhash.decide(again).signals.equals(decided(rows).signals)
    slices = pl.concat([minhash.state(rows[:3]), minhash.state(rows[3:])])
    assert slices.equals(minhash.state(rows))


def test_longer_texts_are_kept_and_ties_go_to_the_lowest_id() -> None:
    words = [f"w{number}" for number in range(40)]
    rows = frame([" ".join(words[:39]), " ".join(words), " ".join(words[:39])])
    found = rows.hstack(decided(rows).signals)
    longest = found.filter(pl.col("content") == " ".join(words))
    assert longest["rank"].to_list() == [0]
    others = found.filter(pl.col("rank") > 0).sort("rank")
    assert others["id"].is_sorted()
    assert others["similarity"].to_list() == [37 / 38, 37 / 38]


def test_the_ends_of_a_chain_stay_when_the_walk_begins_at_one() -> None:
    words = [f"w{number}" for number in range(42)]
    ends, middle = (" ".join(words), " ".join(words[9:])), " ".join(words[3:])
    rows = frame([ends[0], middle, ends[1]])
    assert jaccard(ends[0], middle) >= 0.8 <= jaccard(middle, ends[1])
    assert jaccard(*ends) < 0.8
    found = rows.hstack(decided(rows).signals)
    assert found.filter(pl.col("rank") == 0)["content"].sort().to_list() == sorted(ends)
    assert found.filter(pl.col("rank") == 1)["content"].to_list() == [middle]


def test_short_texts_merge_when_equal_and_only_then() -> None:
    rows = frame(["yes", "Yes.", "no", "yes no", "no yes"])
    found = rows.hstack(decided(rows, threshold=0.1).signals)
    assert found["rank"].sum() == 1
    assert found.filter(pl.col("cluster").is_duplicated())["content"].sort().to_list() == ["Yes.", "yes"]


def test_texts_without_words_resemble_nothing_and_null_has_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(*({"content": value} for value in ["", "", "?!", "?!", None]))
    found = rows.hstack(decided(rows).signals)
    assert found.filter(pl.col("content").is_not_null())["rank"].to_list() == [0, 0, 0, 0]
    assert found.filter(pl.col("content").is_null())["rank"].to_list() == [None]


def test_renderings_of_a_record_share_its_fate(make_rows: Rows) -> None:
    words = " ".join(f"w{number}" for number in range(30))
    one, two = "1" * 32, "2" * 32
    rows = make_rows(
        *(
            {"record": record, "content": words + end}
            for record, end in ((one, ""), (one, ""), (two, " x"), (two, " x"))
        )
    )
    found = rows.hstack(decided(rows).signals)
    assert found.filter(pl.col("record") == two)["rank"].to_list() == [0, 0]
    assert found.filter(pl.col("record") == one)["rank"].to_list() == [1, 1]
    assert found.filter(pl.col("record") == one)["keeper"].unique().to_list() == [
        found.filter(pl.col("record") == two)["id"].min()
    ]


def test_a_list_requires_all_columns_and_gives_the_least_similarity(make_rows: Rows) -> None:
    prompt = " ".join(f"w{number}" for number in range(30))
    rows = make_rows(
        {"prompt": prompt, "response": "yes"},
        {"prompt": prompt + " x", "response": "yes"},
        {"prompt": prompt, "response": "no"},
    )
    on = ["prompt", "response"]
    found = rows.hstack(minhash.decide(rows.hstack(minhash.state(rows, on=on)), on=on).signals)
    assert found.filter(pl.col("rank") > 0).select("prompt", "response", "similarity").rows() == [
        (prompt, "yes", 28 / 29)
    ]


def test_pairs_hold_different_texts_once_and_equal_ones_with_the_first() -> None:
    words = " ".join(f"w{number}" for number in range(30))
    rows = frame([words, words, words + " x", "other words altogether"])
    measured = decided(rows)
    ids = dict(zip(rows["content"], rows["id"], strict=True))
    equal = rows.filter(pl.col("content") == words)["id"].to_list()
    pairs = measured.tables["pairs"].sort("similarity").select("id", "other", "similarity").rows()
    assert pairs == [(equal[0], ids[words + " x"], 28 / 29), (equal[1], equal[0], 1.0)]
    assert measured.signals["keeper"].drop_nulls().to_list() == [ids[words + " x"]] * 2


def test_identical_texts_in_thousands_take_no_time() -> None:
    rows = frame(["the same few words again and again"] * 20_000)
    found = decided(rows).signals
    assert found["rank"].max() == 19_999
    assert found["keeper"].n_unique() == 2


def test_signatures_are_those_of_datasketch() -> None:
    from datasketch import MinHash

    rows = frame(
        ["one two three four five", "Ünïcode 日本語 text", "a", "", "b " * 400 + " ".join(map(str, range(999)))]
    )
    for size in (128, 30):
        state = minhash.state(rows)
        signed = minhash.signatures(wordsets.ragged(state["hashes_0"]), permutations=size)
        for hashes, signature in zip(state["hashes_0"].to_list(), signed, strict=True):
            peer = MinHash(num_perm=size, seed=1, scheme="affine32", hashfunc=lambda value: value & 0xFFFFFFFF)
            peer.update_batch(hashes)
            assert peer.hashvalues.tolist() == list(signature)


def test_planted_copies_are_found() -> None:
    chance = np.random.default_rng(7)
    vocabulary = [f"word{number}" for number in range(2000)]
    originals = [list(chance.choice(vocabulary, 45)) for _ in range(300)]
    copies = []
    for words in originals:
        edited = list(words)
        for place in chance.choice(45, 2, replace=False):
            edited[place] = "edited"
        copies.append(edited)
    rows = frame([" ".join(words) for words in originals + copies])
    similar = sum(jaccard(" ".join(a), " ".join(b)) >= 0.7 for a, b in zip(originals, copies, strict=True))
    assert similar > 250
    assert decided(rows, threshold=0.7).signals["rank"].sum() == similar


@pytest.mark.parametrize("arguments", [{"threshold": 0.0}, {"threshold": 1.1}, {"bands": 7}, {"bands": 0}])
def test_bad_arguments_are_named(arguments: dict[str, float]) -> None:
    rows = frame(["a b c"])
    with pytest.raises(UserError, match=next(iter(arguments))):
        minhash.decide(rows.hstack(minhash.state(rows)), **arguments)


def test_shingle_of_five_words_is_possible() -> None:
    state = minhash.state(frame(["a b c d e f"]), shingle=5)
    assert wordsets.ragged(state["hashes_0"]).counts.tolist() == [2]


def test_shards_and_bands_on_disk_give_what_memory_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{number}" for number in range(60)]
    contents = [" ".join(words[start : start + 30]) for start in range(30)] * 3 + ["", "a b", "A b"]
    rows = frame(contents)
    state = minhash.state(rows)
    whole = minhash.decide(rows.hstack(state), threshold=0.6)
    monkeypatch.setattr("curate.banded._IN_MEMORY", 0)
    for size in (1, 7, 40):
        parts = [state[start : start + size] for start in range(0, state.height, size)]
        lean = rows.hstack(state.drop("hashes_0"))
        found = minhash.decide(lean, threshold=0.6, shards=lambda parts=parts: iter(parts), workers=2)  # type: ignore[misc]
        assert found.signals.equals(whole.signals)
        assert found.tables["pairs"].equals(whole.tables["pairs"])
        assert found.tables["join"].equals(whole.tables["join"])
    assert whole.signals["rank"].max() > 2


def test_columns_are_signed_together_and_told_apart(make_rows: Rows) -> None:
    chance = np.random.default_rng(5)
    rows = []
    for _ in range(60):
        prompt, answer = ([f"w{word}" for word in chance.integers(0, 9999, 40)] for _ in range(2))
        edited = [*prompt[:20], "edited", *prompt[21:]]
        rows += [{"prompt": " ".join(one), "response": " ".join(answer)} for one in (prompt, edited)]
        rows.append({"prompt": " ".join(answer), "response": " ".join(prompt)})  # the other way round is no copy
    table = make_rows(*rows)
    on = ["prompt", "response"]
    found = minhash.decide(table.hstack(minhash.state(table, on=on)), on=on, threshold=0.8)
    assert found.signals["rank"].sum() == 60
    assert found.tables["join"]["sampled_pairs"].item() == found.tables["join"]["sampled_found"].item() == 120
