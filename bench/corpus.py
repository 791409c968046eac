"""Rows with near copies for benchmarks: a published mix from the shared data, and seeded edits of its rows."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import orjson
import polars as pl

SEED = 17
MIX = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mix" / "p3_rendered.jsonl.gz"
# Kinds of edits and how many of twenty rows get each.
KINDS = ("same", "case", "blanks", "marks", "drop", "drop", "drop", "drop", "replace", "replace", "replace", "replace")
KINDS += ("both", "both", "both", "order", "cut", "cut", "cut", "cut")
RATES = (0.01, 0.03, 0.05, 0.1, 0.2)


def make(path: Path, rows: int, *, characters: int | None = None) -> None:
    """Write a Parquet file of `rows` texts in the column `text`, real ones and edits of them, shuffled.

    Args:
        path: where to.
        rows: how many; the first are always those of a smaller corpus of the same kind.
        characters: cut the real texts so short.
    """
    if not MIX.is_file():
        raise SystemExit(f"the benchmark needs {MIX}")
    with gzip.open(MIX, "rb") as file:
        records = [orjson.loads(line) for line in file]
    real = [f"{record['prompt']}\n{record['completion']}"[:characters] for record in records]
    drawn = random.Random(SEED)
    vocabulary = sorted({word for text in real[:2000] for word in text.split()})
    texts = real + [edited(drawn.choice(real), drawn, vocabulary) for _ in range(rows - len(real))]
    drawn.shuffle(texts)
    pl.DataFrame({"text": texts[:rows]}).write_parquet(path, row_group_size=50_000)


def edited(text: str, drawn: random.Random, vocabulary: list[str]) -> str:
    """Return a near copy of a text."""
    kind, rate = drawn.choice(KINDS), drawn.choice(RATES)
    words = text.split(" ")
    if kind == "same":
        return text
    if kind == "case":
        return drawn.choice((text.lower(), text.upper(), text.title()))
    if kind == "blanks":
        return "".join(word + drawn.choice((" ", "  ", "\n", " \t")) for word in words).strip()
    if kind == "marks":
        return re.sub(r"[.,;:!?\"'()]", lambda mark: mark[0] if drawn.random() < 0.3 else "", text)
    if kind == "order":
        parts = re.split(r"(?<=[.!?])\s+", text)
        drawn.shuffle(parts)
        return " ".join(parts)
    if kind == "cut":
        return text[: max(1, int(len(text) * (1 - drawn.choice((0.05, 0.1, 0.2, 0.3, 0.5)))))]
    found = []
    for word in words:
        hit = drawn.random() < rate
        if hit and (kind == "drop" or (kind == "both" and drawn.random() < 0.5)):
            continue
        found.append(drawn.choice(vocabulary) if hit else word)
    return " ".join(found)
