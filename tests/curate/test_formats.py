"""Instruction formats: what is told from keys, and what becomes of each record."""

from __future__ import annotations

import json

import pytest

from curate import formats


def said(*turns):
    """Return turns in our form from (role, content[, train])."""
    return [{"role": t[0], "content": t[1], "train": t[2] if len(t) > 2 else t[0] == "assistant"} for t in turns]


def read(data, format, **fields):
    return formats.conversation(data, format=format, fields=fields)


# --- Alpaca


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, said(("user", "Add."), ("assistant", "3"))),
        ({"input": ""}, said(("user", "Add."), ("assistant", "3"))),
        ({"input": None}, said(("user", "Add."), ("assistant", "3"))),
        ({"input": "1 2"}, said(("user", "Add.\n\n1 2"), ("assistant", "3"))),
        ({"input": "1 2", "instruction": ""}, said(("user", "1 2"), ("assistant", "3"))),
        ({"output": ""}, said(("user", "Add."), ("assistant", ""))),
        ({"system": "Be brief."}, said(("system", "Be brief."), ("user", "Add."), ("assistant", "3"))),
        ({"system": "", "history": []}, said(("user", "Add."), ("assistant", "3"))),
        (
            {"history": [["Hi", "Hello"]]},
            said(("user", "Hi"), ("assistant", "Hello"), ("user", "Add."), ("assistant", "3")),
        ),
    ],
)
def test_alpaca(extra, expected):
    data = {"instruction": "Add.", "output": "3"} | extra
    assert read(data, "alpaca") == (expected, {})


def test_other_columns_go_to_meta_untouched():
    data = {"instruction": "a", "output": "b", "id": 7, "tags": ["x", {"y": None}]}
    assert read(data, "alpaca")[1] == {"id": 7, "tags": ["x", {"y": None}]}


def test_fields_rename_and_reach_inside():
    data = {"instruction": "Do.", "instances": [{"input": "x", "output": "y"}], "id": 1}
    turns, meta = read(data, "alpaca", input="instances.0.input", output="instances.0.output")
    assert turns == said(("user", "Do.\n\nx"), ("assistant", "y"))
    assert meta == {"instances": [{"input": "x", "output": "y"}], "id": 1}


def test_lists_are_read_by_number():
    turns, meta = read(["question", "answer", "more"], "prompt_completion", prompt="0", completion="1")
    assert turns == said(("user", "question"), ("assistant", "answer"))
    assert meta == {"2": "more"}


# --- ShareGPT


@pytest.mark.parametrize(
    ("speaker", "role"),
    [
        ("human", "user"),
        ("User", "user"),
        ("gpt", "assistant"),
        ("chatgpt", "assistant"),
        ("bot", "assistant"),
        ("model", "assistant"),
        ("assistant", "assistant"),
        ("system", "system"),
        ("tool", "tool"),
        ("observation", "tool"),
        ("function_call", "assistant"),
    ],
)
def test_sharegpt_speakers(speaker, role):
    data = {"conversations": [{"from": speaker, "value": "x"}, {"from": "gpt", "value": "y"}]}
    assert read(data, "sharegpt") == (said((role, "x"), ("assistant", "y")), {})


def test_sharegpt_with_system_and_tools_beside():
    data = {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y", "weight": 0}]}
    turns, meta = read(data | {"system": "s", "tools": "[]"}, "sharegpt")
    assert turns == said(("system", "s"), ("user", "x"), ("assistant", "y", False))
    assert meta == {"tools": "[]", "turns": {"2": {"weight": 0}}}


def test_sharegpt_with_the_system_prompt_twice():
    turns = [{"from": "system", "value": "s"}, {"from": "gpt", "value": "y"}]
    assert read({"conversations": turns, "system": "s"}, "sharegpt")[0] == said(("system", "s"), ("assistant", "y"))
    with pytest.raises(ValueError, match="two different system prompts"):
        read({"conversations": turns, "system": "other"}, "sharegpt")


# --- messages


def test_messages():
    data = {
        "messages": [
            {"role": "developer", "content": "s"},
            {"role": "user", "content": "x", "name": "Ann"},
            {"role": "assistant", "content": "y", "weight": 0},
            {"role": "user", "content": "z", "tool_calls": None},
            {"role": "assistant", "content": "w", "train": False},
            {"role": "assistant", "content": "v", "weight": 1},
        ],
        "tools": [{"type": "function"}],
    }
    turns, meta = read(data, "messages")
    assert turns == said(
        ("system", "s"), ("user", "x"), ("assistant", "y", False), ("user", "z"), ("assistant", "w", False),
        ("assistant", "v"),
    )  # fmt: skip
    extras = {"0": {"role": "developer"}, "1": {"name": "Ann"}, "2": {"weight": 0}, "5": {"weight": 1}}
    assert meta == {"tools": [{"type": "function"}], "turns": extras}


CALLS = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
CALLS_TEXT = '[{"function":{"arguments":"{}","name":"f"},"id":"1","type":"function"}]'


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"role": "assistant", "content": None, "tool_calls": CALLS}, CALLS_TEXT),
        ({"role": "assistant", "tool_calls": CALLS}, CALLS_TEXT),
        ({"role": "assistant", "content": "", "tool_calls": CALLS}, CALLS_TEXT),
        ({"role": "assistant", "content": "Wait.", "tool_calls": CALLS}, "Wait.\n" + CALLS_TEXT),
        ({"role": "assistant", "content": None, "function_call": {"name": "f"}}, '{"name":"f"}'),
        ({"role": "tool", "content": "4", "tool_call_id": "1"}, "4"),
        ({"role": "function", "content": "4", "name": "f"}, "4"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, "a"),
        ({"role": "user", "content": "plain"}, "plain"),
    ],
)
def test_messages_come_back_from_meta_exactly(message, content):
    turns, meta = read({"messages": [message, {"role": "assistant", "content": "end"}]}, "messages")
    assert turns[0]["content"] == content
    again = {"role": turns[0]["role"], "content": content, **meta.get("turns", {}).get("0", {})}
    assert again == {"content": content, **message}
    assert json.loads(json.dumps(meta)) == meta


