"""The run directory: the only thing that passes between the packages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import INPUT, UserError
from curate.folders import beside, make, remove, workshop

MANIFEST = "manifest.json"
TABLES = ("rows", "mix", "heldout", "origins")
# Rows on which a step raised.
FAILURES = "failures.jsonl"
# What a run directory holds; anything else in it is the user's.
OWN = {MANIFEST, *(f"{name}.parquet" for name in TABLES), "rejects.jsonl", FAILURES, "tables"}
OWN |= {"report.json", "report.html", "README.md", "croissant.json", "compare.json", "compare.html"}
# What `curate order` found out about the order of the stages.
ORDER = "order.json"
OWN.add(ORDER)
# What an audit adds: the recipe it proposes, and its rows for a trainer. In any other run these are the user's.
RECIPE, EXPORT = "recipe.toml", "export"
AUDIT = "audit"  # what the manifest of an audit calls its recipe file
# What people said of rows. Not among our own: it stays when the recipe is run again.
REVIEWS = "reviews.jsonl"
_AGAIN = "run the recipe again, what was computed is cached"
_PARQUET = b"PAR1"  # the last bytes of every whole file


@dataclass(frozen=True)
class RunDir:
    """A finished run on disk.

    Args:
        path: the directory; it holds a manifest.
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> RunDir:
        """Return the run at a path.

        Raises:
            UserError: when there is no finished run, or a file of it is damaged.
        """
        path = Path(path)
        _manifest(path)
        for name in TABLES:
            _check_whole(path / f"{name}.parquet")
        return cls(path)

    @property
    def manifest(self) -> dict[str, Any]:
        """Return the manifest."""
        return _manifest(self.path)

    def scan(self, name: str = "rows") -> pl.LazyFrame:
        """Return rows, mix, heldout or origins, lazily."""
        return pl.scan_parquet(self.path / f"{name}.parquet", glob=False)

    def rows(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return all train rows with signals and verdicts, or some of their columns."""
        return self._read("rows", columns)

    def parts(self, name: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield some columns of rows, mix or heldout in order, part by part: one, empty, where there are no rows."""
        file = pq.ParquetFile(self.path / f"{name}.parquet")
        for number in range(file.num_row_groups):
            yield pl.DataFrame(file.read_row_group(number, columns=list(columns)))
        if not file.num_row_groups:
            yield self._read(name, columns)

    def mix(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the kept rows."""
        return self._read("mix", columns)

    def heldout(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the rows of held-out sources."""
        return self._read("heldout", columns)

    def origins(self) -> pl.DataFrame:
        """Return record, source, file and line."""
        return self._read("origins", None)

    def rejects(self) -> list[dict[str, Any]]:
        """Return source, file, line, cause and excerpt of what could not be read or rendered."""
        return self._lines("rejects.jsonl")

    def failures(self) -> list[dict[str, Any]]:
        """Return step, id, error and traceback of what steps raised on rows; nothing of runs that did not note it."""
        return self._lines(FAILURES) if (self.path / FAILURES).is_file() else []

    def _lines(self, name: str) -> list[dict[str, Any]]:
        with open(self.path / name, encoding="utf-8", newline="\n") as lines:
            return [json.loads(line) for line in lines]

    def table_names(self) -> list[str]:
        """Return the names `<step>.<table>` of the side tables."""
        return sorted(path.stem for path in (self.path / "tables").glob("*.parquet"))

    def table(self, name: str) -> pl.DataFrame | None:
        """Return a side table, or None when the run has none of this name."""
        path = self.path / "tables" / f"{name}.parquet"
        return pl.read_parquet(path, glob=False) if path.is_file() else None

    def _read(self, name: str, columns: Sequence[str] | None) -> pl.DataFrame:
        return pl.read_parquet(
            self.path / f"{name}.parquet", columns=None if columns is None else list(columns), glob=False
        )


class Writer:
    """A Parquet file written frame by frame, a row group each; same frames, same bytes.

    pyarrow writes it because its bytes do not depend on the polars engine or thread count. `string` and `list` instead
    of polars' large types: other readers refuse to join the two.
    """

    def __init__(self, path: Path, schema: Mapping[str, pl.DataType]) -> None:
        """Open the file."""
        self._schema = _small(pl.DataFrame(schema=dict(schema)).to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
        self.rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Append one row group; an empty frame adds none."""
        if frame.height:
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema)
            self._file.write_table(table, row_group_size=frame.height)
            self.rows += frame.height

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()


def _small(schema: pa.Schema) -> pa.Schema:
    """Replace large_string and large_list by string and list, at any depth."""

    def small(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_large_string(kind):
            return pa.string()
        if pa.types.is_large_list(kind) or pa.types.is_list(kind):
            return pa.list_(small(kind.value_type))
        if pa.types.is_struct(kind):
            return pa.struct([pa.field(field.name, small(field.type)) for field in kind])
        return kind

    return pa.schema([pa.field(field.name, small(field.type)) for field in schema])


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write one frame under a temporary name, then rename it."""
    temporary = beside(path)
    with Writer(temporary, frame.schema) as writer:
        writer.write(frame)
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text under a temporary name, then rename it."""
    temporary = beside(path)
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def write_json(path: Path, data: Any) -> None:
    """Write JSON with two blanks of indentation; NaN is refused."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """Return the SHA-256 hex of a file."""
    state = sha256()
    with open(path, "rb") as data:
        while block := data.read(1 << 20):
            state.update(block)
    return state.hexdigest()


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` in which a run is made ready for `publish`.

    Raises:
        UserError: when `out` is something else than an earlier run, cannot be made, or is being written by another.
    """
    if Path.cwd().is_relative_to(out):
        what = "holds the folder you are in, which would be replaced"
        raise UserError(str(out), what, "go elsewhere, or choose another --out")
    with ExitStack() as stack:
        try:
            path = stack.enter_context(workshop(out.parent / f".{out.name}.partial", wait=False))
        except BlockingIOError:
            raise UserError(str(out), "another run is writing it", "wait for it, or choose another --out") from None
        _settle(out)
        if os.path.lexists(out) and not _is_run(out) and (not out.is_dir() or any(out.iterdir())):
            raise UserError(str(out), "exists and is not a run directory", "choose another --out, or empty it yourself")
        make(path / "tables")
        yield path


def publish(staged: Path, out: Path) -> None:
    """Put a staged run in its place, replacing an earlier one; files in there that are not ours are kept."""
    if out.exists():
        out.rename(_replaced(out))
    staged.rename(out)
    _settle(out)


def _replaced(out: Path) -> Path:
    return out.parent / f".{out.name}.replaced"


def _settle(out: Path) -> None:
    """Finish the replacement of an earlier run, also one that was broken off: its foreign files move to the new run."""
    old = _replaced(out)
    if not old.is_dir():
        return
    if not out.exists():
        old.rename(out)
        return
    own = _own(old)
    for entry in old.iterdir():
        if entry.name not in own and not os.path.lexists(out / entry.name):
            entry.rename(out / entry.name)
    remove(old)


def _is_run(path: Path) -> bool:
    """Tell whether a folder is an earlier run, maybe a damaged one: other software has files called manifest.json."""
    try:
        return bool(_manifest(path))
    except UserError:
        names = {entry.name for entry in path.iterdir()} if path.is_dir() else set[str]()
        return names <= OWN | {RECIPE, EXPORT} and names >= {MANIFEST, "rows.parquet"}


def _own(path: Path) -> set[str]:
    """Return what a run directory holds of ours."""
    try:
        audited = _manifest(path).get("recipe_file") == AUDIT
    except UserError:
        audited = False
    return OWN | {RECIPE, EXPORT} if audited else OWN


def _manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a run directory.

    Raises:
        UserError: when there is none, or it is damaged.
    """
    try:
        data = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except OSError:
        what = f"is not a finished run (no {MANIFEST})" if path.exists() else "no such run directory"
        raise UserError(str(path), what, "make one with `curate run RECIPE`", code=INPUT) from None
    except ValueError:
        data = None
    if not isinstance(data, dict) or not data.keys() >= {"recipe", "recipe_sha256", "stages", "totals"}:
        raise UserError(str(path / MANIFEST), "is not the manifest of a run", _AGAIN, code=INPUT)
    return data


def _check_whole(path: Path) -> None:
    """Refuse a table that is missing or was cut off."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(_PARQUET), os.SEEK_END)
            whole = file.read() == _PARQUET
    except OSError:
        whole = False
    if not whole:
        raise UserError(str(path), "is missing or cut off", _AGAIN, code=INPUT)


def copy(source: Path, target: Path) -> None:
    """Copy a file."""
    shutil.copyfile(source, target)
