"""Detection: the format is told from the keys of the records, with the reason."""

from __future__ import annotations

import pytest

from curate import formats

TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("record", "format", "fields"),
    [
        ({"instruction": "a", "input": "", "output": "b"}, "alpaca", {}),
        ({"instruction": "a", "output": "b"}, "alpaca", {}),
        (
            {"instruction": "a", "context": "c", "response": "b", "category": "d"},
            "alpaca",
            {"input": "context", "output": "response"},
        ),
        (
            {"instruction": "a", "response": "b"},
            "prompt_completion",
            {"prompt": "instruction", "completion": "response"},
        ),
        ({"conversations": [{"from": "human", "value": "x"}]}, "sharegpt", {}),
        ({"conversation": [{"from": "human", "value": "x"}]}, "sharegpt", {"messages": "conversation"}),
        ({"conversations": TURNS}, "messages", {"messages": "conversations"}),
        ({"messages": TURNS}, "messages", {}),
        ({"prompt": "a", "prompt_id": "1", "messages": TURNS, "chosen": TURNS}, "messages", {}),
        ({"prompt": "a", "chosen": TURNS, "rejected": TURNS}, "messages", {"messages": "chosen"}),
        ({"chosen": TURNS, "rejected": TURNS}, "messages", {"messages": "chosen"}),
        ({"prompt": TURNS[:1], "chosen": TURNS[1:]}, "prompt_completion", {"completion": "chosen"}),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "prompt_completion", {"completion": "chosen"}),
        ({"prompt": "a", "completion": "b", "template": "c"}, "prompt_completion", {}),
        ({"prompt": TURNS[:1], "completion": TURNS[1:]}, "prompt_completion", {}),
        ({"question": "a", "answer": "b"}, "prompt_completion", {"prompt": "question", "completion": "answer"}),
        ({"inputs": "a", "targets": "b"}, "prompt_completion", {"prompt": "inputs", "completion": "targets"}),
        ({"input": "a", "output": "b"}, "prompt_completion", {"prompt": "input", "completion": "output"}),
        (
            {"system_prompt": "s", "question": "a", "response": "b"},
            "prompt_completion",
            {"prompt": "question", "completion": "response", "system": "system_prompt"},
        ),
    ],
)
def test_formats_are_told_and_can_be_read(record, format, fields):
    found = formats.detect([record] * 3)
    assert found is not None
    assert (found.format, found.fields) == (format, fields)
    assert found.why.startswith(f"{format}, because `")
    assert found.why.endswith("in 3 of 3 records")
    if "assistant" in str(record) or "conversation" not in str(record):
        assert formats.conversation(record, format=found.format, fields=found.fields)[0][-1]["role"] == "assistant"


@pytest.mark.parametrize(
    "record",
    [
        {"text": "a", "label": "b"},
        {"question": "a", "answer": "b", "choices": ["b"]},
        {"question": "a", "answer": "b", "label": "No"},
        {"context": "c", "question": "a", "answer": "b"},
        {"instruction": "a", "instances": []},
        {"messages": "text"},
        {"prompt": 1, "completion": 2},
        ["a", "b"],
        {},
    ],
)
def test_other_data_is_in_no_format(record):
    assert formats.detect([record] * 3) is None


def test_the_reason_counts_the_sample():
    sample = [{"conversations": [{"from": "human", "value": "x"}]}] * 998 + [{"conversations": []}, ["odd"]]
    found = formats.detect(sample)
    assert found is not None
    assert found.why == "sharegpt, because `conversations[].from` exists in 998 of 1,000 records"


def test_a_minority_is_no_format():
    assert formats.detect([]) is None
    assert formats.detect([{"prompt": "a", "completion": "b"}] + [{"text": "x"}] * 2) is None
