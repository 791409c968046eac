"""Identity, prompts, and the texts steps look at."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from curate import schema


def turns(*pairs: tuple[str, str]) -> list[dict[str, object]]:
    """Build messages."""
    return [{"role": role, "content": content, "train": role == "assistant"} for role, content in pairs]


def test_canonical_json_ignores_key_order_and_holds_any_integer() -> None:
    assert schema.canonical({"b": 1, "a": [True, None]}) == b'{"a":[true,null],"b":1}'
    assert schema.canonical({"n": 2**70}) == b'{"n":1180591620717411303424}'


def test_digests_keep_their_parts_apart() -> None:
    assert schema.digest("ab", "c") != schema.digest("a", "bc")
    assert len(schema.digest("x")) == 32


def test_row_ids_begin_with_their_record_and_differ_by_template_and_number() -> None:
    record = schema.digest("r")
    ids = {schema.row_id(record, template, number) for template in "ab" for number in range(2)}
    assert len(ids) == 4
    assert {one[: schema.PREFIX] for one in ids} == {record[: schema.PREFIX]}
    assert len({one[:8] for one in ids}) == 4


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (turns(("user", "q"), ("assistant", "a")), ("q", "a")),
        (turns(("system", "s"), ("user", "q"), ("assistant", "a")), ("system: s\nuser: q", "a")),
        (
            turns(("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b")),
            ("user: q\nassistant: a\nuser: r", "b"),
        ),
        (turns(("user", "q"), ("assistant", "a"), ("user", "thanks")), ("q", "a")),
    ],
)
def test_the_prompt_is_all_before_the_last_answer(messages: list[dict[str, object]], expected: tuple[str, str]) -> None:
    assert schema.prompt_and_response(messages) == expected


def test_a_conversation_without_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="no assistant turn"):
        schema.prompt_and_response(turns(("user", "q")))


def test_column_text_joins_trained_turns_and_renderings(make_rows: Callable[..., pl.DataFrame]) -> None:
    messages = turns(("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b"))
    rows = make_rows({"messages": messages, "prompt": "p", "response": "b"})
    assert schema.column_text(rows, "trained").to_list() == ["a\nb"]
    assert schema.column_text(rows, "rendered").to_list() == ["p\nb"]
    assert schema.column_text(rows, "response").to_list() == ["b"]
