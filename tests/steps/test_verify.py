from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from curate.steps.verify import verify

Rows = Callable[..., pl.DataFrame]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city"],
        },
    },
}


def failed(make_rows: Rows, response: str, **row: Any) -> list[str] | None:
    found = verify(make_rows({"response": response, **row})).signals["failed"][0]
    return None if found is None else found.to_list()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("48/2 = <<48/2=24>>24 clips\n#### 24", []),
        ("48/2 = <<48/2=23>>23 clips\n#### 23", ["arithmetic"]),
        ("48/2 = <<48/2=24>>24 clips\n#### 99", ["answer"]),
        ("6 * 7 = 42. The answer is 42.", []),
        ("3 + 4 = 7. Please answer 10 questions", []),
        ("3 + 4 = 7. Answer: 8", ["answer"]),
        ("96 / 4 = 24 seconds, and ten times that for a kilometre. Answer: 240", []),
        ("96 / 4 = 24 seconds, and twice that on the way back. Answer: 48", []),
        ("9 - 4 = 5, so Betty needs $5 more. Answer: 8", ["answer"]),
        ("3 + 4 = 7, so the answer = 7", []),
        ("```json\n[" + "9" * 5000 + "]\n```", []),
        ("no numbers at all", None),
        ("```python\nprint('a')\n```", []),
        ("```python\nprint('a'\n```", ["python"]),
        ("```py\n>>> 1 + 1\n2\n```", []),
        ('```json\n{"a": 1}\n```', []),
        ("```json\n{'a': 1}\n```", ["json"]),
        ("```toml\na = 1\n```", []),
        ('```json\n{"a": NaN}\n```', ["json"]),
        ("```rust\nfn main( {\n```", None),
        ("~~~python\nprint('a'\n~~~", ["python"]),
        ("~~~python\nprint('```')\n```\n~~~", ["python"]),
        ('```python title="a.py"\nprint(\n```', ["python"]),
        ("```python\n!pip install polars\n%matplotlib inline\nx = 5\n```", []),
        ("```python\n!pip install polars\nx = (5\n```", ["python"]),
        ("```python\ntext = '''\n%d items'''\n```", []),
        ("3 + 4 = 7. **Answer:** 8", ["answer"]),
        ("3 + 4 = 7. **Answer: 7**", []),
        ("3 + 4 = 7, so it is $\\boxed{8}$.", ["answer"]),
        ("3 + 4 = 7, so it is $\\boxed{7}$.", []),
        ("3 + 4 = 7, so it is $\\boxed{8x}$.", []),
        ("```\nprint 'a'\n```", None),
    ],
)
def test_checks_what_can_be_checked(make_rows: Rows, response: str, expected: list[str] | None) -> None:
    assert failed(make_rows, response) == expected


def test_maths_is_checked_against_its_rationale(make_rows: Rows) -> None:
    slots = json.dumps({"question": "q", "answer": "72", "rationale": "6 * 12 = 72 eggs."})
    assert failed(make_rows, "72", task="math", slots=slots) == []
    wrong = json.dumps({"question": "q", "answer": "70", "rationale": "6 * 12 = 72 eggs."})
    assert failed(make_rows, "70", task="math", slots=wrong) == ["answer"]


def called(name: str, arguments: Any) -> dict[str, Any]:
    return {"turns": {"1": {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}}, "tools": [TOOL]}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (called("weather", '{"city": "Oslo", "unit": "C"}'), []),
        (called("weather", '{"unit": "C"}'), ["tool_call"]),
        (called("weather", '{"city": "Oslo", "unit": "K"}'), ["tool_call"]),
        (called("weather", '{"city": "Oslo"'), ["tool_call"]),
        (called("wether", '{"city": "Oslo"}'), ["tool_call"]),
        ({"tools": json.dumps([TOOL])}, None),
    ],
)
def test_calls_are_held_to_their_schema(make_rows: Rows, meta: dict[str, Any], expected: list[str] | None) -> None:
    assert failed(make_rows, "a call", meta=json.dumps(meta)) == expected


def held(make_rows: Rows, schema: Any, arguments: Any) -> list[str] | None:
    meta = {**called("weather", arguments), "tools": [{"name": "weather", "parameters": schema}]}
    return failed(make_rows, "a call", meta=json.dumps(meta))


@pytest.mark.parametrize("function", [None, 5, "weather", []])
def test_a_call_without_a_function_is_none(make_rows: Rows, function: Any) -> None:
    text = json.dumps({"function": function})
    turns = [{"role": "user", "content": "q", "train": False}, {"role": "assistant", "content": text, "train": True}]
    assert failed(make_rows, text, messages=turns, meta=json.dumps({"tools": [TOOL]})) is None
    assert failed(make_rows, text, messages=turns, meta=json.dumps({"tools": [TOOL], "turns": {"1": [5]}})) is None


