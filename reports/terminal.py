"""The facts on a terminal: what matters in under thirty lines, and where the rest is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports import shown
from reports.ledger import summed_up

# Together with head, blanks and commands these stay under thirty lines of a hundred columns.
STAGES, ALERTS, COMMANDS, READS = 7, 5, 3, 3
BAR = 24
_STYLES = {"pass": "bold green", "fail": "bold red", "none": "bold", "critical": "bold red", "warning": "yellow"}
_VERDICTS = {"pass": "gates pass", "fail": "FAILS", "none": "no gates set"}


def summary(facts: Mapping[str, Any], *, console: Console, run: Path | None = None) -> None:
    """Print headline, funnel, alerts and the next commands.

    Args:
        facts: of `reports.quality`.
        console: where to.
        run: the run directory, when it is not where the facts say.
    """
    head = facts["headline"]
    title = Text.assemble((shown.line(head["name"]), "bold"), "  ", (_verdict(head), _STYLES[head["verdict"]]))
    cut_line(console, title)
    cut_line(console, Text(shown.line(head["meaning"])))
    cut_line(console, Text(_counted(head)))
    if head["kind"] == "audit":
        _audited(console, facts["audit"])
    else:
        console.print()
        _funnel(console, head, facts["funnel"]["stages"])
        _sampled(console, facts["duplicates"]["steps"])
    _alerts(console, facts["alerts"])
    console.print()
    if head["kind"] != "audit" and "skipped" not in facts["ledger"]:
        cut_line(console, Text.assemble(("ledger  ", "dim"), shown.line(summed_up(facts))))
    _judged(console, facts["reviews"])
    _unproven(console, facts["rules"]["list"])
    cut_line(console, Text.assemble(("report  ", "dim"), shown.line(str(Path(run or head["run"]) / "report.html"))))
    for place, step in enumerate(facts["next"][:COMMANDS]):
        label = "next    " if place == 0 else "        "
        # A command is there to be copied: it may run on, it is never cut.
        console.print(Text.assemble((label, "dim"), (shown.line(step["command"]), "cyan")), soft_wrap=True)


def cut_line(console: Console, text: Text) -> None:
    """Print one line, cut at the edge."""
    console.print(text, no_wrap=True, overflow="ellipsis", crop=True)


def _verdict(head: Mapping[str, Any]) -> str:
    """Return the verdict; an audit has none, unless there is nothing left to look at."""
    return "audit" if head["kind"] == "audit" and head["verdict"] != "fail" else _VERDICTS[head["verdict"]]


def _audited(console: Console, audit: Mapping[str, Any]) -> None:
    """Print how each file was read, and the checks that flag most with what the written recipe would drop."""
    for source in audit["reads"][:READS]:
        cut_line(console, Text(f"reads {shown.line(source['name'])} as {shown.line(str(source['detected']))}"))
    if len(audit["reads"]) > READS:
        console.print(Text(f"      and {len(audit['reads']) - READS} more sources", style="dim"))
    if audit["embedding"]:
        cut_line(console, Text(f"skips embeddings: {audit['embedding']['command']}"))
    table = plain_table("check", ["flagged", "would drop"])
    firing = sorted((one for one in audit["checks"] if one["flagged"]), key=lambda one: -one["flagged"])
    for one in firing[:STAGES]:
        about = "" if one["exact"] else "about "
        dropped = f"{about}{shown.count(one['would_drop'])}" if one["drops"] else "only flags"
        name = Text(shown.line(one["id"]), no_wrap=True, overflow="ellipsis")
        table.add_row(name, shown.count(one["flagged"]), dropped)
    if firing:
        console.print()
        console.print(table)


def _counted(head: Mapping[str, Any]) -> str:
    """Return the totals in one line."""
    first = (
        ["nothing dropped", f"about {shown.count(head['tokens'])} tokens"]
        if head["kind"] == "audit"
        else [
            f"kept {shown.count(head['kept'])} of {shown.count(head['rows'])} rows ({shown.share(head['kept_share'])})",
            f"about {shown.count(head['kept_tokens'])} tokens",
        ]
    )
    parts = [
        *first,
        shown.plural(head["sources"], "source"),
        shown.plural(head["rejects"], "reject"),
    ]
    if head["flagged"] and head["kind"] != "audit":
        parts.append(f"{shown.count(head['flagged'])} flagged")
    return " · ".join(parts)


def _funnel(console: Console, head: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each stage; the first and last when there are many."""
    if not stages:
        return
    table = plain_table("stage", ["in", "dropped", "out"], bar=True)
    listed = [*stages] if len(stages) <= STAGES else [*stages[: STAGES - 2], stages[-1]]  # the rest takes a line
    for stage in listed:
        kept = round(BAR * stage["rows_out"] / head["rows"]) if head["rows"] else 0
        lost = round(BAR * stage["rows_in"] / head["rows"]) - kept if head["rows"] else 0
        bar = Text.assemble(("█" * kept, "blue"), ("▒" * lost, "yellow"))
        name = Text(shown.clipped(stage["name"], 24), no_wrap=True)
        numbers = (shown.count(stage[key]) for key in ("rows_in", "rows_lost", "rows_out"))
        table.add_row(name, bar, *numbers)
    console.print(table)
    if len(listed) < len(stages):
        console.print(Text(f"  {len(stages) - len(listed)} stages between are in the report", style="dim"))


