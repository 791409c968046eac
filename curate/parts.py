"""The state of a corpus step part by part: read here one after the other, or where the hands of a cluster are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from curate.pool import Hands


@dataclass(frozen=True)
class Parts:
    """How the state is read; small enough to send to another process.

    Args:
        reads: gives the state of each part, in the order of the rows.
        heights: how many rows each has.
        hands: those of a cluster, which reach the same files; None where the decision is this process's alone.
    """

    reads: tuple[Callable[[], pl.DataFrame], ...]
    heights: tuple[int, ...]
    hands: Hands | None = None

    def __call__(self) -> Iterator[pl.DataFrame]:
        """Yield the state of each part."""
        return (read() for read in self.reads)

    def some(self, number: int) -> Parts:
        """Return one of the parts, without hands."""
        return Parts((self.reads[number],), (self.heights[number],))

    def sent(self) -> Parts:
        """Return all of them without hands, which stay where they are."""
        return replace(self, hands=None)
