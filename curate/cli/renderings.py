"""How templates and their renderings are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from curate.cli.shared import shown
from curate.cli.tables import plain_table


def show_families(console: Console, families: Sequence[Mapping[str, Any]]) -> None:
    """List the task families."""
    table = plain_table("family", "slots", "answer", "templates")
    for one in families:
        slots = [*one["slots"], *(f"[{name}]" for name in one["optional"])]
        kinds = ", ".join(f"{count} {kind}" for kind, count in one["kinds"].items())
        table.add_row(one["family"], shown(", ".join(slots)), shown(", ".join(one["target"])), kinds)
    console.print(table)
    console.print("\npreview one: curate templates FAMILY; a record of yours: curate templates FAMILY --record FILE:N")


def show_previews(console: Console, family: Mapping[str, Any], previews: Sequence[Mapping[str, str]]) -> None:
    """Show each template of a family on its example record."""
    console.print(f"[bold]{family['family']}[/]: {shown(family['why'])}\n")
    _show_plain(console, previews)


def show_record(console: Console, told: Mapping[str, Any]) -> None:
    """Show a record in all wordings: prompt beside response on a terminal, one under the other in a pipe."""
    record, renderings = told["record"], told["renderings"]
    head = f"[bold]{told['family']}[/]: {shown(record['file'])}, line {record['line']}, in {len(renderings)} wordings"
    console.print(head, soft_wrap=True)
    if told["labels"]:
        console.print(f"labels: {shown(', '.join(told['labels']))}", soft_wrap=True)
    console.print()
    if console.is_terminal:
        table = Table(show_lines=True, header_style="bold", expand=True)
        for column, share in (("template", 2), ("prompt", 5), ("response", 3)):
            table.add_column(column, overflow="fold", ratio=share)
        for one in renderings:
            name = f"{shown(one['template'])}\n[dim]{one['kind']}[/]"
            table.add_row(name, shown(one["prompt"]), shown(one["response"]))
        console.print(table)
    else:
        _show_plain(console, renderings)
    for name, lacks in told["unfit"].items():
        console.print(f"does not fit: {shown(name)}, for want of {shown(', '.join(lacks))}", soft_wrap=True)


def _show_plain(console: Console, renderings: Sequence[Mapping[str, str]]) -> None:
    for one in renderings:
        console.print(f"[bold]{shown(one['template'])}[/] ({one['kind']})")
        # The lines of a text are its own, also in a pipe.
        console.print(f"[dim]prompt[/]\n{shown(one['prompt'])}", soft_wrap=True)
        console.print(f"[dim]response[/]\n{shown(one['response'])}\n", soft_wrap=True)


def show_import(console: Console, told: Mapping[str, Any]) -> None:
    """Tell what was carried over, what was not and why, what the recipe must say, and what is to be tidied."""
    total = len(told["templates"]) + len(told["refused"])
    console.print(f"{len(told['templates'])} of {total} templates carried over to {shown(told['out'])}", soft_wrap=True)
    for one in told["templates"]:
        console.print(f"  {shown(one['id'])} ({one['kind']})", soft_wrap=True)
    for one in told["refused"]:
        console.print(f"[yellow]refused[/] '{shown(one['name'])}': {shown(one['reason'])}", soft_wrap=True)
    for fault in told["faults"]:
        console.print(f"[yellow]fault[/] {shown(fault)}", soft_wrap=True)
    if told["recipe"]:
        console.print("\nin the source of the recipe:")
    for line in told["recipe"].values():
        console.print(shown(line), soft_wrap=True)
