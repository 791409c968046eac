"""Calls of tools: found in conversations and checked against the schemas of the tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Longest text that is taken for a call, and longest schema that is checked against: ordinary ones have some thousand
# characters.
LONGEST = 50_000
# Keys of a schema that its author's text could misuse: expressions that never end, and places elsewhere.
_LEFT_OUT = frozenset(
    {"pattern", "patternProperties", "format", "$dynamicRef", "$schema", "$id"}
    | {"unevaluatedProperties", "unevaluatedItems"}  # nested, they take time that doubles with each level
)
# Keys whose values are schemas by names of the author's own, and those whose values are data.
_BY_NAME = frozenset({"properties", "dependentSchemas", "$defs", "definitions"})
_DATA = frozenset({"enum", "const", "default", "examples", "required", "dependentRequired"})
# Where a schema that asks for less would make a right call wrong.
_TURNING = frozenset({"not", "oneOf", "if", "contains"})
# Characters of the arguments times characters of schema or arguments, whichever has more: each item may be compared
# with all others (`uniqueItems`). 8,000 characters of small objects, 700, take two seconds.
_MOST_WORK = 8_000**2
# Python reads no number of more digits (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits).
_VAST = re.compile(r"\d{4301}")
# Python's names of types, which some data sets write.
_TYPES = {"dict": "object", "str": "string", "int": "integer", "float": "number", "list": "array", "bool": "boolean"}
_OPENED, _CLOSED = "<tool_call>", "</tool_call>"
_DEEPEST = 30
# References to definitions of the schema itself (`#/$defs/point`) are written out: more of them than a tool needs, and
# few enough that definitions which hold each other twice come to an end.
_REFERENCES = 50
_ASIDE = frozenset({"$defs", "definitions"})
_LOCAL = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")


def calls(
    messages: Sequence[Mapping[str, Any]], meta: Mapping[str, Any], *, declared: bool
) -> Iterator[tuple[str, Any]]:
    """Yield name and arguments of each call that the assistant makes; arguments in JSON are parsed, else left a text.

    Calls whose arguments are a text too long to be read are passed over.

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
        extra = beside.get(str(number))
        found = []
        if isinstance(extra, Mapping):
            found = [*_listed(extra.get("tool_calls")), *_listed(extra.get("function_call"))]
        for call in found or _written(str(turn["content"]), declared=declared):
            named = _named(call)
            if named is None:
                continue
            arguments = named.get("arguments", named.get("parameters", {}))
            if not isinstance(arguments, str):
                yield named["name"], arguments
            elif len(arguments) <= LONGEST and not _VAST.search(arguments):
                yield named["name"], _parsed(arguments)


def schemas(meta: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema of the arguments of each tool by its name; None where the record names no tools."""
    tools = meta.get("tools", meta.get("functions"))
    tools = _parsed(tools) if isinstance(tools, str) else tools
    found: dict[str, Any] = {}
    for tool in tools if isinstance(tools, list) else ():
        one = _named(tool) if isinstance(tool, Mapping) else None
        if one is not None:
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
        if not isinstance(schema, Mapping) or len(json.dumps(schema)) > LONGEST:
            return None
        plain = _plain(_written_out(schema, schema, iter(range(_REFERENCES))))
        written, given = len(json.dumps(plain)), len(json.dumps(arguments))
        if written > LONGEST or given * max(written, given) > _MOST_WORK:
            return None
        Draft202012Validator.check_schema(plain)
        errors = Draft202012Validator(plain).iter_errors(arguments)
        first = next(iter(errors), None)
    except (SchemaError, RecursionError, ValueError, TypeError, ArithmeticError):
        return None  # one of these is raised by numbers that no float holds
    if first is None:
        return None
    place = ".".join(str(key) for key in first.absolute_path)
    return f"{place or 'arguments'} breaks `{first.validator}`"


def _written_out(part: Any, schema: Mapping[str, Any], left: Iterator[int], depth: int = 0) -> Any:
    """Return a part of a schema with the definitions that it refers to in place of their names.

    Raises:
        ValueError: when there are too many, or one holds itself.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(part, list):
        return [_written_out(one, schema, left, depth + 1) for one in part]
    if not isinstance(part, Mapping):
        return part
    found = _LOCAL.fullmatch(part["$ref"]) if isinstance(part.get("$ref"), str) else None
    held = schema.get(found[1]) if found else None
    one = held.get(found[2]) if found and isinstance(held, Mapping) else None
    if isinstance(one, Mapping):
        if next(left, None) is None:
            raise ValueError("refers too often")
        beside = {key: value for key, value in part.items() if key != "$ref"}
        return _written_out({"allOf": [one], **beside} if beside else one, schema, left, depth + 1)
    return {
        key: value if key in _DATA else _written_out(value, schema, left, depth + 1)
        for key, value in part.items()
        if depth or key not in _ASIDE
    }


def _plain(schema: Any, depth: int = 0) -> Any:
    """Return a schema without the keys that are left out; one with references says too little then and is dropped.

    Raises:
        ValueError: when it is nested too deep or refers to another.
    """
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    if isinstance(schema, list):
        return [_plain(value, depth + 1) for value in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        raise ValueError("refers to another schema")
    left_out = _LEFT_OUT | ({"additionalProperties"} if "patternProperties" in schema else set())
    kept = {key: _part(key, value, depth + 1) for key, value in schema.items() if key not in left_out}
    if isinstance(kept.get("type"), str):
        kept["type"] = _TYPES.get(kept["type"], kept["type"])
    return kept


def _part(key: str, value: Any, depth: int) -> Any:
    """Return what a key of a schema holds without the keys that are left out."""
    if key in _DATA:
        return value
    if key in _BY_NAME and isinstance(value, Mapping):
        return {name: _plain(one, depth) for name, one in value.items()}
    if key in _TURNING and any(f'"{one}"' in json.dumps(value) for one in _LEFT_OUT):
        raise ValueError("turns round what is left out")
    return _plain(value, depth)


def _named(call: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the part of a call or a tool that has its name, None where none has."""
    one = call.get("function", call)
    return one if isinstance(one, Mapping) and isinstance(one.get("name"), str) else None


def _listed(value: Any) -> list[Mapping[str, Any]]:
    value = _parsed(value) if isinstance(value, str) else value
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping)]


def _written(text: str, *, declared: bool) -> list[Mapping[str, Any]]:
    """Return the calls that a turn consists of, or marks by tags; without tools, tags may be what the turn is about."""
    parts = (part.partition(_CLOSED) for part in text.split(_OPENED)[1:])
    tagged = [inside.strip() for inside, closed, _ in parts if closed]
    if tagged:
        return [one for part in tagged for one in _listed(part) or [{"name": "", "arguments": part}] * declared]
    whole = text.strip()
    if not declared or whole[:1] not in ("{", "[") or len(whole) > LONGEST:
        return []
    return [one for one in _listed(whole) if _named(one) is not None]


def _parsed(text: str) -> Any:
    """Return JSON as data, and what is no JSON as it is."""
    if len(text) > LONGEST:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
