"""Measure how much of the response is copied from the prompt."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curate import text

# The shingle of the duplicate steps: any two texts on a subject share two words in a row; four miss reworded copies.
WORDS = 3
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
    pairs = zip(rows.get_column("prompt"), rows.get_column("response"), strict=True)
    measured = [_copied(prompt, response) for prompt, response in pairs]
    return pl.DataFrame(measured, schema=_SCHEMA, orient="row")


def _copied(prompt: str | None, response: str | None) -> tuple[float | None, int | None, bool | None]:
    """Return the three signals of one row."""
    if prompt is None or response is None:
        return None, None, None
    same = text.normalise(prompt) == text.normalise(response)
    copy = text.words(response)
    if not copy:
        return None, 0, same
    source = _in_common(text.words(prompt), set(copy))
    size = min(WORDS, len(copy))
    grams, known = text.ngrams(copy, size), set(zip(*(source[i:] for i in range(size)), strict=False))
    share = sum(gram in known for gram in grams) / len(grams)
    return share, _longest_run(source, copy), same


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
