"""How the commands print what they found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from curate.catalog import StepInfo
from curate.cli.shared import shown
from curate.proof import FIX

VERDICTS = {"passed": "green", "failed": "bold red", "unknown": "yellow"}
# Characters of a text that `explain` prints; the whole is in --json.
EXCERPT = 1_000


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table without lines."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table


def show_steps(console: Console, infos: Sequence[StepInfo]) -> None:
    """List the steps."""
    table = plain_table("step", "kind", "measures", "signals")
    for info in infos:
        table.add_row(info.name, info.kind, shown(info.summary), ", ".join(info.signals))
    console.print(table)
    console.print("\none in full: curate steps NAME")


def show_step(console: Console, info: StepInfo) -> None:
    """Show one step in full."""
    console.print(f"[bold]{info.name}[/] ({info.kind}): {shown(info.summary)}\n{shown(info.path)}\n")
    table = plain_table("parameter", "type", "default", "meaning")
    for name, one in info.parameters.items():
        table.add_row(name, shown(one.type_name), "required" if one.required else shown(one.default), shown(one.text))
    if info.parameters:
        console.print(table, "")
    table = plain_table("signal", "type", "meaning")
    for name, kind in info.signals.items():
        table.add_row(shown(f"{info.name}.{name}"), shown(kind), shown(info.meanings[name]))
    console.print(table)
    for name, text in info.tables.items():
        console.print(f"\ntable {info.name}.{name}: {shown(text)}")


def show_plan(console: Console, plan: Mapping[str, Any]) -> None:
    """Show what a run would do."""
    table = plain_table("source", "reads as", "split", "files", "probe")
    for one in plan["sources"]:
        reads = one["task"] or (f"{one['format']} ({one['detected']})" if one["detected"] else one["format"])
        probe = f"{one['probed']} records read" + (f", {one['probe_rejects']} broken" if one["probe_rejects"] else "")
        table.add_row(shown(one["name"]), shown(reads), one["split"], str(one["files"]), probe)
    console.print(table, "")
    for stage in plan["stages"]:
        console.print(f"[bold]{shown(stage['name'])}[/]: {', '.join(shown(step['as']) for step in stage['steps'])}")
        for rule in stage["rules"]:
            mark = "flag" if rule["flag"] else "keep"
            console.print(f"  {mark} {shown(rule['id'].partition('/')[2])}: {shown(rule['why'])}")
            if rule["unproven"]:
                console.print(f"    [yellow]only flags[/]: {shown(rule['unproven'])}; {FIX}", soft_wrap=True)
    console.print(f"\nrows of an earlier run are cached: {'yes' if plan['rows_cached'] else 'no'}")
    for model in plan["models"]:
        console.print(f"model present: {shown(model['model'])} ({shown(model['backend'])})")
    for source, why in plan["refused_licences"].items():
        console.print(f"[bold red]licence[/] of source '{shown(source)}' {shown(why)}: its rows would break the gate")
    if told := plan.get("estimate"):
        from curate.estimate import shown_bytes

        hands = f"{told['workers']} worker{'s' if told['workers'] > 1 else ''}"
        sizes = f"{shown_bytes(told['memory'])} of memory, {shown_bytes(told['disk'])} on disk"
        took = timedelta(seconds=max(1, round(told["seconds"])))
        console.print(
            f"estimate of about {told['records']:,} records, from {told['probe']}: {took} with {hands}, {sizes}"
        )
    console.print("the recipe is valid")


def show_explanation(console: Console, found: Mapping[str, Any]) -> None:
    """Show the life of one row."""
    row, origin = found["row"], found["origin"]
    fate = "held out" if "kept" not in row else "in the mix" if row["kept"] else f"dropped at '{row['dropped_at']}'"
    head = f"[bold]{row['id']}[/]  {shown(row['source'])}, {shown(row['template'])}: [bold]{shown(fate)}[/]"
    console.print(head, soft_wrap=True)
    console.print(f"from {shown(origin['file'])}:{origin['line']}, record {row['record']}", soft_wrap=True)
    raw = origin.get("note") or json.dumps(origin["raw"], ensure_ascii=False, default=str)
    for name, text in (("raw record", raw), ("prompt", row["prompt"]), ("response", row["response"])):
        console.print(f"\n[dim]{name}[/]\n{shown(text[:EXCERPT])}{' …' if len(text) > EXCERPT else ''}")
    if row["parents"]:
        console.print(f"\n[dim]other records that speak here[/] {', '.join(row['parents'])}", soft_wrap=True)
    for stage in found.get("stages", ()):
        console.print(f"\n[bold]{shown(stage['name'])}[/]")
        for name, value in stage["signals"].items():
            console.print(f"  {name} = {shown(_value(value))}")
        for rule in stage["rules"]:
            colour = VERDICTS.get(rule["verdict"], "dim")
            kind = " (flag only)" if rule["flag"] else ""
            console.print(f"  [{colour}]{rule['verdict']}[/] {shown(rule['id'])}{kind}: {shown(rule['why'])}")
    for star in found.get("stars", ()):
        _show_star(console, star, row["id"])


def _show_star(console: Console, star: Mapping[str, Any], row_id: str) -> None:
    """Show the duplicate cluster of a row, when it is not alone in it."""
    if star["size"] < 2:
        return
    keeper = star["keeper"]
    fate = "in the mix" if keeper["kept"] else f"later dropped at '{keeper['dropped_at']}'"
    who = "this row" if keeper["id"] == row_id else f"{keeper['id']} ({keeper['source']})"
    console.print(f"\n[bold]{star['step']}[/]: {star['size']} records, keeper {shown(who)}, {shown(fate)}")
    if keeper["id"] != row_id:
        similarity = "" if star["similarity"] is None else f", similarity {star['similarity']:.3f} to this row"
        console.print(f"  the keeper asks: {shown(keeper['prompt'][:300])}")
        console.print(f"  and answers: {shown(keeper['response'][:300])}{similarity}")
    for member in star["members"]:
        told = "" if member["similarity"] is None else f", similarity {member['similarity']:.3f} to the keeper"
        console.print(f"  also {member['id']} ({shown(member['source'])}, {shown(member['template'])}{told})")


def _value(value: Any) -> str:
    if value is None:
        return "null (no verdict)"
    return f"{value:.4g}" if isinstance(value, float) else ", ".join(value) if isinstance(value, list) else str(value)


def show_doctor(console: Console, state: Mapping[str, Any]) -> None:
    """Show the state of the installation."""
    console.print(f"{shown(state['platform'])}, {state['cores']} cores, polars threads: {state['polars_threads']}")
    console.print(f"network: {'off (default)' if state['offline'] else 'allowed'}\n")
    table = plain_table("library", "version")
    for name, version in state["versions"].items():
        table.add_row(name, version)
    console.print(table, "")
    for extra, facts in state["extras"].items():
        console.print(f"extra {extra}: " + ("complete" if not facts["missing"] else shown(
            f"missing {', '.join(facts['missing'])}: {facts['install']}")))  # fmt: skip
    embedding = state["embedding"]
    told = f"{embedding['model']} ({embedding['backend']})" if "model" in embedding else _missing(embedding)
    console.print(f"embedding model: {shown(told)}", soft_wrap=True)
    model = state["language_model"]
    if "model" in model:
        first = "" if model["ready"] else "; its first use converts it once, about half a minute and 0.5 GB"
        told = f"{model['model']}, in {model['dtype']} on this machine{first}"
    else:
        told = _missing(model)
    console.print(f"language model: {shown(told)}", soft_wrap=True)


def _missing(facts: Mapping[str, Any]) -> str:
    return f"{facts['missing']}: {facts['fix']}"
