"""Steps of a user's own, as a recipe names them with `--allow-code`: each misbehaves in one way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl


def picky(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Count letters; of lamps it will not hear.

    Signals:
        letters (u32): how many.
    """
    for text in rows[column]:
        if "lamp" in text:
            raise ValueError(f"cannot bear {text!r}; write to jane.doe@acme-letters.de")
    return rows.select(letters=pl.col(column).str.len_chars())


def hangs(rows: pl.DataFrame) -> pl.DataFrame:
    """Never come to an end, whatever is raised.

    Signals:
        letters (u32): how many.
    """
    while rows.height:
        time.sleep(0.01)
    return rows.select(letters=pl.lit(0, pl.UInt32))


def dies(rows: pl.DataFrame) -> pl.DataFrame:
    """End like a process that the system killed for lack of memory.

    Signals:
        letters (u32): how many.
    """
    if rows.height and not os.path.exists("there is more memory"):
        os.kill(os.getpid(), 9)
    return rows.select(letters=pl.col("response").str.len_chars())


def greedy(rows: pl.DataFrame) -> pl.DataFrame:
    """Ask for more memory than there is.

    Signals:
        letters (u32): how many.
    """
    if rows.height:
        bytearray(1 << 45)
    return rows.select(letters=pl.lit(0, pl.UInt32))


def falters(rows: pl.DataFrame) -> pl.DataFrame:
    """End like a process that the system killed, the first time that it is asked.

    Signals:
        letters (u32): how many.
    """
    before = Path(__file__).with_name("has faltered")
    if rows.height and not before.exists():
        before.touch()
        os.kill(os.getpid(), 9)
    return rows.select(letters=pl.col("response").str.len_chars())
