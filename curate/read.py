"""Files of any supported form to records; what cannot be read becomes a reject with file, line and cause."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curate.delimited import read_delimited
from curate.documents import holds_lines, read_document
from curate.errors import INPUT, UserError
from curate.lines import COMPRESSIONS, LINE_CAP, blank, broken, lines, too_long
from curate.records import Item, Record, Reject, excerpt, lookup, parse

__all__ = [
    "KNOWN_ENDINGS", "Record", "Reject", "elsewhere", "expand", "fetch", "lookup", "named", "read", "require_readable",
]  # fmt: skip

TEXT_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
BINARY_ENDINGS = (".parquet", ".arrow")
KNOWN_ENDINGS = (*TEXT_ENDINGS, *BINARY_ENDINGS, *(end + how for how in COMPRESSIONS for end in TEXT_ENDINGS))
# Two letters or more before the colon: one alone is a drive of another system.
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# Names of a folder's files shown when nothing matches: a screenful.
_SHOWN = 10


def expand(pattern: str, *, base: Path) -> list[Path]:
    """Return the files, or folders of `datasets`, that a path or glob names, sorted.

    Args:
        pattern: relative to `base` or absolute; `..` and `~` are allowed.
        base: folder of the recipe.

    Raises:
        UserError: when nothing matches, with what is there instead.
    """
    if elsewhere(pattern):
        raise UserError(pattern, "is not on this machine", "`curate run --allow-download` copies it first", code=INPUT)
    try:
        path = base / Path(pattern).expanduser()
        path.is_dir()  # fails for what cannot be a path
    except (OSError, RuntimeError) as error:
        raise UserError(pattern, f"cannot be a path: {_said(error)}", "check it", code=INPUT) from None
    if path.is_dir() and not _is_dataset(path):
        inside = _names(path)
        fix = f'name its files, e.g. "{pattern.rstrip("/")}/*{Path(inside[0]).suffix}"' if inside else "it is empty"
        raise UserError(pattern, "is a folder, not a file or a folder saved by `datasets`", fix, code=INPUT)
    if os.path.lexists(path):
        return [path]
    found = glob.glob(str(Path(glob.escape(str(base))) / Path(pattern).expanduser()), recursive=True)
    paths = sorted({Path(name) for name in found if not os.path.isdir(name) or _is_dataset(Path(name))})
    if not paths:
        what = "no file matches" if glob.has_magic(pattern) else "no such file"
        raise UserError(pattern, what, _nearby(path), code=INPUT)
    return paths


def elsewhere(path: str) -> bool:
    """Tell whether a path is the address of something that is not on this machine."""
    return _ELSEWHERE.match(path) is not None


def _is_dataset(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def _nearby(path: Path) -> str:
    """Say what is there instead: the nearest names in the deepest folder of the path that exists."""
    missing, folder = path.name, path.parent
    while not folder.is_dir() and folder != folder.parent:
        missing, folder = folder.name, folder.parent
    names = _names(folder)
    near = difflib.get_close_matches(missing, names, n=3, cutoff=0.5)
    if near:
        return f"in {folder} there is: {', '.join(near)}"
    more = ", …" if len(names) > _SHOWN else ""
    return f"{folder} holds: {', '.join(names[:_SHOWN])}{more}" if names else f"{folder} is empty"


def read(
    path: Path, *, records: str | None = None, header: bool | None = None, positional: bool = False
) -> Iterator[Item]:
    """Yield the records of a file in its order, and a reject for everything in it that is none.

    Args:
        path: a file with a known ending, or a folder saved by `datasets`.
        records: dotted path to the list inside a JSON document, or the split of a folder.
        header: whether a CSV or TSV file begins with the names of its columns; None: unless `positional`.
        positional: whether the recipe names fields by number only.

    Returns:
        An iterator that holds little of the file at a time.

    Raises:
        UserError: at once for a path that cannot be read at all, on the way when the file breaks off.
    """
    if path.is_dir():
        return _folder(path, records)
    require_readable(path)
    ending = _ending(path)
    if records is not None and ending != ".json":
        what = f'`records = "{records}"` is for .json documents and folders saved by `datasets`'
        raise UserError(str(path), what, "leave `records` out; `fields` take dotted paths")
    if ending in BINARY_ENDINGS:
        # Arrow is slow to load and not needed for text.
        from curate import tables

        return tables.read_parquet(path) if ending == ".parquet" else tables.read_arrow(path)
    if ending in (".csv", ".tsv"):
        named = not positional if header is None else header
        return _text(path, lambda: read_delimited(path, separator="," if ending == ".csv" else "\t", header=named))
    if ending == ".json":
        return _text(path, lambda: _json(path, records))
    return _text(path, lambda: _json_lines(path))


def named(path: Path | str) -> str:
    """Return a path as our files can hold it: bytes of a name that are not UTF-8 as `?`, so that a glob finds it."""
    return str(path).encode(errors="replace").decode()


def require_readable(path: Path) -> None:
    """Refuse a path that is neither a folder nor a regular file with bytes to read.

    Raises:
        UserError: saying what it is; a pipe would otherwise be waited for without end.
    """
    if path.is_dir():
        return
    if path.is_symlink() and not path.exists():
        raise UserError(str(path), "is a link that leads nowhere", "mend the link", code=INPUT)
    if not path.exists():
        raise UserError(str(path), "no such file", _nearby(path), code=INPUT)
    if not path.is_file():
        raise UserError(str(path), "is not a regular file", "write its content to a file first", code=INPUT)
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise broken(path, error, after="byte 0") from None


def _said(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def fetch(path: Path, line: int, *, match: Callable[[Any], bool] | None = None, **options: Any) -> Any | None:
    """Return the record that starts on a line, or None.

    Args:
        path: file or folder, as for `read`.
        line: as in `Record.line`.
        match: tells the record meant among several on one line, as a JSON document without line breaks has.
        options: as for `read`.
    """
    for item in read(path, **options):
        if isinstance(item, Record) and item.line == line and (match is None or match(item.data)):
            return item.data
    return None


def _ending(path: Path) -> str:
    """Return the ending that tells the form, without that of a compression."""
    name = path.name.lower()
    packed = name.endswith(COMPRESSIONS)
    plain = name.rsplit(".", 1)[0] if packed else name
    for ending in TEXT_ENDINGS if packed else (*TEXT_ENDINGS, *BINARY_ENDINGS):
        if plain.endswith(ending):
            return ending
    what = f"the ending '{''.join(path.suffixes[-2:])}' is not known" if path.suffix else "its name has no ending"
    known = ", ".join((*TEXT_ENDINGS, *BINARY_ENDINGS))
    fix = f"name it by its form: {known}; text also with {' or '.join(COMPRESSIONS)} added"
    raise UserError(str(path), what, fix, code=INPUT)


def _folder(path: Path, split: str | None) -> Iterator[Item]:
    if not _is_dataset(path):
        what = "is a folder, not a file or a folder saved by `datasets`"
        raise UserError(str(path), what, "name its files", code=INPUT)
    from curate import tables

    return tables.read_dataset(path, split=split)


def _text(path: Path, items: Callable[[], Iterator[Item]]) -> Iterator[Item]:
    if blank(path):
        yield Reject(str(path), 1, "the file is empty", "")
    else:
        yield from items()


def _json(path: Path, records: str | None) -> Iterator[Item]:
    # Many files called .json hold a record per line.
    return _json_lines(path) if records is None and holds_lines(path) else read_document(path, records=records)


def _json_lines(path: Path) -> Iterator[Item]:
    file = str(path)
    for number, raw in lines(path):
        if not raw or raw.isspace():  # told at once: a gigabyte of nothing takes a hundred bytes of an archive
            continue
        try:
            if len(raw) > LINE_CAP:
                raise ValueError(too_long(raw))
            data = parse(raw)
        except ValueError as error:
            yield Reject(file, number, str(error), excerpt(raw))
            continue
        yield Record(file, number, data)
