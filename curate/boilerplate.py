"""Template text of instruction data that is already rendered: inferred from what records share, left out of contents.

A template stands around many different records; a passage or a question comes back only with its own. So a run of words
is template text when it stands in the prompts of many records that are *different*, and a record is known by its rarest
word, which no template holds: 14 renderings of one record count once, a passage with 20 questions at most 20 times, a
template as often as it has records. And it stands there as a whole: what is cut at ever other places, as a text that
comes back a hundred times with another word replaced each time, is a copy and no template. The words with which a
hundred records begin alike behind a template ("what is the") go with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from curate import shingles, text
from curate.passages import covered_by, edged, frequent, whole
from curate.shingles import Ragged

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

# Different records that share a window of template text. In 7,473 school problems and 3,111 requests of Alpaca no
# window reaches 100, and two and one reach 50 ("calculate the total number of", "generate a list of"); in the mix 50
# finds no more renderings than 100, and takes 53 whole requests for template text.
RECORDS = 100
# The same as a share of the records looked at, for larger sources, where more and more phrases reach any number: each
# of the 231 templates of the mix is in four times as many.
SHARE = 0.001
# Bytes of conversations looked at: about 10 million words, whose windows take a few hundred megabytes. Records come in
# the order of their hashes, so that the first are a random sample, the same for any order of files and any limit.
SAMPLE_BYTES = 1 << 26
# Fewer words than a shingle of the duplicate steps: an answer so short ("yes", "no effect") is no content of its own.
LEAST = 3
# Spans told in the manifest, and characters of each.
TOLD, CHARACTERS = 10, 200
# Whose turns are the content.
SPEAKERS = ("user", "assistant")


@dataclass
class Boilerplate:
    """Template text of a source, and what was left out of contents because of it.

    Args:
        windows: hashes of the windows that many records share, ascending.
        runs: hashes of the runs of them that are template text, ascending.
        rows: rows that lost words.
        words: words in the user and assistant turns of all rows.
        left_out: words that the contents do not have.
        spans: what was left out, in normal form, and how often.
    """

    windows: Hashes
    runs: Hashes
    rows: int = 0
    words: int = 0
    left_out: int = 0
    spans: Counter[str] = field(default_factory=Counter)

    def count(self, spans: list[str]) -> None:
        """Count what one row lost."""
        self.rows += 1
        self.left_out += sum(span.count(" ") + 1 for span in spans)
        self.spans.update(spans)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says: different spans, rows, share of words, and the most frequent spans."""
        most = sorted(self.spans.items(), key=lambda item: (-item[1], item[0]))[:TOLD]
        return {
            "spans": len(self.spans),
            "rows": self.rows,
            "words_share": round(self.left_out / max(1, self.words), 6),
            "most": [{"text": text.visible(span[:CHARACTERS]), "times": times} for span, times in most],
        }


@dataclass(frozen=True)
class _Turns:
    """User and assistant turns of some records, one record after the other.

    Args:
        texts: what they say.
        words: its hashes.
        owners: (n,) the record of each turn, ascending.
        asked: (n,) true for a user turn.
    """

    texts: list[str]
    words: Ragged
    owners: npt.NDArray[np.int64]
    asked: Flags


def _turns(conversations: pl.Series) -> _Turns:
    """Return the user and assistant turns of conversations in JSON."""
    texts: list[str] = []
    owners: list[int] = []
    asked: list[bool] = []
    for owner, data in enumerate(conversations):
        for turn in orjson.loads(data):
            if turn["role"] in SPEAKERS:
                texts.append(turn["content"])
                owners.append(owner)
                asked.append(turn["role"] == "user")
    return _Turns(texts, shingles.word_hashes(texts), np.array(owners, dtype=np.int64), np.array(asked, dtype=bool))


def infer(conversations: pl.Series) -> Boilerplate:
    """Return the template text that the user turns of a source share.

    Args:
        conversations: messages as JSON, one conversation per record, in the order of record hashes.
    """
    sample = conversations.filter(conversations.str.len_bytes().cast(pl.UInt64).cum_sum() <= SAMPLE_BYTES)
    turns = _turns(sample)
    marks = _rarest(turns.words, turns.owners)[turns.asked]
    prompts = edged(turns.words, np.flatnonzero(turns.asked))
    windows, counts = frequent(prompts, marks, least=max(RECORDS, SHARE * len(sample)))
    runs = covered_by(prompts, windows)
    rarest = np.minimum.reduceat(np.append(counts, np.iinfo(np.int64).max)[runs.windows], runs.firsts) if runs else None
    return Boilerplate(windows, whole(runs, marks, rarest) if runs else windows[:0])


