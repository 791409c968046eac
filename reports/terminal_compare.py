"""A comparison on a terminal: what changed, in under thirty lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from reports import shown
from reports.compare_worth import fate
from reports.terminal import cut_line, plain_table

# Together with heads, blanks and commands these stay under thirty lines of a hundred columns.
RULES, FLOWS, COMMANDS, MEANING = 3, 3, 2, 190
_STYLES = {"same": "bold green", "steady": "bold green", "drift": "bold yellow", "empty": "bold red"}
_WORDS = {"same": "nothing changed", "steady": "distributions hold", "drift": "distributions moved", "empty": "nothing"}
_SIZES = {"large": "red", "medium": "yellow"}


def comparison(facts: Mapping[str, Any], *, console: Console) -> None:
    """Print how two runs differ.

    Args:
        facts: of `reports.compare`.
        console: where to.
    """
    head = facts["headline"]
    names = f"{shown.line(head['run'])} against {shown.line(head['against'])}"
    cut_line(console, Text.assemble((names, "bold"), "  ", (_WORDS[head["verdict"]], _STYLES[head["verdict"]])))
    console.print(Text(shown.clipped(head["meaning"], MEANING)))
    kept, rows_all, tokens = (_moved(facts["totals"][name]) for name in ("kept", "train_rows", "kept_tokens"))
    cut_line(console, Text(f"kept    {kept} of {rows_all} rows · about {tokens} tokens"))
    rows = facts["matching"]["rows"]
    counts = {
        "same": "same",
        "verdict": "other verdict",
        "text": "other text",
        "added": "only new",
        "removed": "only old",
    }
    cut_line(console, Text("rows    " + ", ".join(f"{shown.count(rows[key])} {word}" for key, word in counts.items())))
    _changes(console, facts)
    _rules(console, facts)
    _flows(console, facts)
    console.print()
    cut_line(console, Text.assemble(("report  ", "dim"), shown.line(str(Path(head["run"]) / "compare.html"))))
    for place, step in enumerate(facts["next"][:COMMANDS]):
        label = "next    " if place == 0 else "        "
        console.print(Text.assemble((label, "dim"), (shown.line(step["command"]), "cyan")), soft_wrap=True)


def _moved(pair: list[int]) -> str:
    """Return a total before and after, once where it stayed."""
    old, new = (shown.count(value) for value in pair)
    return old if old == new else f"{old} → {new}"


def _changes(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the biggest changes."""
    if facts["changes"]:
        console.print()
    for change in facts["changes"]:
        size = change["size"] or "rows"
        moved = f"{shown.share(change['moved']):>7}  "
        cut_line(console, Text.assemble((f"{size:<11}", _SIZES.get(size, "dim")), moved, shown.line(change["text"])))


def _rules(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the rules that differ or fail another number of rows, those that changed most first."""
    moved = []
    for rule in facts["rules"]["list"]:
        old, new = (rule[side]["failed"] if rule[side] else 0 for side in ("old", "new"))
        if old != new or rule["status"] != "same":
            moved.append((-abs(new - old), (rule["new"] or rule["old"])["id"], rule))
    if not moved:
        return
    console.print()
    table = plain_table("rule, rows that fail", ["old", "new"])
    for _, name, rule in sorted(moved, key=lambda one: one[:2])[:RULES]:
        label = name if rule["status"] == "same" else f"{name} ({rule['status']})"
        counts = (shown.count(rule[side]["failed"]) if rule[side] else "–" for side in ("old", "new"))
        table.add_row(Text(shown.line(label), no_wrap=True, overflow="ellipsis"), *counts)
    console.print(table)
    _more(console, len(moved) - RULES, "rule")


def _flows(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the most frequent changes of verdict."""
    flows = facts["matching"]["flows"]
    if not flows:
        return
    table = plain_table("verdict became", ["rows"])
    for flow in flows[:FLOWS]:
        name = f"{fate(flow['old'])} → {fate(flow['new'])}"
        table.add_row(Text(shown.line(name), no_wrap=True, overflow="ellipsis"), shown.count(flow["rows"]))
    console.print(table)
    _more(console, len(flows) - FLOWS + facts["matching"]["flows_left_out"], "change")


def _more(console: Console, count: int, noun: str) -> None:
    """Say how many are not listed."""
    if count > 0:
        console.print(Text(f"  {shown.plural(count, f'more {noun}')} in the report", style="dim"))
