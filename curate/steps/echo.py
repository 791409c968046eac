"""Measure how much of the response is copied from the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import polars as pl

from curate import text

# The shingle of the duplicate steps: any two texts on a subject share two words in a row; four miss reworded copies.
WORDS = 3
# Up to this many words it is faster to search the prompt for each run than to cut it into runs.
FEW = 32
# Rows whose prompts are looked at together: some megabytes.
ROWS = 1000
_SCHEMA = {"share": pl.Float64, "longest": pl.UInt32, "same": pl.Boolean}


def echo(rows: pl.DataFrame) -> pl.DataFrame:
    """Measure how much of the response is copied from the prompt.

    It looks at prompt and response, so it has no `column`. A copy is not always a fault: an extractive answer or a
    label named among the options is one, which is why rules on these signals belong to single tasks.

    Args:
        rows: instruction rows.

    Signals:
        share (f64): word 3-grams of the response that occur in the prompt / word 3-grams of the response, in [0, 1]; a
            shorter response is one run of all its words; null where it has no words or a text is null.
        longest (u32): words of the longest run that response and prompt share; null where a text is null.
        same (bool): response and prompt are equal after NFKC, casefold and collapsing of blanks; null where a text
            is null.
    """
    measured = []
    for part in rows.select("prompt", "response").iter_slices(ROWS):
        sources = _joined_words(part["prompt"])
        measured += [_copied(*row) for row in zip(part["prompt"], sources, part["response"], strict=True)]
    return pl.DataFrame(measured, schema=_SCHEMA, orient="row")


def _joined_words(texts: pl.Series) -> list[str]:
    """Return the words of each text with one blank before, between and after them: a run of words is a substring."""
    spaced = (b" %b " % text.spaced_words(value or "") for value in texts)
    signs = np.frombuffer(b"\n".join(spaced), dtype=np.uint8)
    kept = signs != ord(" ")
    kept[1:] |= kept[:-1]
    kept[:1] = True
    joined: bytes = signs[kept].tobytes()
    return joined.decode().split("\n")


def _copied(prompt: str | None, source: str, response: str | None) -> tuple[float | None, int | None, bool | None]:
    """Return the three signals of one row; `source` has the words of the prompt, joined."""
    if prompt is None or response is None:
        return None, None, None
    copy = text.words(response)
    whole = " ".join(copy)
    # Equal texts have equal words, which is cheaper to see.
    same = source.strip() == whole and text.normalise(prompt) == text.normalise(response)
    if not copy:
        return None, 0, same
    if f" {whole} " in source:
        return 1.0, len(copy), same
    found = list(_shared(copy, source, size=min(WORDS, len(copy))))
    return found.count(True) / len(found), _longest(copy, source, found), same


def _shared(copy: Sequence[str], source: str, *, size: int) -> Iterator[bool]:
    """Tell for each run of `size` words of the copy whether the source has it."""
    if len(copy) <= FEW:
        return (f" {' '.join(copy[i : i + size])} " in source for i in range(len(copy) - size + 1))
    return map(set(_runs(source.split(), size)).__contains__, _runs(copy, size))


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _longest(copy: Sequence[str], source: str, found: Sequence[bool]) -> int:
    """Return the length of the longest run of words that both have.

    Args:
        copy: words of the response.
        source: words of the prompt, joined.
        found: which runs of up to `WORDS` words of the copy the source has.
    """
    size = min(WORDS, len(copy))
    if True not in found:
        return next((n for n in range(size - 1, 0, -1) if any(_shared(copy, source, size=n))), 0)
    # A shared run of n words shows as n - 2 shared runs of three, one after the other. So none is longer than the
    # longest such series, and mostly the source has the words of that in one piece.
    series, start = 0, 0
    for shared, places in groupby(range(len(found)), key=found.__getitem__):
        if shared and (length := len(stretch := list(places))) > series:
            series, start = length, stretch[0]
    longest = series + size - 1
    if f" {' '.join(copy[start : start + longest])} " in source:
        return longest
    return _longest_run(_in_common(source.split(), set(copy)), copy)


def _in_common(source: Sequence[str], known: set[str]) -> list[str | None]:
    """Replace each stretch of words that the other side lacks by one gap: prompts are long, answers short."""
    marked = [word if word in known else None for word in source]
    return [word for word, before in zip(marked, [None, *marked], strict=False) if word or before]


def _longest_run(source: Sequence[str | None], copy: Sequence[str]) -> int:
    """Return the length of the longest run of words that both have.

    Runs of 1, 2, 4, … words get a number each from the numbers of their halves; the longest shared power of two is then
    lengthened by the smaller ones. n log n for any input, where comparing all pairs of places is quadratic on repeats.
    """
    levels = [_numbered(list(source), list(copy))]
    if not set(levels[0][0]) & set(levels[0][1]):
        return 0
    while True:
        half = 1 << (len(levels) - 1)
        joined = _numbered(*(list(zip(side, side[half:], strict=False)) for side in levels[-1]))
        if not set(joined[0]) & set(joined[1]):
            break
        levels.append(joined)
    longest, best = 1 << (len(levels) - 1), levels.pop()
    while levels:
        step = levels.pop()
        joined = _numbered(*(list(zip(a, b[longest:], strict=False)) for a, b in zip(best, step, strict=True)))
        if set(joined[0]) & set(joined[1]):
            longest, best = longest + (1 << len(levels)), joined
    return longest


def _numbered(source: Sequence[object], copy: Sequence[object]) -> tuple[list[int], list[int]]:
    """Replace equal items of both sides by equal numbers."""
    numbers: dict[object, int] = {}
    return (
        [numbers.setdefault(item, len(numbers)) for item in source],
        [numbers.setdefault(item, len(numbers)) for item in copy],
    )
