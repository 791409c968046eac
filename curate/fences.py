"""Fenced blocks of Markdown."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,})([^`\n]*)$", re.MULTILINE)


def blocks(text: str) -> tuple[list[tuple[str, int, int]], re.Match[str] | None]:
    """Return language, start and end of the content of each fenced block, and the fence that is never closed.

    A block ends at a fence that is at least as long and names no language (CommonMark 0.31, section 4.5).
    """
    found: list[tuple[str, int, int]] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text) if "```" in text else ():
        if opened is None:
            opened = fence
        elif len(fence[1]) >= len(opened[1]) and not fence[2].strip():
            found.append((opened[2].strip().lower(), opened.end(), fence.start()))
            opened = None
    return found, opened
