from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import personal

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
