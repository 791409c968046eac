"""Texts made to keep a check busy for ever; seconds leave room for a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import polars as pl
import pytest

from curate.steps.format import format
from curate.steps.mismatch import mismatch
from curate.steps.mojibake import mojibake
from curate.steps.truncated import truncated
from curate.steps.verify import verify

Rows = Callable[..., pl.DataFrame]
TEXTS = [
    "a" + "\n" * 100_000 + "a",
    "<tool_call>" * 10_000,
    "in valid " * 20_000,
    "1=1 " * 30_000,
    "1 + 1 = " * 20_000,
    "(" * 100_000,
    "<<1+1=" * 20_000,
    "A) " * 40_000,
    "Ã©" * 50_000,
    ";\n" * 50_000,
    "answer is " * 20_000,
    "```\n" * 30_000,
    "{" * 100_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:9]))
def test_hostile_texts_are_checked_in_time(make_rows: Rows, text: str) -> None:
    rows = make_rows({"prompt": text, "response": text, "task": "math", "meta": '{"tools": "x"}'})
    for step in (format, mismatch, mojibake, truncated, verify):
        started = time.process_time()
        step(rows)
        assert time.process_time() - started < 10, step.__name__
