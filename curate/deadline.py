"""A time limit on a piece of work, so that a step that hangs ends the run instead of holding it for ever."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from curate.errors import INPUT, UserError

# Seconds after the limit at which a process is ended that does not come back to Python to hear of it.
GRACE = 30.0
# Seconds until the error is raised again, should the work have caught it.
_AGAIN = 1.0


@contextmanager
def deadline(seconds: float, *, where: str) -> Iterator[None]:
    """Raise in the work of this block once it has taken too long.

    Python code is told by a signal, in the main thread of a process, which workers work in. Compiled code that does
    not come back within `GRACE` is ended with its process, which first writes on stderr where it was. In another
    thread of a program that uses the package only the second holds.

    Raises:
        UserError: status 4, naming the work.
    """

    def expired(number: int, frame: FrameType | None) -> None:
        what = f"took longer than {seconds:g} s for one slice of rows"
        fix = "mend the step, or raise `slice_seconds` in the recipe; what was finished is cached"
        raise UserError(where, what, fix, code=INPUT)

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, expired) if main else None
    watched = _watch(seconds + GRACE)
    try:
        if main:
            signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        yield
    finally:
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        if watched:
            faulthandler.cancel_dump_traceback_later()


def _watch(seconds: float) -> bool:
    """Have the process ended after some seconds, whatever it does; tell whether there is a stderr to say so on."""
    try:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    except (OSError, ValueError, AttributeError, RuntimeError):  # no stderr, or one that is no file
        return False
    return True
