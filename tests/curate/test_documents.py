"""JSON documents: a broken element is one reject."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate import documents, read
from curate.errors import INPUT, USAGE, UserError


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
