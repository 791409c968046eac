"""Tell refusals and an assistant's set phrases from answers."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curate import languages, rulebook, schema, text
from curate.rulebook import Pattern

RULES = {"patterns": ("patterns/refusal",)}
# A refusal comes at once, at the latest after a sentence of courtesy; a closing phrase may be followed by one more.
SENTENCES = 2
# Characters looked at from either end: two long sentences, so that a book-length answer costs no more than a short one.
REACH = 600
REFUSAL, OPENING, CLOSING = "refusal", "opening", "closing"
_SCHEMA = {"refused": pl.Boolean, "boilerplate": pl.Boolean, "matched": pl.String}


def refusal(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Tell refusals and an assistant's set phrases from answers.

    Only the first two sentences can refuse, and only from their beginning: a refusal quoted in a story or an essay is
    part of an answer. A refusal may well be the right answer; flag it before you drop it. The patterns are English: a
    text in another language, declared or recognised, in which none matches has no verdict.

    Args:
        rows: instruction rows.
        column: the text to judge; the response by default.

    Signals:
        refused (bool): the text begins by refusing; null where the text is null
            or not English.
        boilerplate (bool): it begins or ends with a set phrase ("As an AI language model", "I hope this helps"); null
            where the text is null or not English.
        matched (str): id of the first pattern that matched, refusals before openings before closings; null when none
            did.
    """
    patterns = rulebook.patterns("refusal")
    values = schema.column_text(rows, column)
    found = [_verdict(value, patterns) for value in values]
    unmatched = pl.Series([matched is None for _, _, matched in found], dtype=pl.Boolean)
    unknown = languages.foreign(rows, values.set(~unmatched, None))
    nothing = (None, None, None)
    verdicts = [
        nothing if one[2] is None and not_english else one for one, not_english in zip(found, unknown, strict=True)
    ]
    return pl.DataFrame(verdicts, schema=_SCHEMA, orient="row")


def _verdict(value: str | None, patterns: Sequence[Pattern]) -> tuple[bool | None, bool | None, str | None]:
    """Return the three signals of one text."""
    if value is None:
        return None, None, None
    value = value.strip()
    first = _sentences(value[:REACH])
    last = first if len(value) <= REACH else _sentences(value[-REACH:])
    near = {REFUSAL: first[:SENTENCES], OPENING: first[:SENTENCES], CLOSING: last[-SENTENCES:]}
    found = {kind: _matching(parts, patterns, kind=kind) for kind, parts in near.items()}
    matched = next((name for name in found.values() if name), None)
    return found[REFUSAL] is not None, bool(found[OPENING] or found[CLOSING]), matched


def _sentences(value: str) -> list[str]:
    """Return sentences as patterns are written: single blanks, straight apostrophes."""
    return [" ".join(sentence.split()).replace("’", "'") for sentence in text.sentences(value)]


def _matching(sentences: Sequence[str], patterns: Sequence[Pattern], *, kind: str) -> str | None:
    """Return the id of the first pattern of a kind that matches one of the sentences."""
    return next((p.id for p in patterns if p.kind == kind and any(map(p.regex.search, sentences))), None)
