"""CSV and TSV: bad rows leave the others alone."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import read
from curate.errors import INPUT, UserError


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


def test_an_unclosed_quote_before_more_rows_than_a_field_may_span(tmp_path, monkeypatch):
    monkeypatch.setattr("curate.delimited.SPAN", 1_000)
    body = "".join(f"row {i},{i}\n" for i in range(5_000))
    good, bad = parts(put(tmp_path, "a.csv", 'text,n\n"open,0\n' + body))
    assert len(good) == 5_000
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


QUICK = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
@given(rows=st.lists(st.sampled_from(["a,1", '"b, c",2', '"d\ne",3', '"f""g",4'])), at=st.integers(0, 20))
def test_one_unclosed_quote_loses_no_other_row(tmp_path, rows, at):
    at = min(at, len(rows))
    content = "\n".join(["x,y", *rows[:at], '"open,9', *rows[at:]]) + "\n"
    good, bad = parts(put(tmp_path, "a.csv", content))
    expected = [row for row in csv.reader(io.StringIO("\n".join(rows)))]
    assert [list(value.values()) for _, value in good] == expected
    assert len(bad) == 1
