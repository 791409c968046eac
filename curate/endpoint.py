"""Questions to a server that speaks the protocol of OpenAI's chat completions, each answer kept once it is there."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curate.errors import INPUT, UserError
from curate.records import excerpt
from curate.schema import canonical, digest

Message = Mapping[str, str]
# Where the key is taken from. One name, and no other: a recipe that named it could send any secret to its own server.
KEY = "CURATE_API_KEY"
# Times a question is asked that met a failure that may pass, and seconds before the second time; doubled after each.
TRIES, WAIT = 4, 1.0
# Longest pause that a server may ask for.
_LONGEST = 60.0
# Tokens of an answer: a number, or a short object that holds it.
_TOKENS = 64
# Bytes read of an answer: a thousand times what is asked for.
_BYTES = 1 << 20
# Failures that may pass: too many questions, or a server that is ill.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# Refusals of one question: too long, or not to the server's taste.
_UNFIT = frozenset({400, 413, 422})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(ValueError):
    """The server does not take this question; another row's may be fine."""


class _Failed(Exception):
    """A failure that may pass, and the seconds that the server asks to wait."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirection: it would carry the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request."""


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL.

    Args:
        url: of the API, such as `http://localhost:8000/v1`; `/chat/completions` is added.
        model: its name there.
        temperature: of its answers.
        store: folder in which answers are kept.
        timeout: seconds for one answer.
        parallel: questions at a time.
    """

    url: str
    model: str
    temperature: float
    store: Path
    timeout: float = 60.0
    parallel: int = 4

    def answers(self, questions: Sequence[Sequence[Message]], *, repeat: int = 0) -> list[str | Refused]:
        """Return the answer to each question, in their order, or why the server does not take that question.

        What was answered before is not asked again.

        Args:
            questions: conversations.
            repeat: of the same question asked several times, which time.

        Raises:
            UserError: when the server cannot be reached, wants another key or does not speak the protocol.
        """
        require(self.url)
        bodies = [self._body(question) for question in questions]
        keys = [digest(self.url, canonical(body), str(repeat)) for body in bodies]
        ahead = dict(zip(keys, bodies, strict=True))
        with self._kept() as kept:
            found: dict[str, str | Refused] = {key: one for key in ahead if (one := _look(kept, key)) is not None}
            for key, answer in self._asked({key: body for key, body in ahead.items() if key not in found}):
                found[key] = answer
                if isinstance(answer, str):
                    with kept:
                        kept.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, answer))
        return [found[key] for key in keys]

    def _body(self, question: Sequence[Message]) -> dict[str, Any]:
        body = {"model": self.model, "messages": list(question), "temperature": self.temperature}
        return {**body, "max_tokens": _TOKENS}

    def _asked(self, bodies: Mapping[str, Any]) -> Iterator[tuple[str, str | Refused]]:
        """Yield answers as they come; none of those still waiting is asked once one fails."""
        with ThreadPoolExecutor(max(1, self.parallel)) as pool:
            running = {pool.submit(self._ask, body): key for key, body in bodies.items()}
            try:
                for done in as_completed(running):
                    yield running[done], done.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, body: Mapping[str, Any]) -> str | Refused:
        """Return the answer to one question, tried again after failures that may pass."""
        failure = _Failed("")
        for number in range(TRIES):
            if number:
                time.sleep(max(WAIT * 2 ** (number - 1), min(failure.wait, _LONGEST)))
            try:
                return self._once(body)
            except _Failed as error:
                failure = error
            except Refused as error:
                return error
        fix = (
            "see that the server runs and that the URL ends where `/chat/completions` begins; what it answered is kept"
        )
        raise UserError(f"endpoint {self.url}", f"{failure} ({TRIES} times)", fix, code=INPUT)

    def _once(self, body: Mapping[str, Any]) -> str:
        request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", canonical(body), method="POST")
        request.add_header("Content-Type", "application/json")
        if key := os.environ.get(KEY):
            request.add_header("Authorization", f"Bearer {key}")
        local = urlsplit(self.url).hostname in _LOOPBACK
        opener = urllib.request.build_opener(_Stay, *([urllib.request.ProxyHandler({})] if local else []))
        try:
            with opener.open(request, timeout=self.timeout) as answer:
                kind, data = answer.headers.get_content_type(), answer.read(_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(f"does not answer: {_said(error)}") from None
        return _content(data, kind)

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        """Return what an answer that is none means."""
        where, told = f"endpoint {self.url}", f"answers with status {error.code}"
        if error.code in _PASSING:
            wait = error.headers.get("Retry-After", "")
            return _Failed(told, float(wait) if wait.isdecimal() else 0.0)
        if error.code in (401, 403):  # without its words, which may hold a part of the key
            return UserError(where, told, f"give its key in the environment variable {KEY}", code=INPUT)
        said = excerpt(_without_key(error.read(_BYTES)))
        if error.code in _UNFIT:
            return Refused(f"{told}: {said}")
        to = f", and sends on to {excerpt(error.headers.get('Location', ''))}" if 300 <= error.code < 400 else ""
        return UserError(where, f"{told}{to}: {said}", "see URL and model", code=INPUT)

    @contextmanager
    def _kept(self) -> Iterator[sqlite3.Connection]:
        """Yield the table of answers; several processes may have it."""
        self.store.mkdir(parents=True, exist_ok=True)
        path = self.store / "answers.sqlite"
        try:
            with closing(sqlite3.connect(path, timeout=60)) as kept:
                kept.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
                yield kept
        except sqlite3.Error as error:
            raise UserError(str(path), f"holds no answers: {error}", "delete it", code=INPUT) from None


def require(url: str) -> None:
    """Refuse a URL that is none, or that would give a secret away.

    Raises:
        UserError: saying which.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise UserError(f"url = '{url}'", "is no address of a server", "such as http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        what = "holds more than an address, and would be written down with the recipe"
        raise UserError(f"url of {host}", what, f"give a key in the environment variable {KEY}")
    if not (os.environ.get(KEY, "").isascii() and os.environ.get(KEY, "").isprintable()):
        raise UserError(KEY, "holds what no key has: blanks at its end, most likely", "set it again")
    if parts.scheme == "http" and host not in _LOOPBACK and os.environ.get(KEY):
        raise UserError(f"url = '{url}'", f"would send {KEY} over the network in the clear", "use https")


def _look(kept: sqlite3.Connection, key: str) -> str | None:
    row = kept.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else None


def _content(data: bytes, kind: str) -> str:
    """Return what the model says."""
    try:
        found = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _Failed(f"answers with {kind} that is no chat completion: {excerpt(_without_key(data))}") from None
    return found if isinstance(found, str) else ""  # null where a model only thought, or called a tool


def _without_key(data: bytes) -> bytes:
    key = os.environ.get(KEY, "").encode()
    return data.replace(key, b"***") if key else data


def _said(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return " ".join(str(reason or error or type(error).__name__).split())[:200]
