"""The entry point: commands, and what becomes of errors."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import typer

from curate.cli import (
    ablate,
    catalogue,
    evaluation,
    fitting,
    judge,
    look,
    preference,
    training,
    trusting,
    wording,
    work,
    worth,
)
from curate.cli.shared import print_json, shown, stderr
from curate.errors import USAGE, UserError, of_system

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
    judge.review,
    trusting.trust,
    judge.sweep,
    judge.order,
    ablate.ablate,
    worth.worth,
    fitting.fit,
    look.export,
    evaluation.evaluate,
    catalogue.steps,
    wording.templates,
    training.tune,
    training.signals,
    training.masks,
    preference.pairs,
    preference.sample,
    catalogue.doctor,
)
for command in COMMANDS:
    app.command()(command)


BUG, INTERRUPTED = 1, 130


def main() -> None:
    """Run a command; end with the exit status of the error it met.

    0 done, 1 bug, 2 usage or recipe error, 3 a gate failed, 4 input unreadable or nothing left, 5 a missing extra or
    model, 130 interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a job in the background ignores it
        signal.signal(signal.SIGINT, _interrupt)
    try:
        status = app(standalone_mode=False)
        if sys.stdout is not None:  # it is None when the shell has closed it
            sys.stdout.flush()
    except UserError as error:
        sys.exit(_failed(error))
    except BrokenPipeError:
        # the reader (`| head`) has enough; nothing may be flushed into the closed pipe on the way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except SystemExit as error:  # rich, too, may be the one that meets the closed pipe, and calls it status 1
        sys.exit(0 if isinstance(error.__context__, BrokenPipeError) else error.code)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:
        sys.exit(_unforeseen(error))
    if status == INTERRUPTED:
        _tell_json("curate", "interrupted", "the same command goes on from there", INTERRUPTED)
        stderr().print("interrupted: what was finished is cached, the same command goes on from there")
    sys.exit(status if isinstance(status, int) else 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, in numba's compiler once it is done: there it comes out as another error, or a crash."""
    caller = frame
    while caller is not None:
        if caller.f_globals.get("__name__", "").partition(".")[0] in ("numba", "llvmlite"):
            again = threading.Timer(0.05, _thread.interrupt_main)  # a kernel compiles in a second or two
            again.daemon = True
            again.start()
            return
        caller = caller.f_back
    signal.default_int_handler(number, frame)


def _failed(error: UserError) -> int:
    """Print an error that the user can mend and return its status."""
    _tell_json(error.where, error.what, error.fix, error.code)
    stderr().print(f"[bold red]error:[/] {shown(error.where)}: {shown(error.what)}", soft_wrap=True)
    if error.fix:
        stderr().print(f"  {shown(error.fix)}", soft_wrap=True)
    return error.code


def _unforeseen(error: Exception) -> int:
    """Print what is wrong with the command line, or what the system refused, and return the status.

    Raises:
        Exception: anything else again; it is a bug.
    """
    usage = getattr(error, "show", None)  # click's usage errors, without importing click
    if usage is not None:
        _tell_json("command line", str(error), "curate --help", USAGE)
        usage()
        return USAGE
    refused = of_system(error) if isinstance(error, OSError) else None
    if refused is not None:
        return _failed(refused)
    _tell_json("curate", f"{type(error).__name__}: {error}", "this is a bug of curate, please report it", BUG)
    raise error


def _tell_json(where: str, what: str, fix: str, code: int) -> None:
    """Write the error as the one document that `--json` promises."""
    if "--json" in sys.argv:
        print_json({"error": {"where": where, "what": what, "fix": fix, "code": code}})
