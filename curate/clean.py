"""Repairs of text and masks of personal data at ingest, each named in the recipe and counted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import ftfy
from ftfy.badness import is_bad
from ftfy.fixes import unescape_html

from curate import personal

# Name and effect, in the order in which they are done, whatever the order in the recipe: entities may hide mojibake,
# mojibake needs its control characters, line ends are control characters too, a letter and its accent may meet when one
# between them is removed, and trimming comes when everything else is gone.
REPAIRS = {
    "entities": "HTML entities to the characters they stand for (&amp; to &)",
    "mojibake": "text that was decoded with the wrong encoding, decoded again (â€™ to ’)",
    "line_endings": "\\r\\n and \\r to \\n",
    "controls": "control characters other than line feed and tab, and byte order marks, removed",
    "unicode": "letters and their accents composed (Unicode NFC)",
    "trim": "blanks around the text removed",
}
# What is never a loss: bytes misread, letters stored in two ways, and line ends of another system.
DEFAULT = ("mojibake", "unicode", "line_endings")

# What a count of masked texts is called, before the kind.
MASKED = "masked "

# The encoding alone: quotes, ligatures and widths are the author's, and a lost character is not made one by guessing.
_ENCODING = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_encoding=True,
    restore_byte_a0=True,
    replace_lossy_sequences=False,
    decode_inconsistent_utf8=True,
    fix_c1_controls=True,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
# ASCII characters beside others that the signs of mojibake look at are two; one more for safety.
_BESIDE = 3
# A carriage return is one as well, but the business of `line_endings`.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")


def clean(value: Any, *, repairs: Sequence[str], counts: dict[str, int], mask: Sequence[str] = ()) -> Any:
    """Return the value with all strings in it repaired, then masked, numbers too; keys stay as they are.

    A number that is personal data, as a card's, becomes its placeholder.

    Args:
        value: string, number, list, dict or anything else, which is returned as it is.
        repairs: names in `REPAIRS`.
        counts: per repair, and per kind of personal data as `masked email`, the number of strings it changed; added to.
        mask: kinds of personal data that are replaced by `[EMAIL]`, `[PHONE]` and so on.
    """
    chosen = [(name, _REPAIRERS[name]) for name in REPAIRS if name in repairs]
    return _clean(value, chosen, frozenset(mask), counts)


def _clean(
    value: Any, chosen: Sequence[tuple[str, Callable[[str], str]]], mask: frozenset[str], counts: dict[str, int]
) -> Any:
    if isinstance(value, str):
        for name, repair in chosen:
            repaired = repair(value)
            if repaired is not value and repaired != value:
                counts[name] = counts.get(name, 0) + 1
                value = repaired
        if mask:
            value, kinds = personal.masked(value, mask)
            for kind in kinds:
                counts[MASKED + kind] = counts.get(MASKED + kind, 0) + 1
        return value
    if isinstance(value, dict):
        return {key: _clean(item, chosen, mask, counts) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, chosen, mask, counts) for item in value]
    if mask and isinstance(value, int | float) and not isinstance(value, bool):
        text = _clean(str(value), (), mask, counts)  # the number may become text later
        return value if text == str(value) else text
    return value


def _entities(text: str) -> str:
    repaired: str = unescape_html(text) if "&" in text else text
    return repaired


def _mojibake(text: str) -> str:
    repaired: str = ftfy.fix_text(text, _ENCODING) if not text.isascii() and _suspicious(text) else text
    return repaired


def _suspicious(text: str) -> bool:
    """Tell whether ftfy would look closer at a line: its own test, but only around what is not ASCII, for speed."""
    for match in _NOT_ASCII.finditer(text):
        start = max(match.start() - _BESIDE, 0)
        start = max(start, text.rfind("\n", start, match.start()) + 1)
        if is_bad(text[start : match.end() + _BESIDE]):
            return True
    return False


def _unicode(text: str) -> str:
    return text if text.isascii() or unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _line_endings(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _controls(text: str) -> str:
    return CONTROLS.sub("", text).replace("\r", "")


_REPAIRERS: dict[str, Callable[[str], str]] = {
    "entities": _entities,
    "mojibake": _mojibake,
    "unicode": _unicode,
    "line_endings": _line_endings,
    "controls": _controls,
    "trim": str.strip,
}
