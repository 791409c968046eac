"""Run steps over slices of rows, in this process or in workers, through the cache."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from curate import cache, catalog, clusters, quarantine, rulebook, rundir
from curate.errors import INPUT, UserError
from curate.parts import Parts
from curate.pool import Pool
from curate.recipe import Recipe, Use
from curate.schema import Measured, canonical
from curate.slices import Rows, Shard
from curate.task import Limits, Result, Task, piece, strings

Progress = Callable[[str, int, int], None]
# Columns of the row that `decide` sees beside the state, and the cluster of tasks that the row's source is of.
STATE = ("id", "record", "source", "task", "template", "lang")
CLUSTER = "cluster"
# Code that every step's results depend on beside its own: what the engine hands out, and to other steps.
_HANDED = ("curate.schema", "curate.embed", "curate.catalog")


@dataclass
class Runner:
    """Everything steps of one run share.

    Args:
        recipe: gives seed, embedding and the folder of paths.
        rows: the rows on disk.
        store: the cache.
        progress: told what is done.
        pool: starts worker processes when first asked, or None.
        vectors: texts to unit vectors, made when first asked.
        workers: threads for a step that can use them; no result depends on how many.
        shard: the slices that are worked out here, all when it is None. The others are then null, and corpus steps
            undecided: they have no signals yet.
    """

    recipe: Recipe
    rows: Rows
    store: cache.Store
    progress: Progress
    pool: Pool
    vectors: Callable[[], Callable[[Sequence[str]], Any]]
    workers: int = 1
    embedding: Mapping[str, Any] | None = None
    shard: Shard | None = None
    keys: dict[str, str] = field(default_factory=dict)  # cache key by signal prefix, for steps that read signals
    failures: list[pl.DataFrame] = field(default_factory=list)  # of `quarantine.SCHEMA`, and the step

    def measure(self, use: Use, signals: pl.DataFrame, alive: pl.Series) -> tuple[Measured, dict[str, Any]]:
        """Run one step of a stage.

        Args:
            use: the step and its arguments.
            signals: all n rows, the signals so far.
            alive: (n,) boolean: rows that corpus steps see.

        Returns:
            Signals of all n rows (null for rows a corpus step did not see) and the step's entry in the manifest.
        """
        started = time.perf_counter()
        info = catalog.describe(use.step)
        arguments = catalog.resolved(info, use.arguments, resolve=self.recipe.resolve)
        read = [name for name in dict.fromkeys(strings(arguments)) if name in signals.columns]
        extra = signals[read] if read else pl.DataFrame(height=signals.height)
        base = self._base_key(info, arguments, read)
        if info.kind == "row-wise":
            result, cached, cost = self._slices(use, info, (use.step, arguments, base), extra, None)
            self.keys[use.name] = base
        else:
            result, cached, cost = self._corpus(use, info, (arguments, base), extra, alive)
        names = {column: f"{use.name}.{column}" for column in result.signals.columns}
        entry = {"as": use.name, "step": use.step, "kind": info.kind, "cached": cached}
        meanings = {names[signal]: text for signal, text in info.meanings.items() if signal in names}
        entry |= {"seconds": time.perf_counter() - started, "signals": list(names.values()), "meanings": meanings}
        # What computing took, added up over workers, now or in the run that the cache has it from; null when not kept.
        entry["cost"] = {"seconds": cost, "rows": len(alive) if info.kind == "row-wise" else int(alive.sum())}
        model = catalog.identity(use.step, arguments)
        entry |= {"model": model} if model else {}
        tables = {name: table for name, table in result.tables.items() if name != quarantine.TABLE}
        return Measured(result.signals.rename(names), tables), entry

    def _base_key(self, info: catalog.StepInfo, arguments: Mapping[str, Any], read: Sequence[str]) -> str:
        """Return the hash of all that the results of a step depend on, but the slice."""
        paths = [value for value in arguments.values() if isinstance(value, Path)]
        files = [rundir.file_digest(file) for path in paths for file in catalog.reads(info.name, path)]
        given = {"arguments": canonical(arguments).decode(), "files": files}
        given["signals"] = [self.keys[name.split(".")[0]] for name in read]
        given["clusters"] = canonical(self._clusters()).decode() if CLUSTER in strings(arguments) else ""
        given["seed"] = str(self.recipe.seed) if "seed" in info.needs else ""
        given["rows"] = list(self.rows.digests) if "heldout" in info.needs else [self.rows.digests[0]]
        # A step that scores with another one depends on that one's code too.
        others = catalog.scorers(info, arguments)
        vectors = "vectors" in catalog.needed(info, arguments)
        given["vectors"] = canonical(self.embedding).decode() if vectors else ""
        folders = ("concepts", "lexicons", "patterns", "templates")
        rules = [cache.folder_digest(rulebook.RULES / name) for name in folders]
        ours = [f"curate.steps.{name}" for name in (info.name, *others) if not catalog.is_code(name)]
        code = cache.code_digest(*_HANDED, *ours)
        if catalog.is_code(info.name):
            code += cache.folder_digest(info.path.parent, "*.py")  # what it imports lies beside it, most likely
        return cache.key(info.name, given, rules, code, cache.versions())

    def _slices(
        self,
        use: Use,
        info: catalog.StepInfo,
        call: tuple[str, Mapping[str, Any], str],
        extra: pl.DataFrame,
        alive: pl.Series | None,
    ) -> Result:
        """Run a row-wise function over the slices and join the results in order.

        Of the state of a step that reads it again shard by shard, lists and arrays are left on disk.
        """
        tasks = [
            task for task in self._tasks(info, call, extra, alive) if self.shard is None or self.shard.takes(task.slice)
        ]
        takes = {"vectors", "rescore"} & self._supplied(info, call[0])
        needs_vectors = bool(takes) and "vectors" in catalog.needed(info, call[1])
        vectors = self.vectors() if needs_vectors else None
        if not self.rows.spans():  # no rows at all: the step still says which columns it has
            return tasks[0].compute(vectors), False, 0.0
        lean = call[0] == "state" and (self.shard is not None or "shards" in self._supplied(info, "decide"))
        done: list[Result] = []
        alone = needs_vectors or "network" in self._supplied(info, call[0])  # neither gains by processes
        pool = self.pool() if len(tasks) > 1 and not alone else None
        with _told(use):
            for result, cached, cost in pool.map(Task.run, tasks) if pool else (task.run(vectors) for task in tasks):
                self._quarantine(use.name, result)
                done.append((Measured(_flat(result.signals), result.tables) if lean else result, cached, cost))
                self.progress(use.name, len(done), len(tasks))
        parts = self._filled([result for result, _, _ in done], Counter(task.slice for task in tasks))
        return _joined(parts), all(one[1] for one in done), _sum(one[2] for one in done)

    def _filled(self, parts: Sequence[Measured], counts: Mapping[int, int]) -> Sequence[Measured]:
        """Return the results of all slices, so many of each; those of other shards are null."""
        if self.shard is None:
            return parts
        mine, none = iter(parts), parts[0].signals
        found: list[Measured] = []
        for number, (start, stop) in enumerate(self.rows.spans()):
            found += islice(mine, counts[number]) if counts[number] else [Measured(none.clear(stop - start))]
        return found

    def _quarantine(self, name: str, result: Measured) -> None:
        """Note the rows of a slice on which a step raised, and fail where these are too many."""
        found = quarantine.failed(result)
        if found.height:
            self.failures.append(found.select(pl.lit(name).alias("step"), *quarantine.SCHEMA))
            path = self.store.folder / "failures" / f"{self.recipe.name}.jsonl"
            quarantine.require(
                self.failures, limit=self.recipe.rejects, rows=self.rows.height(), recipe=self.recipe.file, path=path
            )

    def _tasks(
        self,
        info: catalog.StepInfo,
        call: tuple[str, Mapping[str, Any], str],
        extra: pl.DataFrame,
        alive: pl.Series | None,
    ) -> list[Task]:
        """Return what a row-wise function is to do, a task per slice, or per piece of one where the step is slow.

        Where there is no row, there is one task that does nothing.
        """
        function, arguments, base = call
        limits = Limits(seconds=self.recipe.slice_seconds, failures=int(self.recipe.rejects * self.rows.height()))
        tasks = []
        size = piece(info.name, function)
        for number, start, stop, first in self.rows.cuts(size):
            living = None if alive is None else alive[start:stop]
            seen = "" if living is None else hashlib.sha256(living.to_numpy().tobytes()).hexdigest()
            tasks.append(
                Task(
                    self.rows, number, (start - first, stop - first), info.name, function,
                    self._named(info, function, arguments), self._supplied(info, function), self.recipe.seed,
                    extra[start:stop], living, self.store,
                    cache.key(base, function, number, seen, *((start - first,) if size else ())), limits,
                )
            )  # fmt: skip
        return tasks

    def _shards(self, info: catalog.StepInfo, tasks: Sequence[Task], seen: pl.Series) -> Parts | None:
        """Return how to read the state of a step again, slice by slice; None where there is no row.

        The hands of a cluster reach the cache too; those of this machine are threads of the step itself.
        """
        if not self.rows.spans():
            return None
        stored, cuts = cache.Store(self.store.folder), self.rows.cuts(piece(info.name, "state"))
        reads = tuple(replace(task, store=stored).sound for task in tasks)
        heights = tuple(int(seen[start:stop].sum()) for _, start, stop, _ in cuts)
        return Parts(reads, heights, self.pool() if self.recipe.engine == "ray" else None)

    def _corpus(
        self,
        use: Use,
        info: catalog.StepInfo,
        call: tuple[Mapping[str, Any], str],
        extra: pl.DataFrame,
        alive: pl.Series,
    ) -> Result:
        """Run `state` over the slices of living rows, then `decide` over all of it."""
        arguments, base = call
        state, cached, cost = self._slices(use, info, ("state", arguments, base), extra, alive)
        if self.shard is not None:
            return Measured(pl.DataFrame(height=len(alive))), cached, cost
        cluster = pl.col("source").replace_strict(self._clusters(), default=None, return_dtype=pl.String)
        whole = self.rows.read(STATE).with_columns(cluster.alias(CLUSTER))
        lost = whole["id"].is_in(quarantine.failed(state)["id"].implode())  # unseen, as if they were not alive
        whole = whole.hstack(extra).filter(alive).hstack(state.signals).filter(~lost.filter(alive))
        asked, alive = alive, alive & ~lost
        seen = hashlib.sha256(alive.to_numpy().tobytes()).hexdigest()
        given: dict[str, Any] = {"texts": self.rows.texts, "seed": self.recipe.seed, "workers": self.workers}
        needed = self._supplied(info, "decide")
        given["heldout"] = pl.read_parquet(self.rows.heldout, glob=False) if "heldout" in needed else None
        given["vectors"] = self.vectors() if "vectors" in needed else None
        if "shards" in needed:
            given["shards"] = self._shards(info, self._tasks(info, ("state", arguments, base), extra, asked), alive)
        supplied = {name: given[name] for name in needed}
        function = catalog.function(info.name, "decide")

        def compute() -> Measured:
            result: pl.DataFrame | Measured = function(whole, **self._named(info, "decide", arguments), **supplied)
            return quarantine.checked(result, f"{info.name}.decide", whole.height)

        key = cache.key(base, "decide", seen)
        with _told(use):
            decided, found, more = self.store.get_or(key, compute)
        self.keys[use.name] = key
        places = pl.select(pl.when(alive).then(alive.cum_sum() - 1)).to_series()
        return (
            Measured(decided.signals.select(pl.all().gather(places)), decided.tables),
            cached and found,
            _sum((cost, more)),
        )

    def _clusters(self) -> dict[str, str | None]:
        """Return the cluster of tasks of each source."""
        return {source.name: clusters.cluster(source) for source in self.recipe.sources}

    @staticmethod
    def _named(info: catalog.StepInfo, function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that this function of the step takes."""
        accepted = catalog.accepts(info.name, function)
        return {name: value for name, value in arguments.items() if name in accepted}

    @staticmethod
    def _supplied(info: catalog.StepInfo, function: str) -> frozenset[str]:
        return frozenset(catalog.accepts(info.name, function) & catalog.SUPPLIED)


