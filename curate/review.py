"""Judging rules: which rule is meant, in which order rows are asked for, and where answers are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from curate.errors import UserError, suggest
from curate.rundir import REVIEWS, RunDir

ANSWERS = ("right", "wrong", "unsure")
BACK, STOP = "back", "stop"
# Rules named in an error.
LISTED = 6


def find_rule(manifest: Mapping[str, Any], text: str) -> str:
    """Return the id of the rule that is meant.

    Args:
        manifest: of the run.
        text: an id, or any part of one that no other rule has.

    Raises:
        UserError: when no rule, or several, are called so.
    """
    ids = [str(rule["id"]) for stage in manifest["stages"] for rule in stage["rules"]]
    if text in ids:
        return text
    meant = [one for one in ids if text.casefold() in one.casefold()] if text.strip() else []
    if len(meant) == 1:
        return meant[0]
    if meant:
        listed = "; ".join(meant[:LISTED]) + ("; …" if len(meant) > LISTED else "")
        raise UserError(f"rule '{text}'", f"several rules are called so: {listed}", "give more of the id")
    # A slip of the pen is nearer to a rule's signal than to its whole id.
    parts = {part: one for one in ids for part in (one, one.partition("/")[2], one.partition("/")[2].split(" ")[0])}
    raise UserError(f"rule '{text}'", "the run has no such rule", suggest(text, parts) if ids else "it has no rules")


def interview(rows: Sequence[str], known: Mapping[str, str], ask: Callable[[int], str]) -> Iterator[tuple[str, str]]:
    """Yield rows and answers, beginning with the first row that has none.

    Args:
        rows: in the order of asking.
        known: earlier answers by row; these rows are asked only on going back.
        ask: shows the row at a place and returns one of `ANSWERS`, `BACK` or `STOP`.
    """
    given = dict(known)
    place = _open(rows, given, 0)
    while place is not None:
        answer = ask(place)
        if answer == STOP:
            return
        if answer == BACK:
            place = max(0, place - 1)
            continue
        given[rows[place]] = answer
        yield rows[place], answer
        place = _open(rows, given, place + 1)


def _open(rows: Sequence[str], given: Mapping[str, str], start: int) -> int | None:
    """Return the place of the next row without an answer, from `start` on and then from the beginning."""
    places = [*range(start, len(rows)), *range(min(start, len(rows)))]
    return next((place for place in places if rows[place] not in given), None)


def parse_marks(marks: Sequence[str], sides: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return rows and verdicts from texts such as `ID=right`.

    Args:
        marks: an id, or how only one of the sample begins, and a verdict or its first letter.
        sides: side by id of the rows in the sample.

    Raises:
        UserError: for a mark that is none, names a row outside the sample (it would not count), or contradicts another.
    """
    found: dict[str, str] = {}
    for mark in marks:
        row, _, verdict = mark.partition("=")
        answers = [answer for answer in ANSWERS if verdict and answer.startswith(verdict.casefold())]
        if not row or len(answers) != 1:
            raise UserError(f"--mark {mark}", "is not ID=right, ID=wrong or ID=unsure", "copy it from the report")
        ids = [one for one in sides if row and one.startswith(row)]
        if len(ids) != 1:
            what = "several rows of the sample begin so" if ids else "the row is not in the sample of this rule"
            fair = "--list shows the sample; only a fair draw tells how often a rule is right"
            fix = "give more characters" if ids else fair
            raise UserError(f"--mark {mark}", what, fix)
        if found.setdefault(ids[0], answers[0]) != answers[0]:
            raise UserError(f"--mark {mark}", f"the same row is marked {found[ids[0]]}, too", "mark it once")
    return list(found.items())


def keep(run: RunDir, rule: str, answers: Sequence[tuple[str, str]], sides: Mapping[str, str]) -> None:
    """Append answers to the run's file, one line each; the last line on a row counts.

    Args:
        run: the run.
        rule: its id.
        answers: rows and verdicts.
        sides: side by row.
    """
    path = run.path / REVIEWS
    at = datetime.now(UTC).isoformat(timespec="seconds")  # for people; no figure depends on it
    entries = [{"rule": rule, "id": row, "side": sides[row], "verdict": verdict, "at": at} for row, verdict in answers]
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line that was cut off by a full disk must not swallow the next one
                lines = "\n" + lines
        file.write(lines.encode())
