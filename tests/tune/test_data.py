from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from conversations import frame, sums, talk
from hypothesis import given
from hypothesis import strategies as st
from tiny_tokenizer import SPECIAL, WORDS, write_tokenizer

from curate import tokenizer
from curate.errors import UserError
from tune import data

NAMES = [*SPECIAL, *WORDS]
ASKED = ("user", "what is two and two ?")


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> tokenizer.Tokenizer:
    return tokenizer.load(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def words(example: data.Example) -> tuple[str, str]:
    """Return all tokens, and those that are trained on."""
    named = [NAMES[number] for number in example.ids]
    trained = [word for word, wanted in zip(named, example.trained, strict=True) if wanted]
    return " ".join(named), " ".join(trained)


def test_the_answer_and_its_end_are_trained_and_nothing_else(coder: tokenizer.Tokenizer) -> None:
    found = data.encode(frame(talk(ASKED, ("assistant", "four ."))), coder=coder, window=64)
    assert words(found.examples[0]) == (
        "<|start|> user what is two and two ? <|end|> <|start|> assistant four . <|end|>",
        "four . <|end|>",
    )
    assert (found.tokens, found.trained, found.truncated) == (14, 3, 0)


def test_of_several_turns_those_marked_are_trained(coder: tokenizer.Tokenizer) -> None:
    turns = [ASKED, ("assistant", "two"), ("user", "what ?"), ("assistant", "four")]
    both, last = (talk(*turns), talk(*turns, untrained=(1,)))
    found = data.encode(frame(both, last), coder=coder, window=64)
    assert [words(one)[1] for one in found.examples] == ["two <|end|> four <|end|>", "four <|end|>"]
    assert found.examples[0].ids == found.examples[1].ids


def test_what_follows_the_last_trained_token_is_left_out(coder: tokenizer.Tokenizer) -> None:
    turns = talk(ASKED, ("assistant", "two"), ("user", "what ?"), ("assistant", "four"), untrained=(3,))
    example = data.encode(frame(turns), coder=coder, window=64).examples[0]
    assert words(example)[0].endswith("assistant two <|end|>")


def test_truncation_is_counted(coder: tokenizer.Tokenizer) -> None:
    found = data.encode(frame(talk(ASKED, ("assistant", "four ."))), coder=coder, window=12)
    assert found.truncated == 1
    assert words(found.examples[0])[1] == "four"


def test_rows_with_nothing_left_to_train_on_are_refused(coder: tokenizer.Tokenizer) -> None:
    rows = frame(talk(("user", "?"), ("assistant", "four")), talk(ASKED, ("assistant", "four")))
    with pytest.raises(UserError, match=r"1 of 2 rows have no trained token .*row01.*max = 10"):
        data.encode(rows, coder=coder, window=11)


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    bare = tokenizer.load(write_tokenizer(tmp_path / "bare", template=None))
    with pytest.raises(UserError, match="no chat template"):
        data.encode(sums(1), coder=bare, window=64)


def test_rows_that_the_template_refuses_are_counted(tmp_path: Path) -> None:
    template = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    path = write_tokenizer(tmp_path / "strict", template=template + "{{ m.content }}<|end|>{% endfor %}")
    rows = frame(talk(ASKED, ("assistant", "two")), talk(("system", "hello"), ASKED, ("assistant", "two")))
    with pytest.raises(UserError, match=r"1 of 2 rows.*no system.*row01"):
        data.encode(rows, coder=tokenizer.load(path), window=64)


def test_copies_are_examples_of_their_own(coder: tokenizer.Tokenizer) -> None:
    rows = sums(2).with_columns(copies=pl.Series([1, 3]))
    found = data.encode(rows, coder=coder, window=64)
    assert [one.id for one in found.examples] == ["row00", "row01", "row01#2", "row01#3"]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_has_every_row_once(count: int, size: int, epoch: int) -> None:
    examples = [data.Example(f"{n}", [0] * (n % 7 + 2), None) for n in range(count)]  # type: ignore[arg-type]
    found = data.batches(examples, size=size, seed=3, epoch=epoch)
    assert sorted(place for part in found for place in part) == list(range(count))
    assert max(map(len, found)) <= size


def test_batches_hold_rows_of_about_one_length_in_another_order_each_epoch() -> None:
    examples = [data.Example(f"{n}", [0] * (n + 2), None) for n in range(64)]  # type: ignore[arg-type]
    first, second = (data.batches(examples, size=8, seed=0, epoch=epoch) for epoch in (0, 1))
    assert all(max(part) - min(part) == 7 for part in first)
    assert first != second
    assert first == data.batches(examples, size=8, seed=0, epoch=0)
    assert first != data.batches(examples, size=8, seed=1, epoch=0)


def test_files_of_conversations_are_read_in_any_format(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "there"}]
    (tmp_path / "messages.jsonl").write_text(json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": turns}))
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "hello", "completion": "there"}\n')
    frame(talk(("user", "hello"), ("assistant", "there"))).write_parquet(tmp_path / "rows.parquet")
    found = [data.rows(tmp_path / name) for name in ("messages.jsonl", "pairs.jsonl", "rows.parquet")]
    assert [one.height for one in found] == [2, 1, 1]
    assert found[0]["messages"][0].to_list() == found[1]["messages"][0].to_list() == found[2]["messages"][0].to_list()
    assert found[0]["id"].n_unique() == 2


def test_a_broken_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    path.write_text(f"{good}\n{good}\n{{broken\n")
    with pytest.raises(UserError, match="line 3"):
        data.rows(path)


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a run directory nor a file"):
        data.rows(tmp_path)