@contextmanager
def _told(use: Use) -> Iterator[None]:
    """Tell of workers that were ended while a step was worked out."""
    try:
        yield
    except BrokenProcessPool:
        what = "a worker process was ended from outside, most likely for lack of memory, or it crashed"
        fix = "run again with fewer --workers; what was finished is cached"
        raise UserError(f"step '{use.name}'", what, fix, code=INPUT) from None


def _sum(seconds: Iterable[float | None]) -> float | None:
    """Return the whole cost, None where a part is not known."""
    known = list(seconds)
    return None if None in known else sum(one for one in known if one is not None)


def _joined(parts: Sequence[Measured]) -> Measured:
    """Return slices as one; side tables sorted by all their columns that can be."""
    signals = pl.concat([part.signals for part in parts])
    names = sorted({name for part in parts for name in part.tables})
    tables = {name: pl.concat([part.tables[name] for part in parts if name in part.tables]) for name in names}
    return Measured(signals, tables)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of single values."""
    return frame.select(name for name, kind in frame.schema.items() if not kind.is_nested())


def table_sorted(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a side table sorted by its columns from left to right."""
    keys = [name for name, kind in frame.schema.items() if not isinstance(kind, pl.List | pl.Struct | pl.Array)]
    return frame.sort(keys) if keys else frame
