"""Measure how much of a text repeats itself: lines, paragraphs and word n-grams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

from curate import schema, shingles, text

# The lengths of Gopher (arXiv 2112.11446, table A1).
TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
_PARTS = {"duplicate_line_share": pl.Float64, "duplicate_paragraph_share": pl.Float64}
_RUNS = (*(f"top_{n}gram_share" for n in TOP), *(f"duplicate_{n}gram_share" for n in DUPLICATE))
# Characters of texts that are looked at together: arrays over them stay in the processor's cache.
BLOCK = 1 << 19
# Bytes that fit into a 64-bit number.
_BYTES = 8
# The odd constant of Fibonacci hashing (2**64 divided by the golden ratio): places in a run are told apart by it.
_ODD = np.uint64(0x9E3779B97F4A7C15)
_Hashes = npt.NDArray[np.uint64]
_Indices = npt.NDArray[np.int64]


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
    values = schema.column_text(rows, column).to_list()
    parts = pl.DataFrame([_part_shares(value) for value in values], schema=_PARTS, orient="row")
    shares = np.concatenate([_ngram_shares(values[start:stop]) for start, stop in _blocks(values)])
    runs = [pl.Series(name, column, nan_to_null=True) for name, column in zip(_RUNS, shares.T, strict=True)]
    return parts.hstack(runs)


def _part_shares(value: str | None) -> tuple[float | None, float | None]:
    """Return the shares of repeated lines and paragraphs of one text."""
    if not value or value.isspace():
        return None, None
    if "\n" not in value:
        return 0.0, 0.0
    lines = [line.strip() for line in text.lines(value)]
    blocks = text.paragraphs(value) if len(lines) > 1 else lines
    return _duplicate_share(lines), _duplicate_share(blocks)


def _duplicate_share(parts: Sequence[str]) -> float:
    """Return the characters of parts seen before over the characters of all parts."""
    unique = set(parts)
    if len(unique) == len(parts):
        return 0.0
    whole = sum(map(len, parts))
    return (whole - sum(map(len, unique))) / whole


def _blocks(values: Sequence[str | None]) -> list[tuple[int, int]]:
    """Cut texts into blocks of about `BLOCK` characters, at least one block."""
    ends = np.cumsum([len(value or "") for value in values]) // BLOCK
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), len(values)]
    return list(pairwise(cuts))


@dataclass(frozen=True)
class _Words:
    """The words of some texts, end to end.

    Args:
        hashes: (n,) equal for equal words; two different ones share a hash with probability 2**-64.
        texts: (n,) the text of each word.
        ends: (n,) where the text of each word ends.
        before: (n + 1,) characters of all words before each word.
    """

    hashes: _Hashes
    texts: _Indices
    ends: _Indices
    before: _Indices


def _ngram_shares(values: Sequence[str | None]) -> npt.NDArray[np.float64]:
    """Return the n-gram shares of some texts, n = 2 to 10, shape (texts, 9); NaN for texts without words.

    An n-gram can only repeat where its first n - 1 words repeat, so each length looks at the places left by the length
    before; `runs` has for the start of each repeated n-gram a hash of its text and words.
    """
    words = _found(values)
    sizes = np.bincount(words.texts, weights=np.diff(words.before), minlength=len(values))
    covered = np.zeros((len(_RUNS), len(values)))
    places, runs = np.arange(len(words.hashes)), shingles.mixed(words.texts.astype(np.uint64) + words.hashes * _ODD)
    for row, n in enumerate((*TOP, *DUPLICATE)):
        places, runs = _repeated(places, runs, words, n=n)
        if not len(places):
            break
        measure = _top if n in TOP else _later
        texts, characters = measure(places, runs, words, n=n)
        covered[row] = np.bincount(texts, weights=characters, minlength=len(values))
    shares: npt.NDArray[np.float64] = np.divide(covered, sizes, out=np.full(covered.shape, np.nan), where=sizes > 0)
    return shares.T


def _found(values: Sequence[str | None]) -> _Words:
    """Find the words of texts as bytes, without a string for each."""
    texts = [text.spaced_words(value) if value else b"" for value in values]
    # A blank at either end of each text, so that every word has two edges, and bytes to read beyond the last word.
    whole = b" " + b" ".join(texts) + b" " * _BYTES
    signs = np.frombuffer(whole, dtype=np.uint8)
    solid = signs != ord(" ")
    edges = np.flatnonzero(solid[1:] != solid[:-1]) + 1
    starts, stops = edges[::2], edges[1::2]
    begins = np.cumsum([1, *(len(one) + 1 for one in texts)])
    counts = np.diff(np.searchsorted(starts, begins))
    # Bytes of the form 10xxxxxx continue a character.
    tails = np.flatnonzero((signs & 0xC0) == 0x80)
    sizes = stops - starts - np.searchsorted(tails, stops) + np.searchsorted(tails, starts)
    return _Words(
        hashes=_hashes(whole, starts, stops),
        texts=np.repeat(np.arange(len(texts)), counts),
        ends=np.repeat(np.cumsum(counts), counts),
        before=np.concatenate([[0], np.cumsum(sizes)]),
    )


def _hashes(whole: bytes, starts: _Indices, stops: _Indices) -> _Hashes:
    """Return 64 bits for each word: its bytes where they are up to eight, a hash where they are more."""
    windows = np.ndarray((len(whole) - _BYTES + 1,), dtype="<u8", buffer=whole, strides=(1,))
    lengths = stops - starts
    # Shifted out: the bits of the window behind the end of the word.
    beyond = 8 * (_BYTES - np.minimum(lengths, _BYTES))
    hashes: _Hashes = windows[starts] << beyond.astype(np.uint64)
    longer = np.flatnonzero(lengths > _BYTES)
    # Length, first and last eight bytes tell all words of up to sixteen bytes apart.
    hashes[longer] = (
        shingles.mixed(hashes[longer] + lengths[longer].astype(np.uint64)) + windows[stops[longer] - _BYTES]
    )
    for place in np.flatnonzero(lengths > 2 * _BYTES):
        hashes[place] = xxhash.xxh3_64_intdigest(whole[starts[place] : stops[place]])
    return hashes


def _repeated(places: _Indices, runs: _Hashes, words: _Words, *, n: int) -> tuple[_Indices, _Hashes]:
    """Extend repeated (n-1)-grams by a word and keep those that still repeat; places stay in ascending order."""
    fits = places + n <= words.ends[places]
    places = places[fits]
    runs = shingles.mixed(runs[fits] + words.hashes[places + n - 1] * _ODD)
    # Those alone in their slot are alone; sorting the rest is far cheaper than sorting all.
    slots = (runs >> np.uint64(64 - max(len(runs), 1).bit_length() - 1)).astype(np.int64)
    some = np.bincount(slots, minlength=1)[slots] > 1
    places, runs = places[some], runs[some]
    _, inverse, counts = np.unique(runs, return_inverse=True, return_counts=True)
    again = counts[inverse] > 1
    return places[again], runs[again]


def _characters(places: _Indices, follows: npt.NDArray[np.bool_], words: _Words, *, n: int) -> _Indices:
    """Return the characters that each n-gram covers beyond the one before, where it follows that."""
    starts = places.copy()
    starts[1:] = np.where(follows[1:], np.maximum(places[1:], places[:-1] + n), places[1:])
    return words.before[places + n] - words.before[starts]


def _top(places: _Indices, runs: _Hashes, words: _Words, *, n: int) -> tuple[_Indices, _Indices]:
    """Return each text that has repeated n-grams with the characters covered by the most frequent one."""
    order = np.argsort(runs, kind="stable")
    places, runs = places[order], runs[order]
    same = np.append(False, runs[1:] == runs[:-1])
    starts = np.flatnonzero(~same)
    characters = np.add.reduceat(_characters(places, same, words, n=n), starts)
    counts, texts = np.diff(np.append(starts, len(places))), words.texts[places[starts]]
    # The last entry of each text is the most frequent, of equals the one that covers most.
    order = np.lexsort((characters, counts, texts))
    last = np.append(texts[order][1:] != texts[order][:-1], True)
    return texts[order][last], characters[order][last]


def _later(places: _Indices, runs: _Hashes, words: _Words, *, n: int) -> tuple[_Indices, _Indices]:
    """Return the text of each n-gram that occurred before, with the characters that it adds to those covered."""
    later = np.ones(len(places), dtype=bool)
    later[np.unique(runs, return_index=True)[1]] = False
    places = places[later]
    # An n-gram of the text before ends before this text begins.
    return words.texts[places], _characters(places, np.ones(len(places), dtype=bool), words, n=n)
