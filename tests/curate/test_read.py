"""Reading: every form, every kind of damage; good rows survive their neighbours."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import documents, lines, read, records
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


# --- forms


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", jsonl(ROWS)),
        ("a.ndjson", jsonl(ROWS)),
        ("A.JSONL", jsonl(ROWS)),
        ("a.jsonl.gz", gzip.compress(jsonl(ROWS))),
        ("a.jsonl.gz", gzip.compress(jsonl(ROWS[:1])) + gzip.compress(jsonl(ROWS[1:]))),
        ("a.jsonl.zst", zstandard.compress(jsonl(ROWS))),
        ("a.jsonl.zst", zstandard.compress(jsonl(ROWS[:1])) + zstandard.compress(jsonl(ROWS[1:]))),
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=4, ensure_ascii=False)),
        ("a.json.gz", gzip.compress(json.dumps(ROWS).encode())),
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
        ("a.tsv.gz", gzip.compress(b"text\tn\r\na\t\r\n"), {}, [{"text": "a", "n": ""}]),
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


# --- damage in lines


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b'{"a": 1', "not JSON: Expecting ',' delimiter (column 8)"),
        (b'{"a": "x', "not JSON: Unterminated string starting at (column 7)"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at position 8"),
        (b'{"a": "x\0"}', "a NUL byte at character 9"),
        (b'{"a": "x\\u0000"}', "a NUL character (\\u0000) in a text"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair (\\ud800) in a text"),
        (b'{"\\udfff": 1}', "half of a surrogate pair (\\udfff) in a text"),
        (b"17", "a number, not an object or a list"),
        (b'"text"', "a string, not an object or a list"),
        (b"null", "null, not an object or a list"),
        (b"NaN", "null, not an object or a list"),
        (b"true", "a boolean, not an object or a list"),
        (b'{"a": 1} {"a": 2}', "not JSON: Extra data (column 10)"),
        (b"{'a': 1}", "not JSON: Expecting property name enclosed in double quotes (column 2)"),
        (b"[" * 200 + b"]" * 200, "nested deeper than 100 levels"),
        (b"[" * 5_000 + b"]" * 5_000, "nested deeper than 100 levels"),
        (b'{"a":' * 100_000, "nested deeper than 100 levels"),
        (b"\xef\xbb\xbfx", "not JSON: Expecting value (column 1)"),
    ],
)
def test_a_bad_line_is_one_reject(tmp_path, line, cause):
    content = b'{"a": 0}\n' + line + b'\n{"a": 2}\n'
    good, bad = parts(put(tmp_path, "a.jsonl", content))
    assert good == [(1, {"a": 0}), (3, {"a": 2})]
    assert bad == [(2, cause)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a": NaN, "b": [Infinity, -Infinity], "c": 1e999}', {"a": None, "b": [None, None], "c": None}),
        (b'{"a": 18446744073709551615, "b": -9223372036854775808}', {"a": 2**64 - 1, "b": -(2**63)}),
        (b'{"a": 123456789012345678901234567890}', {"a": "123456789012345678901234567890"}),
        (b'{"a": {"b": [-9223372036854775809]}}', {"a": {"b": ["-9223372036854775809"]}}),
        (b'{"a": ' + b"9" * 5_000 + b"}", {"a": "9" * 5_000}),
        (b'{"a": 1e300, "b": 0.1}', {"a": 1e300, "b": 0.1}),
        (b'{"a": "\\\\u0000 \\ud83d\\ude00"}', {"a": "\\u0000 \U0001f600"}),
        (b'{"a": "x\xe2\x80\xa8y"}\r', {"a": "x\u2028y"}),
    ],
)
def test_odd_but_good_lines(tmp_path, line, value):
    assert data(put(tmp_path, "a.jsonl", line)) == [value]


def test_big_digits_are_the_same_in_documents(tmp_path):
    assert data(put(tmp_path, "a.json", '[{"a": 123456789012345678901}, {"a": NaN}]')) == [
        {"a": "123456789012345678901"},
        {"a": None},
    ]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_a_line_of_fifty_megabytes_is_one_reject_in_bounded_memory(tmp_path, ending):
    content = b'{"a": 1}\n{"a": "' + b"x" * 50_000_000 + b'"}\n{"a": 3}\n'
    pack = {".jsonl": bytes, ".jsonl.gz": lambda b: gzip.compress(b, 1), ".jsonl.zst": zstandard.compress}[ending]
    path = put(tmp_path, "a" + ending, pack(content))
    del content
    tracemalloc.start()
    good, bad = parts(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert good == [(1, {"a": 1}), (3, {"a": 3})]
    assert bad == [(2, "the line is longer than 10 MB")]
    assert peak < 45_000_000


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_long_line_in_a_table(tmp_path, name, monkeypatch):
    monkeypatch.setattr(lines, "LINE_CAP", 300_000)
    content = b"text\na\n" + b"x" * 1_000_000 + b"\nb\n"
    good, bad = parts(put(tmp_path, name, content))
    assert good == [(2, {"text": "a"}), (4, {"text": "b"})]
    assert [line for line, _ in bad] == [3]


def test_excerpts_are_short_and_printable(tmp_path):
    path = put(tmp_path, "a.jsonl", b'{"\x1b[31m\xff\n' + "ü".encode() * 500 + b"\n")
    first, second = read.read(path)
    assert first.excerpt == '{"\\x1b[31m\\xff'
    assert second.excerpt == "ü" * 200
    assert records.excerpt(b"\0" * 200) == ("\\x00" * 50)
    assert records.excerpt("\ud800\n") == "\\ud800\\n"


# --- damage in CSV and TSV


@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        ("a,1\nb\nc,1,2\nd,4\n", [(2, "a"), (5, "d")], [(3, "1 fields"), (4, "3 fields")]),
        ('"open,1\nb,2\nc,3\n', [(3, "b"), (4, "c")], [(2, "never closed")]),
        ('"open,1\nb,2\n"c, d",3\ne,4\n', [(3, "b"), (4, "c, d"), (5, "e")], [(2, "never closed")]),
        ('"open,1\nb,2\n"c\nd",3\ne,4\n', [(3, "b"), (4, "c\nd"), (6, "e")], [(2, "never closed")]),
        ('a,"open\nb,2\n"c","3"\n', [(3, "b"), (4, "c")], [(2, "never closed")]),
        ('a,1\n"b" x,2\nc,3\n', [(2, "a"), (4, "c")], [(3, "not doubled")]),
        ('"a,1\nb,2\nc,", x"\nd,4\n', [(3, "b"), (4, "c"), (5, "d")], [(2, "never closed")]),
        ('"a,1\nb,2\nc", x" y,3\nd,4\n', [(3, "b"), (5, "d")], [(2, "never closed"), (4, "do not enclose")]),
        ('"a\n\nb",1,2\nc,3\n', [(5, "c")], [(2, "3 fields where the header has 2")]),
        ('"a\nb",1\n"c', [(2, "a\nb")], [(4, "never closed")]),
        ('a,1\n"b\udcff\nc",2\nd,3\n', [(2, "a"), (5, "d")], [(3, "not UTF-8: byte 0xff at position 3")]),
        ('a,1\n"b\0\nc",2\nd,3\n', [(2, "a"), (5, "d")], [(3, "NUL byte at character 3")]),
        ("a,1\nb\0,2\nc\udcff,3\nd,4\n", [(2, "a"), (5, "d")], [(3, "NUL"), (4, "not UTF-8")]),
    ],
)
def test_bad_csv_rows_leave_the_others_alone(tmp_path, body, good, bad):
    path = put(tmp_path, "a.csv", ("text,n\n" + body).encode("utf-8", "surrogateescape"))
    found, rejected = parts(path)
    assert [(line, row["text"]) for line, row in found] == good
    assert [line for line, _ in rejected] == [line for line, _ in bad]
    for (_, cause), (_, expected) in zip(rejected, bad, strict=True):
        assert expected in cause


def test_an_unclosed_quote_before_many_rows(tmp_path):
    body = "".join(f"row {i},{i}\n" for i in range(150_000))
    good, bad = parts(put(tmp_path, "a.csv", 'text,n\n"open,0\n' + body))
    assert len(good) == 150_000
    assert bad == [(2, "a quote is opened here and never closed")]


def test_quotes_that_open_on_every_line_cost_linear_time(tmp_path):
    good, bad = parts(put(tmp_path, "a.csv", "x,y\n" + 'a","b\n' * 20_000))
    assert good == []
    assert len(bad) == 20_000


def test_the_field_limit_of_the_csv_module_is_put_back(tmp_path):
    before = csv.field_size_limit()
    data(put(tmp_path, "a.csv", 'a\n"' + "x" * 300_000 + '"\n'))
    assert csv.field_size_limit() == before


def test_the_width_without_a_header_is_the_usual_one(tmp_path):
    good, bad = parts(put(tmp_path, "a.csv", "title line\na,1\nb,2\nc,3\n"), positional=True)
    assert [line for line, _ in good] == [2, 3, 4]
    assert bad == [(1, "1 fields where the other rows have 2")]


def test_tsv_rows(tmp_path):
    good, bad = parts(put(tmp_path, "a.tsv", b"text\tn\na\t1\nb\nc\t\xff\n\t\nd\0\t1\ne\t2"))
    assert [line for line, _ in good] == [2, 5, 7]
    assert [line for line, _ in bad] == [3, 4, 6]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text;label\na;1\n", "separated by semicolons, not commas"),
        ("a.csv", "text\tlabel\na\t1\n", "name the file .tsv"),
        ("a.tsv", "text,label\na,1\n", "name the file .csv"),
        ("a.csv", "text|label\n", "separated by bars"),
        ("a.csv", "text,label,text\n", "'text' more than once"),
        ("a.csv", b"te\xffxt,label\na,1\n", "line 1: the header: not UTF-8"),
        ("a.csv", 'text,"label\na,1\n', "line 1: the header: a quote"),
        ("a.csv", "text,label\ra,1\rb,2", "lone carriage return"),
    ],
)
def test_tables_that_are_refused(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message) as caught:
        list(read.read(put(tmp_path, name, content)))
    assert caught.value.code == INPUT
    assert caught.value.fix


def test_semicolons_without_a_header(tmp_path):
    with pytest.raises(UserError, match="semicolons"):
        list(read.read(put(tmp_path, "a.csv", "a;1\nb;2\n"), positional=True))


# --- damage in documents


@pytest.mark.parametrize("indent", [None, 0, 4])
def test_a_truncated_document_gives_what_is_before_the_break(tmp_path, indent):
    rows = [{"text": f"row {i}", "more": [{"text": i}]} for i in range(5)]
    text = json.dumps(rows, indent=indent)
    good, bad = parts(put(tmp_path, "a.json", text[: text.index("row 3") + 3]))
    assert [value for _, value in good] == rows[:3]
    assert len(bad) == 1
    assert "breaks off" in bad[0][1]


def test_a_document_that_breaks_between_elements(tmp_path):
    good, bad = parts(put(tmp_path, "a.json", '[{"a": 1},\n{"a": 2},\n'))
    assert len(good) == 2
    assert bad == [(3, "the document breaks off before the end of its list")]


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        ('{"a": "x", "b": }', "not JSON: Expecting value"),
        ('{"a": "x, "b": 2}', "not JSON: Expecting ',' delimiter"),
        ('{"a": "x", "b": 2', "not JSON"),
        ('{"a": "line\nbreak", "b": 2}', "not JSON: Invalid control character at"),
        ("oops", "not JSON: Expecting value"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"a": "\udcff"}', "not UTF-8: byte 0xff in a text"),
        ('{"a": "\\u0000"}', "a NUL character"),
        ("17", "a number, not an object or a list"),
        ('"a"', "a string, not an object or a list"),
        ('{"a": ' + "[" * 150 + "]" * 150 + "}", "nested deeper than 100 levels"),
        ('{"a": ' + "[" * 3_000 + "]" * 3_000 + "}", "nested deeper than 100 levels"),
    ],
)
def test_a_bad_element_in_the_middle(tmp_path, broken, cause):
    text = '[{"a": 1, "b": 1},\n{"a": 2, "b": 2},\n' + broken + ',\n{"a": 3, "b": 3},\n{"a": 4, "b": 4}]'
    good, bad = parts(put(tmp_path, "a.json", text.encode("utf-8", "surrogateescape")))
    assert [value["a"] for _, value in good] == [1, 2, 3, 4]
    assert len(bad) == 1
    assert bad[0][0] == 3
    assert bad[0][1].startswith(cause)


def test_a_bad_first_element(tmp_path):
    good, bad = parts(put(tmp_path, "a.json", '[{"a": oops},\n{"a": 2}]'))
    assert good == [(2, {"a": 2})]
    assert len(bad) == 1


def test_a_bad_element_among_lists(tmp_path):
    good, bad = parts(put(tmp_path, "a.json", '[["a", "x"],\n["b [1], x],\n["c", "z"],\n["d", "z"]]'))
    assert [value[0] for _, value in good] == ["a", "c", "d"]
    assert [line for line, _ in bad] == [2]


def test_no_guess_where_elements_hold_the_like(tmp_path):
    text = '[{"a": 1, "kids": [{"a": 2}]},\n{"a": oops, "kids": [{"a": 3}, {"a": 4}]},\n{"a": 5}]'
    good, bad = parts(put(tmp_path, "a.json", text))
    assert len(good) == 1
    assert len(bad) == 1
    assert bad[0][1].endswith("the rest is not read")


def test_an_element_beyond_the_cap(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.window.LINE_CAP", 300_000)
    text = '[{"a": 1},\n{"a": [' + "0," * 2_000_000 + '0]},\n{"a": 3}]'
    good, bad = parts(put(tmp_path, "a.json", text))
    assert [value["a"] for _, value in good] == [1, 3]
    assert [line for line, _ in bad] == [2]


def test_elements_across_windows(tmp_path):
    rows = [{"n": n, "text": "ü😀" * (n % 977), "deep": [[n], {"x": -1.5e-7}]} for n in range(3_000)]
    path = put(tmp_path, "a.json", json.dumps({"x": {"meta": rows[:50]}, "rows": rows}, ensure_ascii=False, indent=1))
    assert data(path) == rows
    assert data(path, records="x.meta") == rows[:50]
    numbers = put(tmp_path, "b.json", "[" + ",\n".join("[123456789, 0.5]" for _ in range(60_000)) + "]")
    assert data(numbers) == [[123456789, 0.5]] * 60_000


@pytest.mark.parametrize(
    ("content", "options", "message", "code"),
    [
        (
            '{"train": [{}], "test": [{}]}',
            {},
            'several lists: train, test; choose one, e.g. `records = "train"`',
            USAGE,
        ),
        ('{"a": 1, "tags": ["x"]}', {}, "without a list of records; its keys: a, tags", USAGE),
        ('{"train": [{}]}', {"records": "trian"}, "there is no 'trian'; did you mean 'train'", USAGE),
        ('{"a": {"b": 1}}', {"records": "a.b"}, "not a list", USAGE),
        ('{"a": 1}', {"records": "a.b"}, "there is no 'b'", USAGE),
        ("[[1]]", {"records": "3"}, "has 1 elements", USAGE),
        ('{"a": oops}', {}, "line 1: not JSON: Expecting value", INPUT),
    ],
)
def test_documents_without_the_list(tmp_path, content, options, message, code):
    with pytest.raises(UserError) as caught:
        list(read.read(put(tmp_path, "a.json", content), **options))
    assert message in str(caught.value)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("content", "options", "cause"),
    [
        ('"text"', {}, "neither a list nor an object"),
        ("<html>", {}, "neither a list nor an object"),
        ('[{"a": 1}] trailing', {}, "text after the end of the list"),
        ('{"train": [', {"records": "train"}, "breaks off before the end"),
        ('{"x": 1, "tr', {"records": "train"}, "breaks off"),
    ],
)
def test_documents_with_one_reject(tmp_path, content, options, cause):
    _, bad = parts(put(tmp_path, "a.json", content), **options)
    assert len(bad) == 1
    assert cause in bad[0][1]


def test_first_lines_tell_lines_from_documents(tmp_path):
    assert documents.holds_lines(put(tmp_path, "a.json", '{"a": 1}\n{"a": 2}\n'))
    assert documents.holds_lines(put(tmp_path, "b.json", '["a", 1]\n["b", 2]\n'))
    assert not documents.holds_lines(put(tmp_path, "c.json", '{"data": []}\n'))
    assert not documents.holds_lines(put(tmp_path, "d.json", '[{"a": 1}]\n[{"a": 2}]\n'))


# --- files that cannot be read


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_one_reject(tmp_path, ending, content):
    assert parts(put(tmp_path, "a" + ending, content)) == ([], [(1, "the file is empty")])
    assert parts(put(tmp_path, f"b{ending}.gz", gzip.compress(content))) == ([], [(1, "the file is empty")])


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
        ("a.jsonl.zst", b"no archive at all", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n')[:-4], "breaks off after line"),
        ("a.jsonl.zst", zstandard.compress(b'{"a": 1}\n' * 99)[:-3], "breaks off after line"),
        ("a.jsonl", gzip.compress(b'{"a": 1}\n'), "add .gz"),
        ("a.jsonl", zstandard.compress(b'{"a": 1}\n'), "add .zst"),
        ("a.csv", b"PK\x03\x04rest", "zip archive"),
        ("a.json", parquet(ROWS), "name it .parquet"),
        ("a.parquet", b"", "cannot be read"),
        ("a.parquet", b"nonsense that is long enough", "cannot be read"),
        ("a.parquet", parquet(ROWS)[:-20], "cannot be read"),
        ("a.arrow", b"", "cannot be read"),
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


# --- expand, lookup, fetch


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
    save_dataset(tmp_path / "saved", [ROWS])
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


# --- properties

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
RECORDS = st.dictionaries(TEXT, JSON, max_size=4) | st.lists(JSON, max_size=3)
QUICK = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@QUICK
@given(
    rows=st.lists(st.dictionaries(TEXT, JSON, max_size=4) | st.lists(JSON, max_size=3), min_size=1), ascii=st.booleans()
)
def test_what_json_writes_reads_back(tmp_path, rows, ascii):
    text = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows)
    assert data(put(tmp_path, "a.jsonl", text)) == rows
    document = put(tmp_path, "a.json", json.dumps({"rows": rows}, ensure_ascii=ascii, indent=1))
    assert data(document, records="rows") == rows


CELL = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)) | st.sampled_from('",\n\r\u2028\x85 ')
)


@QUICK
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1), ending=st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_reads_back(tmp_path, rows, ending):
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator=ending)
    writer.writerows([("text", "label"), *rows])
    expected = [{"text": text, "label": label} for text, label in rows]
    assert data(put(tmp_path, "a.csv", buffer.getvalue())) == expected


@QUICK
@given(content=st.binary(max_size=300) | TEXT.map(str.encode), name=st.sampled_from(sorted(read.KNOWN_ENDINGS)))
def test_no_content_breaks_the_reader(tmp_path, content, name):
    path = put(tmp_path, "a" + name, content)
    try:
        for item in read.read(path):
            assert len(item.excerpt if isinstance(item, read.Reject) else "") <= 200
            json.dumps(item.data if isinstance(item, read.Record) else item.cause).encode()
    except UserError as error:
        assert error.where and error.what


@QUICK
@given(rows=st.lists(st.sampled_from(["a,1", '"b, c",2', '"d\ne",3', '"f""g",4'])), at=st.integers(0, 20))
def test_one_unclosed_quote_loses_no_other_row(tmp_path, rows, at):
    at = min(at, len(rows))
    content = "\n".join(["x,y", *rows[:at], '"open,9', *rows[at:]]) + "\n"
    good, bad = parts(put(tmp_path, "a.csv", content))
    expected = [row for row in csv.reader(io.StringIO("\n".join(rows)))]
    assert [list(value.values()) for _, value in good] == expected
    assert len(bad) == 1


def test_records_are_streamed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a short record", "label": 1}\n' * 200_000)
    tracemalloc.start()
    count = sum(1 for _ in read.read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 10_000_000
