"""The commands that help to set a rule: a person judges what it hit, another threshold is tried."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from curate import review as reviewing
from curate.cli.shared import Json, Quiet, RunPath, Workers, cores, network, print_json, progress, shown, stderr, stdout
from curate.text import visible

KEYS = {"r": "right", "w": "wrong", "u": "unsure", "b": reviewing.BACK, "q": reviewing.STOP}
CHOICE = "[bold]r[/] right · [bold]w[/] wrong · [bold]u[/] unsure · [bold]b[/] back · [bold]q[/] stop"
VICTIM = "victim"
COLOURS = {"right": "green", "wrong": "red", "unsure": "yellow"}
# Characters of a row in a list.
PEEK = 60

RuleName = Annotated[
    str, typer.Option("--rule", metavar="R", help="A rule's id, or a part of it that no other rule has.")
]
Marks = Annotated[
    list[str] | None,
    typer.Option("--mark", metavar="ID=VERDICT", help="Record right, wrong or unsure without asking; repeatable."),
]
Listing = Annotated[bool, typer.Option("--list", help="Print the sample without asking.")]
StepName = Annotated[str | None, typer.Option("--step", metavar="NAME", help="The step, where several kept pairs.")]
Every = Annotated[bool, typer.Option("--all", help="Swap any two stages, not only neighbours.")]
Levels = Annotated[list[float] | None, typer.Option("--at", help="A threshold in (0, 1]; repeatable.")]


def review(run: RunPath, rule: RuleName, marks: Marks = None, listing: Listing = False, as_json: Json = False) -> None:
    """Judge a rule: look at what it hit and just missed, one row at a time, and keep how often it was right."""
    from curate import api
    from curate.rundir import RunDir

    folder = RunDir.open(run)
    name = reviewing.find_rule(folder.manifest, rule)
    reports = api.sibling("reports")
    found = reports.judging(run, name)
    sides = {item["row"]: item["side"] for item in found["items"]}
    if listing:
        print_json(found) if as_json else _show_list(stdout(), found)
        return
    answered = 0
    if marks:
        answers = reviewing.parse_marks(marks, sides)
        reviewing.keep(folder, name, answers, sides)
        answered = len(answers)
    else:
        console = stderr() if as_json else stdout()
        known = {item["row"]: item["verdict"] for item in found["items"] if item["verdict"]}
        _greet(console, found, known)
        for row, verdict in reviewing.interview(list(sides), known, lambda place: _ask(console, found, place)):
            reviewing.keep(folder, name, [(row, verdict)], sides)
            answered += 1
    if answered:
        reports.build(run)
        found = reports.judging(run, name)
    if as_json:
        print_json(found["facts"])
    else:
        _show_result(stdout(), found, answered, run)


def _greet(console: Console, found: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Say what is judged and how far it is."""
    facts, rule = found["facts"], found["rule"]
    near = facts["near"]
    kind = "closest to the bound" if near["closest"] else "drawn by chance"
    console.print(f"[bold]{shown(rule['id'])}[/]", soft_wrap=True)
    console.print(f"{shown(rule['sentence'])} Why: {shown(rule['why'])}.", soft_wrap=True)
    console.print(
        f"{facts['sampled']} of {facts['of']:,} rows that fail, drawn by chance; {near['sampled']} of {near['of']:,} "
        f"that pass, {kind}; {len(known)} of {len(found['items'])} judged"
    )


def _ask(console: Console, found: Mapping[str, Any], place: int) -> str:
    """Show a row and return what is answered."""
    item = found["items"][place]
    _show_item(console, found, place)
    verb = "flag" if found["rule"]["flag"] else "drop"
    question = f"Was the rule right to {verb} it?" if item["side"] == VICTIM else "Was the rule right to let it pass?"
    before = f" [dim](so far {item['verdict']})[/]" if item["verdict"] else ""
    while True:
        console.print(f"{question}{before}  {CHOICE}: ", end="")
        try:
            key = _read()
        except KeyboardInterrupt:
            console.print()  # the answers before are on disk
            raise
        if key is None:
            console.print()
            return reviewing.STOP
        answer = KEYS.get(key.strip().casefold()[:1])
        console.print(answer or "")
        if answer is not None:
            if answer in COLOURS:
                item["verdict"] = answer
            return answer