def test_numbers_that_no_float_holds_have_no_verdict(make_rows: Rows) -> None:
    half = {"properties": {"n": {"multipleOf": 0.5}}}
    assert held(make_rows, half, {"n": 10**400}) == []
    assert held(make_rows, half, {"n": 0.7}) == ["tool_call"]
    assert held(make_rows, half, '{"n": ' + "9" * 5000 + "}") is None


def test_parameters_may_be_called_as_keywords_are(make_rows: Rows) -> None:
    schema = {"properties": {"format": {"enum": ["csv"]}, "$id": {"type": "int"}}, "additionalProperties": False}
    assert held(make_rows, schema, {"format": "csv", "$id": 1}) == []
    assert held(make_rows, schema, {"format": "xml"}) == ["tool_call"]
    assert held(make_rows, schema, {"other": 1}) == ["tool_call"]


def test_what_is_left_out_of_a_schema_makes_no_call_wrong(make_rows: Rows) -> None:
    assert held(make_rows, {"properties": {"a": {"not": {"pattern": "b"}}}}, {"a": "c"}) == []
    assert held(make_rows, {"patternProperties": {"^x": {}}, "additionalProperties": False}, {"x1": 1}) == []


def test_long_arguments_are_not_judged(make_rows: Rows) -> None:
    assert held(make_rows, {}, json.dumps({"a": "b" * 60_000})) is None
    unique = {"properties": {"a": {"uniqueItems": True}}}
    assert held(make_rows, unique, {"a": [{"b": 1}, {"b": 1}]}) == ["tool_call"]
    assert held(make_rows, unique, {"a": [{"b": 1}] * 20_000}) == []


def test_tags_that_a_text_is_about_are_no_calls(make_rows: Rows) -> None:
    text = "Use <tool_call>NAME</tool_call> tags."
    turns = [{"role": "user", "content": "q", "train": False}, {"role": "assistant", "content": text, "train": True}]
    assert failed(make_rows, text, messages=turns) is None
    assert failed(make_rows, text, messages=turns, meta=json.dumps({"tools": [TOOL]})) == ["tool_call"]


def test_calls_written_as_text_are_read_where_tools_are_declared(make_rows: Rows) -> None:
    text = '{"name": "weather", "arguments": {"town": "Oslo"}}'
    turns = [{"role": "user", "content": "q", "train": False}, {"role": "assistant", "content": text, "train": True}]
    assert failed(make_rows, text, messages=turns, meta=json.dumps({"tools": [TOOL]})) == ["tool_call"]
    assert failed(make_rows, text, messages=turns) is None
    tagged = f"<tool_call>\n{text}\n</tool_call>"
    turns[1] = {**turns[1], "content": tagged}
    assert failed(make_rows, tagged, messages=turns) == []


def test_a_schema_that_points_elsewhere_or_never_ends_has_no_verdict(make_rows: Rows) -> None:
    for schema in ({"$ref": "http://x.test/a"}, {"properties": {"city": {"pattern": "(a+)+$"}}}, {"type": 3}):
        tool = {"name": "weather", "parameters": schema}
        meta = {**called("weather", {"city": "a" * 50 + "!"}), "tools": [tool]}
        assert failed(make_rows, "a call", meta=json.dumps(meta)) == []


def test_definitions_of_a_schema_are_followed_and_come_to_an_end(make_rows: Rows) -> None:
    point = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    for name in ("$defs", "definitions"):
        place = {"$ref": f"#/{name}/point", "description": "where to"}
        schema = {"properties": {"at": {"type": "array", "items": place}}, name: {"point": point}}
        assert held(make_rows, schema, {"at": [{"x": 1}]}) == []
        assert held(make_rows, schema, {"at": [{"x": "1"}]}) == ["tool_call"]
    named = {"properties": {"definitions": {"type": "string"}, "$defs": {}}, "additionalProperties": False}
    assert held(make_rows, named, {"definitions": "a", "$defs": 1}) == []
    itself = {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}}}}
    assert held(make_rows, itself, {"a": 5}) == []
    twice = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    assert held(make_rows, {"properties": {"a": {"$ref": "#/$defs/a0"}}, "$defs": twice}, {"a": 5}) == []


@pytest.mark.parametrize("block", ["(" * 5000, "-" * 18000 + "1", "a." * 9000 + "a", "[" * 18000, "\x00", "9" * 5000])
@pytest.mark.parametrize("language", ["python", "json", "toml"])
def test_hostile_blocks_end_with_a_verdict_or_none(make_rows: Rows, block: str, language: str) -> None:
    found = verify(make_rows({"response": f"```{language}\n{block}\n```"})).signals
    assert found["checked"][0] == 1


def test_faults_tell_what_is_wrong(make_rows: Rows) -> None:
    rows = make_rows({"response": "2 + 2 = 5"})
    assert verify(rows).tables["faults"].rows() == [(rows["id"][0], "arithmetic", "2 + 2 = 5", "is 4")]
