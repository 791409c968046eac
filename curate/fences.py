"""Fenced blocks of Markdown."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}(?=[^`\n]*$)|~{3,})([^\n]*)$", re.MULTILINE)


def blocks(text: str) -> tuple[list[tuple[str, int, int]], re.Match[str] | None]:
    """Return language, start and end of the content of each fenced block, and the fence that is never closed.

    A block ends at a fence of the same sign that is at least as long and names no language; the language is the first
    word behind the fence that opens it (CommonMark 0.31, section 4.5).
    """
    found: list[tuple[str, int, int]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text) if "```" in text or "~~~" in text else ():
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            found.append(("".join(opened[2].lower().split()[:1]), opened.end(), fence.start()))
            opened = None
    return found, opened