def _sampled(console: Console, steps: Sequence[Mapping[str, Any]]) -> None:
    """Print how many copies the steps find that may miss some."""
    for step in steps:
        if step["completeness"]["sampled"] is not None:
            cut_line(console, Text(f"{shown.line(step['name'])}: {step['completeness']['text']}", style="dim"))


def _alerts(console: Console, alerts: Sequence[Mapping[str, Any]]) -> None:
    """Print the gravest alerts."""
    console.print()
    if not alerts:
        console.print(Text("no alerts", style="green"))
    for alert in alerts[:ALERTS]:
        severity = alert["severity"]
        text = Text.assemble((f"{severity:<9}", _STYLES.get(severity, "dim")), shown.line(alert["text"]))
        cut_line(console, text)
    if len(alerts) > ALERTS:
        console.print(Text(f"         and {len(alerts) - ALERTS} more in the report", style="dim"))


def _judged(console: Console, reviews: Mapping[str, Any]) -> None:
    """Print in one line how often the rules were right, or that nobody said so."""
    told = [
        f"{rule['rule']} right in {shown.share(rule['precision'])} ({shown.share(rule['low'])} to "
        f"{shown.share(rule['high'])}, n {rule['right'] + rule['wrong']})"
        for rule in reviews["list"]
        if rule["precision"] is not None
    ]
    if reviews["unjudged"]:
        drop = shown.verb(len(reviews["unjudged"]), "drop", "drops")
        told.append(f"not on this data: {shown.plural(len(reviews['unjudged']), 'rule')} that {drop} rows")
    if told:
        cut_line(console, Text.assemble(("judged  ", "dim"), shown.line("; ".join(told))))


def _unproven(console: Console, rules: Sequence[Mapping[str, Any]]) -> None:
    """Print in one line which rule only flags because a file that it rests on is unproven, and how many more do."""
    found = [rule for rule in rules if rule["unproven"]]
    if found:
        more = f" (and {shown.plural(len(found) - 1, 'more rule')})" if len(found) > 1 else ""
        told = f"only flags: {found[0]['id']}{more}: {found[0]['unproven']}; see rules/README.md"
        cut_line(console, Text(shown.line(told), style="yellow"))


def plain_table(first: str, numbers: Sequence[str], *, bar: bool = False) -> Table:
    """Return a bare table: a name, perhaps a bar, then numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first, overflow="ellipsis", no_wrap=True)
    if bar:
        table.add_column("", no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table
