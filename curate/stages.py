"""The stages of a run while it goes on: steps measure, rules judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curate import cache, doubts, embed, evidence, gpus, memory, needs, proof
from curate.ingest import Ingested
from curate.measure import Progress, Runner, table_sorted
from curate.pool import Pool
from curate.recipe import Recipe, Stage
from curate.schema import GROUPS
from curate.slices import Rows
from curate.verdict import Verdicts, judge


@dataclass
class State:
    """The run while it goes on."""

    recipe: Recipe
    runner: Runner
    verdicts: Verdicts
    signals: pl.DataFrame
    groups: pl.DataFrame
    unproven: dict[str, doubts.Doubt]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)


def start(recipe: Recipe, ingested: Ingested, store: cache.Store, pool: tuple[Pool, int], progress: Progress) -> State:
    """Return a run before its first stage.

    Args:
        recipe: what to do.
        ingested: the rows.
        store: the cache.
        pool: starts workers when first asked, and how many.
        progress: called with a label, what is done and the total.
    """
    digests = (ingested.facts["rows_sha256"], ingested.facts["heldout_sha256"])
    rows = Rows(ingested.path / "rows.parquet", ingested.path / "heldout.parquet", digests)
    _account(recipe, ingested, rows)
    encoder: Any = needs.encoder(recipe, rows=digests[0], texts=lambda: rows.read(["content"])["content"].to_list())
    folder = store.folder / "embeddings"
    if isinstance(encoder, embed.Encoder) and recipe.engine == "ray":
        encoder = gpus.placed(encoder, pool[0]())
    identity = encoder.checked(folder) if encoder else None

    def encode(texts: Sequence[str]) -> Any:
        return encoder.encode(texts, cache=folder, progress=lambda done, total: progress("embedding", done, total))

    def vectors() -> Callable[[Sequence[str]], Any]:
        # The same function each time, so that what a step fits with it is fitted once.
        return encode

    runner = Runner(recipe, rows, store, progress, pool[0], vectors, pool[1], identity)
    groups = rows.read(["id", *GROUPS])
    verdicts, signals = Verdicts.start(groups.height), pl.DataFrame(height=groups.height)
    return State(recipe, runner, verdicts, signals, groups, proof.unproven(recipe))


def _account(recipe: Recipe, ingested: Ingested, rows: Rows) -> None:
    """Assert that every record read is a reject or the parent of a row, and that ids are unique."""
    ids = pl.concat([pl.read_parquet(path, columns=["id", "record"], glob=False) for path in (rows.path, rows.heldout)])
    if ids["id"].n_unique() != ids.height:
        raise AssertionError("two rows have the same id")
    if not rows.read(["id"])["id"].is_sorted():
        raise AssertionError("rows are not sorted by id")
    parents = ids["record"].n_unique()
    read = sum(source["records_read"] for source in ingested.facts["sources"])
    rejects = sum(source["rejects"] for source in ingested.facts["sources"])
    if read != rejects + parents:
        raise AssertionError(f"{read} records read, but {rejects} rejects and {parents} with rows")


def run(state: State, stage: Stage) -> None:
    """Run the steps of a stage, then its rules."""
    started = time.perf_counter()
    memory.reset_peak()
    before = int(state.verdicts.alive.sum())
    steps = []
    for use in stage.steps:
        alive = pl.Series(state.verdicts.alive)
        result, entry = state.runner.measure(use, state.signals, alive)
        state.signals = state.signals.hstack(result.signals)
        state.tables |= {f"{use.name}.{name}": table_sorted(table) for name, table in result.tables.items()}
        steps.append(entry)
    judged = judge(proof.guarded(stage, state.unproven), state.verdicts, state.groups.hstack(state.signals))
    rules = _vouched(state, stage, judged)
    after = int(state.verdicts.alive.sum())
    entry = {"name": stage.name, "rows_in": before, "rows_out": after, "steps": steps, "rules": rules}
    entry |= {"seconds": time.perf_counter() - started, "peak_memory_mib": memory.peak_mib()}
    state.stages.append(entry)
    _assert_keepers(state, stage)


def _vouched(state: State, stage: Stage, rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of rules with what speaks for each, and why it only flags though the recipe says drop."""
    known = evidence.evidence() if rules else None
    told = []
    for facts, rule in zip(rules, stage.keep, strict=True):
        why = proof.reason(rule, state.unproven)
        told.append({**facts, **({"unproven": why} if why else {}), "evidence": evidence.of(rule, stage, known=known)})
    return told


def _assert_keepers(state: State, stage: Stage) -> None:
    """Assert that every row dropped by a step that names keepers has a keeper that stays."""
    for use in stage.steps:
        if f"{use.name}.keeper" not in state.signals.columns:
            continue
        frame = state.groups.select("id").with_columns(
            state.signals[f"{use.name}.keeper"].alias("keeper"),
            pl.Series("alive", state.verdicts.alive),
            state.verdicts.dropped_at().alias("at"),
        )
        gone = frame.filter(pl.col("at") == stage.name, pl.col("keeper").is_not_null())
        lost = gone.join(frame.filter("alive"), left_on="keeper", right_on="id", how="anti")
        if lost.height:
            raise AssertionError(f"stage '{stage.name}': {lost.height} rows were dropped for keepers that do not stay")
