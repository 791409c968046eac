"""Mend JSON that does not parse, where nothing but its punctuation is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Longest text that is mended, in characters, and how deep it may be nested: the parser takes 9 seconds for 20,000
# characters of `["a" ["a" …`, but 0.02 for 20,000 of ordinary records.
LONGEST, DEEPEST = 20_000, 30
_OPENING, _CLOSING = "{[", "}]"
# What is counted outside of strings, and all else that JSON may have there beside letters, digits and blanks.
_COUNTED, _OTHERS = ":{[-.", "}],+_"
# Python's names of what JSON writes in lower case.
_SAME = {"True": "true", "False": "false", "None": "null"}
_WORD = re.compile(r"\w+")
_INDENT = re.compile(r"[{\[]\s*\n([ \t]+)\S")


@dataclass
class _Outline:
    """What a text has outside of its strings.

    Args:
        signs: how often each of `:{[-.` stands there.
        quotes: the signs that strings begin with.
        strings: how many strings there are.
        deepest: most brackets open at a time.
        ends_inside: the last string is not closed.
        foreign: there is something that JSON never has outside of strings, or behind the last bracket.
    """

    signs: Counter[str] = field(default_factory=Counter)
    quotes: set[str] = field(default_factory=set)
    strings: int = 0
    deepest: int = 0
    ends_inside: bool = False
    foreign: bool = False


def mended(text: str, *, wanted: bool = False) -> str | None:
    r"""Return the JSON that a text was meant to be, or None where it is JSON already, or no JSON.

    Guards, each against a kind of text that the parser would turn into other data without a word:

    - It begins with `{` or `[`, and holds a string in quotes: `[Your name]` and `[0, 1)` are no JSON.
    - The first bracket is closed at the very end, or never: `[1] "Smith", p. 3` and two objects in a row go on.
    - The last string is closed: what was cut off in a sentence is not whole because a quote is added.
    - All words stay, in their order: nothing is dropped, invented, unescaped or rounded.
    - As many `:`, `{`, `[` and signs of numbers outside of strings as before: `{"a", "b"}` is a set, no object. Nothing
      else stands there: `["a", ...]` leaves something out, `// …` remarks on something.
    - As many strings as before, none made out of bare words; keys alone may be bare, as JavaScript has them.
    - Only double quotes, unless JSON was `wanted`: `{'a': 1}` is sound Python.

    Args:
        text: what stands in a response, or between its fences.
        wanted: whether the prompt or the fence says that JSON is meant.

    Returns:
        JSON with the layout of the text: on one line, or indented as its first level is.
    """
    text = text.strip()
    if text[:1] not in ("{", "[") or len(text) > LONGEST or _parses(text):
        return None
    before = _outline(text)
    single = before.quotes - {'"'}
    if (
        not before.strings
        or before.deepest > DEEPEST
        or before.ends_inside
        or before.foreign
        or (single and not wanted)
    ):
        return None
    data = _repaired(text)
    if not isinstance(data, dict | list) or not data:
        return None
    after = json.dumps(data, ensure_ascii=False, indent=_indent(text))
    return after if _says_the_same(text, before, data, after) else None


def _says_the_same(text: str, before: _Outline, data: Any, after: str) -> bool:
    """Tell whether the mended JSON has the words and the structure of the text."""
    outline = _outline(after)
    bare = sum(not re.search(rf"[\"']{re.escape(key)}[\"']", text) for key in _keys(data) if key.isidentifier())
    return (
        _words(text) == _words(after)
        and outline.signs == before.signs
        and outline.strings == before.strings + bare
        and _parses(after)
    )


def check(text: str) -> None:
    """Raise a ValueError unless a text is JSON (RFC 8259): Python alone reads `NaN`, and no more than 4,300 digits."""
    json.loads(text, parse_int=str, parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _parses(text: str) -> bool:
    """Tell whether a text is JSON; what is nested too deep for the parser is not mended either."""
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


def _repaired(text: str) -> Any:
    """Return what the repairing parser makes of a text, None where it gives up."""
    import json_repair  # needed for few texts

    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _words(text: str) -> list[str]:
    return [_SAME.get(word, word) for word in _WORD.findall(text)]


def _keys(data: Any) -> Iterator[str]:
    """Yield the keys at all depths."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from _keys(value)
    elif isinstance(data, list):
        for value in data:
            yield from _keys(value)


def _indent(text: str) -> int | str | None:
    """Return the indentation of the first level; two blanks for lines without one, None for a single line."""
    if "\n" not in text:
        return None
    found = _INDENT.match(text)
    return found[1] if found else 2


def _outline(text: str) -> _Outline:
    """Walk a text once and tell strings from what is between them; a string begins with either kind of quote."""
    found = _Outline()
    depth, quote, place = 0, "", 0
    while place < len(text):
        sign = text[place]
        if quote:
            if sign == "\\":
                place += 1
            elif sign == quote:
                quote = ""
        elif sign in "\"'":
            quote = sign
            found.foreign |= depth == 0
            found.quotes.add(sign)
            found.strings += 1
        elif not sign.isspace():
            behind = depth == 0 and place > 0 and sign not in _CLOSING
            known = sign.isalnum() or sign in _COUNTED or sign in _OTHERS
            found.foreign |= behind or not known or text[place : place + 2] == ".."
            found.signs[sign] += sign in _COUNTED
            depth = max(0, depth + (sign in _OPENING) - (sign in _CLOSING))
            found.deepest = max(found.deepest, depth)
        place += 1
    found.ends_inside = bool(quote)
    return found
