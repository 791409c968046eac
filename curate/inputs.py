"""The files that a run reads: which they are, what is in them, and whether they stay as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate import read, rundir
from curate.errors import INPUT, UserError
from curate.recipe import Recipe, Source
from curate.schema import digest


def files(source: Source, recipe: Recipe) -> list[Path]:
    """Return the files, or folders of `datasets`, of a source."""
    return [Path(os.path.normpath(path)) for path in read.expand(source.path, base=recipe.base)]


def _all(recipe: Recipe, paths: Mapping[str, list[Path]]) -> Iterator[tuple[str, Path]]:
    """Yield the files of all sources, and the tables of what is cut out of them."""
    yield from ((source, path) for source, found in paths.items() for path in found)
    yield from ((one.name, recipe.resolve(one.cut.spans)) for one in recipe.sources if one.cut)


def described(recipe: Recipe, paths: Mapping[str, list[Path]]) -> list[dict[str, Any]]:
    """Return name, hash and size of all inputs.

    Raises:
        UserError: when one cannot be read at all.
    """
    return [_input(source, path) for source, path in _all(recipe, paths)]


def stamps(recipe: Recipe, paths: Mapping[str, list[Path]]) -> dict[Path, tuple[int, int]]:
    """Return size and time of change of all files, before they are hashed and after they were read."""
    found: dict[Path, tuple[int, int]] = {}
    for _, path in _all(recipe, paths):
        for file in (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
            state = file.stat() if file.exists() else None
            found[file] = (state.st_size, state.st_mtime_ns) if state else (-1, 0)
    return found


def require_same(before: Mapping[Path, tuple[int, int]], after: Mapping[Path, tuple[int, int]]) -> None:
    """Refuse inputs that changed while they were read: the rows would be of neither version.

    Raises:
        UserError: naming the first of them.
    """
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        fix = "wait until nothing writes it, then run again"
        raise UserError(str(changed[0]), "changed while it was read", fix, code=INPUT)


def _input(source: str, path: Path) -> dict[str, Any]:
    """Return name, hash and size of an input; a folder stands for its files.

    Raises:
        UserError: when it cannot be read at all.
    """
    read.require_readable(path)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        sha = digest(*(part for p in files for part in (str(p.relative_to(path)), rundir.file_digest(p))))
        return {
            "source": source,
            "path": read.named(path),
            "sha256": sha,
            "bytes": sum(p.stat().st_size for p in files),
        }
    return {
        "source": source,
        "path": read.named(path),
        "sha256": rundir.file_digest(path),
        "bytes": path.stat().st_size,
    }
