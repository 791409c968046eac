"""Workers, started once and only when asked for: processes that end with their parent, or Ray's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context, parent_process
from typing import Any, Protocol, TypeVar

from curate import remote

_Result = TypeVar("_Result")


class Hands(Protocol):
    """What does a piece of work on many things."""

    def map(self, work: Callable[..., _Result], tasks: Iterable[Any], /) -> Iterator[_Result]:
        """Yield the results in the order of the tasks."""


Pool = Callable[[], Hands | None]


def hands(engine: str, workers: int, stack: ExitStack) -> Pool:
    """Return a function that starts the workers of an engine once, when first asked; the stack ends them.

    Args:
        engine: `local` or `ray`.
        workers: processes of this machine; those of a Ray cluster that runs already are its own.
        stack: ends them.
    """
    return remote.cluster(workers, stack) if engine == "ray" else pool(workers, stack)


def pool(workers: int, stack: ExitStack) -> Callable[[], Executor | None]:
    """Return a function that starts the worker processes once, when first asked; the stack ends them."""
    started: list[Executor] = []

    def ask() -> Executor | None:
        if workers > 1 and not started:
            # spawn: a fork of a process in which polars has threads can hang
            executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_follow_parent)
            stack.callback(executor.shutdown, cancel_futures=True)
            started.append(executor)
        return started[0] if started else None

    return ask


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, which stops the workers, and end with a parent that was killed."""
    # as many workers as cores: threads of torch, which is not loaded yet, would only stand in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()  # else an orphan would wait for work for ever
        os._exit(1)
