"""The entry point: commands, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from curate.cli import catalogue, look, work
from curate.cli.shared import print_json, shown, stderr
from curate.errors import UserError

app = typer.Typer(
    name="curate",
    help="Raw task data in, an explained instruction mix and a quality report out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., None], ...] = (
    work.init,
    look.audit,
    work.check,
    work.run,
    look.report,
    look.explain,
    look.export,
    catalogue.steps,
    catalogue.templates,
    catalogue.doctor,
)
for command in COMMANDS:
    app.command()(command)


INTERRUPTED = 130


def main() -> None:
    """Run a command; end with the exit status of the error it met.

    0 done, 1 bug, 2 usage or recipe error, 3 a gate failed, 4 input unreadable or nothing left, 5 a missing extra or
    model, 130 interrupted.
    """
    try:
        status = app(standalone_mode=False)
    except UserError as error:
        if "--json" in sys.argv:
            print_json({"error": {"where": error.where, "what": error.what, "fix": error.fix, "code": error.code}})
        stderr().print(f"[bold red]error:[/] {shown(error.where)}: {shown(error.what)}", soft_wrap=True)
        if error.fix:
            stderr().print(f"  {shown(error.fix)}", soft_wrap=True)
        sys.exit(error.code)
    except Exception as error:
        usage = getattr(error, "show", None)  # click's usage errors, without importing click
        if usage is None:
            raise
        usage()
        sys.exit(2)
    if status == INTERRUPTED:
        stderr().print("interrupted: what was finished is cached, the same command goes on from there")
    sys.exit(status if isinstance(status, int) else 0)
