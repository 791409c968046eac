"""Parquet, Arrow and saved datasets."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate import read
from curate.errors import INPUT, UserError

ROWS = [{"text": "one", "n": 1}, {"text": "zwei ü", "n": 2}, {"text": "三\u2028x\u0085y\x0cz", "n": 3}]


def put(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parts(path: Path, **options):
    """Return data of the records with their lines, and line and cause of the rejects."""
    items = list(read.read(path, **options))
    assert all(item.file == str(path) for item in items)
    good = [(item.line, item.data) for item in items if isinstance(item, read.Record)]
    bad = [(item.line, item.cause) for item in items if isinstance(item, read.Reject)]
    return good, bad


def data(path: Path, **options):
    good, bad = parts(path, **options)
    assert bad == []
    return [value for _, value in good]


def arrow(rows, *, stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(rows), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(rows) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def test_values_of_tables_become_json(tmp_path):
    rows = {
        "day": [datetime.date(2024, 1, 2)],
        "moment": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
        "price": [decimal.Decimal("1.50")],
        "raw": [b"text"],
        "share": [float("nan")],
        "words": [["a", None]],
        "inner": [{"x": float("inf"), "y": [b"z"]}],
        "label": pa.array(["a"]).dictionary_encode(),
        "large": pa.array([2**64 - 1], pa.uint64()),
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    (record,) = data(tmp_path / "a.parquet")
    assert record == {
        "day": "2024-01-02",
        "moment": "2023-11-14T22:13:20.123456",
        "price": "1.50",
        "raw": "text",
        "share": None,
        "words": ["a", None],
        "inner": {"x": None, "y": ["z"]},
        "label": "a",
        "large": 2**64 - 1,
    }


def test_bad_cells_of_tables_reject_their_row_only(tmp_path):
    pq.write_table(pa.table({"raw": [b"a", b"\xff\xd8", b"b"]}), tmp_path / "a.parquet")
    good, bad = parts(tmp_path / "a.parquet")
    assert [value["raw"] for _, value in good] == ["a", "b"]
    assert bad == [(2, "bytes that are no text (an image or a sound?)")]
    broken = pa.array([b"a", b"\xff\xfe", b"b", b"nul\0"]).view(pa.string())
    pq.write_table(pa.table({"t": broken}), tmp_path / "b.parquet")
    good, bad = parts(tmp_path / "b.parquet")
    assert [value["t"] for _, value in good] == ["a", "b"]
    assert bad == [(2, "not UTF-8"), (4, "a NUL character (\\u0000) in a text")]


def save_dataset(folder: Path, shards, **state) -> None:
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{len(shards):05}.arrow" for i in range(len(shards))]
    for name, rows in zip(names, shards, strict=True):
        (folder / name).write_bytes(arrow(rows, stream=True))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names], **state}))


def test_dataset_folder(tmp_path):
    save_dataset(tmp_path / "d", [ROWS[:1], ROWS[1:]])
    good, bad = parts(tmp_path / "d")
    assert good == [(1, ROWS[0]), (2, ROWS[1]), (3, ROWS[2])]
    assert bad == []
    assert read.fetch(tmp_path / "d", 3) == ROWS[2]


def test_dataset_folder_with_splits(tmp_path):
    save_dataset(tmp_path / "d" / "train", [ROWS[:2]])
    save_dataset(tmp_path / "d" / "test", [ROWS[2:]])
    put(tmp_path / "d", "dataset_dict.json", '{"splits": ["train", "test"]}')
    assert data(tmp_path / "d", records="test") == ROWS[2:]
    with pytest.raises(UserError, match="several splits: train, test"):
        list(read.read(tmp_path / "d"))
    with pytest.raises(UserError, match="did you mean 'train'"):
        list(read.read(tmp_path / "d", records="trian"))


@pytest.mark.parametrize(
    ("state", "message"),
    [({"_indices_data_files": [{"filename": "i.arrow"}]}, "flatten_indices"), ({"_data_files": None}, "does not list")],
)
def test_dataset_folder_refused(tmp_path, state, message):
    save_dataset(tmp_path / "d", [ROWS], **state)
    with pytest.raises(UserError, match=message) as caught:
        list(read.read(tmp_path / "d"))
    assert caught.value.code == INPUT


def test_dataset_folder_with_a_missing_file(tmp_path):
    save_dataset(tmp_path / "d", [ROWS])
    next((tmp_path / "d").glob("*.arrow")).unlink()
    with pytest.raises(UserError, match="no such file"):
        list(read.read(tmp_path / "d"))
