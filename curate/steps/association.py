"""Find what groups of people are told together with: occupations, traits, words of sentiment, pronouns."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from curate import rulebook, terms
from curate.schema import Measured
from curate.terms import Hit

RULES = {"lexicon": ("lexicons/associations",), "groups": ("lexicons/identity",)}
_SIGNALS: dict[str, pl.DataType] = {
    "sentences": pl.UInt32(), "occupations": pl.List(pl.String), "pairs": pl.List(pl.String)
}  # fmt: skip
_TABLE: dict[str, pl.DataType] = {
    "id": pl.String(), "sentence": pl.UInt32(), "groups": pl.List(pl.String), "words": pl.List(pl.String)
}  # fmt: skip
# The end of a sentence: marks before a blank, but for those of titles, or a line break.
_END = re.compile(r"(?<!\bmr)(?<!\bmrs)(?<!\bms)(?<!\bdr)(?<!\bst)(?<!\bprof)[.!?]+[\"')\]]*(?:\s+|$)|\n\s*")


def association(
    rows: pl.DataFrame, *, column: str = "rendered", lexicon: Path | None = None, groups: Path | None = None
) -> Measured:
    """Find what groups of people are told together with: occupations, traits, words of sentiment, pronouns.

    Together means in one sentence: in a whole text all is together with all, the more so the longer it is. The report
    makes normalised pointwise mutual information and the balance of pronouns of it. A pair is no fault, and a negated
    word counts as any other. English only.

    Args:
        rows: instruction rows.
        column: the text to look at; prompt and response by default, since either says who the data is about.
        lexicon: a word list of your own, any categories; rules/lexicons/associations.toml when left out.
        groups: a word list of groups of your own; rules/lexicons/identity.toml when left out.

    Signals:
        sentences (u32): sentences in the text; null where the text is null or in another language than the
            lexicon's (declared, or else recognised).
        occupations (list[str]): entries of the category occupation found, sorted, each once; null where sentences is.
        pairs (list[str]): groups and words in one sentence, as "gender:women & occupation:nurse", pronouns left out,
            sorted, each once; null where sentences is.

    Tables:
        sentences: id, sentence (its number in the text), groups (axis:group), words (category:entry): sentences in
            which either was found.
    """
    words = rulebook.lexicon(lexicon or "associations")
    folded = terms.judged(rows, column=column, language=words.language)
    named = terms.apart(rulebook.lexicon(groups or "identity"), folded)
    signals: list[tuple[int | None, list[str] | None, list[str] | None]] = []
    found: list[tuple[str, int, list[str], list[str]]] = []
    for row, value, who, what in zip(rows["id"], folded, named, terms.apart(words, folded), strict=True):
        if value is None:
            signals.append((None, None, None))
            continue
        ends = [match.end() for match in _END.finditer(value)] if who or what else []
        lines = list(_sentences(ends, who, what))
        found += [(row, *line) for line in lines]
        told = sorted({name.split(":", 1)[1] for _, _, names in lines for name in names if _of(name, "occupation")})
        pairs = {
            f"{g} & {name}" for _, some, names in lines for g in some for name in names if not _of(name, "pronoun")
        }
        signals.append((_count(value), told, sorted(pairs)))
    table = pl.DataFrame(found, schema=_TABLE, orient="row")
    return Measured(pl.DataFrame(signals, schema=_SIGNALS, orient="row"), {"sentences": table})


def _of(name: str, category: str) -> bool:
    """Tell whether a word found is of a category."""
    return name.startswith(f"{category}:")


def _count(value: str) -> int:
    """Count the sentences that hold more than blanks."""
    return sum(bool(part and not part.isspace()) for part in _END.split(value))


def _sentences(ends: list[int], who: list[Hit], what: list[Hit]) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield number, groups and words of each sentence that has any."""
    groups: dict[int, set[str]] = {}
    words: dict[int, set[str]] = {}
    for hits, kept, prefix in ((who, groups, False), (what, words, True)):
        for hit in hits:
            # A hit may end with the mark of its sentence; it belongs where it begins.
            number = bisect_right(ends, hit.start)
            name = f"{hit.entry.category}:{hit.entry.id}" if prefix else str(hit.entry.id)
            kept.setdefault(number, set()).add(name)
    for number in sorted(groups | words):
        yield number, sorted(groups.get(number, ())), sorted(words.get(number, ()))