def _read() -> str | None:
    """Return a key from a terminal or a line from a pipe; None at the end."""
    if sys.stdin is not None and sys.stdin.isatty():
        try:
            key = typer.getchar()
        except EOFError:  # Ctrl-D
            return None
        return key
    line = sys.stdin.readline() if sys.stdin is not None else ""
    return line or None


def _show_item(console: Console, found: Mapping[str, Any], place: int) -> None:
    """Show one row with all that speaks for or against it."""
    item, signal = found["items"][place], found["rule"]["signal"]
    row, facts = found["rows"][item["row"]], found["facts"]
    victim = item["side"] == VICTIM
    at, of = (place + 1, facts["sampled"]) if victim else (place + 1 - facts["sampled"], facts["near"]["sampled"])
    console.print(Rule(Text(f"{item['side']} {at} of {of}", "bold"), align="left", style="dim"))
    where = " · ".join(str(row[key]) for key in ("source", "task", "template") if row[key])
    console.print(f"{item['row']}  {shown(where)}", soft_wrap=True)
    console.print(f"[bold]{shown(signal)} = {shown(_value(item['value']))}[/]", soft_wrap=True)
    told = [f"{key} {_value(value)}" for key, value in item["measured"].items() if value not in (None, [], "")]
    if told:
        console.print(f"[dim]also measured: {shown(', '.join(told))}[/]", soft_wrap=True)
    for label in ("prompt", "response"):
        console.print(f"\n[dim]{label}[/]\n{shown(row[label])}{_left_out(row, label)}", soft_wrap=True)
    for other in item["others"]:
        held = found["rows"][other["row"]]
        console.print(f"\n[dim]{other['what']}[/] {other['row']}  {shown(held['source'])}", soft_wrap=True)
        console.print(f"[dim]its response[/]\n{shown(held['response'])}{_left_out(held, 'response')}", soft_wrap=True)
        console.print(Text(f"this row's {other['compared']}, changes marked", "dim"))
        console.print(_pieces(other["difference"]), soft_wrap=True)
    if item["heldout"]:
        console.print(Text("\nthe held-out item, as far as its words stand in this row", "dim"))
        console.print(_pieces(item["heldout"]), soft_wrap=True)
    if row["masked"]:
        console.print(f"[dim]personal details masked: {row['masked']}[/]")
    console.print()


def _left_out(row: Mapping[str, Any], label: str) -> str:
    left = row["left_out"].get(label, 0)
    return f"[dim] … {left:,} characters more[/]" if left and label != "prompt" else ""


def _pieces(pieces: list[list[str]]) -> Text:
    """Return a difference: gone words in brackets with a minus, new ones with a plus, also without colours."""
    styles = {"same": ("", "", ""), "gone": ("[-", "-]", "red"), "new": ("{+", "+}", "green")}
    text = Text()
    for kind, piece in pieces:
        before, after, style = styles[kind]
        bare = piece == "[…]" or not before
        text.append(visible(piece) if bare else f"{before}{visible(piece)}{after}", style)
    return text


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_list(console: Console, found: Mapping[str, Any]) -> None:
    """Print the sample, a line for each row."""
    _greet(console, found, {item["row"]: item["verdict"] for item in found["items"] if item["verdict"]})
    for item in found["items"]:
        peek = " ".join(visible(found["rows"][item["row"]]["response"]).split())[:PEEK]
        verdict = (f"{item['verdict'] or '–':<6}", COLOURS.get(item["verdict"], "dim"))
        line = Text.assemble(f"{item['row']}  {item['side']:<9}  ", verdict, f"  {_value(item['value'])}  {peek}")
        console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def _show_result(console: Console, found: Mapping[str, Any], answered: int, run: Path) -> None:
    """Print what the judgements say so far."""
    facts, near = found["facts"], found["facts"]["near"]
    console.print(
        f"\n{answered} answer{'' if answered == 1 else 's'} kept in {shown(run / 'reviews.jsonl')}"
        if answered
        else "\nnothing answered"
    )
    console.print(f"[bold]{shown(facts['rule'])}[/]", soft_wrap=True)
    if facts["precision"] is None:
        console.print(f"no victim judged yet, of {facts['of']:,}")
    else:
        console.print(
            f"right in {facts['right']} of {facts['right'] + facts['wrong']} victims judged: "
            f"{facts['precision']:.0%}, with 95 % confidence {facts['low']:.0%} to {facts['high']:.0%}; "
            f"{facts['unsure']} unsure, {facts['sampled'] - facts['judged']} open, {facts['of']:,} victims in all",
            soft_wrap=True,
        )
    if near["judged"]:
        console.print(f"of {near['judged']} near misses judged {near['missed']} should have been hit")
    if found["rule"]["unproven"] and facts["precision"] is not None:
        _show_measured(console, found, run)
    if answered:
        console.print(f"the report says so too: {shown(run / 'report.html')}")


