"""Measure how much of a text repeats itself: lines, paragraphs and word n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from curate import schema, text

# The lengths of Gopher (arXiv 2112.11446, table A1).
TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
_NAMES = (
    "duplicate_line_share",
    "duplicate_paragraph_share",
    *(f"top_{n}gram_share" for n in TOP),
    *(f"duplicate_{n}gram_share" for n in DUPLICATE),
)


def repetition(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Measure how much of a text repeats itself: lines, paragraphs and word n-grams.

    The definitions of Gopher (arXiv 2112.11446, table A1) with three gaps closed: a character is counted once however
    many repeats cover it, so that no share exceeds 1; an n-gram that occurs once repeats nothing (elsewhere a text of
    two words is its own most frequent 2-gram); and n-gram shares are taken over the characters of words alone, so that
    blanks and punctuation neither raise nor lower them. Null where there is no line or no word to divide by.

    Args:
        rows: instruction rows.
        column: the text to measure; the response by default, since that is what the model learns to write.

    Signals:
        duplicate_line_share (f64): characters of lines equal to an earlier line / characters of all lines (stripped).
        duplicate_paragraph_share (f64): the same for paragraphs, the blocks between blank lines.
        top_2gram_share (f64): characters covered by the word 2-gram that occurs most often (at least twice; of equals
            the one that covers most) / characters of all words.
        top_3gram_share (f64): the same for 3-grams.
        top_4gram_share (f64): the same for 4-grams.
        duplicate_5gram_share (f64): characters covered by word 5-grams that occurred before / characters of all words.
        duplicate_6gram_share (f64): the same for 6-grams.
        duplicate_7gram_share (f64): the same for 7-grams.
        duplicate_8gram_share (f64): the same for 8-grams.
        duplicate_9gram_share (f64): the same for 9-grams.
        duplicate_10gram_share (f64): the same for 10-grams.
    """
    found = schema.column_text(rows, column)
    measured = [_shares(value) if value is not None else [None] * len(_NAMES) for value in found]
    return pl.DataFrame(measured, schema=dict.fromkeys(_NAMES, pl.Float64), orient="row")


def _shares(value: str) -> list[float | None]:
    """Return the shares of one text in the order of the signals."""
    lines = [line.strip() for line in text.lines(value)]
    blocks = text.paragraphs(value) if len(lines) > 1 else lines
    return [_duplicate_share(lines), _duplicate_share(blocks), *_ngram_shares(text.words(value))]


def _duplicate_share(parts: Sequence[str]) -> float | None:
    """Return the characters of parts seen before over the characters of all parts."""
    if not parts:
        return None
    unique = set(parts)
    if len(unique) == len(parts):
        return 0.0
    whole = sum(map(len, parts))
    return (whole - sum(map(len, unique))) / whole


def _ngram_shares(words: Sequence[str]) -> list[float | None]:
    """Return the n-gram shares of one text, n = 2 to 10.

    An n-gram can only repeat where its first n - 1 words repeat, so each length looks at the places left by the length
    before; `places` maps the start of each repeated n-gram to a number that stands for its words.
    """
    if not words:
        return [None] * (len(TOP) + len(DUPLICATE))
    sizes = [len(word) for word in words]
    whole = sum(sizes)
    numbers: dict[str, int] = {}
    coded = [numbers.setdefault(word, len(numbers)) for word in words]
    places = _repeated(dict(enumerate(coded)))
    shares: list[float | None] = []
    for n in (*TOP, *DUPLICATE):
        places = _longer(places, coded, n=n)
        covered = _top(places, sizes, n=n) if n in TOP else _covered(_later(places), sizes, n=n)
        shares.append(covered / whole)
    return shares


def _repeated(places: dict[int, int]) -> dict[int, int]:
    """Keep the places whose number occurs at least twice."""
    counts = Counter(places.values())
    return {start: number for start, number in places.items() if counts[number] > 1}


def _longer(places: dict[int, int], coded: Sequence[int], *, n: int) -> dict[int, int]:
    """Extend repeated (n-1)-grams by a word and keep those that still repeat; places stay in ascending order."""
    numbers: dict[tuple[int, int], int] = {}
    last = len(coded) - n
    return _repeated(
        {
            start: numbers.setdefault((number, coded[start + n - 1]), len(numbers))
            for start, number in places.items()
            if start <= last
        }
    )


def _later(places: dict[int, int]) -> list[int]:
    """Return the starts of n-grams that occurred before."""
    seen: set[int] = set()
    later = []
    for start, number in places.items():
        if number in seen:
            later.append(start)
        seen.add(number)
    return later


def _covered(starts: Sequence[int], sizes: Sequence[int], *, n: int) -> int:
    """Return the characters of the words covered by n-grams at ascending starts, each word once."""
    covered, done = 0, 0
    for start in starts:
        covered += sum(sizes[max(start, done) : start + n])
        done = start + n
    return covered


def _top(places: dict[int, int], sizes: Sequence[int], *, n: int) -> int:
    """Return the characters covered by the most frequent n-gram, 0 when none repeats."""
    if not places:
        return 0
    counts = Counter(places.values())
    most = max(counts.values())
    starts: dict[int, list[int]] = {}
    for start, number in places.items():
        if counts[number] == most:
            starts.setdefault(number, []).append(start)
    return max(_covered(group, sizes, n=n) for group in starts.values())
