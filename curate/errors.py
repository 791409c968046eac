"""The one exception for everything a user can mend.

UserError           where, what, what to do; `code` is the exit status
    2               usage or recipe error (default)
    3               a quality gate failed
    4               input unreadable, or nothing left
    5               a missing extra or model
Anything else that is raised is a bug and ends with a traceback and status 1.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Callable, Iterable, Sequence

USAGE, GATE, INPUT, MISSING = 2, 3, 4, 5
# What the system says of the place, not of our code, and what to do about it.
_REFUSALS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on the disk; what was finished is cached"),
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.EIO: "the disk or the special file failed; try another place",
    errno.EROFS: "choose a place that may be written",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give yourself the right to it, or choose another place"),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP), "check the path"),
}


class UserError(Exception):
    """A mistake that its reader can mend.

    Args:
        where: file, stage, line or row.
        what: what is wrong there.
        fix: what to do about it.
        code: exit status of the command, see the module's head.
    """

    def __init__(self, where: str, what: str, fix: str = "", *, code: int = USAGE) -> None:
        """Keep the parts apart so that callers can add to them."""
        self.where, self.what, self.fix, self.code = where, what, fix, code
        super().__init__(f"{where}: {what}" + (f"; {fix}" if fix else ""))

    def __reduce__(self) -> tuple[Callable[..., UserError], tuple[str, str, str, int]]:
        """Come whole out of a worker process; by default only the message would be handed over."""
        return _rebuilt, (self.where, self.what, self.fix, self.code)


def _rebuilt(where: str, what: str, fix: str, code: int) -> UserError:
    return UserError(where, what, fix, code=code)


def of_system(error: OSError) -> UserError | None:
    """Return what the system refused as an error that the user can mend, or None where it may be a bug of ours."""
    fix = _REFUSALS.get(error.errno or 0)
    if fix is None:
        return None
    where = str(error.filename) if error.filename is not None else "file system"
    return UserError(where, (error.strerror or str(error)).lower(), fix, code=INPUT)


def several(where: str, mistakes: Sequence[str], *, code: int = USAGE) -> UserError:
    """Join all mistakes found in one place into one error, a line each."""
    if len(mistakes) == 1:
        return UserError(where, mistakes[0], code=code)
    listed = "\n".join(f"  - {mistake}" for mistake in mistakes)
    return UserError(where, f"{len(mistakes)} mistakes\n{listed}", code=code)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest known name, else the list of known names."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is known"
