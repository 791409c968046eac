"""Sources that lie elsewhere (`s3://`, `https://`, …), copied once into the cache; only where the user allows it."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from curate import folders, read
from curate.errors import INPUT, MISSING, UserError
from curate.recipe import Recipe, Source
from curate.schema import canonical, digest

# What tells one version of a file from another, as the file systems call it.
_VERSION = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "created", "md5Hash", "generation")


def local(recipe: Recipe, *, store: Path) -> Recipe:
    """Return the recipe with copies of what lies elsewhere; it is copied again when it has changed there.

    Args:
        recipe: its sources may name addresses that `fsspec` understands, also with `*`.
        store: the cache.

    Raises:
        UserError: when a file cannot be had, or `fsspec` or its part for such addresses is missing.
    """
    sources = tuple(
        one.model_copy(update={"path": _fetched(one, store / "fetched")}) if read.elsewhere(one.path) else one
        for one in recipe.sources
    )
    return recipe.model_copy(update={"sources": sources})


def _fetched(source: Source, folder: Path) -> str:
    """Copy the files of a source, and return the pattern that names the copies."""
    where = f"source '{source.name}', {source.path}"
    try:
        import fsspec

        system, _, paths = fsspec.get_fs_token_paths(source.path, mode="rb")
        found = [(str(path), system.info(path)) for path in sorted(paths)]
        if not found:
            raise UserError(where, "no file matches", "check the address", code=INPUT)
        place = folder / digest(canonical([(path, _version(info)) for path, info in found]))
        folders.make(place)
        for number, (path, _) in enumerate(found):
            # Numbered: two folders may hold files of one name.
            _copy(system, path, place / f"{number:06d}-{path.rstrip('/').rpartition('/')[2]}")
    except ImportError as error:
        fix = "pip install fsspec, and what it asks for: s3fs for s3://, gcsfs for gs://"
        raise UserError(where, f"cannot be fetched: {error}", fix, code=MISSING) from None
    except UserError:
        raise
    except Exception as error:  # each kind of storage has its own library, with errors of its own
        what = f"cannot be fetched: {str(error) or type(error).__name__}"
        raise UserError(where, what, "check address, rights and network", code=INPUT) from None
    return f"{glob.escape(str(place.resolve()))}/*"


def _version(info: dict[str, Any]) -> list[str]:
    return [str(info.get(name)) for name in _VERSION]


def _copy(system: Any, path: str, target: Path) -> None:
    """Copy a file, whole or not at all, unless it is there."""
    if not target.exists():
        temporary = folders.beside(target.parent.with_name(f"{target.parent.name}-{target.name}"))
        system.get_file(path, str(temporary))
        temporary.replace(target)
