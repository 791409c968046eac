"""One record of a file in every wording of a family, to look at before a recipe is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate import read, render
from curate.errors import INPUT, UserError
from curate.rulebook import Family

# Records from which the label set is taken: a label that one record in 300 has is missed with 0.13 % chance
# ((299 / 300) ** 2000), and a set of more than 20 labels is not listed in a prompt anyway.
PROBED = 2_000
# Records that may stand beside the one shown: the first that do fit, for one row with examples and one dialogue.
BESIDE = 16
_DIGITS = 18  # of a number that every system can count to


@dataclass(frozen=True)
class Worded:
    """A record and how it reads.

    Args:
        file: where the record stands.
        line: 1-based line of its start; in binary forms the row.
        slots: what the family takes from it.
        labels: the sorted label set, empty for families without.
        renderings: one for each template that fits, in the order of the family.
        unfit: what the record lacks, by id of each template that does not fit.
    """

    file: str
    line: int
    slots: Mapping[str, Any]
    labels: tuple[str, ...]
    renderings: tuple[render.Rendered, ...]
    unfit: Mapping[str, tuple[str, ...]]


def place(text: str) -> tuple[Path, int]:
    """Return file and number of a record from FILE:N.

    Raises:
        UserError: for a text that is not of this form.
    """
    name, _, number = text.rpartition(":")
    plain = number.isascii() and number.isdecimal() and len(number) <= _DIGITS
    if not name or not plain or int(number) < 1:
        fix = "write a file and the number of a record, from 1: data.csv:1"
        raise UserError(f"record '{text}'", "is not FILE:N", fix)
    return Path(name), int(number)


def worded(at: tuple[Path, int], *, family: Family, fields: Mapping[str, str], labels: Mapping[str, str]) -> Worded:
    """Render a record with each template of a family.

    Args:
        at: the file, of any form that can be read, and the number of the record, from 1; broken ones do not count.
        family: the task family.
        fields: column or dotted path by slot.
        labels: wording by raw value of the answer; without it the label set is that of the first `PROBED` records.

    Raises:
        UserError: when there is no such record, or it does not fit the family.
    """
    record, others = _found(at, fields=fields, most=PROBED if "label" in family.slots and not labels else BESIDE)
    where = f"{record.file}, line {record.line}"
    try:
        slots = render.slots_of(record.data, family=family, fields=fields, labels=labels)
        beside = list(_beside(others, family, fields, labels))
        known = set(labels.values())
        if "label" in family.slots and not labels:
            known = {slots["label"], *(other["label"] for other in beside)}
        exemplars = tuple(render.Exemplar(f"{place}", other) for place, other in enumerate(beside[:BESIDE]))
        pool = render.Pool(tuple(sorted(known)), exemplars)
        shown = render.every(where, slots, family=family, pool=pool)
    except ValueError as error:
        raise UserError(where, str(error), "name columns with --field slot=column", code=INPUT) from None
    fit = {one.template for one in shown}
    # What a template needs is absent, or worked out of a set of options that is.
    unfit = {
        template.id: tuple(name for name in template.needs if name not in slots)
        for template in family.templates
        if template.id not in fit
    }
    return Worded(record.file, record.line, slots, tuple(sorted(known)), tuple(shown), unfit)


def _found(at: tuple[Path, int], *, fields: Mapping[str, str], most: int) -> tuple[read.Record, list[Any]]:
    """Return the record, and the data of the first ones without it."""
    path, number = at
    positional = bool(fields) and all(column.isdecimal() for column in fields.values())
    items = read.read(path, positional=positional)
    records = (item for item in items if isinstance(item, read.Record))
    found: read.Record | None = None
    others: list[Any] = []
    count = 0
    for count, record in enumerate(itertools.islice(records, max(number, most)), 1):
        if count == number:
            found = record
        elif count <= most:
            others.append(record.data)
    if found is None:
        what = f"has no record {number}, only {count}" if count else "holds no record at all"
        raise UserError(str(path), what, "count records from 1; broken ones do not count", code=INPUT)
    return found, others


def _beside(
    records: list[Any], family: Family, fields: Mapping[str, str], labels: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the slots of those records that fit the family."""
    for data in records:
        try:
            yield render.slots_of(data, family=family, fields=fields, labels=labels)
        except ValueError:
            continue  # the run rejects it, with the cause
