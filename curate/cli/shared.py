"""What the commands share: flags, consoles, progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from curate.text import visible

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Exactly one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed instead of the recipe's.", show_default=False)]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes for row-wise steps.", show_default="all cores")
]
Download = Annotated[bool, typer.Option("--allow-download/--offline", help="Whether models and data may be fetched.")]

PIPE_WIDTH = 120

Progress = Callable[[str, int, int], None]


def stdout() -> Console:
    """Return the console for results; a pipe has no width of its own."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(highlight=False, width=width)


def stderr() -> Console:
    """Return the console for progress and messages."""
    return Console(stderr=True, highlight=False)


def shown(text: object) -> str:
    """Return untrusted text, safe inside rich markup and on a terminal."""
    return escape(visible(str(text)))


def print_json(data: Any) -> None:
    """Write one JSON document."""
    try:
        text = orjson.dumps(data, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # an integer beyond 64 bits, or half a surrogate pair from a file name that is not UTF-8
        text = json.dumps(data, default=str, indent=2)
    typer.echo(text)


def network(allowed: bool) -> None:
    """Keep every library off the network unless the user asked for it."""
    if not allowed:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """Yield a progress function: bars on a terminal, silence in a pipe."""
    console = stderr()
    if quiet or not console.is_terminal:
        yield lambda label, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(label: str, done: int, total: int) -> None:
            name = label.partition(": ")[0]  # what follows are figures, which change
            if name not in tasks:
                tasks[name] = bars.add_task(shown(label), total=total or None)
            bars.update(tasks[name], description=shown(label), completed=done, total=total or None)

        yield update
