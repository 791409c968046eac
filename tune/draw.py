"""The rows that one cell trains on: the arm's, drawn by seed, as many and in the same shares as those of all others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curate import chance

# Slot that is the answer, by family with closed labels.
TARGETS = {"classification": "label", "nli": "label", "paraphrase": "label", "multiple_choice": "answer"}
# Seeds of an arm that is run again lie this far off.
APART = 1000
Frames = Mapping[str, pl.DataFrame]
Spec = Mapping[str, Any]


def pools(specs: Sequence[Spec], frames: Frames, *, seed: int) -> dict[str, pl.DataFrame]:
    """Return the rows of every arm for one seed; what a control takes by chance is drawn anew for each.

    Args:
        specs: arms as `arms.json` tells them: name, control (or None), of, pool, rows.
        frames: rows of the arms that are replays, by name.
        seed: of the cell.
    """
    found: dict[str, pl.DataFrame] = dict(frames)
    for spec in sorted(specs, key=lambda one: one["name"] not in frames):
        if spec["name"] not in found:
            found[spec["name"]] = _control(spec, found, seed)
    return found


def _control(spec: Spec, found: Frames, seed: int) -> pl.DataFrame:
    """Return the rows of an arm that is made of others."""
    own, pool = found[spec["of"]], found[spec["pool"]]
    match spec["control"]:
        case "random_drop":
            return _first(pool, _sizes(own), _shares(pool["id"], seed, "random drop"))
        case "longest":
            length = pl.col("response").str.len_chars().cast(pl.Int64) * (1 << 32) + pl.col("prompt").str.len_chars()
            return _first(pool, _sizes(own), pool.select(-length.cast(pl.Float64)).to_series())
        case "rows":
            sizes = _sizes(own)
            whole = max(1, sum(sizes.values()))
            part = {source: max(1, round(size * spec["rows"] / whole)) for source, size in sizes.items()}
            return _first(own, part, _shares(own["id"], seed, "size"))
        case "one_template":
            counts = own.group_by("source", "template").len().sort("len", "template", descending=[True, False])
            first = counts.unique("source", keep="first", maintain_order=True)
            return own.join(first, on=["source", "template"], how="semi", nulls_equal=True).sort("id")
        case "tasks":
            names = sorted({str(task or source) for task, source in own.select("task", "source").iter_rows()})
            return own.filter(pl.coalesce("task", "source").is_in(names[: spec["tasks"]]))
        case "shuffled":
            return shuffled(own, seed=seed)
        case "again":
            return own
        case "base":
            return own.clear()
    raise AssertionError(f"no control is called {spec['control']}")


def _sizes(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by("source").len().sort("source").iter_rows())


def _shares(keys: pl.Series, seed: int, purpose: str) -> pl.Series:
    return pl.Series(chance.uniforms(seed, keys.to_list(), purpose))


def _first(rows: pl.DataFrame, sizes: Mapping[str, int], order: pl.Series) -> pl.DataFrame:
    """Return so many rows of each source, those that come first in an order, ascending by id."""
    ranked = rows.with_columns(order.alias("_order")).sort("_order", "id")
    place = pl.int_range(pl.len()).over("source")
    size = pl.col("source").replace_strict(sizes, default=0, return_dtype=pl.Int64)
    return ranked.filter(place < size).drop("_order").sort("id")


def shuffled(rows: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Return the rows with their answers dealt out anew within source and template: the form is right, nothing else."""
    order = rows.with_columns(_shares(rows["id"], seed, "shuffled answers").alias("_order"))
    mixed = order.sort("source", "template", "_order", "id")
    plain = order.sort("source", "template", "id")
    targets = zip(plain["task"], plain["slots"], mixed["slots"], strict=True)
    slots = [_dealt(task, own, other) for task, own, other in targets]
    messages = [[*own[:-1], other[-1]] for own, other in zip(plain["messages"], mixed["messages"], strict=True)]
    dealt = plain.with_columns(
        mixed["response"], pl.Series("slots", slots, dtype=pl.String),
        pl.Series("messages", messages, dtype=rows.schema["messages"]),
    )  # fmt: skip
    return dealt.drop("_order").sort("id")


def _dealt(task: str | None, own: str, other: str) -> str:
    """Return slots with the target of others."""
    slot = TARGETS.get(task or "")
    if slot is None:
        return own
    slots, given = json.loads(own), json.loads(other)
    return json.dumps({**slots, slot: given.get(slot, slots.get(slot))}, ensure_ascii=False)


def drawn(pool: pl.DataFrame, *, share: float, seed: int) -> pl.DataFrame:
    """Return the records that a seed draws, in the order of training: the same for all arms where they have them.

    Args:
        pool: rows of an arm.
        share: of the records of each source.
        seed: of the cell.
    """
    order = _shares(pool["record"], seed, "draw")
    ranked = pool.with_columns(order.alias("_order")).sort("_order", "id")
    place = pl.col("_order").rank("dense").over("source")
    most = pl.col("record").n_unique().over("source") * share
    return ranked.filter(place <= most.ceil()).drop("_order")


def repeated(rows: pl.DataFrame, *, examples: Mapping[str, int], epochs: int | None = None) -> pl.DataFrame:
    """Return the rows with `times`: how often each is seen.

    Args:
        rows: in the order of training; `copies` says how often a row stands in its mix.
        examples: how many are seen of each source (equal steps); what an arm lacks is seen again, from the first row.
        epochs: instead, every row so often (equal epochs).
    """
    copies = pl.col("copies").cast(pl.Int64)
    if epochs is not None:
        return rows.with_columns(times=copies * epochs)
    wanted = pl.col("source").replace_strict(dict(examples), default=0, return_dtype=pl.Int64)
    whole = copies.sum().over("source")
    before = copies.cum_sum().over("source") - copies
    rest = (wanted % whole - before).clip(0, None)
    times = copies * (wanted // whole) + pl.min_horizontal(rest, copies)
    return rows.with_columns(times=times).filter(pl.col("times") > 0)


def examples(pools: Frames, specs: Sequence[Spec], *, share: float, seed: int) -> dict[str, dict[str, int]]:
    """Return how many examples of each source each arm sees: all as many as the largest arm draws.

    Sources that an arm has not are not made up for, and an arm whose copies mix tasks anew keeps its shares: both are
    changed shares, which `compare` tells.

    Args:
        pools: rows of all arms for the seed.
        specs: arms; `mixes` says that shares are what the arm changes.
        share: that a seed draws.
        seed: of the cell.
    """
    drawn_rows = {spec["name"]: drawn(pools[spec["name"]], share=share, seed=seed) for spec in specs}
    sums = {
        name: dict(rows.group_by("source").agg(pl.col("copies").sum()).sort("source").iter_rows())
        for name, rows in drawn_rows.items()
    }
    fair = [sums[spec["name"]] for spec in specs if not spec.get("mixes")]
    most = {source: max(one.get(source, 0) for one in fair) for one in fair for source in one}
    whole = sum(most.values())
    found: dict[str, dict[str, int]] = {}
    for spec in specs:
        own = sums[spec["name"]]
        if spec.get("mixes"):
            scale = whole / max(1, sum(own.values()))
            found[spec["name"]] = {source: round(count * scale) for source, count in own.items()}
        else:
            found[spec["name"]] = {source: most[source] for source in own}
    return found
