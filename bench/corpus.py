"""Rows with near copies for benchmarks: a published mix from the shared data, and seeded edits of its rows."""

from __future__ import annotations

import gzip
import random
import re
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import polars as pl

SEED = 17
WORDS, POOL = 60, 100_000  # of a short text before it is cut; texts that are copied
MIX = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "mix" / "p3_rendered.jsonl.gz"
# Kinds of edits and how many of twenty rows get each.
KINDS = ("same", "case", "blanks", "marks", "drop", "drop", "drop", "drop", "replace", "replace", "replace", "replace")
KINDS += ("both", "both", "both", "order", "cut", "cut", "cut", "cut")
RATES = (0.01, 0.03, 0.05, 0.1, 0.2)


def make(path: Path, rows: int) -> None:
    """Write a Parquet file of `rows` texts in the column `text`, real ones and edits of them, shuffled."""
    if not MIX.is_file():
        raise SystemExit(f"the benchmark needs {MIX}")
    with gzip.open(MIX, "rb") as file:
        records = [orjson.loads(line) for line in file]
    real = [f"{record['prompt']}\n{record['completion']}" for record in records]
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


@lru_cache(maxsize=1)
def chain() -> tuple[pl.Series, np.ndarray, np.ndarray, np.ndarray]:
    """Return the words of the mix, and per word where those that may follow it start, how many they are, and which."""
    with gzip.open(MIX, "rb") as file:
        texts = [orjson.loads(line)["prompt"] for line in islice(file, 5000)]
    words = [word for text in texts for word in text.split()]
    vocabulary = sorted(set(words))
    numbers = {word: number for number, word in enumerate(vocabulary)}
    ids = np.array([numbers[word] for word in words])
    order = np.argsort(ids[:-1], kind="stable")
    counts = np.bincount(ids[:-1], minlength=len(vocabulary))
    counts[ids[-1]] += counts[ids[-1]] == 0
    starts = np.cumsum(counts) - counts
    return pl.Series(vocabulary), starts, counts, ids[1:][order]


def short(rows: int, shard: int, *, characters: int = 300, copies: float = 0.2) -> pl.DataFrame:
    """Return one shard of short texts: word by word after the mix, a share of them edits of a common pool.

    Args:
        rows: how many texts.
        shard: number of the shard.
        characters: length of a text.
        copies: share of texts that are one of `POOL` others with one word in forty replaced.
    """
    drawn = np.random.default_rng((SEED, shard))
    ids = walk(rows, drawn)
    copied = np.flatnonzero(drawn.random(rows) < copies)
    some = pool()[drawn.integers(POOL, size=len(copied))]
    replaced = drawn.random(some.shape) < 0.025
    ids[copied] = np.where(replaced, drawn.integers(len(chain()[0]), size=some.shape), some)
    texts = chain()[0].gather(ids.ravel()).reshape((rows, ids.shape[1])).arr.join(" ").str.slice(0, characters)
    return pl.DataFrame({"text": texts})


@lru_cache(maxsize=1)
def pool() -> np.ndarray:
    return walk(POOL, np.random.default_rng(SEED))


def walk(rows: int, drawn: np.random.Generator) -> np.ndarray:
    """Return words of texts, each drawn from those that follow the one before, (rows, WORDS)."""
    words, starts, counts, following = chain()
    ids = np.empty((rows, WORDS), dtype=np.int64)
    ids[:, 0] = drawn.integers(len(words), size=rows)
    for place in range(1, WORDS):
        last = ids[:, place - 1]
        chosen = starts[last] + (drawn.random(rows) * counts[last]).astype(np.int64)
        ids[:, place] = following[np.minimum(chosen, len(following) - 1)]
    return ids
