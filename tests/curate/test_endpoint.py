"""Questions to a server that fails in every way a server can."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from stub_judge import Stub, served

from curate import endpoint
from curate.endpoint import Endpoint, Refused
from curate.errors import UserError


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "WAIT", 0.0)
    monkeypatch.delenv(endpoint.KEY, raising=False)


def ask(stub: Stub, folder: Path, *texts: str, timeout: float = 5.0, repeat: int = 0) -> list[str | Refused]:
    one = Endpoint(stub.url, "small", 0.0, folder, timeout, parallel=2)
    return one.answers([[{"role": "user", "content": text}] for text in texts], repeat=repeat)


def echo(text: str) -> str:
    return f"{text}!"


def test_answers_come_in_order_and_are_asked_for_once(tmp_path: Path) -> None:
    with served(echo) as stub:
        assert ask(stub, tmp_path, "b", "a", "b") == ["b!", "a!", "b!"]
        assert len(stub.asked) == 2
        assert stub.asked[0].keys() == {"model", "messages", "temperature", "max_tokens"}
        assert ask(stub, tmp_path, "a", "c") == ["a!", "c!"]
        assert [one["messages"][0]["content"] for one in stub.asked[2:]] == ["c"]
        ask(stub, tmp_path, "a", repeat=1)
        assert len(stub.asked) == 4
    with pytest.raises(UserError, match="does not answer"):
        ask(stub, tmp_path, "d")
    assert ask(stub, tmp_path, "a") == ["a!"]  # it is gone, its answers are not


@pytest.mark.parametrize("failure", [429, 500, 503, "html", "cut", "hang"])
def test_a_failure_that_passes_is_survived(tmp_path: Path, failure: int | str) -> None:
    with served(echo, failures=[failure, failure]) as stub:
        assert ask(stub, tmp_path, "a", timeout=0.3) == ["a!"]
        assert len(stub.asked) == 3


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (500, r"answers with status 500 \(4 times\)"),
        ("html", r"answers with text/html that is no chat completion: <html>Welcome to the hotel"),
        ("cut", "does not answer"),
        ("hang", "does not answer: timed out"),
    ],
)
def test_a_failure_that_stays_ends_the_run_and_can_be_mended(tmp_path: Path, failure: int | str, said: str) -> None:
    with served(echo, failures=[failure] * 4) as stub:
        with pytest.raises(UserError, match=said) as caught:
            ask(stub, tmp_path, "a", timeout=0.3)
        assert caught.value.code == 4
        assert len(stub.asked) == 4


@pytest.mark.parametrize(
    ("status", "said"), [(401, "CURATE_API_KEY"), (404, "see URL and model"), (302, "sends on to http://192.0.2.1/")]
)
def test_what_no_second_try_mends_is_told_at_once(tmp_path: Path, status: int, said: str) -> None:
    with served(echo, failures=[status]) as stub:
        with pytest.raises(UserError, match=said):
            ask(stub, tmp_path, "a")
        assert len(stub.asked) == 1


def test_one_question_refused_loses_no_other_answer(tmp_path: Path) -> None:
    with served(echo, failures=[400]) as stub:
        found = ask(stub, tmp_path, "a", "b", "c")
        (refused,) = [one for one in found if isinstance(one, Refused)]
        assert "answers with status 400" in str(refused)
        assert len(stub.asked) == 3
        assert ask(stub, tmp_path, "a", "b", "c") == ["a!", "b!", "c!"]
        assert len(stub.asked) == 4


def test_the_key_is_sent_and_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(endpoint.KEY, "sk-very-secret")
    with served(echo, failures=[400, 404, 401]) as stub:
        assert isinstance(refused := ask(stub, tmp_path, "a")[0], Refused)
        assert "***" in str(refused)
        assert "secret" not in str(refused)
        for _ in range(2):
            with pytest.raises(UserError) as caught:
                ask(stub, tmp_path, "a")
            assert "secret" not in str(caught.value)
        assert ask(stub, tmp_path, "b") == ["b!"]
    assert set(stub.keys) == {"Bearer sk-very-secret"}
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://localhost/v1", "is no address of a server"),
        ("file:///etc/passwd", "is no address of a server"),
        ("localhost:8000", "is no address of a server"),
        ("http://", "is no address of a server"),
        ("http://localhost:port", "is no address of a server"),
        ("http://me:secret@localhost/v1", "holds more than an address"),
        ("https://server/v1?api_key=secret", "holds more than an address"),
        ("http://server.example/v1", "in the clear"),
    ],
)
def test_a_url_that_is_none_or_gives_a_secret_away_is_refused(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.KEY, "sk")
    with pytest.raises(UserError, match=said) as caught:
        endpoint.require(url)
    assert "secret" not in str(caught.value)


def test_a_key_with_a_line_break_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(endpoint.KEY, "sk-secret\n")
    with pytest.raises(UserError, match="holds what no key has") as caught:
        endpoint.require("https://server.example/v1")
    assert "secret" not in str(caught.value)


def test_a_damaged_file_of_answers_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").write_bytes(b"no database, " * 100)
    with served(echo) as stub, pytest.raises(UserError, match=r"answers\.sqlite: holds no answers"):
        ask(stub, tmp_path, "a")


def test_what_was_answered_before_a_failure_is_kept(tmp_path: Path) -> None:
    with served(echo) as stub:
        ask(stub, tmp_path, "a")
        stub.failures += [404]
        with pytest.raises(UserError):
            ask(stub, tmp_path, "a", "b")
    kept = sqlite3.connect(tmp_path / "answers.sqlite").execute("SELECT answer FROM answers").fetchall()
    assert kept == [("a!",)]


def test_a_server_may_ask_for_a_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(endpoint, "WAIT", 1.0)
    with served(echo, failures=[503, 503, 503]) as stub:
        assert ask(stub, tmp_path, "a") == ["a!"]
    assert pauses == [1.0, 2.0, 4.0]
