"""Records of a source: read, repaired and checked, before any template is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import orjson
import polars as pl

from curate import boilerplate, clean, cut, formats, read, render, rulebook
from curate.errors import INPUT, UserError, suggest
from curate.personal import KINDS, masked
from curate.recipe import Source
from curate.schema import canonical, digest, prompt_and_response
from curate.shelf import Shelf

Progress = Callable[[str, int, int], None]

# Records parsed before they move into a compact frame: Python objects of more would outweigh the frame.
BATCH = 10_000
# Records looked at to tell the format of instruction data.
PROBE = 1_000
RAW = {
    "source": pl.UInt32(),
    "base": pl.String(),
    "key": pl.String(),
    "file": pl.UInt32(),
    "line": pl.UInt64(),
    "data": pl.String(),
    "meta": pl.String(),
    "repairs": pl.String(),
}


@dataclass
class Tally:
    """What happened to the records of one source."""

    source: Source
    paths: list[Path]
    family: rulebook.Family | None
    cuts: cut.Cuts | None = None
    detected: str | None = None
    format: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    found: int = 0
    left_out: int = 0
    rejects: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    cut_missed: int = 0
    rows: int = 0
    template: boilerplate.Boilerplate | None = None

    def facts(self) -> dict[str, Any]:
        """Return the source's entry in the manifest."""
        return {
            **{name: getattr(self.source, name) for name in ("name", "task", "split", "license", "lang")},
            "format": self.format,
            "fields": dict(self.fields),
            "detected": self.detected,
            "records_read": self.found - self.left_out + self.rejects,
            "rejects": self.rejects,
            "left_out": self.left_out,
            "rows": self.rows,
            "repairs": dict(sorted(self.repairs.items())),
            "inferred_template": self.template.facts() if self.template else None,
            **({"cut_missed": self.cut_missed} if self.cuts else {}),
            "templates": {one.id: one.kind for one in self.family.templates} if self.family else {},
        }


class Rejects:
    """rejects.jsonl while it is written."""

    def __init__(self, file: TextIO) -> None:
        """Write to an open file."""
        self._file = file

    def add(self, tally: Tally, reject: read.Reject) -> None:
        """Write one reject, personal data masked whatever the source masks, and count its cause."""
        cause, excerpt = (masked(text, KINDS)[0] for text in (reject.cause, reject.excerpt))
        tally.rejects += 1
        tally.causes[cause] += 1
        entry = {"source": tally.source.name, "file": read.named(reject.file), "line": reject.line}
        text = orjson.dumps({**entry, "cause": cause, "excerpt": excerpt}).decode()
        self._file.write(text + "\n")


def read_source(number: int, tally: Tally, rejects: Rejects, shelf: Shelf, progress: Progress) -> None:
    """Put all records of a source on a shelf: compact frames of identity, slots or conversation, and the rest.

    The columns are those of `RAW`; `base` is a hash of source and content (or key), the same for equal records.
    """
    source = tally.source
    batch: list[tuple[Any, ...]] = []
    for index, item in _items(tally):
        if isinstance(item, read.Record):
            try:
                batch.append((number, *_compact(item, tally), index, item.line))
                tally.found += 1
            except ValueError as error:
                item = read.Reject(item.file, item.line, str(error), _excerpt(item.data))
        if isinstance(item, read.Reject):
            rejects.add(tally, item)
        if len(batch) >= BATCH:
            shelf.add(_frame(batch))
            batch.clear()
            progress(f"reading {source.name}", tally.found, 0)
    shelf.add(_frame(batch))
    _all_broken(tally)


def _items(tally: Tally) -> Iterator[tuple[int, read.Record | read.Reject]]:
    """Yield the records and rejects of all files of a source, after telling the format where it is `auto`."""
    source = tally.source
    positional = bool(source.fields) and all(path.isdecimal() for path in source.fields.values())
    options: dict[str, Any] = {"records": source.records, "header": source.header, "positional": positional}
    tally.format, tally.fields = source.format, source.fields
    if source.format == "auto":
        probed: list[Any] = []
        for path in tally.paths:
            for item in read.read(path, **options):
                if isinstance(item, read.Record):
                    probed.append(item.data)
                if len(probed) >= PROBE:
                    break
        found = formats.detect(probed)
        if found is None and probed:  # without any record the rejects say more
            names = ", ".join(sorted(probed[0])) if isinstance(probed[0], dict) else "none"
            fix = f"columns found: {names}; name `format` and `fields`, or a `task`"
            raise UserError(f"source '{source.name}'", "is in no instruction format that is known", fix, code=INPUT)
        if found is not None:
            tally.format, tally.detected = found.format, found.why
            tally.fields = {**found.fields, **source.fields}
    for index, path in enumerate(tally.paths):
        for item in read.read(path, **options):
            yield index, item


def _compact(item: read.Record, tally: Tally) -> tuple[str, str, str, str, str | None]:
    """Return base hash, content hash, slots or messages as JSON, the rest as JSON, and repairs as JSON or None."""
    source, family = tally.source, tally.family
    content = canonical(item.data)
    base = content if source.key is None else str(_lookup(item.data, source.key)).encode()
    counts: dict[str, int] = {}
    data = clean.clean(item.data, repairs=source.clean.repairs, mask=source.clean.mask, counts=counts)
    if source.constants:
        data = {**(data if isinstance(data, dict) else {str(i): v for i, v in enumerate(data)}), **source.constants}
    if family is not None:
        parsed: Any = render.slots_of(data, family=family, fields=source.fields, labels=source.labels)
        meta = render.meta_of(data, family=family, fields=source.fields)
    else:
        parsed, meta = formats.conversation(data, format=str(tally.format), fields=tally.fields)
        prompt, _ = prompt_and_response(parsed)
        if not prompt.strip():
            raise ValueError("the prompt is empty")
    repairs = orjson.dumps(counts).decode() if counts else None
    return digest(source.name, base), digest(content), as_json(parsed), as_json(meta), repairs


def _lookup(data: Any, path: str) -> Any:
    try:
        return read.lookup(data, path)
    except KeyError as error:
        part, known = error.args
        raise ValueError(f"key: found no '{part}'; {suggest(part, known)}") from None


def as_json(value: Any) -> str:
    """Return JSON in the order given, with what `orjson` alone cannot store."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return canonical(value).decode()


def _excerpt(data: Any) -> str:
    return canonical(data)[:200].decode(errors="replace")


def _frame(batch: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    names = ("source", "base", "key", "data", "meta", "repairs", "file", "line")
    schema = {name: RAW[name] for name in names}
    return pl.DataFrame(list(batch), schema=schema, orient="row").select(*RAW)


def _all_broken(tally: Tally) -> None:
    """Refuse a source of which no record can be used: a wrong column or path, not dirty data."""
    if tally.found == 0 and tally.rejects:
        cause, count = tally.causes.most_common(1)[0]
        what = f"none of its {tally.rejects:,} records can be used; {count:,} say: {cause}"
        fix = "look at `fields`, `records`, `header`, `labels` and the task or format of the source"
        raise UserError(f"source '{tally.source.name}'", what, fix, code=INPUT)
    if tally.found == 0:
        paths = ", ".join(str(path) for path in tally.paths[:3])
        raise UserError(f"source '{tally.source.name}'", f"no records in {paths}", "is the file empty?", code=INPUT)
