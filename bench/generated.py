"""Instruction records made from a seed, with the faults that an audit looks for in known shares."""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

SAMPLES = Path(__file__).resolve().parent.parent / "rules" / "samples"
# Shares of records, about those of the instruction sets that were audited by others: copies, near copies, the same
# question with another answer, personal data, refusals, empty answers, answers that loop.
COPIES, NEAR, CONFLICTS, PERSONAL, REFUSALS, EMPTY, LOOPS = 0.03, 0.06, 0.01, 0.005, 0.003, 0.002, 0.004
# Median words and spread of log-normal lengths: those of the Alpaca sample.
QUESTION, ANSWER = (14, 0.5), (45, 0.8)
BACK = 5000  # copies are of one of so many records before


def write_records(path: Path, count: int, *, seed: int) -> None:
    """Write records as JSONL."""
    with open(path, "wb") as file:
        for record in records(count, seed=seed):
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def records(count: int, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield records with instruction and output."""
    drawn = random.Random(seed)
    words = vocabulary()
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))  # Zipf's law
    ends = list(accumulate((COPIES, NEAR, CONFLICTS, PERSONAL, REFUSALS, EMPTY, LOOPS)))
    before: list[tuple[str, str]] = []
    for number in range(count):
        question, answer = (text(drawn, words, weights, *size) for size in (QUESTION, ANSWER))
        kind = bisect(ends, drawn.random())
        if before and kind < 3:
            question, answer = changed(drawn, drawn.choice(before), answer, kind)
        elif kind == 3:
            answer += f" Write to {drawn.choice(words)}@{drawn.choice(words)}-mail.net."
        elif kind == 4:
            answer = f"I'm sorry, but as an AI language model I cannot help with that. {answer}"
        elif kind == 5:
            answer = ""
        elif kind == 6:
            answer = " ".join([answer[:40]] * 12)
        before.append((question, answer))
        if len(before) > BACK:
            before[number % BACK] = before.pop()
        yield {"instruction": question, "output": answer}


def vocabulary() -> list[str]:
    """Return the words of the bundled sample, the frequent ones first: made-up ones have many more tokens each."""
    files = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".json", ".jsonl", ".csv", ".tsv"))
    counts = Counter(re.findall(r"[a-z]{2,}", " ".join(path.read_text(encoding="utf-8") for path in files).lower()))
    return sorted(counts, key=lambda word: (-counts[word], word))


def text(drawn: random.Random, words: list[str], weights: list[float], median: float, spread: float) -> str:
    """Return some words as sentences."""
    size = min(1500, max(2, round(median * drawn.lognormvariate(0, spread))))
    chosen = drawn.choices(words, cum_weights=weights, k=size)
    for end in range(11, size, 12):
        chosen[end] += "."
    return " ".join(chosen).capitalize() + "."


def changed(drawn: random.Random, earlier: tuple[str, str], answer: str, kind: int) -> tuple[str, str]:
    """Return an earlier record as it is, with one word changed, or with another answer."""
    question, known = earlier
    if kind == 0:
        return question, known
    if kind == 2:
        return question, answer
    pieces = known.split(" ")
    pieces[drawn.randrange(len(pieces))] = "otherwise"
    return question, " ".join(pieces)
