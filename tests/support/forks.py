"""The real command, run in forks of a process that has everything imported: a tenth of a second each, with limits."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Bytes of data of a command: a bomb meets this wall before the machine's. Not of address space: V8, which draws the
# charts, reserves terabytes of that.
WALL = 2 << 30
# Seconds of work after which a command is ended: it would have no end.
WORK = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (negative: by this signal), what it wrote, and its peak memory in MiB."""

    status: int
    out: str
    err: str
    mib: float


class Commands:
    """A server of forks; each command is run in one of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        *arguments: object,
        cwd: Path,
        kill: float = 0,
        limits: Mapping[str, int] | None = None,
        page: bool = True,
        clock: float | None = None,
    ) -> Ended:
        """Run `curate` and wait for it.

        `kill`: seconds until SIGKILL; `limits`: by the names of `resource`; `page`: draw the page, which takes longer
        than all the rest; `clock`: what the clock says.
        """
        ask = {"arguments": [str(one) for one in arguments], "cwd": str(cwd), "kill": kill, "limits": limits or {}}
        ask |= {"page": page, "clock": clock}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(ask) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        out, err = ((cwd / name).read_bytes().decode(errors="replace") for name in (".stdout", ".stderr"))
        return Ended(told["status"], out, err, told["mib"])


@contextmanager
def commands() -> Iterator[Commands]:
    """Start a server and end it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    try:
        yield Commands(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        status = process.wait(60)
        process.stdout.close()
        assert status == 0


def _serve() -> None:
    import reports.html
    import reports.markdown  # noqa: F401
    from curate import api, engine, explain, tables  # noqa: F401
    from curate.cli import main  # noqa: F401

    for line in sys.stdin:
        ask = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(ask)
        if ask["kill"]:
            time.sleep(ask["kill"])
            os.kill(child, signal.SIGKILL)  # an ended child is a zombie until it is waited for: it is still ours
        _, status, used = os.wait4(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "mib": used.ru_maxrss / 1024}), flush=True)


def _child(ask: Mapping[str, Any]) -> None:
    import reports.html
    from curate.cli.main import main

    if not ask["page"]:
        reports.html.render = lambda facts: "<!doctype html>"
    if ask["clock"] is not None:
        time.time = lambda: ask["clock"]
    os.chdir(ask["cwd"])
    for name, mode in ((".stdout", 1), (".stderr", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), mode)
    resource.setrlimit(resource.RLIMIT_DATA, (WALL, WALL))
    resource.setrlimit(resource.RLIMIT_CPU, (WORK, WORK))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in ask["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    sys.argv = ["curate", *ask["arguments"]]
    status = 1
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
