"""The row: its columns, its identity and the texts that steps compare."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
import polars as pl

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String, "train": pl.Boolean})

ROW: dict[str, pl.DataType] = {
    "record": pl.String(),
    "id": pl.String(),
    "parents": pl.List(pl.String),
    "source": pl.String(),
    "task": pl.String(),
    "template": pl.String(),
    "split": pl.String(),
    "license": pl.String(),
    "lang": pl.String(),
    "messages": pl.List(MESSAGE),
    "prompt": pl.String(),
    "response": pl.String(),
    "slots": pl.String(),
    "content": pl.String(),
    "meta": pl.String(),
}

# Characters that a row's id takes from its record: 65,536 places to cut a table.
PREFIX = 4
ROLES = ("system", "user", "assistant", "tool")
# One token is about four bytes of English ("What are tokens", OpenAI's help pages); bytes instead of characters because
# byte-level vocabularies spend more tokens on a letter that takes more bytes. An estimate for sizing, not for training.
BYTES_PER_TOKEN = 4
TEXT_COLUMNS = ("prompt", "response", "content", "rendered", "trained")
# Columns a `where` may name beside signals.
GROUPS = ("source", "task", "template", "split", "license", "lang")


@dataclass(frozen=True)
class Measured:
    """What a step returns when it has more to tell than its signals.

    Args:
        signals: one row per input row, same order.
        tables: side tables by name, written sorted to `tables/<step>.<name>.parquet`.
    """

    signals: pl.DataFrame
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys and no blanks, UTF-8: equal data gives equal bytes."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(*parts: str | bytes) -> str:
    """Return the BLAKE2b-128 hex of the parts, each prefixed with its length so that no two lists of parts collide."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def row_id(record: str, template: str, rendering: int) -> str:
    """Return the id of one rendering: a short beginning of its record, then a hash of record, template and number.

    The shared beginning lets sorted tables be cut, and merged again, between records; it is short so that the first
    characters of an id still tell two renderings of a record apart.
    """
    return record[:PREFIX] + digest(record, template, str(rendering))[PREFIX:]


def prompt_and_response(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Split a conversation at its last assistant turn.

    Returns:
        The prompt (with one user turn and nothing else exactly its content, otherwise `role: text` lines)
        and the response.

    Raises:
        ValueError: when no turn is the assistant's.
    """
    last = max((i for i, turn in enumerate(messages) if turn["role"] == "assistant"), default=None)
    if last is None:
        raise ValueError("no assistant turn")
    before = messages[:last]
    if len(before) == 1 and before[0]["role"] == "user":
        return str(before[0]["content"]), str(messages[last]["content"])
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in before), str(messages[last]["content"])


def column_text(rows: pl.DataFrame, column: str) -> pl.Series:
    """Return the text a step looks at, null where the row has none.

    Args:
        rows: any rows with the columns of `ROW`.
        column: a text column or string signal, or `rendered` (prompt and response, joined by a line break),
            or `trained` (all turns with `train` true, joined by line breaks).

    Returns:
        String series of length n.
    """
    if column == "rendered":
        return rows.select(pl.concat_str("prompt", "response", separator="\n")).to_series()
    if column == "trained":
        turns = pl.element().filter(pl.element().struct.field("train")).struct.field("content")
        return rows.select(pl.col("messages").list.eval(turns).list.join("\n")).to_series()
    return rows.get_column(column)


def tokens(rows: pl.DataFrame) -> pl.Series:
    """Return the estimated tokens of prompt and response: UTF-8 bytes / 4, rounded up, at least 1 (i64)."""
    size = pl.col("prompt").str.len_bytes().fill_null(0) + pl.col("response").str.len_bytes().fill_null(0)
    whole = ((size + BYTES_PER_TOKEN - 1) // BYTES_PER_TOKEN).clip(1).cast(pl.Int64)
    return rows.select(tokens=whole).to_series()
