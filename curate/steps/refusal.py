"""Tell refusals and an assistant's set phrases from answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from curate import rulebook, schema, text
from curate.rulebook import Pattern

# A refusal comes at once, at the latest after a sentence of courtesy; a closing phrase may be followed by one more.
SENTENCES = 2
# Characters looked at from either end: two long sentences, so that a book-length answer costs no more than a short one.
REACH = 600
REFUSAL, OPENING, CLOSING = "refusal", "opening", "closing"
_BLANKS = re.compile(r"\s+")
_SCHEMA = {"refused": pl.Boolean, "boilerplate": pl.Boolean, "matched": pl.String}


def refusal(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Tell refusals and an assistant's set phrases from answers.

    Only the first two sentences can refuse, and only from their beginning: a refusal quoted in a story or an essay is
    part of an answer. A refusal may well be the right answer; flag it before you drop it. The patterns are English.

    Args:
        rows: instruction rows.
        column: the text to judge; the response by default.

    Signals:
        refused (bool): the text begins by refusing; null where the text is null.
        boilerplate (bool): it begins or ends with a set phrase ("As an AI language model", "I hope this helps"); null
            where the text is null.
        matched (str): id of the first pattern that matched, refusals before openings before closings; null when none
            did.
    """
    patterns = rulebook.patterns("refusal")
    values = schema.column_text(rows, column)
    return pl.DataFrame([_verdict(value, patterns) for value in values], schema=_SCHEMA, orient="row")


def _verdict(value: str | None, patterns: Sequence[Pattern]) -> tuple[bool | None, bool | None, str | None]:
    """Return the three signals of one text."""
    if value is None:
        return None, None, None
    found = {kind: _first(value, patterns, kind=kind) for kind in (REFUSAL, OPENING, CLOSING)}
    matched = next((name for name in found.values() if name), None)
    return found[REFUSAL] is not None, bool(found[OPENING] or found[CLOSING]), matched


def _first(value: str, patterns: Sequence[Pattern], *, kind: str) -> str | None:
    """Return the id of the first pattern of a kind that matches where that kind is looked for."""
    part = value.strip()[-REACH:] if kind == CLOSING else value.strip()[:REACH]
    plain = [_BLANKS.sub(" ", sentence).replace("’", "'") for sentence in text.sentences(part)]
    near = plain[-SENTENCES:] if kind == CLOSING else plain[:SENTENCES]
    return next((p.id for p in patterns if p.kind == kind and any(p.regex.search(s) for s in near)), None)
