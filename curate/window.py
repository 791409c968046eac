"""A window that moves over the text of a JSON document, so that a document may be larger than the memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.lines import LINE_CAP, READ_ERRORS, broken, chunks
from curate.records import DECODER, DEPTH, excerpt

_BLANKS = re.compile(r"[ \t\r\n]*")
# An error this near the end of the window may only mean that the window ends here (the longest literal is -Infinity).
_EDGE = 16


@dataclass(slots=True)
class Window:
    """The part of a text that is held, and where in it we are.

    Args:
        path: the file.
        source: the bytes still to come.
        decoder: turns them into text; bytes that are no UTF-8 become half surrogates.
        text: what is held.
        position: where in it we are.
        line: the physical line of `counted`.
        counted: up to where line ends are counted.
        ended: true when nothing is to come.
    """

    path: Path
    source: Iterator[bytes]
    decoder: codecs.IncrementalDecoder
    text: str = ""
    position: int = 0
    line: int = 1
    counted: int = 0
    ended: bool = False


class BrokenError(Exception):
    """No JSON value stands here.

    Args:
        cause: why.
        ends: true when the document just ends inside it.
    """

    def __init__(self, cause: str, *, ends: bool = False) -> None:
        """Keep cause and kind."""
        self.cause, self.ends = cause, ends
        super().__init__(cause)


def opened(path: Path) -> Window:
    """Return a window at the beginning of a file."""
    return Window(path, chunks(path), codecs.getincrementaldecoder("utf-8")("surrogateescape"))


def more(window: Window) -> bool:
    """Read on, forgetting what lies behind; False at the end of the document.

    Raises:
        UserError: when the file cannot be read on.
    """
    if window.ended:
        return False
    line_here(window)
    kept = window.text[window.position :]
    pieces, size = [kept], 0
    # As much again as is held, so that a long element is not parsed anew for every piece of it.
    while size <= len(kept) and not window.ended:
        try:
            raw = next(window.source, None)
        except READ_ERRORS as error:
            lines = window.line - 1 + sum(piece.count("\n") for piece in pieces)
            raise broken(window.path, error, after=f"line {lines:,}") from error
        window.ended = raw is None
        pieces.append(window.decoder.decode(raw or b"", final=window.ended))
        size += len(pieces[-1])
    window.text, window.position, window.counted = "".join(pieces), 0, 0
    return size > 0


def abandon(window: Window) -> None:
    """Go to the end without reading what is between."""
    window.position, window.ended = len(window.text), True


def line_here(window: Window) -> int:
    """Return the number of the physical line we are on."""
    window.line += window.text.count("\n", window.counted, window.position)
    window.counted = window.position
    return window.line


def blanks_end(text: str, position: int) -> int:
    """Return the position of the next character that is no blank."""
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def peek(window: Window) -> str:
    """Pass over blanks and return the next character, or "" at the end."""
    while True:
        window.position = blanks_end(window.text, window.position)
        if window.position < len(window.text):
            return window.text[window.position]
        if not more(window):
            return ""


def shown(window: Window) -> str:
    """Return an excerpt of what comes next."""
    return excerpt(window.text[window.position : window.position + 200])


def decode(window: Window) -> tuple[Any, int]:
    """Return the value that starts here and its length in characters, without passing over it.

    Raises:
        BrokenError: when there is none.
    """
    while True:
        try:
            value, end = DECODER.raw_decode(window.text, window.position)
        except RecursionError:
            raise BrokenError(f"nested deeper than {DEPTH} levels") from None
        except json.JSONDecodeError as error:
            if error.pos < len(window.text) - _EDGE and not error.msg.startswith("Unterminated"):
                raise BrokenError(f"not JSON: {error.msg}") from None
            if len(window.text) - window.position > LINE_CAP:
                raise BrokenError(f"more than {LINE_CAP // 1_000_000} MB in one element") from None
            if not more(window):
                raise _at_end(error) from None
            continue
        length = end - window.position
        # A number at the very end of the window may go on behind it.
        if end < len(window.text) or not more(window):
            return value, length


def _at_end(error: json.JSONDecodeError) -> BrokenError:
    """Return what an error near the end of the document means; with a bracket closed behind it, nothing is missing."""
    if error.msg.startswith("Unterminated") or not any(sign in error.doc[error.pos :] for sign in '"]}'):
        return BrokenError(f"not JSON, the document breaks off: {error.msg}", ends=True)
    return BrokenError(f"not JSON: {error.msg}")


def value_here(window: Window) -> Any:
    """Return the value that starts here and pass over it.

    Raises:
        BrokenError: when there is none.
    """
    value, length = decode(window)
    window.position += length
    return value


def members(window: Window) -> Iterator[str]:
    """Yield the keys of the object that starts here, standing at the value each time; the caller passes over it.

    Raises:
        BrokenError: when the object is broken.
    """
    window.position += 1
    while (here := peek(window)) not in ("}", ""):
        if here == ",":
            window.position += 1
            continue
        key = value_here(window)
        if not isinstance(key, str) or peek(window) != ":":
            raise BrokenError("not JSON: a key and a colon expected")
        window.position += 1
        peek(window)
        yield key
    if here == "":
        raise BrokenError("the document breaks off inside an object", ends=True)
    window.position += 1


def skip(window: Window, *, levels: int = 2) -> None:
    """Pass over a value, holding only small parts of it: two levels down, values are decoded whole.

    Raises:
        BrokenError: when it is broken.
    """
    here = peek(window)
    if here == "{" and levels:
        for _ in members(window):
            skip(window, levels=levels - 1)
    elif here == "[" and levels:
        window.position += 1
        skip_list(window, levels=levels - 1)
    else:
        value_here(window)


def skip_list(window: Window, *, levels: int = 1) -> None:
    """Pass over the rest of a list, standing inside it.

    Raises:
        BrokenError: when it is broken.
    """
    while (here := peek(window)) not in ("]", ""):
        if here == ",":
            window.position += 1
        else:
            skip(window, levels=levels)
    if here == "":
        raise BrokenError("the document breaks off inside a list", ends=True)
    window.position += 1
