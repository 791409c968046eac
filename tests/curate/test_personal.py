from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import lay_out

import curate
from curate import personal, rulebook

LABELLED = Path(__file__).parents[2] / "bench" / "data" / "personal.jsonl"
KEY = "-----BEGIN {0}KEY-----\nMIIEowIBAAKCAQEAq7Rz2LwX9mTb4KdV8sNc1\nc1JfH6gYp3EaU5oBi==\n-----END {0}KEY-----"


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("write to a.b@web.de or +44 20 7219 3042", "write to [EMAIL] or [PHONE]", {"email", "phone"}),
        ("pay DE89 3704 0044 0532 0130 00 today", "pay [IBAN] today", {"iban"}),
        ("postgres://app:Vk82hsLqPz@db.corp.io/shop", "postgres://app:[SECRET]@db.corp.io/shop", {"secret"}),
        (f"key:\n{KEY.format('RSA PRIVATE ')}\nend", "key:\n[SECRET]\nend", {"secret"}),
        ("user@example.com, 555-0142", "user@example.com, 555-0142", set()),
    ],
)
def test_masks_say_what_stood_there(before: str, after: str, kinds: set[str]) -> None:
    assert personal.masked(before, personal.KINDS) == (after, kinds)


def test_a_private_key_is_masked_to_its_end_and_a_public_one_not_at_all() -> None:
    cut_off = KEY.format("PRIVATE ").split("\n-----END")[0]
    assert personal.masked(cut_off, ["secret"])[0] == "[SECRET]"
    assert personal.masked(KEY.format("PUBLIC "), ["secret"])[0] == KEY.format("PUBLIC ")


def test_only_the_kinds_asked_for_are_masked() -> None:
    text = "a.b@web.de 81.2.69.142"
    assert personal.masked(text, ["ip"]) == ("a.b@web.de [IP]", {"ip"})


def test_cheap_tests_before_the_patterns_miss_nothing() -> None:
    patterns = rulebook.patterns("pii")
    texts = [json.loads(line)["text"] for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    texts += [hit for pattern in patterns for hit in (*pattern.hits, *pattern.misses)]
    whole = [personal.find(text, patterns) for text in texts]
    assert personal.find_all(pl.Series(texts)) == whole
    assert [personal.find_in(text) for text in texts] == whole


PIECES = st.sampled_from(
    [
        *("a.b@web.de", "+44 20 7219 3042", "4111 1111 1111 1111", "81.2.69.142", "536-90-4399", "x://a:Vk82hsLqPz@b"),
        *("tel ", "GB82 WEST 1234 5698 7654 32", " ", "", "-", ".", "@", "1", "[", "]", "\n", "call me "),
    ]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=8).map("".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    once, _ = personal.masked(text, personal.KINDS)
    assert personal.masked(once, personal.KINDS) == (once, set())
    assert personal.find_in(once) == []


def test_the_labelled_texts_are_many_and_few_are_wrong() -> None:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    wrong = [row["text"] for row in rows if {span[0] for span in personal.find_in(row["text"])} != set(row["kinds"])]
    assert len(rows) >= 400
    assert len(wrong) <= 0.05 * len(rows), wrong


MASKING = """
name = "tiny"
[[sources]]
name = "qa"
path = "qa0.jsonl"
task = "qa_open"
clean = { mask = ["email", "secret"] }
[[stages]]
name = "checks"
steps = [{ step = "pii" }]
"""


def test_masks_at_ingest_reach_every_column_and_leave_identities_alone(tmp_path: Path) -> None:
    records = [{"question": "Whose is a.b@web.de?", "answer": "Ring 212-664-7665", "note": "c.d@web.de"}]
    masked = curate.run(
        curate.load_recipe(lay_out(tmp_path / "a", records, recipe=MASKING)), out=tmp_path / "a" / "run"
    )
    plain = lay_out(tmp_path / "b", records, recipe=MASKING.replace("clean", "#"))
    bare = curate.run(curate.load_recipe(plain), out=tmp_path / "b" / "run")
    row, other = masked.rows.row(0, named=True), bare.rows.row(0, named=True)
    assert "web.de" not in str(row) and "[EMAIL]" in row["prompt"] and "[EMAIL]" in row["meta"]
    assert row["pii.kinds"] == ["phone"] and other["pii.kinds"] == ["email", "phone"]
    assert row["id"] == other["id"]
    assert masked.manifest["sources"][0]["repairs"] == {"masked email": 2}
