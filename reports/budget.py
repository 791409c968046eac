"""A page small enough to be mailed and opened on a phone: its examples are cut shorter, never its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import shown

# Bytes of the page. Figures take a tenth of it at any number of rows; what grows are the texts that sections show.
LIMIT = 5_000_000
# Characters of each text, tried in turn when the page is too large.
EXCERPTS = (240, 80, 20)


def thinned(facts: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return the facts with every text that is shown cut to about `size` characters.

    Args:
        facts: of `reports.quality`, left as they are.
        size: characters of each text.
    """
    rows = {row: _row(texts, size) for row, texts in facts["rows"].items()}
    others = {key: _differences(value, size) for key, value in facts.items() if key != "rows"}
    return {**others, "rows": rows}


def _row(row: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return a row with its texts cut and what was left out counted."""
    cut = {"prompt": shown.both_ends(row["prompt"], size)}
    cut |= {name: shown.excerpt(row[name], size) for name in ("response", "content") if name in row}
    left_out = {name: row["left_out"][name] + more for name, (_, more) in cut.items()}
    return {**row, **{name: text for name, (text, _) in cut.items()}, "left_out": left_out}


def _differences(data: Any, size: int) -> Any:
    """Return data of any depth with every word diff cut."""
    if isinstance(data, Mapping):
        return {key: _cut(value, size) if key == "difference" else _differences(value, size) for key, value in
                data.items()}  # fmt: skip
    return [_differences(value, size) for value in data] if isinstance(data, list | tuple) else data


def _cut(pieces: Sequence[Sequence[str]], size: int) -> list[list[str]]:
    """Return the first pieces of a word diff, and a mark where it was cut."""
    kept: list[list[str]] = []
    for kind, piece in pieces:
        if size <= 0:
            return [*kept, ["same", " […]"]]
        kept.append([kind, piece[:size]])
        size -= len(piece)
    return kept
