from __future__ import annotations

import logging
from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.language import language

Rows = Callable[..., pl.DataFrame]


def lang(value: str, **arguments: float) -> str | None:
    return language(pl.DataFrame({"response": [value]}), **arguments)["lang"][0]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("The train to the coast leaves at nine in the morning.", "en"),
        ("Le train pour la côte part à neuf heures du matin.", "fr"),
        ("Der Zug an die Küste fährt um neun Uhr morgens ab.", "de"),
        ("El tren a la costa sale a las nueve de la mañana.", "es"),
        ("Поезд на побережье отправляется в девять утра.", "ru"),
        ("القطار إلى الساحل يغادر في التاسعة صباحا.", "ar"),
        ("开往海边的火车早上九点出发。", "zh"),
        ("海岸行きの電車は朝九時に出ます。", "ja"),
        ("THE TRAIN TO THE COAST LEAVES AT NINE IN THE MORNING.", "en"),
        ("The train\nto the coast\r\nleaves at nine\x00 in the morning.", "en"),
    ],
)
def test_names_the_language(value: str, code: str) -> None:
    assert lang(value) == code


@pytest.mark.parametrize("value", ["yes", "positive", "B", "", "12 + 30 = 42, 7 * 6 = 42", "😀😀😀😀😀😀😀😀😀😀😀😀"])
def test_short_answers_have_no_verdict(value: str) -> None:
    found = language(pl.DataFrame({"response": [value]}))
    assert found.row(0) == (None, None)


def test_what_the_model_is_not_sure_about_has_a_score_but_no_verdict() -> None:
    found = language(pl.DataFrame({"response": ["The train to the coast leaves at nine."]}), score=1.1)
    assert found["lang"].to_list() == [None]
    assert 0.5 < found["score"][0] <= 1.0


def test_the_floor_of_letters_can_be_set() -> None:
    assert lang("Guten Tag, mein Herr") is None
    assert lang("Guten Tag, mein Herr", letters=10) == "de"


def test_a_long_text_is_judged_by_its_beginning_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert lang("Le train pour la côte part à neuf heures. " * 500 + "The end of it is English. " * 500) == "fr"
    assert caplog.records == []


def test_reads_any_column(make_rows: Rows) -> None:
    rows = make_rows({"prompt": "Le train pour la côte part à neuf heures du matin.", "response": "oui"})
    assert language(rows, column="prompt")["lang"].to_list() == ["fr"]
    assert language(rows)["lang"].to_list() == [None]


def test_asks_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert lang("The train to the coast leaves at nine in the morning.") == "en"
