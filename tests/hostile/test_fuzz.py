"""Random bytes, recipes and templates: a record, a reject or a clear error, and nothing else."""

from __future__ import annotations

import gzip
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hostile_cases import RECIPE, parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import check, read, templates
from curate.errors import UserError
from curate.recipe import parse
from curate.records import Record, Reject

# `make test-slow` sets it: tens of thousands of cases instead of some hundreds.
MANY = int(os.environ.get("FUZZ", "1"))
FUZZ = settings(max_examples=120 * MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
TOKENS = [
    b"{", b"}", b"[", b"]", b'"', b'""', b",", b":", b"\n", b"\r\n", b"\r", b"\t", b" ", b"\\", b"\\u0000", b"\\ud800",
    b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x00", b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 40, b"a", b"question",
    b'{"question": "q", "answer": "a"}\n', b'[{"a": 1}, ', b"a,b\n", b'"x\n', "é\u2028".encode(), b"=1+1", b"true", b"-0",
]  # fmt: skip
BYTES = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8)), max_size=40).map(b"".join)


def consume(path: Path) -> None:
    """Read a file as the command would and check what comes out."""
    try:
        for item in read.read(path):
            assert isinstance(item, Record | Reject)
            if isinstance(item, Record):
                assert isinstance(item.data, dict | list)
            else:
                assert item.cause
                assert item.excerpt.isprintable()
    except UserError as error:
        assert error.code == 4
        assert error.what


@FUZZ
@given(
    content=BYTES,
    ending=st.sampled_from([".jsonl", ".json", ".csv", ".tsv"]),
    packed=st.sampled_from(["", ".gz", ".zst"]),
)
def test_any_bytes_of_a_text_file_are_records_rejects_or_an_error(
    tmp_path: Path, content: bytes, ending: str, packed: str
) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[packed]
    path = tmp_path / f"data{ending}{packed}"
    path.write_bytes(pack(content))
    consume(path)


@FUZZ
@given(
    cuts=st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=4)), min_size=1, max_size=6),
    form=st.sampled_from(["data.parquet", "data.jsonl.gz", "data.jsonl.zst"]),
)
def test_damage_anywhere_in_a_packed_file_is_an_error_or_a_reject(
    tmp_path: Path, cuts: list[tuple[int, bytes]], form: str
) -> None:
    lines = b'{"question": "q", "answer": "a"}\n' * 50
    sound = {
        "data.parquet": parquet(question=["q"] * 50, answer=["a", None] * 25),
        "data.jsonl.gz": gzip.compress(lines),
        "data.jsonl.zst": zstandard.ZstdCompressor().compress(lines),
    }[form]
    for at, new in cuts:
        place = at % len(sound)
        sound = sound[:place] + new + sound[place + max(1, len(new)) :]
    (tmp_path / form).write_bytes(sound)
    consume(tmp_path / form)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from(["length", "length.words", "../x", "\x00", "os:system", "qa_open", "*" * 50, "data.jsonl"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a recipe."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else []
    return [at, *(place for key, value in items for place in places(value, (*at, key)))]


@FUZZ
@given(changes=st.lists(st.tuples(st.integers(0, 1000), VALUES), min_size=1, max_size=3))
def test_any_value_anywhere_in_a_recipe_is_taken_or_told(tmp_path: Path, changes: list[tuple[int, Any]]) -> None:
    (tmp_path / "data.jsonl").write_bytes(b'{"question": "q", "answer": "a"}\n')
    data: Any = tomllib.loads(
        RECIPE + '[templates]\nper_record = 2\n[gates]\nmin_kept = 1\n[licenses]\nallow = ["MIT"]\n'
    )
    for number, value in changes:
        *path, last = (found := places(data)[1:])[number % len(found)]
        node = data
        for key in path:
            node = node[key]
        node[last] = value
        if not isinstance(data, dict) or not places(data)[1:]:
            return
    try:
        check.require(parse(data, file="recipe.toml", base=tmp_path))
    except UserError as error:
        assert error.what


PARTS = [
    "{{ text }}", "{{ label }}", "{{", "}}", "{%", "%}", "{#", "#}", " if text ", " endif ", " for x in items ", "{% endfor %}",
    "{% for a in items %}", "{% if text %}", "{% endif %}", "{{ items | join }}", "{{ text * 9 }}", " | ", "commas", "json",
    "{{ text.__class__ }}", "{{ text[", "]", "range(9)", "{{ text | truncate(3) }}", "{% raw %}", "{% endraw %}", "x", "\n", "'",
]  # fmt: skip


@FUZZ
@given(text=st.lists(st.sampled_from(PARTS), min_size=1, max_size=12).map("".join), value=st.text(max_size=20))
def test_any_template_is_filled_or_told(text: str, value: str) -> None:
    try:
        filled = templates.program(text)({"text": value, "label": value, "items": [value, "b"]})
    except UserError as error:
        assert error.what
    else:
        assert len(filled) <= 1000 * (len(value) + 10)


@pytest.mark.parametrize(
    "text", ["{{ text | upper }}", "{% for x in items %}{{ x | trim }} {% endfor %}", "{{ items | length }}"]
)
def test_harmless_templates_are_still_templates(text: str) -> None:
    assert templates.program(text)({"text": "a", "items": ["b"]})
