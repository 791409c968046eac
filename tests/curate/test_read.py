"""Reading: every form gives the same records, and what cannot be read says why."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curate import read
from curate.errors import INPUT, USAGE, UserError

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


def jsonl(rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def arrow(rows, *, stream: bool) -> bytes:
    table, sink = pa.Table.from_pylist(rows), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(rows) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", jsonl(ROWS)),
        ("a.ndjson", jsonl(ROWS)),
        ("A.JSONL", jsonl(ROWS)),
        ("a.jsonl.gz", gzip.compress(jsonl(ROWS), mtime=0)),
        ("a.jsonl.gz", gzip.compress(jsonl(ROWS[:1]), mtime=0) + gzip.compress(jsonl(ROWS[1:]), mtime=0)),
        ("a.jsonl.zst", zstandard.compress(jsonl(ROWS))),
        ("a.jsonl.zst", zstandard.compress(jsonl(ROWS[:1])) + zstandard.compress(jsonl(ROWS[1:]))),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=4, ensure_ascii=False)),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("a.json", jsonl(ROWS)),
        ("a.json", json.dumps({"version": 1, "data": ROWS, "tags": ["x"]})),
        ("a.json", json.dumps(ROWS[:2]) + json.dumps(ROWS[2:])),
        ("a.parquet", parquet(ROWS)),
        ("a.arrow", arrow(ROWS, stream=False)),
        ("a.arrow", arrow(ROWS, stream=True)),
    ],
)
def test_each_form_gives_the_same_records(tmp_path, name, content):
    assert data(put(tmp_path, name, content)) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("a.csv", "text,label\na,1\n", {}, [{"text": "a", "label": "1"}]),
        ("a.csv", "a,1\nb,2\n", {"positional": True}, [["a", "1"], ["b", "2"]]),
        ("a.csv", "a,1\nb,2\n", {"header": False}, [["a", "1"], ["b", "2"]]),
        ("a.csv", "x,y\nb,2\n", {"header": True, "positional": True}, [{"x": "b", "y": "2"}]),
        ("a.csv", "text,label\r\na,1\r\n", {}, [{"text": "a", "label": "1"}]),
        ("a.csv", ",text\n0,a\n", {}, [{"": "0", "text": "a"}]),
        ("a.csv", "text,,\na,b,c\n", {}, [{"text": "a", "": "b", "2": "c"}]),
        ("a.csv", 'text,n\n"a\n\nb, ""c""",1\n', {}, [{"text": 'a\n\nb, "c"', "n": "1"}]),
        ("a.csv", 'text,n\n5" "disk",1\n', {}, [{"text": '5" "disk"', "n": "1"}]),
        ("a.csv", 'text\n"' + "y" * 200_000 + '"\n', {}, [{"text": "y" * 200_000}]),
        ("a.csv", "text\nhello; world\n", {}, [{"text": "hello; world"}]),
        ("a.csv", "text\none; two\nthree\n", {"header": False}, [["text"], ["one; two"], ["three"]]),
        ("a.csv", "\ufefftext,n\na,1\n", {}, [{"text": "a", "n": "1"}]),
        ("a.csv", "text,n\n\n  \na,1", {}, [{"text": "a", "n": "1"}]),
        ("a.csv", "text,n\na\u2028b\x0cc\u0085d,1\n", {}, [{"text": "a\u2028b\x0cc\u0085d", "n": "1"}]),
        ("a.tsv", "a 'b\t1\n\"c\" said\t0\n", {"positional": True}, [["a 'b", "1"], ['"c" said', "0"]]),
        ("a.tsv", 'text\tn\n"say ""hi"" now"\t1\n', {}, [{"text": 'say "hi" now', "n": "1"}]),
        ("a.tsv", 'text\tn\n"one" and "two"\t1\n', {}, [{"text": '"one" and "two"', "n": "1"}]),
        ("a.tsv", 't\tn\n"open\t1\nnext\t2\n', {}, [{"t": '"open', "n": "1"}, {"t": "next", "n": "2"}]),
        ("a.tsv.gz", gzip.compress(b"text\tn\r\na\t\r\n", mtime=0), {}, [{"text": "a", "n": ""}]),
        ("a.json", '{"train": [["a", "x"]], "test": [["c", "z"]]}', {"records": "train"}, [["a", "x"]]),
        ("a.json", '{"a": {"b": [1, {"c.d": [["x"]]}]}}', {"records": "a.b.1.c.d"}, [["x"]]),
        ("a.json", '[[["a"]], [["b"], ["c"]]]', {"records": "1"}, [["b"], ["c"]]),
        ("a.json", "[]", {}, []),
        ("a.json", '{"data": []}', {}, []),
        ("a.jsonl", '["a", "b"]\n{"c": ["d", ["e"]]}\n', {}, [["a", "b"], {"c": ["d", ["e"]]}]),
        ("a.jsonl", '\ufeff{"a": 1}\r\n\r\n \n\ufeff{"a": 2}', {}, [{"a": 1}, {"a": 2}]),
    ],
)  # fmt: skip
def test_tables_and_documents(tmp_path, name, content, options, expected):
    assert data(put(tmp_path, name, content), **options) == expected


