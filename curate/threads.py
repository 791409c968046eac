"""Compiled work shared out to threads: it holds no interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def threads(workers: int) -> Iterator[Executor | None]:
    """Give threads for compiled work, none for one worker."""
    if workers < 2:
        yield None
        return
    with ThreadPoolExecutor(workers) as pool:
        yield pool


def spread(
    work: Callable[[int, int], Any], counts: Indices, *, pool: Executor | None, workers: int
) -> list[tuple[int, int, Any]]:
    """Do work on all units, a part of equal weight for each worker; return first, end and result of each part.

    Args:
        work: given the first and one past the last unit.
        counts: (g,) the weight of each unit.
        pool: threads, none for one worker.
        workers: how many.
    """
    if pool is None or len(counts) < workers:
        return [(0, len(counts), work(0, len(counts)))]
    sums = np.cumsum(counts)
    cuts = np.searchsorted(sums, sums[-1] * np.arange(1, workers) / workers)
    edges = [0, *cuts.tolist(), len(counts)]
    done = [pool.submit(work, start, stop) for start, stop in pairwise(edges)]
    return [(start, stop, one.result()) for (start, stop), one in zip(pairwise(edges), done, strict=True)]


def ahead(work: Callable[[_Item], _Result], items: Iterable[_Item], *, workers: int) -> Iterator[_Result]:
    """Yield what work makes of each item, in order; while one is used, the other workers are at work on the next.

    Args:
        work: given an item.
        items: all of them.
        workers: how many, with the one that uses what is yielded.
    """
    if workers < 2:
        yield from map(work, items)
        return
    # Threads of their own: more of them than cores would take turns with the one that uses what they make.
    with ThreadPoolExecutor(workers - 1) as pool:
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)
