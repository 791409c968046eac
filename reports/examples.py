"""The texts of the rows that the report shows: fetched once, masked, cut short, made visible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

import polars as pl

from curate.schema import column_text
from reports import shown
from reports.masking import Place, masked_together
from reports.view import View

TEXTS = ("prompt", "response", "content")
_WITHHELD = "‹withheld: personal data in a text that cannot be placed here›"
_NEEDED = ("id", "source", "task", "template", "lang", "messages", *TEXTS)
_PIECE = re.compile(r"\s+|\w+|[^\w\s]")


def texts(
    view: View, ids: Iterable[str], *, contents: Iterable[str] = (), limit: int = shown.EXCERPT
) -> dict[str, dict[str, Any]]:
    """Return what is shown of each row, by id.

    Args:
        view: the run.
        ids: rows that some section shows.
        contents: those among them whose content is shown too.
        limit: characters shown of a text.

    Returns:
        source, task, template, lang, kept, dropped_by, flagged_by, prompt, response and perhaps content, how many
        characters of each were left out, and how many personal details were masked.
    """
    wanted = pl.Series(sorted(set(ids)), dtype=pl.String)
    verdicts = view.base.filter(pl.col("id").is_in(wanted.implode()))
    fate = {row["id"]: row for row in verdicts.select("id", "kept", "dropped_by", "flagged_by").iter_rows(named=True)}
    spans = _spans(view, wanted)
    more = sorted({span["column"] for found in spans.values() for span in found} & set(view.signals))
    rows = view.run.scan().filter(pl.col("id").is_in(wanted.implode())).select(*_NEEDED, *more).collect().sort("id")
    with_content = set(contents)
    shown_rows = {}
    for position, row in enumerate(rows.iter_rows(named=True)):
        masked, count = _masked(rows[position], spans.get(row["id"], []))
        cut = {"prompt": shown.both_ends(masked["prompt"], limit), "response": shown.excerpt(masked["response"], limit)}
        cut |= {"content": shown.excerpt(masked["content"], limit)} if row["id"] in with_content else {}
        shown_rows[row["id"]] = {
            **{name: row[name] for name in ("source", "task", "template", "lang")},
            **{name: fate[row["id"]][name] for name in ("kept", "dropped_by", "flagged_by")},
            **{name: text for name, (text, _) in cut.items()},
            "left_out": {name: left for name, (_, left) in cut.items()},
            "masked": count,
        }
    return shown_rows


def ids_in(facts: Any) -> Iterator[str]:
    """Yield the value of every key `row` at any depth: these rows are shown."""
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key == "row":
                yield value
            else:
                yield from ids_in(value)
    elif isinstance(facts, list):
        for value in facts:
            yield from ids_in(value)


def difference(one: str, other: str) -> list[list[str]]:
    """Return how the second text differs from the first, word by word.

    Returns:
        Pieces in order, each with `same`, `gone` (only in the first) or `new` (only in the second).
    """
    before, after = _PIECE.findall(one), _PIECE.findall(other)
    pieces: list[list[str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(["same", "".join(after[c:d])])
            continue
        pieces += [[name, "".join(part)] for name, part in (("gone", before[a:b]), ("new", after[c:d])) if part]
    return pieces


def span_tables(view: View) -> list[str]:
    """Return the side tables that place personal data in texts."""
    return [name for name in view.run.table_names() if name.endswith(".spans")]


def _spans(view: View, ids: pl.Series) -> dict[str, list[dict[str, Any]]]:
    """Return the spans of each of these rows."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in span_tables(view):
        table = view.run.table(name)
        if table is None or not {"id", "column", "kind", "start", "end"} <= set(table.columns):
            continue
        for span in table.filter(pl.col("id").is_in(ids.implode())).iter_rows(named=True):
            found.setdefault(span["id"], []).append(span)
    return found


def _masked(row: pl.DataFrame, spans: list[dict[str, Any]]) -> tuple[dict[str, str], int]:
    """Return the texts of one row with all personal data replaced, and how often in prompt and response."""
    plain = {name: row.item(0, name) or "" for name in TEXTS}
    places: dict[str, list[Place]] = {name: [] for name in TEXTS}
    values = []
    for span in spans:
        kind, start, end, column = str(span["kind"]), int(span["start"]), int(span["end"]), str(span["column"])
        text = _text(row, column)
        if text is None:
            return dict.fromkeys(TEXTS, _WITHHELD), len(spans)
        if column == "rendered":
            offset = len(plain["prompt"]) + 1
            places["prompt"].append((start, min(end, offset - 1), kind))
            places["response"].append((max(start - offset, 0), end - offset, kind))
        elif column in places:
            places[column].append((start, end, kind))
        values.append((text[start:end], kind))
    found = masked_together(plain, places, values)
    return {name: text for name, (text, _) in found.items()}, found["prompt"][1] + found["response"][1]


def _text(row: pl.DataFrame, column: str) -> str | None:
    """Return the text a span points into, None when it cannot be made from the row."""
    if column not in (*row.columns, "rendered", "trained") or column == "messages":
        return None
    value = column_text(row, column)[0]
    return value if isinstance(value, str) else None


def mark_differences(duplicates: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to every copy shown how its compared text differs from its keeper's, likewise for conflicts; in place."""
    for step in duplicates["steps"]:
        for cluster in (*step["largest"], *step["least_similar"]):
            keeper = rows[cluster["keeper"]["row"]]
            for copy in cluster["copies"]:
                copy["difference"] = difference(_compared(keeper, step), _compared(rows[copy["row"]], step))
    for conflict in duplicates["conflicts"]:
        for example in conflict["examples"]:
            first, *others = example["list"]
            for other in others:
                other["difference"] = difference(rows[first["row"]]["content"], rows[other["row"]]["content"])


def _compared(row: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    """Return the excerpt of what the step compared."""
    if step["compared"] == "rendered":
        return f"{row['prompt']}\n{row['response']}"
    return str(row[step["compared"]])
