"""E-mail addresses masked in every text of the report: names of sources, labels, licences and causes hold them too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

# Wider than what the step on personal data looks for: reserved domains count too, since nobody is helped by seeing
# them. Bounded repeats, so that no text can make matching slow.
ADDRESS = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?![\w-])")
MASK = "‹email›"


def masker(*paths: str) -> Callable[[Any], Any]:
    """Return a function that replaces every address in data of any depth, in keys too.

    Args:
        paths: files and folders of the user; an address in one of them stays, or commands would name no file.
    """
    own = {found for path in paths for found in ADDRESS.findall(path)}

    def hidden(match: re.Match[str]) -> str:
        return match[0] if match[0] in own else MASK

    def masked(data: Any) -> Any:
        if isinstance(data, str):
            return ADDRESS.sub(hidden, data) if "@" in data else data
        if isinstance(data, Mapping):
            return {masked(key): masked(value) for key, value in data.items()}
        return [masked(value) for value in data] if isinstance(data, list | tuple) else data

    return masked
