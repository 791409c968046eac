"""Turns of conversations one by one, and who may speak when."""

from __future__ import annotations

import polars as pl

from curate.schema import ROLES

ASSISTANT, USER, SYSTEM, TOOL = "assistant", "user", "system", "tool"


def turns(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return every turn of every row, in order.

    Args:
        rows: with `messages`.

    Returns:
        `row` (number of its row), `role` (null when it is none that we know), `train`, `blank` (nothing but blanks).
    """
    turn = pl.element().struct
    parts = {
        "role": turn.field("role").cast(pl.Enum(ROLES), strict=False),
        "train": turn.field("train").fill_null(False),
        "blank": turn.field("content").str.strip_chars().str.len_bytes().fill_null(0) == 0,
    }
    lists = rows.select(pl.col("messages").list.eval(part).alias(name) for name, part in parts.items())
    found = lists.with_row_index("row").filter(pl.col("role").list.len() > 0)
    return found.explode(*parts).collect()


def faults() -> dict[str, pl.Expr]:
    """Return for each kind of illegal order the turns at which it is seen, among all turns in order."""
    role, row = pl.col("role"), pl.col("row")
    begins = (row != row.shift(1)).fill_null(True)
    ends = (row != row.shift(-1)).fill_null(True)
    before = pl.when(~begins).then(role.shift(1))
    opening = begins | (before == SYSTEM)
    found = {
        "a system turn that is not the first": (role == SYSTEM) & ~begins,
        "an answer before any question": (role == ASSISTANT) & opening,
        "two questions in a row": (role == USER) & (before == USER),
        "two answers in a row": (role == ASSISTANT) & (before == ASSISTANT),
        "a tool's turn that follows no answer": (role == TOOL) & (opening | (before == USER)),
        "a question where a tool's turn waits for an answer": (role == USER) & (before == TOOL),
        "the last turn is no answer": ends & (role != ASSISTANT),
        "an unknown role": role.is_null(),
    }
    return {kind: wrong.fill_null(False) for kind, wrong in found.items()}