def _show_measured(console: Console, found: Mapping[str, Any], run: Path) -> None:
    """Print what to write into the unproven file that the rule rests on; strings of JSON are strings of TOML."""
    facts = found["facts"]
    console.print(
        f"\n{shown(found['rule']['unproven'])}. For the head of the file, see rules/README.md:", soft_wrap=True
    )
    data = json.dumps(f"victims of {facts['rule']} in {run.resolve().name}", ensure_ascii=False)
    lines = ["[[measured]]", f"data = {data}", f"texts = {facts['judged']}", f"precision = {facts['precision']:.4g}"]
    lines += [f"date = {date.today()}", 'note = "no recall: only what was flagged was read"']
    console.print("\n".join(map(shown, lines)), soft_wrap=True)


def sweep(run: RunPath, step: StepName = None, at: Levels = None, as_json: Json = False) -> None:
    """Tell what higher thresholds of near copies would remove, from the pairs of a run, without comparing again."""
    from curate import sweep as sweeping
    from curate.rundir import RunDir

    folder = RunDir.open(run)
    found = sweeping.sweep(folder, step=step, thresholds=at or ())
    if as_json:
        print_json(found)
        return
    console = stdout()
    table = Table(box=None, pad_edge=False)
    for column in ("threshold", "removed", "kept"):
        table.add_column(column, justify="right")
    for level in found["levels"]:
        mark = " (the run's)" if level["threshold"] == found["threshold"] else ""
        known = level["removed"] is not None
        counts = [f"{level['removed']:,}", f"{level['kept']:,}"] if known else ["needs the join", ""]
        table.add_row(f"{level['threshold']:.12g}{mark}", *counts)
    console.print(f"[bold]{shown(found['step'])}[/]: {found['rows']:,} rows compared in stage {shown(found['stage'])}")
    console.print(table)
    if any(level["removed"] is None for level in found["levels"]):
        why = (
            "a lower threshold has pairs that were never compared"
            if found["complete"]
            else "this run did not keep all pairs"
        )
        key = f"stages.{found['stage']}.steps.{found['step']}.threshold=…"
        anew = shlex.join(["curate", "run", folder.manifest["recipe_file"], "--set", key])
        console.print(f"{why}; compare anew: {shown(anew)}", soft_wrap=True)


def order(
    run: RunPath, every: Every = False, workers: Workers = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Tell which rows would change sides if two stages swapped places, and add it to the report."""
    from curate import api
    from curate import order as ordering
    from curate.rundir import RunDir

    network(False)
    folder = RunDir.open(run)
    with progress(quiet or as_json) as update:
        found = ordering.order(folder, every=every, workers=workers or cores(), progress=update)
    api.Run(folder.path).report()
    if as_json:
        print_json(found)
        return
    console = stdout()
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "swapped with"):
        table.add_column(column, overflow="fold")
    for column in ("kept only now", "kept only swapped"):
        table.add_column(column, justify="right")
    for pair in found["pairs"]:
        refused = pair["state"] == "refused"
        counts = ["refused", ""] if refused else [f"{pair['only_now']:,}", f"{pair['only_swapped']:,}"]
        table.add_row(shown(pair["first"]), shown(pair["second"]), *counts)
    console.print(f"{found['rows']:,} rows, {found['kept']:,} kept; order matters where rows change sides")
    console.print(table)
    for why in dict.fromkeys(pair["why"] for pair in found["pairs"] if pair["state"] == "refused"):
        console.print(shown(why), soft_wrap=True)
    console.print(f"the report says so too: {shown(run / 'report.html')}", soft_wrap=True)