def test_a_column_called_turns_is_kept_apart():
    data = {"messages": [{"role": "assistant", "content": "x", "name": "n"}], "turns": 3, "turns_": 4, "id": 1}
    meta = read(data, "messages")[1]
    assert meta == {"turns_": 3, "turns__": 4, "id": 1, "turns": {"0": {"name": "n"}}}
    assert formats.own_meta(meta) == {"turns": 3, "turns_": 4, "id": 1}


# --- prompt and completion


def test_prompt_and_completion_as_texts():
    data = {"prompt": "p", "completion": "", "system": "s", "template": "t"}
    assert read(data, "prompt_completion") == (
        said(("system", "s"), ("user", "p"), ("assistant", "")),
        {"template": "t"},
    )


def test_prompt_and_completion_as_messages():
    data = {
        "prompt": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c", "name": "n"},
        ],
        "completion": [{"role": "assistant", "content": "d", "weight": 1}],
    }
    turns, meta = read(data, "prompt_completion")
    assert turns == said(("user", "a"), ("assistant", "b", False), ("user", "c"), ("assistant", "d"))
    assert meta == {"turns": {"2": {"name": "n"}, "3": {"weight": 1}}}


# --- what is broken


@pytest.mark.parametrize(
    ("format", "data", "cause"),
    [
        ("alpaca", {"instruction": "a"}, "no field 'output'; there is: instruction"),
        ("alpaca", {"instruction": "a", "output": None}, "`output` is null, not a text"),
        ("alpaca", {"instruction": 3, "output": "b"}, "`instruction` is a number, not a text"),
        ("alpaca", {"instruction": "a", "output": ["b"]}, "`output` is a list, not a text"),
        ("alpaca", {"instruction": "a", "input": True, "output": "b"}, "`input` is a boolean, not a text"),
        ("alpaca", {"instruction": "a", "output": "b", "history": "x"}, "`history` is a string, not a list of pairs"),
        ("alpaca", {"instruction": "a", "output": "b", "history": [["x"]]}, "entry 1 is not a pair"),
        ("alpaca", {"instruction": "a", "output": "b", "history": [["x", None]]}, "`history` entry 1 is null"),
        ("alpaca", ["a"], "no field 'instruction'"),
        ("sharegpt", {"conversations": []}, "the conversation is empty"),
        ("sharegpt", {"conversations": None}, "the conversation is null, not a list of turns"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "x"}]}, "no assistant turn"),
        ("sharegpt", {"conversations": [{"from": "humn", "value": "x"}]}, "turn 1 is spoken by 'humn'"),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": None}]}, "`value` of turn 1 is null"),
        ("sharegpt", {"conversations": [{"from": None, "value": "x"}]}, "the speaker of turn 1 is null"),
        ("sharegpt", {"conversations": [{"role": "gpt", "content": "x"}]}, "turn 1 has no `from`; it has: role"),
        ("sharegpt", {"conversations": ["x"]}, "turn 1 is a string, not an object"),
        ("messages", {"messages": [{"role": "assistant", "content": None}]}, "null and no tool is called"),
        ("messages", {"messages": [{"role": "assistant", "content": 5}]}, "`content` of turn 1 is a number"),
        ("messages", {"messages": [{"role": "assistant"}]}, "turn 1 has no `content`"),
        ("messages", {"messages": [{}]}, "turn 1 has no `role`; it has: nothing"),
        ("messages", {"messages": [{"role": "critic", "content": "x"}]}, "which is no known role"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "no text (image_url)"),
        ("messages", {"messages": [{"role": "user", "content": ["x"]}]}, "no text (a string)"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "a text part of turn 1 is null"),
        ("messages", {"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}, "neither 0 nor 1"),
        ("messages", {"messages": [{"role": "assistant", "content": "x", "train": "no"}]}, "not true or false"),
        ("messages", {"messages": {"role": "user"}}, "the conversation is an object"),
        ("prompt_completion", {"prompt": "a", "completion": None}, "`completion` is null"),
        ("prompt_completion", {"prompt": None, "completion": "a"}, "`prompt` is null"),
        ("prompt_completion", {"prompt": "a", "completion": []}, "no assistant turn in `completion`"),
        (
            "prompt_completion",
            {"prompt": [{"role": "assistant", "content": "x"}], "completion": [{"role": "user", "content": "y"}]},
            "no assistant turn in `completion`",
        ),
    ],
)
def test_broken_records_say_why(format, data, cause):
    with pytest.raises(ValueError) as caught:
        read(data, format)
    assert cause in str(caught.value)


def test_every_format_has_its_fields():
    assert set(formats.FIELDS) == set(formats.FORMATS)
