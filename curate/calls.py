"""Calls of tools: found in conversations and checked against the schemas of the tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Longest text that is taken for a call, and longest schema that is checked against: ordinary ones have some thousand
# characters.
LONGEST = 50_000
# Keys of a schema that its author's text could misuse: expressions that never end, and places elsewhere.
_LEFT_OUT = frozenset({"pattern", "patternProperties", "format", "$ref", "$dynamicRef", "$schema", "$id"})
# Python's names of types, which some data sets write.
_TYPES = {"dict": "object", "str": "string", "int": "integer", "float": "number", "list": "array", "bool": "boolean"}
_OPENED, _CLOSED = "<tool_call>", "</tool_call>"
_DEEPEST = 30


def calls(
    messages: Sequence[Mapping[str, Any]], meta: Mapping[str, Any], *, declared: bool
) -> Iterator[tuple[str, Any]]:
    """Yield name and arguments of each call that the assistant makes; arguments in JSON are parsed, else left a text.

    Args:
        messages: the turns.
        meta: what the record had beside them; `turns` holds the calls of OpenAI messages.
        declared: whether the record says which tools there are; only then is a turn that is JSON taken for a call.
    """
    turns = meta.get("turns")
    beside = turns if isinstance(turns, Mapping) else {}
    for number, turn in enumerate(messages):
        if turn["role"] != "assistant":
            continue
        extra = beside.get(str(number)) or {}
        found = [*_listed(extra.get("tool_calls")), *_listed(extra.get("function_call"))]
        if not found:
            found = _written(str(turn["content"]), declared=declared)
        for call in found:
            call = call.get("function", call)
            if isinstance(call, Mapping) and isinstance(call.get("name"), str):
                arguments = call.get("arguments", call.get("parameters", {}))
                yield call["name"], _parsed(arguments) if isinstance(arguments, str) else arguments


def schemas(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema of the arguments of each tool by its name; None where the record names no tools."""
    tools = meta.get("tools", meta.get("functions"))
    tools = _parsed(tools) if isinstance(tools, str) else tools
    found: dict[str, Any] = {}
    for tool in tools if isinstance(tools, list) else ():
        one = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):
            found[one["name"]] = one.get("parameters", one.get("input_schema", {}))
    return found or None


def fault(name: str, arguments: Any, known: Mapping[str, Any] | None) -> str | None:
    """Return what is wrong with a call, None when nothing is or its schema cannot be read.

    Args:
        name: of the tool.
        arguments: parsed.
        known: of `schemas`; None checks the form alone.
    """
    if not isinstance(arguments, Mapping):
        return "the arguments are no JSON object"
    if known is None:
        return None
    if name not in known:
        return "no such tool"
    return _misfit(arguments, known[name])


def _misfit(arguments: Any, schema: Any) -> str | None:
    """Return where arguments break a JSON schema (draft 2020-12); nothing is fetched for it."""
    from jsonschema import Draft202012Validator  # needed for few rows
    from jsonschema.exceptions import SchemaError

    try:
        plain = _plain(schema)
        if not isinstance(plain, Mapping) or len(json.dumps(plain)) > LONGEST:
            return None
        Draft202012Validator.check_schema(plain)
        errors = Draft202012Validator(plain).iter_errors(arguments)
        first = next(iter(errors), None)
    except (SchemaError, RecursionError, ValueError, TypeError):
        return None
    if first is None:
        return None
    place = ".".join(str(key) for key in first.absolute_path)
    return f"{place or 'arguments'} breaks `{first.validator}`"


def _plain(schema: Any, depth: int = 0) -> Any:
    """Return a schema without the keys that are left out; one with references says too little then and is dropped.

    Raises:
        ValueError: when it is nested too deep or refers to another.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            raise ValueError("refers to another schema")
        kept = {key: _plain(value, depth + 1) for key, value in schema.items() if key not in _LEFT_OUT}
        # Some data sets write Python's names of types.
        names = {
            "dict": "object",
            "str": "string",
            "int": "integer",
            "float": "number",
            "list": "array",
            "bool": "boolean",
        }
        if isinstance(kept.get("type"), str):
            kept["type"] = names.get(kept["type"], kept["type"])
        return kept
    return [_plain(value, depth + 1) for value in schema] if isinstance(schema, list) else schema


def _listed(value: Any) -> list[Mapping[str, Any]]:
    value = _parsed(value) if isinstance(value, str) else value
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping)]


def _written(text: str, *, declared: bool) -> list[Mapping[str, Any]]:
    """Return the calls that a turn consists of, or marks by tags."""
    parts = (part.partition(_CLOSED) for part in text.split(_OPENED)[1:])
    tagged = [inside.strip() for inside, closed, _ in parts if closed]
    if tagged:
        return [one for part in tagged for one in _listed(part) or [{"name": "", "arguments": part}]]
    whole = text.strip()
    if not declared or whole[:1] not in ("{", "[") or len(whole) > LONGEST:
        return []
    return [one for one in _listed(whole) if "name" in one.get("function", one)]


def _parsed(text: str) -> Any:
    """Return JSON as data, and what is no JSON as it is."""
    if len(text) > LONGEST:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
