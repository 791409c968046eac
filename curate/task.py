"""One step over a slice of rows, or a piece of one: sent to another process, stored under its key when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from curate import cache, catalog, quarantine
from curate.deadline import deadline
from curate.errors import INPUT, UserError
from curate.schema import Measured
from curate.slices import Rows

# What was measured, whether it came from the cache, and the seconds it took to compute, None where they were not kept.
Result = tuple[Measured, bool, float | None]


def piece(name: str, function: str) -> int | None:
    """Return how many rows at most a slow step takes at once: what the constant `PIECE` of its file says."""
    return getattr(catalog.load(name), "PIECE", None) if function == name else None


def strings(arguments: Mapping[str, Any]) -> list[str]:
    """Return all strings among argument values, also inside lists, without a minus before: some may name signals."""
    flat: list[str] = []
    for value in arguments.values():
        flat += [
            item.removeprefix("-") for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
        ]
    return flat


@dataclass(frozen=True)
class Limits:
    """What a task may take.

    Args:
        seconds: of time, for one slice.
        failures: rows on which the step may raise.
    """

    seconds: float
    failures: int


@dataclass(frozen=True)
class Task:
    """One step over one slice, or the rows of it that `part` bounds; small enough to send to another process."""

    rows: Rows
    slice: int
    part: tuple[int, int]
    step: str
    function: str
    arguments: Mapping[str, Any]
    supplied: frozenset[str]
    seed: int
    extra: pl.DataFrame
    alive: pl.Series | None
    store: cache.Store
    key: str
    limits: Limits

    def run(self, vectors: Callable[[Sequence[str]], Any] | None = None) -> Result:
        """Return the result from the cache, or compute it and, unless too many of its rows failed, store it."""
        return self.store.get_or(self.key, lambda: self.compute(vectors), keep=self._kept)

    def sound(self) -> pl.DataFrame:
        """Return what is measured of the rows on which the step does not raise."""
        result = self.run()[0]
        lost = quarantine.failed(result)["row"]
        return result.signals.filter(~pl.int_range(result.signals.height, eager=True).is_in(lost.implode()))

    def _kept(self, result: Measured) -> bool:
        return quarantine.failed(result).height <= self.limits.failures

    def compute(self, vectors: Callable[[Sequence[str]], Any] | None) -> Measured:
        """Compute the result.

        Raises:
            UserError: when it takes too long, or more memory than there is.
        """
        where = f"step '{self.step}', slice {self.slice}"
        try:
            with deadline(self.limits.seconds, where=where):
                return self._computed(vectors)
        except MemoryError:
            fix = "use fewer --workers, or a machine with more; what was finished is cached"
            raise UserError(where, "there is not enough memory for it", fix, code=INPUT) from None

    def _computed(self, vectors: Callable[[Sequence[str]], Any] | None) -> Measured:
        rows = self.rows.slice(self.slice)[slice(*self.part)]
        if self.extra.width:
            rows = rows.hstack(self.extra)
        if self.alive is not None:
            rows = rows.filter(self.alive)
        given: dict[str, Any] = {
            "seed": self.seed,
            "vectors": vectors,
            "rescore": partial(catalog.rescore, vectors=vectors),
            "network": self.store.folder / "answers",
        }
        if "heldout" in self.supplied:
            given["heldout"] = pl.read_parquet(self.rows.heldout, glob=False)
        function = catalog.function(self.step, self.function)
        name, supplied = f"{self.step}.{self.function}", {name: given[name] for name in self.supplied}

        def call(part: pl.DataFrame) -> pl.DataFrame | Measured:
            result: pl.DataFrame | Measured = function(part, **self.arguments, **supplied)
            return result

        return quarantine.measured(call, rows, name=name, allowed=self.limits.failures)
