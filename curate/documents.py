"""JSON documents: a list of records, or an object with such a list inside, read element by element.

A broken element is a reject, and reading resumes at the next element that is written like its neighbours, if one can be
told for sure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curate.errors import INPUT, UserError, suggest
from curate.lines import lines, too_long
from curate.records import Item, Record, Reject, excerpt, flaw, parse
from curate.window import (
    BrokenError,
    Window,
    abandon,
    blanks_end,
    decode,
    line_here,
    members,
    more,
    opened,
    peek,
    shown,
    skip,
    skip_list,
)

# Longer than any first key with its brace, so that no opening is missed where two windows meet.
_OVERLAP = 1024
_FIRST_KEY = re.compile(r'\{[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:')


def read_document(path: Path, *, records: str | None) -> Iterator[Item]:
    """Yield the elements of the list in a JSON document.

    Args:
        path: the file.
        records: dotted path to the list inside an object; without it the only list of records is taken.

    Raises:
        UserError: when the file cannot be read or the list is not found.
    """
    window = opened(path)
    start = peek(window)
    if records is None and start not in ("{", "["):
        yield Reject(str(path), line_here(window), "the document is neither a list nor an object", shown(window))
        return
    if records is None and start == "{":
        records = _only_list(path)
    if records is not None:
        try:
            _descend(window, records)
        except BrokenError as error:
            cause = f"before the list of records: {error.cause}; the rest is not read"
            yield Reject(str(path), line_here(window), cause, shown(window))
            return
        yield from _elements(window)
        return
    # Lists written one after the other are read one after the other.
    while peek(window) == "[":
        yield from _elements(window)
    if peek(window):
        cause = "text after the end of the list; it and what follows is not read"
        yield Reject(str(path), line_here(window), cause, shown(window))


def holds_lines(path: Path) -> bool:
    """Tell whether a .json file is one record per line: its first line is a whole record and others follow."""
    filled = (line for _, line in lines(path) if line and not line.isspace())
    first = next(filled, b"")
    if too_long(first) or next(filled, None) is None:
        return False
    try:
        value = parse(first)
    except ValueError:
        return False
    return isinstance(value, dict) or not all(isinstance(item, dict | list) for item in value)


def _elements(window: Window) -> Iterator[Item]:
    """Yield the elements of the list that starts here, and one reject for what cannot be read at its end."""
    file, last = str(window.path), None
    window.position += 1
    while (here := peek(window)) != "]":
        line = line_here(window)
        if here == "":
            yield Reject(file, line, "the document breaks off before the end of its list", "")
            return
        if here == ",":
            window.position += 1
            continue
        try:
            value, length = decode(window)
        except BrokenError as error:
            seen = shown(window)
            resumed = _resume(window, last)
            tail = "" if resumed or error.ends else "; the next element cannot be told for sure, the rest is not read"
            yield Reject(file, line, error.cause + tail, seen)
            if not resumed:
                return
            continue
        cause = flaw(value)
        if cause is None:
            last = value
            yield Record(file, line, value)
        else:
            yield Reject(file, line, _bytes_or(cause, window, length), shown(window))
        window.position += length
    window.position += 1


def _bytes_or(cause: str, window: Window, length: int) -> str:
    """Name half surrogates that the decoder made of bytes that are no UTF-8."""
    try:
        window.text[window.position : window.position + length].encode()
    except UnicodeEncodeError as error:
        return f"not UTF-8: byte 0x{ord(error.object[error.start]) - 0xDC00:02x} in a text"
    return cause


def _resume(window: Window, last: Any) -> bool:
    """Go to the next whole element that is written like the last good one; False when none can be told for sure."""
    opening = _opening(window, last)
    if opening is None:
        abandon(window)
        return False
    window.position += 1
    while True:
        match = opening.search(window.text, window.position)
        if match is None:
            window.position = max(window.position, len(window.text) - _OVERLAP)
            if not more(window):
                abandon(window)
                return False
            continue
        window.position = match.start()
        if _is_element(window, last):
            return True
        window.position += 1


def _opening(window: Window, last: Any) -> re.Pattern[str] | None:
    """Return how an element begins, or None where the same can stand inside an element too.

    Records are objects that begin with the same key, or lists of the same length and types.
    """
    if isinstance(last, list):
        return None if not last or any(isinstance(item, list) for item in last) else re.compile(r"\[")
    if last is None:
        # The first element is the broken one: what it has itself must do.
        own = _FIRST_KEY.match(window.text, window.position)
        return re.compile(r"\{[ \t\r\n]*" + re.escape(own.group(1)) + r"[ \t\r\n]*:") if own else None
    key = next(iter(last), None)
    if key is None or _holds(list(last.values()), key):
        return None
    written = "|".join(re.escape(json.dumps(key, ensure_ascii=ascii)) for ascii in (True, False))
    return re.compile(r"\{[ \t\r\n]*(?:" + written + r")[ \t\r\n]*:")


def _holds(values: Sequence[Any], key: str) -> bool:
    """Tell whether any object inside begins with the key."""
    if any(isinstance(value, dict) and next(iter(value), None) == key for value in values):
        return True
    inner = (list(value.values()) if isinstance(value, dict) else value for value in values)
    return any(_holds(value, key) for value in inner if isinstance(value, list))


def _is_element(window: Window, last: Any) -> bool:
    """Tell whether a whole element starts here, like the last one, with a comma or the end of the list behind it."""
    try:
        value, length = decode(window)
    except BrokenError:
        return False
    if isinstance(last, list) and [type(item) for item in value] != [type(item) for item in last]:
        return False
    end = blanks_end(window.text, window.position + length)
    if end == len(window.text) and more(window):
        return _is_element(window, last)
    return window.text[end : end + 1] in ("", ",", "]")


def _only_list(path: Path) -> str:
    """Return the key of the one list of records in an object."""
    window = opened(path)
    lists: list[str] = []
    others: list[str] = []
    peek(window)
    try:
        for key in members(window):
            if peek(window) == "[":
                window.position += 1
                (lists if peek(window) in ("{", "[", "]", "") else others).append(key)
                skip_list(window)
            else:
                others.append(key)
                skip(window)
    except BrokenError as error:
        if not lists:
            raise UserError(f"{path}, line {line_here(window)}", error.cause, "mend the file", code=INPUT) from None
    if len(lists) == 1:
        return lists[0]
    if not lists:
        what = f"an object without a list of records; its keys: {excerpt(', '.join(others))}"
        raise UserError(str(path), what, "give the dotted path to the list in `records`, or save one record per line")
    example = f'choose one, e.g. `records = "{lists[0]}"`'
    raise UserError(str(path), f"an object with several lists: {excerpt(', '.join(lists))}", example)


def _descend(window: Window, records: str) -> None:
    """Go to the list that a dotted path leads to; numbers index lists.

    Raises:
        BrokenError: when the document is broken before it.
        UserError: when the path leads nowhere.
    """
    parts = records.split(".")
    where = f'{window.path}, `records = "{records}"`'
    while parts:
        here = peek(window)
        if here == "{":
            parts = _enter(window, parts, where)
        elif here == "[" and parts[0].isdecimal():
            window.position += 1
            _enter_list(window, int(parts[0]), where)
            parts = parts[1:]
        else:
            raise UserError(where, f"there is no '{parts[0]}' at this place", "correct the path")
    if peek(window) != "[":
        raise UserError(where, "this is not a list", "give the dotted path to the list of records")


def _enter(window: Window, parts: list[str], where: str) -> list[str]:
    """Go to the member that the path names next, and return the rest of the path."""
    wanted = {".".join(parts[:used]): used for used in range(1, len(parts) + 1)}
    known = []
    for key in members(window):
        if key in wanted:
            return parts[wanted[key] :]
        known.append(key)
        skip(window)
    raise UserError(where, f"there is no '{parts[0]}'", suggest(parts[0], known))


def _enter_list(window: Window, index: int, where: str) -> None:
    """Go to an element of a list by number."""
    for passed in range(index + 1):
        while peek(window) == ",":
            window.position += 1
        if peek(window) in ("]", ""):
            raise UserError(where, f"the list has {passed} elements, there is no '{index}'", "correct the path")
        if passed < index:
            skip(window)
