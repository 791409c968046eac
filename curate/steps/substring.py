"""Find long runs of words that recur across rows: boilerplate, disclaimers, shared passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import recurrence, schema, stars, text
from curate.errors import UserError, suggest
from curate.schema import Measured

if TYPE_CHECKING:
    from curate.runs import Runs  # a module that brings numba

_Ints = npt.NDArray[np.int32]
# Texts fetched together: with all columns of their rows some hundred megabytes, and few passes over the table of rows.
_FETCHED = 100_000
# Characters of a span that its table shows.
SAMPLE = 300
_SIGNALS = {"shared_share": pl.Float64(), "spans": pl.UInt32(), "longest": pl.UInt32(), "most_rows": pl.UInt32()}
_SPANS = {
    "span": pl.String(),
    "words": pl.UInt32(),
    "rows": pl.UInt32(),
    "sources": pl.UInt32(),
    "core": pl.String(),
    "first": pl.String(),
    "text": pl.String(),
}
_MATCHES = {
    "id": pl.String(),
    "record": pl.String(),
    "column": pl.String(),
    "start": pl.UInt32(),
    "end": pl.UInt32(),
    "span": pl.String(),
    "first": pl.Boolean(),
}


def state(rows: pl.DataFrame, *, on: str = "content", words: int = 50) -> pl.DataFrame:
    """Hash every window of each text.

    All windows are kept and not a winnowed few (Schleimer et al. 2003): most texts of instruction data are shorter than
    a window, so that a million texts of 300 characters have about six million windows or 50 MB, and when every window
    is known only the texts with a recurring one must be read again.

    Args:
        rows: instruction rows.
        on: the text looked at. "content" (the default, as templates recur by design) compares records; "prompt",
            "response", "rendered" or "trained" compare rows.
        words: words in a window, and the least of a span. 50 (tokens) is the length that Lee et al. ("Deduplicating
            training data makes language models better", 2022) chose because shorter ones recur by chance and habit.

    Returns:
        windows (list[u64]): the hash of each run of `words` words in order; null where the text is null.
    """
    if on not in schema.TEXT_COLUMNS:
        raise UserError("substring", f"on = '{on}' is no text of a row", suggest(on, schema.TEXT_COLUMNS))
    if words < 1:
        raise UserError("substring", f"words = {words} is less than one word", "leave it out for 50")
    return pl.DataFrame({"windows": recurrence.windows(schema.column_text(rows, on), size=words)})


def decide(
    state: pl.DataFrame,
    *,
    texts: Callable[[Sequence[str]], pl.DataFrame],
    on: str = "content",
    words: int = 50,
    least: int = 2,
) -> Measured:
    """Find the maximal spans of words that recur.

    Hashes of windows propose; spans are then found in the words themselves (`curate.runs`), so that none is missed and
    none is false. A span is maximal where no word beside it joins it at all its places: a passage in many rows is one,
    and so is the passage with the question that two of these rows share. What recurs only inside of one row (of one
    record, where contents are compared) does not count. Texts with fewer words share nothing. A second run cuts the
    spans out where its source has `cut = { spans = "RUN/tables/substring.matches.parquet" }`, with `by` for what stands
    in for them, and `keep_first = true` to leave each in its first record;
    both runs with `infer_template = false`, as places are those of whole contents.

    Args:
        state: what `state` returned for all living rows, with id, record and source, sorted by id.
        texts: gives whole rows by id.
        on: the text looked at, as for the state; "content" compares records.
        words: least words of a span, as for the state.
        least: rows (records) that must have a span. 2, since what recurs at all is to be seen; ask for more to leave
            out pairs of copies, which the duplicate steps find too.

    Signals:
        shared_share (f64): words inside of recurring spans / words, in [0, 1]; null where the text is null.
        spans (u32): outermost spans in the text, each place counted; null where the text is null.
        longest (u32): words of the longest; 0 without one; null where the text is null.
        most_rows (u32): rows (records) that have the most frequent span in the text; 0 without one; null where the text
            is null.

    Tables:
        spans: span (hash of its words), words, rows (records) and sources that have it, core (hash of its most frequent
            `words` words: variants of a span share it), first (lowest id that has it), text (its first 300 characters
            there).
        matches: id (of a record its lowest), record, column, start, end (code points) and span of each outermost place:
            neither word beside it can join it; and first: whether the id is the span's first, which a mask may spare.
    """
    if least < 2:
        raise UserError("substring", f"least = {least}: what one row has does not recur", "2 is the default")
    found = stars.units(state, on=on)
    units = state[found.first]
    stretches = recurrence.stretches(units["windows"], size=words, least=least)

    def fetch(some: Sequence[int]) -> pl.Series:
        return schema.column_text(texts(units["id"].gather(list(some)).to_list()), on)

    measured, tables = _nothing(units.height)
    if stretches:
        corpus = _corpus(stretches, fetch=fetch)
        runs = _recurring(corpus, units, least=least, words=words)
        measured, tables = _signals(corpus, runs, units.height), _tables(corpus, runs, units, on=on, words=words)
    known = units.select(known=pl.col("windows").is_not_null())
    signals = known.hstack(measured).select(pl.when("known").then(name).alias(name) for name in measured.columns)
    return Measured(signals[found.of], tables)


def _nothing(height: int) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Return the signals and tables of units of which none has a span."""
    signals = pl.select(pl.zeros(height, kind, eager=True).alias(name) for name, kind in _SIGNALS.items())
    return signals, {"spans": pl.DataFrame(schema=_SPANS), "matches": pl.DataFrame(schema=_MATCHES)}


@dataclass(frozen=True)
class _Corpus:
    """The stretches in which windows recur, laid end to end.

    Args:
        units: (c,) the units that have any, ascending.
        texts: (c,) their texts.
        sizes: (c,) the words of each text.
        words: (n,) a number for each word of the stretches, equal for equal words.
        owners: (n,) the place in `units` of each word.
        begins: (s,) where each stretch begins in `words`.
        firsts: (s,) and in its text, in words.
        vocabulary: the words by number.
    """

    units: _Ints
    texts: pl.Series
    sizes: _Ints
    words: _Ints
    owners: _Ints
    begins: _Ints
    firsts: _Ints
    vocabulary: list[bytes]


def _corpus(stretches: dict[int, list[tuple[int, int]]], *, fetch: Callable[[Sequence[int]], pl.Series]) -> _Corpus:
    """Fetch the texts with recurring windows and lay their stretches end to end."""
    units = list(stretches)
    texts = pl.concat([fetch(units[start : start + _FETCHED]) for start in range(0, len(units), _FETCHED)])
    flat = np.array([stretch for unit in units for stretch in stretches[unit]], dtype=np.int32)
    lengths = flat[:, 1] - flat[:, 0]
    owner = np.repeat(np.arange(len(units)), [len(stretches[unit]) for unit in units])
    words, sizes = np.empty(int(lengths.sum()), dtype=np.int32), np.empty(len(units), dtype=np.int32)
    numbers: dict[bytes, int] = {}
    used = 0
    for place, (unit, value) in enumerate(zip(units, texts, strict=True)):
        found = text.spaced_words(value).split()
        sizes[place] = len(found)
        for first, stop in stretches[unit]:
            ids = [numbers.setdefault(word, len(numbers)) for word in found[first:stop]]
            words[used : used + len(ids)] = ids
            used += len(ids)
    return _Corpus(
        units=np.array(units, dtype=np.int32),
        texts=texts,
        sizes=sizes,
        words=words,
        owners=np.repeat(owner, lengths).astype(np.int32),
        begins=(np.cumsum(lengths) - lengths).astype(np.int32),
        firsts=flat[:, 0],
        vocabulary=list(numbers),
    )


def _recurring(corpus: _Corpus, units: pl.DataFrame, *, least: int, words: int) -> Runs:
    """Return the spans as places in the corpus."""
    from curate import runs  # brings numba

    lengths = np.diff(np.append(corpus.begins, len(corpus.words)))
    ends = np.repeat(corpus.begins + lengths, lengths).astype(np.int32)
    sources = np.unique(units["source"].gather(corpus.units).to_numpy(), return_inverse=True)[1].astype(np.int32)
    return runs.recurring(corpus.words, ends, corpus.owners, groups=sources, least=least, length=words)


def _signals(corpus: _Corpus, runs: Runs, height: int) -> pl.DataFrame:
    """Return the signals of all units."""
    found = _nothing(height)[0]
    size = len(corpus.units)
    owner, lengths = corpus.owners[runs.starts], runs.sizes[runs.number]
    edges = np.bincount(runs.starts, minlength=len(corpus.words) + 1)
    edges -= np.bincount(runs.starts + lengths, minlength=len(edges))
    inside = np.bincount(corpus.owners, weights=np.cumsum(edges)[:-1] > 0, minlength=size)
    longest, most = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.maximum.at(longest, owner, lengths)
    np.maximum.at(most, corpus.owners, runs.having)
    values = (inside / corpus.sizes, np.bincount(owner, minlength=size), longest, most)
    return found.with_columns(
        found[name].scatter(corpus.units, pl.Series(column).cast(kind))
        for (name, kind), column in zip(_SIGNALS.items(), values, strict=True)
    )


def _tables(corpus: _Corpus, runs: Runs, units: pl.DataFrame, *, on: str, words: int) -> dict[str, pl.DataFrame]:
    """Return the table of spans and the table of their places."""
    shown = _placed(corpus, runs.first, runs.sizes)
    placed = _placed(corpus, runs.starts, runs.sizes[runs.number])
    holder = corpus.owners[runs.first]
    texts = corpus.texts.gather(holder)
    samples = [value[low : min(high, low + SAMPLE)] for value, (low, high) in zip(texts, shown.tolist(), strict=True)]
    names, cores = [], []
    for start, size in zip(runs.first.tolist(), runs.sizes.tolist(), strict=True):
        core = start + int(np.argmax(runs.having[start : start + size - words + 1]))
        names.append(_named(corpus, start, size))
        cores.append(_named(corpus, core, words))
    unit = corpus.units[corpus.owners[runs.starts]]
    counts = {"words": runs.sizes, "rows": runs.owners, "sources": runs.groups}
    first = units["id"].gather(corpus.units[holder])
    spans = {"span": names, **counts, "core": cores, "first": first, "text": samples}
    matches = {
        "id": units["id"].gather(unit),
        "record": units["record"].gather(unit),
        "column": [on] * len(unit),
        "start": placed[:, 0],
        "end": placed[:, 1],
        "span": pl.Series(names, dtype=pl.String).gather(runs.number),
        "first": unit == corpus.units[holder][runs.number],
    }
    return {
        "spans": pl.DataFrame(spans, schema_overrides=_SPANS).sort("span"),
        "matches": pl.DataFrame(matches, schema_overrides=_MATCHES).sort("id", "start", "end"),
    }


def _placed(corpus: _Corpus, starts: _Ints, lengths: _Ints) -> _Ints:
    """Return where runs of words begin and end in their texts, (m, 2)."""
    stretch = np.searchsorted(corpus.begins, starts, side="right") - 1
    first = corpus.firsts[stretch] + starts - corpus.begins[stretch]
    stops = first + lengths
    owners = corpus.owners[starts]
    order = np.argsort(owners, kind="stable")
    heads = np.flatnonzero(np.append(True, np.diff(owners[order]) > 0)[: len(order)])
    found: list[tuple[int, int]] = []
    for value, some in zip(corpus.texts.gather(owners[order][heads]), np.split(order, heads[1:]), strict=True):
        places = text.places(value)
        edges = zip(first[some].tolist(), stops[some].tolist(), strict=True)
        found += [(places[start][0], places[stop - 1][1]) for start, stop in edges]
    placed = np.empty((len(starts), 2), dtype=np.int32)
    placed[order] = np.array(found, dtype=np.int32).reshape(-1, 2)
    return placed


def _named(corpus: _Corpus, start: int, size: int) -> str:
    """Return the name of some words of the corpus."""
    return recurrence.name(corpus.vocabulary[word] for word in corpus.words[start : start + size].tolist())
