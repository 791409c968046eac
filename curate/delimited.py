"""Comma- and tab-separated files: CSV by RFC 4180, TSV as registered with IANA (no quoting).

A quote that is never closed must not swallow the rows after it. So a record is assembled from physical lines under
strict rules; when that fails, its first line alone is the reject and reading resumes on the next physical line. Lines
that the failed attempt had passed over must then be rows of their own, which keeps the work linear in the file.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from curate.errors import INPUT, UserError
from curate.lines import LINE_CAP, lines, too_long
from curate.records import Item, Record, Reject, excerpt, undecodable

# Rows looked at to learn the width of a table without a header.
SAMPLE = 20
# Physical lines that one quoted field may span: the longest novel has fewer.
SPAN = 100_000
# A line by the letter of RFC 4180: quotes enclose whole fields and stand doubled inside them.
_RFC_LINE = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)(?:,(?:"[^"]*(?:""[^"]*)*"|[^",]*))*')


@dataclass(frozen=True, slots=True)
class _Line:
    """A physical line; `alone` when a failed record had passed over it, so that it must be a row of its own."""

    number: int
    raw: bytes
    alone: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    fields: list[str]


def read_delimited(path: Path, *, separator: str, header: bool) -> Iterator[Item]:
    """Yield the rows of a table: with a header as dicts of strings, otherwise as lists of strings.

    Raises:
        UserError: when the file cannot be read, its header is broken or its separator is another.
    """
    rows = _csv_rows if separator == "," else _tsv_rows
    sample = list(islice(rows(path, width=None), SAMPLE))
    names = _header(path, sample[0]) if header and sample else None
    widths = Counter(len(item.fields) for item in sample if isinstance(item, _Row))
    _check_separator(path, sample, separator, header)
    width = len(names) if names else (widths.most_common(1)[0][0] if widths else None)
    found = rows(path, width=width)
    if names is not None:
        next(found)
    for item in found:
        if isinstance(item, Reject):
            yield item
        elif len(item.fields) != width:
            usual = "the header has" if names else "the other rows have"
            cause = f"{len(item.fields)} fields where {usual} {width}"
            yield Reject(str(path), item.line, cause, excerpt(separator.join(item.fields)))
        else:
            data = item.fields if names is None else dict(zip(names, item.fields, strict=True))
            yield Record(str(path), item.line, data)


def _header(path: Path, first: _Row | Reject) -> list[str]:
    """Return the names of the columns; those without one are "" (the index that pandas writes), then their number."""
    if isinstance(first, Reject):
        raise UserError(f"{path}, line {first.line}", f"the header: {first.cause}", "mend the line", code=INPUT)
    names = [name.strip() for name in first.fields]
    unnamed = [index for index, name in enumerate(names) if not name]
    for index in unnamed[1:]:
        names[index] = str(index)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        what = f"the header names {', '.join(repr(name) for name in twice)} more than once"
        fix = "rename the columns, or set `header = false`, name fields by number and drop the first line"
        raise UserError(f"{path}, line {first.line}", what, fix, code=INPUT)
    return names


def _check_separator(path: Path, sample: Sequence[_Row | Reject], separator: str, header: bool) -> None:
    """Refuse a table of one column whose every looked-at row could be parted by another separator."""
    rows = [item.fields for item in sample if isinstance(item, _Row)]
    judged = rows[:1] if header else rows
    if not judged or any(len(fields) != 1 for fields in judged) or (not header and len(rows) < 2):
        return
    for other, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
        counts = {fields[0].count(other) for fields in judged}
        if other != separator and len(counts) == 1 and counts != {0}:
            ours = "commas" if separator == "," else "tabs"
            ending = {"\t": "name the file .tsv", ",": "name the file .csv"}
            fix = ending.get(other, f"save it again with {ours} between the columns, or as .jsonl")
            raise UserError(str(path), f"its columns are separated by {called}, not {ours}", fix, code=INPUT)


def _tsv_rows(path: Path, *, width: int | None) -> Iterator[_Row | Reject]:
    for number, raw in lines(path):
        if not raw.strip(b" \r"):
            continue
        cause = too_long(raw) or undecodable(raw)
        if cause is not None:
            yield Reject(str(path), number, cause, excerpt(raw))
            continue
        fields = raw.decode().removesuffix("\r").split("\t")
        yield _Row(number, [_unquoted(field) for field in fields] if b'"' in raw else fields)


def _unquoted(field: str) -> str:
    """Return the field as pandas had it: quoted as a whole, with every quote inside doubled; others as they are."""
    inner = field[1:-1]
    if len(field) >= 2 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return field


def _csv_rows(path: Path, *, width: int | None) -> Iterator[_Row | Reject]:
    """Yield the rows of a CSV file; `width` tells a record of many lines from an unclosed quote."""
    source = (_Line(number, raw) for number, raw in lines(path))
    pending: deque[_Line] = deque()

    def take() -> _Line | None:
        return pending.popleft() if pending else next(source, None)

    while (line := take()) is not None:
        if not line.raw or line.raw.isspace():
            continue
        if (cause := too_long(line.raw)) is not None:
            yield Reject(str(path), line.number, cause, excerpt(line.raw))
        elif b'"' not in line.raw:
            yield _bare(path, line)
        elif line.alone:
            fields = _alone(line.raw)
            cause = undecodable(line.raw) or "quotes that do not enclose whole fields, after a quote that is not closed"
            bad = Reject(str(path), line.number, cause, excerpt(line.raw))
            yield bad if fields is None or undecodable(line.raw) else _Row(line.number, fields)
        else:
            outcome, again = _assemble(path, line, take, width)
            pending.extendleft(reversed(again))
            yield outcome


def _bare(path: Path, line: _Line) -> _Row | Reject:
    """Return the row of a line without quotes."""
    cause = undecodable(line.raw)
    if cause is not None:
        return Reject(str(path), line.number, cause, excerpt(line.raw))
    return _Row(line.number, line.raw.decode().removesuffix("\r").split(","))


def _alone(raw: bytes) -> list[str] | None:
    """Return the fields of a line that is a whole row by the letter of RFC 4180, or None."""
    text = raw.decode("utf-8", "surrogateescape").removesuffix("\r")
    if _RFC_LINE.fullmatch(text) is None:
        return None
    try:
        return _parse(iter([text]))
    except csv.Error:
        return None


def _parse(texts: Iterator[str]) -> list[str]:
    """Return the fields of one record, taking as many lines as it spans.

    The limit on fields is the module's own and global, so it is put back at once.
    """
    limit = csv.field_size_limit(LINE_CAP + 1)
    try:
        return next(csv.reader(texts, strict=True))
    finally:
        csv.field_size_limit(limit)


def _assemble(
    path: Path, first: _Line, take: Callable[[], _Line | None], width: int | None
) -> tuple[_Row | Reject, list[_Line]]:
    """Return the record that starts on a line, and the lines that must be read again."""
    taken, beyond = [first], []

    def texts() -> Iterator[str]:
        size = len(first.raw)
        yield first.raw.decode("utf-8", "surrogateescape") + "\n"
        while (line := take()) is not None:
            size += len(line.raw)
            if size > LINE_CAP or len(taken) >= SPAN:
                beyond.append(line)
                return
            taken.append(line)
            yield line.raw.decode("utf-8", "surrogateescape") + "\n"

    try:
        fields = _parse(texts())
    except csv.Error as error:
        return _failed(path, str(error), taken, beyond)
    raw = b"\n".join(line.raw for line in taken)
    rest = [_Line(line.number, line.raw, alone=True) for line in taken[1:]]
    if rest and _swallowed(raw, rest, len(fields), width):
        return Reject(str(path), first.number, "a quote is opened here and never closed", excerpt(first.raw)), rest
    cause = undecodable(raw)
    if cause is not None:
        return Reject(str(path), first.number, cause, excerpt(first.raw)), []
    return _Row(first.number, fields), []


def _swallowed(raw: bytes, rest: Sequence[_Line], found: int, width: int | None) -> bool:
    """Tell whether a record of many lines is an unclosed quote and the rows after it.

    It is when a quote stands where RFC 4180 has none, or when its width is wrong and each line after the first is a row
    of the right one.
    """
    if _RFC_LINE.fullmatch(raw.decode("utf-8", "surrogateescape").removesuffix("\r")) is None:
        return True
    if width is None or found == width:
        return False
    parted = [_alone(line.raw) for line in rest if line.raw and not line.raw.isspace()]
    return all(fields is not None and len(fields) == width for fields in parted)


def _failed(path: Path, error: str, taken: Sequence[_Line], beyond: list[_Line]) -> tuple[Reject, list[_Line]]:
    """Return the reject of the first line, and the lines to read again: alone, but for the one that revealed it."""
    first, rest = taken[0], [_Line(line.number, line.raw, alone=True) for line in taken[1:]]
    if "unexpected end" in error:
        cause = "a quote is opened here and never closed"
    elif "new-line" in error:
        cause = "a carriage return inside a field without quotes"
    elif not rest:
        cause = "a quote inside a quoted field is not doubled"
    else:
        cause = "a quote is opened here and never closed"
        rest[-1] = taken[-1]
    return Reject(str(path), first.number, cause, excerpt(first.raw)), [*rest, *beyond]
