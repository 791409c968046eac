"""Conversations in the words of `tiny_tokenizer`."""

from __future__ import annotations

from typing import Any

import polars as pl

from curate.schema import MESSAGE

Turn = tuple[str, str]


def talk(*turns: Turn, untrained: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Return turns; the assistant's are trained, but for those whose numbers are named."""
    return [
        {"role": role, "content": content, "train": role == "assistant" and number not in untrained}
        for number, (role, content) in enumerate(turns)
    ]


def frame(*conversations: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows `row00`, `row01`, …"""
    names = [f"row{number:02}" for number in range(len(conversations))]
    return pl.DataFrame({"id": names, "messages": list(conversations)}, {"id": pl.String, "messages": pl.List(MESSAGE)})


def sums(count: int) -> pl.DataFrame:
    """Return short questions of different lengths, each with an answer."""
    return frame(
        *(
            talk(("user", " ".join(["what is two", *["and two"] * (number % 5), "?"])), ("assistant", answer))
            for number, answer in zip(range(count), ["four .", "two", "two and two ."] * count, strict=False)
        )
    )
