"""Frames for tests: rows built from a few words, all other columns filled in."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import settings

from curate import schema

# Two threads of two test processes on two cores mostly wait for each other: models of tests take 75 s, not 3.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# How long a machine takes decides no test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def build_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows with every column of the schema, sorted by id; name only what the test is about."""
    filled = []
    for number, row in enumerate(rows):
        prompt, response = row.get("prompt", "question"), row.get("response", "answer")
        record = row.get("record", schema.digest("test", str(number)))
        base: dict[str, Any] = {
            "record": record,
            "id": schema.row_id(record, "test.plain", number),
            "parents": [],
            "source": "test",
            "task": "qa_open",
            "template": "test.plain",
            "split": "train",
            "license": None,
            "lang": None,
            "messages": [
                {"role": "user", "content": prompt, "train": False},
                {"role": "assistant", "content": response, "train": True},
            ],
            "prompt": prompt,
            "response": response,
            "slots": "{}",
            "content": f"{prompt}\n{response}",
            "meta": "{}",
        }
        filled.append({**base, **row})
    return pl.DataFrame(filled, schema=schema.ROW).sort("id")


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pl.DataFrame]:
    """Give tests the row builder."""
    return build_rows
