"""JSON files that tell whether they were changed after they were written: figures that decide are not set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from curate.errors import INPUT, UserError
from curate.rundir import write_json
from curate.schema import canonical, digest


def write(path: Path, facts: Mapping[str, Any]) -> str:
    """Write facts with their hash and return it. The hash guards against edits, not against who makes a new one."""
    found = digest(canonical(facts))
    write_json(path, {"digest": found, **facts})
    return found


def read(path: Path, *, where: str, fix: str) -> tuple[dict[str, Any], str]:
    """Return facts and hash of such a file.

    Args:
        path: the file.
        where: what it is, for errors.
        fix: what to do about one that is not as it was written.

    Raises:
        UserError: for a file that cannot be read, is no such file, or was changed.
    """
    try:
        facts = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(where, f"is damaged: {' '.join(str(error).split())[:200]}", fix, code=INPUT) from None
    if not isinstance(facts, dict) or "digest" not in facts:
        raise UserError(where, f"is damaged: {path.name} holds no facts with their hash", fix, code=INPUT)
    stated = facts.pop("digest")
    if stated != digest(canonical(facts)):
        raise UserError(where, f"{path.name} was changed after it was written", fix, code=INPUT)
    return facts, stated
