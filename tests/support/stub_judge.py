"""A server on this machine that answers as a model would, in one of several moods."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# From the question to the reply, or to the status of a refusal.
Mood = Callable[[str], str | int]


def parts(text: str) -> tuple[str, str]:
    """Return request and answer out of a question."""
    request, answer = (re.search(rf"<{name}-\w+>\n(.*)\n</{name}-", text, re.DOTALL) for name in ("request", "answer"))
    assert request is not None
    assert answer is not None
    return request[1], answer[1]


def fair(text: str) -> str:
    """Score by the first digit of the answer, whatever is around it."""
    found = re.search(r"[1-5]", parts(text)[1])
    return found[0] if found else "3"


class Stub:
    """What the server was asked, and how it behaves.

    Args:
        mood: makes the replies.
        failures: what the next questions get instead: a status, `html`, `hang` or `cut`.
    """

    def __init__(self, mood: Mood, failures: list[int | str]) -> None:
        self.mood, self.failures = mood, failures
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.asked.append(body)
            stub.keys.append(self.headers.get("Authorization"))
            said = stub.mood(body["messages"][-1]["content"])
            failure = stub.failures.pop(0) if stub.failures else said if isinstance(said, int) else None
            if failure == "hang":
                time.sleep(1)
            if failure == "cut":
                return
            if failure == "html":
                self.reply(200, b"<html>Welcome to the hotel</html>", "text/html")
            elif isinstance(failure, int):
                error = json.dumps({"error": f"no, {self.headers.get('Authorization')}"}).encode()
                self.reply(failure, error, "application/json")
            else:
                told = {"choices": [{"message": {"role": "assistant", "content": said}}]}
                self.reply(200, json.dumps(told).encode(), "application/json")

        def reply(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "http://192.0.2.1/elsewhere")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _start(stub: Stub) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    stub.url = f"http://127.0.0.1:{server.server_port}/v1"
    return server


@contextmanager
def served(mood: Mood = fair, *, failures: list[int | str] | None = None) -> Iterator[Stub]:
    """Yield a running stub."""
    stub = Stub(mood, failures or [])
    server = _start(stub)
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


@cache
def lasting() -> str:
    """Return the URL of a fair stub that runs until the tests end."""
    stub = Stub(fair, [])
    _start(stub)
    return stub.url
