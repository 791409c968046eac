"""Ray in place of worker processes: the same functions, as tasks on machines that share the folders of a run."""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

from curate.errors import INPUT, MISSING, UserError

_Result = TypeVar("_Result")
MISSED = UserError("engine 'ray'", "Ray is not installed", "pip install 'curatune[ray]'", code=MISSING)
# Tasks handed out per processor: one that runs, and one that is there when it ends. Results are taken in order, so this
# bounds what waits in memory too.
AHEAD = 2
# How often a task is done again whose worker was killed or whose machine was lost; a step that kills its worker each
# time ends the run after that.
RETRIES = 3
# Bytes of a local Ray for results on their way: of a slice with its signals they are a few tens of megabytes.
ROOM = 1 << 28
# The variable by which Ray's own tools name a cluster.
ADDRESS = "RAY_ADDRESS"


def installed() -> bool:
    """Tell whether Ray is there."""
    return find_spec("ray") is not None


@dataclass(frozen=True)
class Cluster:
    """The processors of a Ray cluster.

    Args:
        processors: how many.
        gpus: how many of these it has.
    """

    processors: int
    gpus: int = 0

    def map(self, work: Callable[..., _Result], tasks: Iterable[Any], /) -> Iterator[_Result]:
        """Yield the results in the order of the tasks.

        Raises:
            BrokenProcessPool: when workers were killed again and again.
            Exception: what the work raises.
        """
        import ray

        send = ray.remote(max_retries=RETRIES)(_work)
        return _in_order(lambda _, task: send.remote(sys.path, work, task), tasks, self.processors)

    def holders(self, load: Callable[[], Any]) -> Holders:
        """Start an actor for each GPU, that holds what a function returns there."""
        import ray

        kind = ray.remote(num_gpus=1, max_restarts=RETRIES, max_task_retries=RETRIES)(_Holder)
        return Holders(tuple(kind.remote(sys.path, load) for _ in range(self.gpus)))


@dataclass(frozen=True)
class Holders:
    """Actors that hold something which takes long to load, a GPU each.

    Args:
        actors: of Ray.
    """

    actors: tuple[Any, ...]

    def map(self, work: Callable[[Any, Any], _Result], tasks: Iterable[Any], /) -> Iterator[_Result]:
        """Yield the results of the work, which is given what an actor holds and a task, in the order of the tasks.

        Raises:
            BrokenProcessPool: when actors were killed again and again.
            Exception: what the work, or the loading, raises.
        """
        size = len(self.actors)
        return _in_order(lambda number, task: self.actors[number % size].work.remote(work, task), tasks, size)


class _Holder:
    """What an actor is."""

    def __init__(self, path: list[str], load: Callable[[], Any]) -> None:
        self._load, self._held = load, list[Any]()
        sys.path += [folder for folder in path if folder not in sys.path]

    def work(self, work: Callable[[Any, Any], _Result], task: Any) -> _Result:
        """Do a task; the first one loads, so that what this raises is told like everything else."""
        if not self._held:
            self._held.append(self._load())
        return work(self._held[0], task)


def _in_order(send: Callable[[int, Any], Any], tasks: Iterable[Any], hands: int) -> Iterator[Any]:
    """Hand out tasks, a few ahead of what so many hands can do, and yield the results in the order of the tasks."""
    import ray

    ahead: deque[Any] = deque()
    try:
        for number, task in enumerate(tasks):
            if len(ahead) >= AHEAD * hands:
                yield _result(ahead.popleft())
            ahead.append(send(number, task))
        while ahead:
            yield _result(ahead.popleft())
    finally:
        for left in ahead:
            ray.cancel(left)


def _work(path: list[str], work: Callable[..., _Result], task: Any) -> _Result:
    """Do a task in a worker, which finds modules, steps of the user's own among them, where its sender does."""
    sys.path += [folder for folder in path if folder not in sys.path]
    return work(task)


def _result(reference: Any) -> Any:
    """Return a result, or raise what the work raised, as if it had been done here."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, BaseException):
            raise error.cause from None
        raise
    except (
        ray.exceptions.RayActorError,
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.ObjectLostError,
    ) as error:
        raise BrokenProcessPool(str(error)) from None


def cluster(workers: int, stack: ExitStack) -> Callable[[], Cluster]:
    """Return a function that connects to Ray once, when first asked; the stack ends the connection.

    Args:
        workers: processors of a Ray that is started here, where the environment names no cluster (`RAY_ADDRESS`).
        stack: ends it.
    """
    started: list[Cluster] = []

    def ask() -> Cluster:
        if not started:
            started.append(_connected(workers, stack))
        return started[0]

    return ask


def _connected(workers: int, stack: ExitStack) -> Cluster:
    """Connect to the cluster that the environment names, or start one on this machine.

    Raises:
        UserError: when there is no Ray, or none answers.
    """
    if not installed():
        raise MISSED
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what it warns of otherwise; we ask for no GPU
    import ray

    if not ray.is_initialized():  # else by the program that uses us, which ends it too
        here: dict[str, Any] = {"address": "local", "num_cpus": workers, "object_store_memory": ROOM}
        here |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        try:
            ray.init(**({} if os.environ.get(ADDRESS) else here), logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"{ADDRESS}={os.environ.get(ADDRESS, '')}"
            said = str(error).split("\n")[0]
            raise UserError(where, f"Ray cannot be reached: {said}", "see `ray status`", code=INPUT) from None
        stack.callback(ray.shutdown)
    there = ray.cluster_resources()
    return Cluster(max(1, int(there.get("CPU", 1))), int(there.get("GPU", 0)))
