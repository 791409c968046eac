from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from curate import rulebook
from curate.errors import UserError
from curate.personal import find
from curate.steps.pii import pii

Rows = Callable[..., pl.DataFrame]


def kinds(value: str) -> list[str]:
    return pii(pl.DataFrame({"id": ["r"], "response": [value]}), column="response").signals["kinds"][0].to_list()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Mail maria.lopez@uni-lund.se.", "email"),
        ("maria.lopez@uni-lund.se", "email"),
        ("(jo+news@mail.corp.io)", "email"),
        ("+44 20 7219 3042", "phone"),
        ("Ring (212) 664-7665 now", "phone"),
        ("Tel: 030 8412 7765", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("NO9386011117947", "iban"),
        ("81.2.69.142", "ip"),
        ("2a00:1450:4009:81f::200e", "ip"),
        ("536-90-4399", "ssn"),
        ("AKIAQ3EGRJ5TZ7WDKLPM", "secret"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "secret"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "before {} after", "line\n{}\nline", "« {} »"])
def test_finds_each_kind_anywhere(value: str, kind: str, frame: str) -> None:
    assert kinds(frame.format(value)) == [kind]


@pytest.mark.parametrize(
    "value",
    [
        "order 1234567890123456 shipped",
        "version 10.4.2.1, build 8.8.4.4",
        "ISBN 978-0-306-40615-7",
        "ISBN 0-306-40615-2",
        "2024-01-15 to 15.01.2024, 12:30:45",
        "3.141592653589793 * 2 = 6.283185307179586",
        "100 - 20 - 3000 and 555-1234 is too short",
        "info@example.com, user@example.org and me@mail.example.net",
        "call 555-0142 or (202) 555-0142",
        "192.168.1.1 and 127.0.0.1",
        "000-12-3456 and 987-65-4321",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
        "x = a[1] @ b[2]",
        "The answer is 18. 16 - 3 - 4 = 9 and 9 * 2 = 18",
        "population 331,002,651",
        "1 000 000 000 000",
    ],
)
def test_leaves_numbers_and_examples_alone(value: str) -> None:
    assert kinds(value) == []


def test_counts_finds_and_lists_kinds_once(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "a.b@web.de", "response": "c.d@web.de or 81.2.69.142"})
    assert pii(rows).signals.row(0) == (["email", "ip"], 3, [])
    assert pii(rows, column="response").signals.row(0) == (["email", "ip"], 2, [])


def test_spans_are_code_points_and_hold_no_value(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "😀é", "response": "to a.b@web.de!"})
    spans = pii(rows).tables["spans"]
    assert spans.columns == ["id", "column", "kind", "start", "end"]
    row, column, kind, start, end = spans.row(0)
    assert (row, column, kind) == (rows["id"][0], "rendered", "email")
    assert "😀é\nto a.b@web.de!"[start:end] == "a.b@web.de"
    assert "web" not in str(spans.rows())


def test_an_iban_ends_where_its_country_says() -> None:
    value = "pay ES91 2100 0418 4502 0005 1332 BANK"
    assert [value[start:end] for _, start, end, _ in find(value, rulebook.patterns("pii"))] == [
        "ES91 2100 0418 4502 0005 1332"
    ]


@pytest.mark.parametrize("digit", range(10))
def test_one_check_digit_in_ten_makes_a_card(digit: int) -> None:
    assert kinds(f"411111111111111{digit}") == (["card"] if digit == 1 else [])


def test_overlapping_finds_count_once() -> None:
    assert kinds("phone: 4111 1111 1111 1111") == ["card"]


@pytest.mark.parametrize(
    "text",
    ["a@" * 50_000, "1" * 100_000, "1.2.3." * 20_000, "+1 " * 40_000, "eyJ" * 40_000, "sk-" * 40_000, "a:" * 50_000,
     "GB82 WEST " * 10_000, "tel " + " " * 100_000, "x@" + "a." * 50_000, "81.2.69.142 " * 10_000, "4111 " * 20_000],
)  # fmt: skip
def test_hostile_texts_are_searched_in_linear_time(text: str) -> None:
    started = time.process_time()
    find(text, rulebook.patterns("pii"))
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("key AKIAQ3EGRJ5TZ7WDKLPM", "aws_key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoicTdaazMifQ.Xk2vRb9TzLw6HnPc1JfG8eYs3U", "jwt"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private_key"),
        ("postgres://app:Vk82hsLqPz@db.corp.io/shop", "connection_string"),
    ],
)
def test_names_the_secrets(make_rows: Rows, value: str, name: str) -> None:
    signals = pii(make_rows({"response": value}), column="response").signals
    assert signals.row(0) == (["secret"], 1, [name])


STUB = """
from types import SimpleNamespace
class AnalyzerEngine:
    def analyze(self, *, text, language, entities, score_threshold):
        at = text.find("Ada")
        assert language == "en" and "PERSON" in entities
        found = [SimpleNamespace(entity_type="PERSON", start=at, end=at + 3, score=0.85)]
        return found if at >= 0 else []
"""


def test_presidio_fills_the_same_signals(make_rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presidio_analyzer.py").write_text(STUB)
    (tmp_path / "en_core_web_lg.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    rows = make_rows(
        {"response": "Ada has AKIAQ3EGRJ5TZ7WDKLPM", "lang": "en"},
        {"response": "none"},
        {"response": "Ada", "lang": "fr"},
    )
    found = pii(rows, column="response", engine="presidio")
    by_text = dict(zip(rows["response"], found.signals.rows(), strict=True))
    assert by_text["Ada has AKIAQ3EGRJ5TZ7WDKLPM"] == (["person", "secret"], 2, ["aws_key"])
    assert by_text["none"] == ([], 0, [])
    assert by_text["Ada"] == (None, None, None)
    assert found.tables["spans"].sort("start").select("kind", "start", "end").rows()[0] == ("person", 0, 3)
    del sys.modules["presidio_analyzer"]


def test_without_presidio_the_step_says_how_to_get_it(make_rows: Rows) -> None:
    with pytest.raises(UserError, match=r"pip install 'curatune\[presidio\]'") as caught:
        pii(make_rows({}), engine="presidio")
    assert caught.value.code == 5
