"""Score abuse: hate, harassment, violence, sexual content, encouraged self-harm."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from curate import rulebook, terms
from curate.terms import Hit, Matcher

RULES = ("lexicons/toxicity",)
CATEGORIES = ("hate", "harassment", "violence", "sexual", "self-harm")
# A hit in a sentence that speaks against it is a report of abuse: under every bound that a rule could sensibly set.
COUNTERED = 0.2
# Quoted words may still be the point of the text; halved, no weight (at most 1) exceeds the default bound of 0.5.
QUOTED = 0.5
# Characters in which the sentence of a hit is looked for: enough for any spoken sentence, and matching stays linear.
SENTENCE = 300
_END = re.compile(r"[.!?\n]")
_SCHEMA: dict[str, pl.DataType] = {"score": pl.Float64(), "category": pl.String(), "matched": pl.List(pl.String)}


def toxicity(rows: pl.DataFrame, *, column: str = "response", lexicon: Path | None = None) -> pl.DataFrame:
    """Score abuse: hate, harassment, violence, sexual content, encouraged self-harm.

    Terms of the lexicon join a word with its target, so naming a group scores 0 and swearing at nobody 0.2. A hit in
    a sentence that speaks about or against abuse counts a fifth, one in quotation marks half; figures of speech and
    words of care count nothing. English only.

    Args:
        rows: instruction rows.
        column: the text to judge; the response by default: a toxic prompt with a safe answer teaches the safe answer.
        lexicon: a word list of your own with the same categories; rules/lexicons/toxicity.toml when left out.

    Signals:
        score (f64): weight of the worst hit, in [0, 1]: above 0.5 for targeted abuse, threats, explicit sexual content
            and encouraged self-harm; 0 without a hit; null where the text is null or its declared language is not the
            lexicon's.
        category (str): category of the worst hit (hate, harassment, violence, sexual, self-harm); null without a hit.
        matched (list[str]): ids of the lexicon entries found, sorted, each once; null where the score is.
    """
    words = rulebook.lexicon(lexicon or "toxicity")
    matchers = [terms.matcher(words, category) for category in CATEGORIES]
    exempt, counter = terms.matcher(words, "exempt"), terms.matcher(words, "counter")
    folded = terms.judged(rows, column=column, language=words.language)
    found: list[list[Hit]] = [[] for _ in range(len(folded))]
    for matcher in matchers:
        for place, hits in enumerate(matcher.hits(folded)):
            found[place].extend(hits)
    measured = [
        (None, None, None) if value is None else _worst(value, hits, exempt=exempt, counter=counter)
        for value, hits in zip(folded, found, strict=True)
    ]
    return pl.DataFrame(measured, schema=_SCHEMA, orient="row")


def _worst(value: str, hits: list[Hit], *, exempt: Matcher, counter: Matcher) -> tuple[float, str | None, list[str]]:
    """Return score, category and entries of one text."""
    if not hits:
        return 0.0, None, []
    spared = list(exempt.find(value))
    scored = [
        (round(hit.entry.weight * _context(value, hit, counter=counter), 4), hit.entry)
        for hit in hits
        if not any(hit.start < other.end and other.start < hit.end for other in spared)
    ]
    if not scored:
        return 0.0, None, []
    # Of equal scores the category that comes first in the alphabet, so that order in the file does not matter.
    score, entry = min(scored, key=lambda pair: (-pair[0], pair[1].category))
    return score, entry.category, sorted({str(entry.id) for _, entry in scored})


def _context(value: str, hit: Hit, *, counter: Matcher) -> float:
    """Return what the surroundings leave of a hit: 1 said outright, less where quoted or countered."""
    before, after = value[max(0, hit.start - SENTENCE) : hit.start], value[hit.end : hit.end + SENTENCE]
    opened = max((match.end() for match in _END.finditer(before)), default=0)
    closed = _END.search(after)
    around = before[opened:] + " | " + after[: closed.start() if closed else None]
    if counter.pattern.search(around):
        return COUNTERED
    return QUOTED if _is_quoted(before, after) else 1.0


def _is_quoted(before: str, after: str) -> bool:
    """Tell whether a hit stands between quotation marks of its paragraph."""
    line, rest = before.rsplit("\n", 1)[-1], after.split("\n", 1)[0]
    if line.rfind("“") > line.rfind("”"):
        return True
    return line.count('"') % 2 == 1 and '"' in rest
