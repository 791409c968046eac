"""`--set key=value`: one value of a recipe changed from the command line."""

from __future__ import annotations

import tomllib
from typing import Any

from curate.errors import UserError, suggest


def apply(data: dict[str, Any], override: str) -> None:
    """Set one dotted key in recipe data, in place."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {override}", "is not key=value", "for example --set seed=7")
    node: Any = data
    *path, last = key.strip().split(".")
    for part in path:
        node = node.setdefault(part, {}) if isinstance(node, dict) else _member(node, part, override)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list):
        node[node.index(_member(node, last, override))] = value
    else:
        raise UserError(f"--set {override}", f"'{path[-1]}' is a value, it has no '{last}'")


def _member(node: Any, part: str, override: str) -> Any:
    """Return the member of a list by index, name, alias, step or signal."""
    if not isinstance(node, list):
        raise UserError(f"--set {override}", f"there is nothing called '{part}' below a value")
    if part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    labels = [[str(item[key]) for key in ("name", "as", "step", "signal") if key in item] for item in node]
    for item, names in zip(node, labels, strict=True):
        if part in names:
            return item
    raise UserError(f"--set {override}", f"no member '{part}'", suggest(part, [n for names in labels for n in names]))
