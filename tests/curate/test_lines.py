"""Lines of JSON: a bad line is one reject, whatever is wrong with it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import lines, read, records
from curate.errors import UserError


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
    pack = {".jsonl": bytes, ".jsonl.gz": lambda b: gzip.compress(b, 1, mtime=0), ".jsonl.zst": zstandard.compress}[
        ending
    ]
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


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
RECORDS = st.dictionaries(TEXT, JSON, max_size=4) | st.lists(JSON, max_size=3)
QUICK = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(
    rows=st.lists(st.dictionaries(TEXT, JSON, max_size=4) | st.lists(JSON, max_size=3), min_size=1), ascii=st.booleans()
)
def test_what_json_writes_reads_back(tmp_path, rows, ascii):
    text = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows)
    assert data(put(tmp_path, "a.jsonl", text)) == rows
    document = put(tmp_path, "a.json", json.dumps({"rows": rows}, ensure_ascii=ascii, indent=1))
    assert data(document, records="rows") == rows


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


def test_records_are_streamed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a short record", "label": 1}\n' * 200_000)
    tracemalloc.start()
    count = sum(1 for _ in read.read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 10_000_000
