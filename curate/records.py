"""Records and rejects: what reading gives, and how a piece of JSON becomes one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

# Nesting beyond this is an attack or an accident: the deepest tool schemas in chat data have about 20 levels, and
# orjson cannot write more than 254.
DEPTH = 100
# Characters of a bad line that are shown: enough to find it again, little enough to read.
EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was read.

    Args:
        file: path of the file, as `expand` gave it.
        line: 1-based physical line of its start; in binary forms the 1-based row.
        data: dict, or list where columns have no names.
    """

    file: str
    line: int
    data: Any


@dataclass(frozen=True, slots=True)
class Reject:
    """One piece of a file that is no record.

    Args:
        file: path of the file, as `expand` gave it.
        line: 1-based physical line of its start; in binary forms the 1-based row.
        cause: why it is none, in words.
        excerpt: its beginning, printable, at most 200 characters.
    """

    file: str
    line: int
    cause: str
    excerpt: str


Item = Record | Reject


def excerpt(raw: bytes | str) -> str:
    """Return the beginning in printable characters, everything else escaped."""
    # Four bytes are the longest character, so cutting bytes never shortens the excerpt.
    text = raw[: EXCERPT * 4].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw[:EXCERPT]
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:EXCERPT])
    return "".join(shown)[:EXCERPT]


def undecodable(raw: bytes) -> str | None:
    """Return why the bytes are no text (not UTF-8, or a NUL among them), or None."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start + 1}"
    at = text.find("\0")
    return None if at < 0 else f"a NUL byte at character {at + 1}"


def kind(value: Any) -> str:
    """Return what JSON calls the value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _integer(digits: str) -> int | str:
    """Return the number, or its digits where it does not fit in 64 bits: as a float it would be another number."""
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(1 << 63) <= number < 1 << 64 else digits


def _real(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


# The forgiving reader: NaN and Infinity, which Python writes and JSON forbids, are null.
DECODER = json.JSONDecoder(parse_constant=lambda name: None, parse_int=_integer, parse_float=_real)


def _plain(value: Any, depth: int) -> bool:
    """Tell whether the value is flat enough and no number in it can have lost digits on the way."""
    for item in value.values() if type(value) is dict else value:
        form = type(item)
        if form is float:
            if not -9.2e18 < item < 9.2e18:
                return False
        elif (form is dict or form is list) and (depth == 0 or not _plain(item, depth - 1)):
            return False
    return True


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _too_deep(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_too_deep(item, depth - 1) for item in items)


def flaw(value: Any) -> str | None:
    """Return why a parsed value is no record that can be stored, or None."""
    if not isinstance(value, dict | list):
        return f"{kind(value)}, not an object or a list"
    if _too_deep(value, DEPTH):
        return f"nested deeper than {DEPTH} levels"
    for text in _texts(value):
        if "\0" in text:
            return "a NUL character (\\u0000) in a text"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"half of a surrogate pair (\\u{ord(text[error.start]):04x}) in a text"
    return None


def parse(raw: bytes) -> Any:
    """Return the dict or list that a piece of JSON holds.

    Raises:
        ValueError: with the cause, when it holds none.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_slowly(raw)
    if (type(value) is dict or type(value) is list) and _plain(value, DEPTH - 1) and b"\\u0000" not in raw:
        return value
    return _parse_slowly(raw)


def _parse_slowly(raw: bytes) -> Any:
    """Parse with the standard library, which knows NaN and keeps all digits, and say what is wrong."""
    cause = undecodable(raw)
    if cause is not None:
        raise ValueError(cause)
    try:
        value = DECODER.decode(raw.decode().removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (column {error.pos + 1})") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {DEPTH} levels") from None
    cause = flaw(value)
    if cause is not None:
        raise ValueError(cause)
    return value


def lookup(data: Any, path: str) -> Any:
    """Return what a dotted path leads to; numbers index lists, and a key that holds dots itself wins.

    Raises:
        KeyError: with the missing part and the names known there, for a "did you mean".
    """
    if isinstance(data, dict) and path in data:
        return data[path]
    parts = path.split(".")
    while parts:
        data, used = _step(data, parts)
        parts = parts[used:]
    return data


def _step(data: Any, parts: list[str]) -> tuple[Any, int]:
    """Return what the longest possible run of leading parts names, and how many parts that took."""
    if isinstance(data, dict):
        for used in range(len(parts), 0, -1):
            key = ".".join(parts[:used])
            if key in data:
                return data[key], used
        raise KeyError(parts[0], tuple(str(key) for key in data))
    if isinstance(data, list):
        # Ten digits index any list; more would only be an expensive way to be wrong.
        if parts[0].isdecimal() and len(parts[0]) <= 10 and int(parts[0]) < len(data):
            return data[int(parts[0])], 1
        raise KeyError(parts[0], tuple(str(index) for index in range(min(len(data), 100))))
    raise KeyError(parts[0], ())
