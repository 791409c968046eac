"""`--set key=value`: one value of a recipe changed from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from curate.errors import UserError, suggest

# What a member of a list may be called by.
_LABELS = ("name", "as", "step", "signal")


def apply(data: dict[str, Any], override: str) -> None:
    """Set one dotted key in recipe data, in place.

    Args:
        data: the recipe as parsed.
        override: `key=value`; members of lists by index, name, alias, step or signal, which may hold dots themselves.

    Raises:
        UserError: when it is not of this form or leads nowhere.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {override}", "is not key=value", "for example --set seed=7")
    node: Any = data
    parts = key.strip().split(".")
    while parts:
        place: Any = parts[0]
        used = 1
        if isinstance(node, list):
            place, used = _member(node, parts, override)
        elif not isinstance(node, dict):
            raise UserError(f"--set {override}", f"there is nothing called '{place}' below a value")
        parts = parts[used:]
        if not parts:
            node[place] = _value(text)
        elif isinstance(node, dict):
            node = node.setdefault(place, {})
        else:
            node = node[place]


def _value(text: str) -> Any:
    """Return what TOML makes of the text; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _member(node: Sequence[Any], parts: Sequence[str], override: str) -> tuple[int, int]:
    """Return the index of the member that the path names next, and how many of its parts name it."""
    labels = [
        [str(item[key]) for key in _LABELS if key in item] if isinstance(item, dict) else [str(item)] for item in node
    ]
    if parts[0].isdecimal() and len(parts[0]) < 10 and int(parts[0]) < len(node):
        return int(parts[0]), 1
    for used in range(len(parts), 0, -1):
        for index, names in enumerate(labels):
            if ".".join(parts[:used]) in names:
                return index, used
    known = [name for names in labels for name in names]
    raise UserError(f"--set {override}", f"no member '{parts[0]}'", suggest(parts[0], known))
