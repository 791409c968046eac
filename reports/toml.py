"""A resolved recipe written as TOML, for the reproduction block."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(data: Mapping[str, Any], path: str = "") -> str:
    """Return TOML that reads back as the same data.

    Values come first, then tables, then lists of tables; below a list of tables, lists of tables stand inline, one
    member a line, as recipes are written by hand.

    Args:
        data: strings, numbers, booleans, lists and mappings; None is left out.
        path: dotted name of the table that the keys belong to.
    """
    lines, tables = [], []
    for key, value in data.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        if isinstance(value, Mapping) and not path:
            tables.append(f"[{name}]\n{dumps(value, name)}")
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            if path:
                lines.append(f"{_key(key)} = [\n" + "".join(f"  {inline(item)},\n" for item in value) + "]")
            else:
                tables += [f"[[{name}]]\n{dumps(item, name)}" for item in value]
        elif value is not None:
            lines.append(f"{_key(key)} = {inline(value)}")
    head = "\n".join(lines) + ("\n" if lines else "")
    return head + ("\n" if head and tables else "") + "\n".join(tables)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    """Return a basic string; JSON's escapes are TOML's, but for the delete character and lone surrogates."""
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return re.sub("[\ud800-\udfff]", "\ufffd", quoted)


def inline(value: Any) -> str:
    """Return a value as it stands behind an equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {inline(item)}" for key, item in value.items() if item is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return repr(value) if isinstance(value, int | float) else _string(str(value))
