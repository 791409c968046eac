"""Text of unknown origin made safe to look at, and numbers made easy to read."""

from __future__ import annotations

import shlex
from typing import Any

from curate import text as kernel

# Longest excerpt of a prompt or response: enough to judge an example, small enough for a page of some hundred of them.
EXCERPT = 600

# Beyond what the kernel spells out: soft hyphens, the Arabic letter mark, old format marks, annotation marks, and lone
# surrogates, which no file can hold.
_MORE = (0xAD, 0x61C, 0x180E, *range(0x206A, 0x2070), *range(0xFFF9, 0xFFFC), *range(0xD800, 0xE000))
_TABLE = {code: f"[U+{code:04X}]" for code in _MORE}


def visible(text: str) -> str:
    """Return the text with control, direction and invisible characters spelled out; line breaks and tabs stay."""
    return kernel.visible(text).translate(_TABLE)


def line(text: str) -> str:
    """Return visible text on one line."""
    return " ".join(visible(text).split())


def excerpt(text: str, limit: int = EXCERPT) -> tuple[str, int]:
    """Return the beginning of a text made visible, and how many characters were left out."""
    return visible(text[:limit]), max(0, len(text) - limit)


def both_ends(text: str, limit: int = EXCERPT) -> tuple[str, int]:
    """Return beginning and end of a text made visible: what a prompt asks often stands at its end.

    Returns:
        The text, with a mark where it was cut, and how many characters were left out.
    """
    if len(text) <= limit:
        return visible(text), 0
    tail = limit // 3
    left_out = len(text) - limit
    head, end = visible(text[: limit - tail]), visible(text[-tail:])
    return f"{head}\n[… {count(left_out)} characters …]\n{end}", left_out


def clipped(text: str, limit: int) -> str:
    """Return one line of at most `limit` characters, its cut marked."""
    text = line(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def count(value: float | None) -> str:
    """Return a whole number with thousands separators."""
    return "–" if value is None else f"{value:,.0f}"


def number(value: Any) -> str:
    """Return a number as short as it can be read: whole ones in full, others with three digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(value: float | None) -> str:
    """Return a share of one as per cent; what is not nothing never shows as 0 %, what is not all never as 100 %."""
    if value is None:
        return "–"
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.1f} %" if 0 < value < 0.1 or 0.9 < value < 1 else f"{value * 100:.0f} %"


def seconds(value: float) -> str:
    """Return a duration."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s" if value < 3600 else f"{value / 3600:.1f} h"


def plural(value: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count(value)} {noun}" + ("" if value == 1 else "s")


def verb(value: int, plural_form: str, singular: str) -> str:
    """Return the form of a verb that fits the count."""
    return singular if value == 1 else plural_form


def command(*words: str) -> str:
    """Return a command line to paste."""
    return shlex.join(visible(word) for word in words)