def _rarest(words: Ragged, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each turn the number of its record's rarest word; of equally rare ones that of the lowest hash."""
    distinct, number, counts = np.unique(words.values, return_inverse=True, return_counts=True)
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(distinct))
    rarest = np.full(int(owners.max(initial=-1)) + 1, len(distinct), dtype=np.int64)
    np.minimum.at(rarest, np.repeat(owners, words.counts), rank[number])
    return rarest[owners]


def shortened(part: pl.DataFrame, templates: Mapping[int, Boilerplate]) -> dict[str, str]:
    """Return the contents of the records of a slice that hold template text of their source, without it.

    Args:
        part: `base`, `source` (a number) and `data` of the records.
        templates: by the number of the source.
    """
    found: dict[str, str] = {}
    for number, template in templates.items():
        own = part.filter(pl.col("source") == number)
        shorter = contents(own["data"], template=template)
        found |= {base: content for base, content in zip(own["base"], shorter, strict=True) if content is not None}
    return found


def contents(conversations: pl.Series, *, template: Boilerplate) -> list[str | None]:
    """Return the user and assistant turns without the template text in what users say, and count what is left out.

    Where nothing is left of what users say, the answers alone are the content, or, if they are very short, all is.

    Args:
        conversations: messages as JSON.
        template: of their source.

    Returns:
        The content of each record; None where nothing is left out of it.
    """
    found: list[str | None] = [None] * len(conversations)
    if not len(template.runs):
        return found
    turns = _turns(conversations)
    template.words += len(turns.words.values)
    covered = _covered(turns, template)
    edges = np.searchsorted(turns.owners, np.arange(len(conversations) + 1)).tolist()
    starts = turns.words.offsets.tolist()
    hit = np.concatenate([[0], np.cumsum(covered)])[turns.words.offsets]
    for record in np.unique(turns.owners[np.diff(hit) > 0]).tolist():
        places = range(edges[record], edges[record + 1])
        pieces = {place: _split(turns.texts[place], covered[starts[place] : starts[place + 1]]) for place in places}
        spans = [span for place in places for span in pieces[place][1]]
        asked = any(pieces[place][0] for place in places if turns.asked[place])
        answers = sum(starts[place + 1] - starts[place] for place in places if not turns.asked[place])
        if spans and (asked or answers >= LEAST):
            found[record] = "\n".join(pieces[place][0] for place in places if pieces[place][0])
            template.count(spans)
    return found


def _covered(turns: _Turns, template: Boilerplate) -> Flags:
    """Tell which words of the turns lie in template text."""
    asked = np.flatnonzero(turns.asked)
    prompts = edged(turns.words, asked)
    covered = np.zeros(len(turns.words.values), dtype=bool)
    runs = covered_by(prompts, template.windows)
    if runs is None:
        return covered
    inside = np.zeros(len(prompts.values), dtype=bool)
    known = np.isin(runs.keys, template.runs)
    inside[shingles.spans(runs.starts[known], (runs.stops - runs.starts)[known])] = True
    counts = turns.words.counts[asked]
    own = shingles.spans(prompts.offsets[:-1] + 1, counts)
    covered[shingles.spans(turns.words.offsets[asked], counts)] = inside[own]
    return covered


def _split(said: str, covered: Flags) -> tuple[str, list[str]]:
    """Return what a turn says outside of template text, each run of words a line, and the spans of that text."""
    if not covered.any():
        return said, []
    places = _places(said)
    edges = np.flatnonzero(np.diff(covered, prepend=False, append=False)).tolist()
    runs = list(zip([0, *edges], [*edges, len(places)], strict=True))
    parts = [said[places[start][0] : places[stop - 1][1]] if start < stop else "" for start, stop in runs]
    return "\n".join(part for part in parts[::2] if part), [" ".join(text.words(part)) for part in parts[1::2]]


def _places(said: str) -> Sequence[Sequence[int]]:
    """Return where each word of a text begins and ends."""
    if not said.isascii():
        return text.places(said)
    # Every byte is a character and stays where it is; a search for words takes ten times as long.
    filled = np.frombuffer(text.spaced_words(said), dtype=np.uint8) != ord(" ")
    found: list[list[int]] = np.flatnonzero(np.diff(filled, prepend=False, append=False)).reshape(-1, 2).tolist()
    return found