def test_lines_are_physical(tmp_path):
    good, _ = parts(put(tmp_path, "a.csv", 'text,n\n"a\nb",1\n\nc,2\n'))
    assert [line for line, _ in good] == [2, 5]
    good, _ = parts(put(tmp_path, "a.json", '[\n{"a":\n1},\n\n{"a": 2}, {"a": 3}]'))
    assert [line for line, _ in good] == [2, 5, 5]
    good, _ = parts(put(tmp_path, "a.parquet", parquet([{"a": i} for i in range(600)])))
    assert [line for line, _ in good] == list(range(1, 601))


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_one_reject(tmp_path, ending, content):
    assert parts(put(tmp_path, "a" + ending, content)) == ([], [(1, "the file is empty")])
    assert parts(put(tmp_path, f"b{ending}.gz", gzip.compress(content, mtime=0))) == ([], [(1, "the file is empty")])


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_refused_with_the_way_out(tmp_path, ending, encoding):
    path = put(tmp_path, "a" + ending, '{"text": "some words", "label": 1}\n'.encode(encoding))
    with pytest.raises(UserError, match="iconv -f UTF-16 -t UTF-8 a") as caught:
        list(read.read(path))
    assert caught.value.code == INPUT


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.compress), ("a.json.gz", gzip.compress)],
)
def test_a_truncated_archive_is_refused_after_its_good_rows(tmp_path, name, pack):
    rows = [json.dumps({"a": i, "b": hash(str(i))}) for i in range(50_000)]
    text = "[\n" + ",\n".join(rows) + "\n]" if ".json." in name else "\n".join(rows)
    packed = pack(text.encode())
    path = put(tmp_path, name, packed[: len(packed) // 2])
    found = []
    with pytest.raises(UserError, match=r"a\.jsonl?\.\w+: the archive breaks off after line [\d,]+; fetch") as caught:
        for item in read.read(path):
            found.append(item.data["a"])
    assert caught.value.code == INPUT
    assert found == list(range(len(found)))
    said = int(caught.value.what.rsplit(" ", 1)[1].replace(",", ""))
    assert 1_000 < len(found) <= said < 50_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl.gz", b"no archive at all", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n', mtime=0)[:-4], "breaks off after line"),
        ("a.jsonl.zst", zstandard.compress(b'{"a": 1}\n' * 99)[:-3], "breaks off after line"),
        ("a.jsonl", gzip.compress(b'{"a": 1}\n', mtime=0), "add .gz"),
        ("a.jsonl", zstandard.compress(b'{"a": 1}\n'), "add .zst"),
        ("a.csv", b"PK\x03\x04rest", "zip archive"),
        ("a.json", parquet(ROWS), "name it .parquet"),
        ("a.parquet", b"", "cannot be read"),
        ("a.parquet", b"nonsense that is long enough", "cannot be read"),
        ("a.parquet", parquet(ROWS)[:-20], "cannot be read"),
        ("a.arrow", b"nonsense that is long enough", "cannot be read"),
        ("a.arrow", arrow(ROWS, stream=False)[:-200], "cannot be read"),
        ("a.arrow", arrow(ROWS, stream=True)[:-40], "cannot be read"),
        ("a.txt", "hello", r"the ending '\.txt' is not known; name it by its form: \.jsonl"),
        ("a.parquet.gz", b"", r"'\.parquet\.gz' is not known"),
        ("data", "hello", "has no ending"),
    ],
)
def test_unreadable_files(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message) as caught:
        list(read.read(put(tmp_path, name, content)))
    assert caught.value.code == INPUT
    assert str(tmp_path) in caught.value.where


