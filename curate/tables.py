"""Tables in binary form: Parquet, Arrow (file and stream) and folders that `datasets` saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import INPUT, UserError, suggest
from curate.records import Item, Record, Reject, excerpt, flaw

# Rows per batch: at 2 MB a row, the most that viewers show, a batch still fits in memory.
BATCH = 256
# What Arrow raises on damaged files: its own errors, and those of Python where it trusts names and lengths.
_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError)
STATE, SPLITS = "state.json", "dataset_dict.json"


def read_parquet(path: Path) -> Iterator[Item]:
    """Yield the rows of a Parquet file."""
    yield from _rows(path, _parquet_batches, shown=path, before=0)


def read_arrow(path: Path) -> Iterator[Item]:
    """Yield the rows of an Arrow file or stream."""
    yield from _rows(path, _arrow_batches, shown=path, before=0)


def read_dataset(path: Path, *, split: str | None) -> Iterator[Item]:
    """Yield the rows of a saved dataset; the number of a row counts through all its files.

    Raises:
        UserError: when the folder is damaged, or has splits and none or an unknown one is named.
    """
    folder = _split_folder(path, split)
    state = _json(folder / STATE)
    if any("indices" in key and value for key, value in state.items()):
        fix = "load it with `datasets`, call flatten_indices() and save it again"
        raise UserError(str(folder / STATE), "the rows are chosen by an index beside the data", fix, code=INPUT)
    before = 0
    try:
        names = [str(entry["filename"]) for entry in state["_data_files"]]
    except (KeyError, TypeError):
        fix = "save the dataset again with save_to_disk"
        raise UserError(str(folder / STATE), "it does not list the data files", fix, code=INPUT) from None
    for name in names:
        for item in _rows(_inside(path, folder / name), _arrow_batches, shown=path, before=before):
            yield item
            before = item.line


def _split_folder(path: Path, split: str | None) -> Path:
    """Return the folder of the split, or the folder itself where it has none."""
    if not (path / SPLITS).is_file():
        if split is not None:
            what = f'`records = "{split}"` names a split, but the folder holds a single table'
            raise UserError(str(path), what, "leave `records` out")
        return path
    splits = [str(name) for name in _json(path / SPLITS).get("splits", [])]
    if split is None and len(splits) == 1:
        split = splits[0]
    if split is None:
        what = f"the folder has several splits: {', '.join(splits)}"
        raise UserError(str(path), what, 'choose one, e.g. `records = "train"`')
    if split not in splits:
        raise UserError(str(path), f"there is no split '{split}'", suggest(split, splits))
    return _inside(path, path / split)


def _inside(folder: Path, path: Path) -> Path:
    """Return a path that a file of the folder names, when it stays in the folder.

    Raises:
        UserError: when it leads out, by its name or by a link.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        fix = "save the dataset again with save_to_disk; links are to be replaced by the files"
        raise UserError(str(folder), f"names a file outside of it: {path}", fix, code=INPUT)
    return path


def _json(path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise UserError(str(path), f"cannot be read: {error}", "save the dataset again", code=INPUT) from error
    if not isinstance(value, dict):
        raise UserError(str(path), "is not what `datasets` writes", "save the dataset again", code=INPUT)
    return value


def _parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        _check_names(path, file.schema_arrow)
        yield from file.iter_batches(batch_size=BATCH)


def _arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches of few rows; the file is not mapped, because a map of a file that shrinks kills the process."""
    with pa.OSFile(str(path), "rb") as file:
        magic = file.read(6)
        file.seek(0)
        if magic == b"ARROW1":
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        else:
            reader = pa.ipc.open_stream(file)
            batches = iter(reader)
        _check_names(path, reader.schema)
        for batch in batches:
            # Files of Arrow are trusted by default, and a wrong offset in one would crash the process.
            batch.validate()
            for start in range(0, batch.num_rows, BATCH):
                yield batch.slice(start, BATCH)


def _check_names(path: Path, schema: pa.Schema) -> None:
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise UserError(str(path), f"columns named more than once: {', '.join(twice)}", "rename them", code=INPUT)


def _rows(
    path: Path, batches: Callable[[Path], Iterator[pa.RecordBatch]], *, shown: Path, before: int
) -> Iterator[Item]:
    """Yield the rows of a file, numbered from `before` + 1."""
    number, source = before, batches(path)
    while True:
        try:
            batch = next(source, None)
        except FileNotFoundError:
            raise UserError(str(path), "no such file", "save the dataset again", code=INPUT) from None
        except _DAMAGE as error:
            what = f"cannot be read after row {number - before:,}: {_first_line(error)}"
            raise UserError(str(path), what, "fetch or write the file again", code=INPUT) from error
        if batch is None:
            return
        yield from _batch(batch, str(shown), number + 1)
        number += batch.num_rows


def _first_line(error: Exception) -> str:
    return excerpt((str(error).strip() or type(error).__name__).split("\n")[0])


def _batch(batch: pa.RecordBatch, file: str, number: int) -> Iterator[Item]:
    """Yield the rows of a batch; when one of them cannot be taken out, all are taken out singly."""
    try:
        rows = _taken(batch)
    except _DAMAGE:
        for index in range(batch.num_rows):
            yield _single(batch.slice(index, 1), file, number + index)
        return
    for index, row in enumerate(rows):
        yield _item(row, file, number + index)


def _single(batch: pa.RecordBatch, file: str, number: int) -> Item:
    try:
        rows = _taken(batch)
    except _DAMAGE as error:
        cause = "not UTF-8" if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error) else _first_line(error)
        return Reject(file, number, cause, "")
    return _item(rows[0], file, number)


def _taken(batch: pa.RecordBatch) -> list[Any]:
    batch.validate(full=True)
    rows: list[Any] = _microseconds(batch).to_pylist()
    return rows


def _item(row: Any, file: str, number: int) -> Item:
    try:
        data = _plain(row)
    except ValueError as error:
        return Reject(file, number, str(error), excerpt(str(row)[:200]))
    cause = flaw(data)
    return Record(file, number, data) if cause is None else Reject(file, number, cause, excerpt(str(row)[:200]))


def _microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cut nanoseconds, which Python's times do not have, from the columns of times."""
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            coarser = pa.timestamp("us", field.type.tz)
        elif pa.types.is_duration(field.type) and field.type.unit == "ns":
            coarser = pa.duration("us")
        elif pa.types.is_time64(field.type) and field.type.unit == "ns":
            coarser = pa.time64("us")
        else:
            continue
        batch = batch.set_column(index, field.name, batch.column(index).cast(coarser, safe=False))
    return batch


def _plain(value: Any) -> Any:
    """Return what JSON can hold: ISO 8601 for times, digits for decimals, text for bytes, null for NaN.

    Raises:
        ValueError: when bytes are no text.
    """
    form = type(value)
    if form is str or form is int or form is bool or value is None:
        return value
    if form is float:
        return value if math.isfinite(value) else None
    if form is dict:
        return {key: _plain(item) for key, item in value.items()}
    if form is list or form is tuple:
        return [_plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError("bytes that are no text (an image or a sound?)") from None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    raise ValueError(f"a value of type {type(value).__name__}, which JSON does not have")
