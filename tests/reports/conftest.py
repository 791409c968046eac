"""The run directory that the reports are tested on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from sample_run import write_run


@pytest.fixture
def run(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> Path:
    """Give the run directory."""
    return write_run(tmp_path / "run", make_rows)


@pytest.fixture
def make_run(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> Callable[..., Path]:
    """Give the builder of run directories with parts of the manifest replaced."""
    return lambda **changes: write_run(tmp_path / f"run{len(list(tmp_path.iterdir()))}", make_rows, **changes)