def test_missing_files_and_folders(tmp_path):
    put(tmp_path, "train.jsonl", "{}")
    with pytest.raises(UserError, match=r"no such file; in .* there is: train\.jsonl"):
        read.read(tmp_path / "trian.jsonl")
    with pytest.raises(UserError, match="is a folder"):
        read.read(tmp_path)


def test_records_is_refused_where_it_means_nothing(tmp_path):
    with pytest.raises(UserError, match="leave `records` out") as caught:
        read.read(put(tmp_path, "a.jsonl", "{}"), records="x")
    assert caught.value.code == USAGE


def test_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="more than once: a"):
        list(read.read(tmp_path / "a.parquet"))


def test_expand(tmp_path):
    base = tmp_path / "recipes"
    (tmp_path / "data" / "deep").mkdir(parents=True)
    base.mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "x[1].csv", ".hidden.jsonl"):
        put(tmp_path / "data", name, "{}")

    def names(pattern):
        return [path.name for path in read.expand(pattern, base=base)]

    assert names("../data/*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert names("../data/**/*.jsonl") == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert names("../data/*") == ["a.jsonl", "b.jsonl", "x[1].csv"]
    assert names("../data/x[1].csv") == ["x[1].csv"]
    assert names(str(tmp_path / "data" / "?.jsonl")) == ["a.jsonl", "b.jsonl"]
    assert names(str(tmp_path / "data" / "b.jsonl")) == ["b.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("data/trian.jsonl", r"no such file; in .*data there is: train\.jsonl"),
        ("data/*.csv", r"no file matches; .*data holds: train\.jsonl"),
        ("dta/train.jsonl", "there is: data"),
        ("data", r'is a folder.*name its files, e\.g\. "data/\*\.jsonl"'),
    ],
)
def test_expand_names_what_is_there(tmp_path, pattern, message):
    (tmp_path / "data").mkdir()
    put(tmp_path / "data", "train.jsonl", "{}")
    with pytest.raises(UserError, match=message) as caught:
        read.expand(pattern, base=tmp_path)
    assert caught.value.code == INPUT


def test_expand_takes_a_dataset_folder(tmp_path):
    (tmp_path / "saved").mkdir()
    put(tmp_path / "saved", "state.json", "{}")
    assert read.expand("saved", base=tmp_path) == [tmp_path / "saved"]
    assert read.expand("s*", base=tmp_path) == [tmp_path / "saved"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", 1),
        ("b.c", [10, {"d": "x"}]),
        ("b.c.1.d", "x"),
        ("b.c.0", 10),
        ("e.f", "dotted"),
        ("e.g", "nested"),
        ("h.i.j", "half dotted"),
        ("", "index"),
    ],
)
def test_lookup(path, value):
    record = {"a": 1, "b": {"c": [10, {"d": "x"}]}, "e.f": "dotted", "e": {"f": "no", "g": "nested"}}
    record |= {"h": {"i.j": "half dotted"}, "": "index"}
    assert read.lookup(record, path) == value


def test_lookup_in_a_list():
    assert read.lookup(["a", {"b": 2}], "1.b") == 2


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("x", ("x", ("a", "b"))),
        ("b.x.y", ("x", ("c",))),
        ("b.c.2", ("2", ("0", "1"))),
        ("b.c.-1", ("-1", ("0", "1"))),
        ("a.z", ("z", ())),
        ("b.c." + "9" * 5_000, ("9" * 5_000, ("0", "1"))),
    ],
)
def test_lookup_names_the_missing_part(path, missing):
    with pytest.raises(KeyError) as caught:
        read.lookup({"a": 1, "b": {"c": [1, 2]}}, path)
    assert caught.value.args == missing


def test_fetch(tmp_path):
    path = put(tmp_path, "a.jsonl", '{"a": 1}\nbad\n{"a": 3}\n')
    assert read.fetch(path, 3) == {"a": 3}
    assert read.fetch(path, 2) is None
    one_line = put(tmp_path, "a.json", '{"t": [{"a": 1}, {"a": 2}]}')
    assert read.fetch(one_line, 1, records="t", match=lambda data: data["a"] == 2) == {"a": 2}
