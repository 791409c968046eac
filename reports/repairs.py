"""Repairs that are proposed and never applied silently, and those that the reader made because the recipe says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from curate import chance
from curate.rundir import AUDIT, EXPORT
from reports import shown
from reports.alert import Facts, alert, look
from reports.examples import difference
from reports.masking import masked_together
from reports.view import View

# What a proposal mends, in words.
MEANINGS = {
    "mojibake": "text decoded with the wrong encoding, as in â€™ for ’",
    "entities": "HTML entities in a text without HTML, as in &amp; for &",
    "controls": "control characters and byte order marks",
    "markers": "special tokens, headings or speakers of a prompt format at the edge of a turn",
    "fences": "a code fence that is never closed, or never opened",
    "json": "JSON that parses when its punctuation is mended; every word stays",
}
AT_INGEST = ("mojibake", "entities", "controls")
# Proposals shown of each kind, sources listed, and characters shown of a change with what is around it.
SHOWN, LISTED, AROUND, LONGEST = 3, 20, 60, 400
_WITHHELD = "‹withheld: the repair would bring personal data to light›"
_NEEDED = {"id", "turn", "kind", "role", "start", "end", "before", "after"}


def repairs(view: View) -> dict[str, Any]:
    """Return proposals by kind and source with examples, and what was repaired at ingest."""
    applied = [
        {"source": source["name"], "repairs": dict(sorted((source.get("repairs") or {}).items()))}
        for source in view.manifest["sources"]
        if source.get("repairs")
    ]
    uses = (step for stage in view.manifest["stages"] for step in stage["steps"] if step["step"] == "repair")
    name = next((step["as"] for step in uses), None)
    table = view.run.table(f"{name}.proposals") if name else None
    if table is None or not set(table.columns) >= _NEEDED:
        return {"skipped": "no step of the recipe proposes repairs", "applied": applied}
    frame = table.join(view.base.select("id", "source", "kept"), on="id", how="inner")
    kinds = frame.group_by("kind").agg(
        pl.col("id").n_unique().alias("rows"), pl.len().alias("proposals"), pl.col("id").filter("kept").n_unique()
    )
    return {
        "method": (
            "each proposal replaces one stretch of one turn; only what is listed as repaired while reading was changed"
            f"; {SHOWN} proposals of each kind are drawn by chance, personal data masked"
        ),
        "rows": frame["id"].n_unique(),
        "of": view.base.height,
        "proposals": frame.height,
        "kinds": [
            {"kind": kind, "meaning": MEANINGS.get(kind, ""), "rows": rows, "proposals": proposals, "kept": kept,
             "at_ingest": kind in AT_INGEST}
            for kind, rows, proposals, kept in kinds.sort("rows", "kind", descending=[True, False]).iter_rows()
        ],
        "sources": _by_source(frame),
        "examples": _examples(view, frame),
        "applied": applied,
        "command": _command(view),
    }  # fmt: skip


def _by_source(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with proposals of each source, in all and by kind."""
    counted = frame.group_by("source", "kind").agg(pl.col("id").n_unique().alias("rows")).sort("source", "kind")
    rows = frame.group_by("source").agg(pl.col("id").n_unique().alias("rows"))
    rows = rows.sort("rows", "source", descending=[True, False]).head(LISTED)
    return [
        {
            "source": source,
            "rows": count,
            "kinds": dict(counted.filter(source=source).select("kind", "rows").iter_rows()),
        }
        for source, count in rows.iter_rows()
    ]


def _command(view: View) -> str:
    """Return the command that shows all proposals: an audit has exported them, another run can."""
    if view.recipe == AUDIT:
        return shown.command("less", f"{view.name}/{EXPORT}/repairs.jsonl")
    return shown.command("curate", "export", view.name, "--to", "messages", "--out", f"{view.manifest['name']}-mix")


def _examples(view: View, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return some proposals of each kind as word differences, drawn by chance, in the order of `MEANINGS`."""
    order = {kind: place for place, kind in enumerate(MEANINGS)}
    places = frame.select(pl.col("kind").replace_strict(order, default=len(order), return_dtype=pl.Int64)).to_series()
    drawn = frame.with_columns(
        pl.Series("draw", chance.uniforms(view.seed, frame["id"].to_list(), "repairs shown")), places.alias("place")
    ).sort("place", "kind", "draw", "id", "turn")
    some = drawn.group_by("kind", maintain_order=True).head(SHOWN)
    wanted = some["id"].unique()
    texts = view.run.scan().filter(pl.col("id").is_in(wanted.implode())).select("id", "messages").collect()
    turns = dict(texts.iter_rows())
    columns = ("id", "turn", "kind", "role", "start", "end", "after")
    return [
        {"row": row, "turn": turn, "kind": kind, "role": role,
         "difference": _changed(turns[row][turn]["content"], (start, end), after)}
        for row, turn, kind, role, start, end, after in some.select(columns).iter_rows()
    ]  # fmt: skip


def _changed(text: str, span: tuple[int, int], after: str) -> list[list[str]]:
    """Return the stretch that would change, with a little around it, as pieces: same, gone, new.

    The whole turn is masked on both sides before it is cut, so that no half of an address is left at the cut.
    """
    start, end = span
    both = masked_together({"before": text, "after": text[:start] + after + text[end:]})
    if both["after"][1] > both["before"][1]:  # `jane&#64;…` is an address to a person, if not to a pattern
        return [["same", _WITHHELD]]
    before, mended = both["before"][0], both["after"][0]
    low = max(0, _common(before, mended) - AROUND)
    high = _common(before[::-1], mended[::-1])
    tail = max(0, min(high, len(before) - low, len(mended) - low) - AROUND)
    old, new = before[low : len(before) - tail], mended[low : len(mended) - tail]
    pieces = difference(shown.visible(old[:LONGEST]), shown.visible(new[:LONGEST]))
    cut_off = len(old) > LONGEST or len(new) > LONGEST or tail > 0
    return [*([["same", "… "]] if low else []), *pieces, *([["same", " …"]] if cut_off else [])]


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with together, by halving: slices compare fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _proposed(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many rows have texts that could be repaired."""
    found = facts["repairs"]
    if found.get("rows"):
        named = ", ".join(f"{kind['kind']} {shown.count(kind['rows'])}" for kind in found["kinds"])
        text = f"{shown.plural(found['rows'], 'row')} could be repaired: {named}. Nothing was changed."
        command = found["command"] if facts["headline"].get("kind") == "audit" else look(facts, "tables")
        yield alert("note", text, command, of=(found["rows"], found["of"]), section="repairs")


CHECKS = (_proposed,)
