"""Say how often each row stands in the mix, so that every source or task has its share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import polars as pl

from curate import chance, schema
from curate.errors import UserError, suggest
from curate.schema import Measured

_OWN = ("draw", "tokens")
_GROUP: dict[str, pl.DataType] = {
    "group": pl.String(), "rows": pl.UInt32(), "pool": pl.UInt32(), "pool_tokens": pl.UInt64(), "weight": pl.Float64(),
    "target_share": pl.Float64(), "target": pl.UInt64(), "copies": pl.UInt64(), "tokens": pl.UInt64(),
    "epochs": pl.Float64(), "sets_size": pl.Boolean(),
}  # fmt: skip
_SIGNALS = {"rank": pl.UInt32(), "copies": pl.UInt32(), "epochs": pl.Float64()}
Rate = Literal["proportional", "temperature", "weights", "tokens"]
# A group's name, its rows, and the tokens of each row that may be taken, in the order in which they are.
Pool = tuple[str | None, int, list[int]]


def state(rows: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Draw a number for each row and estimate its tokens.

    Returns:
        draw: f64 in [0, 1), from seed and row id alone.
        tokens: i64, UTF-8 bytes of prompt and response ÷ 4, rounded up, at least 1.
    """
    draw = pl.Series(chance.uniforms(seed, rows["id"].to_list(), "mix"), dtype=pl.Float64)
    return pl.DataFrame({"draw": draw, "tokens": schema.tokens(rows)})


def decide(
    state: pl.DataFrame,
    *,
    by: str = "source",
    rate: Rate = "proportional",
    cap: int = 3_000,
    most: int = 30_000,
    temperature: float = 2.0,
    weights: dict[str, float] | None = None,
    budget: int | None = None,
) -> Measured:
    """Give each group its share of a budget: its rows in an order by chance, again from the start where they run out.

    A smaller budget is the start of a larger one: whole rows are shared out by the method of Webster and Sainte-Laguë,
    in which no group loses by a larger total (Balinski and Young 1982). Each record comes once before any comes in a
    second wording.

    Args:
        state: what `state` returned for all living rows, with id, record, source, task, template, lang, cluster and the
            signal that `by` names, sorted by id.
        by: what makes a group: source (the default, as caps and licences are the source's), task, cluster (of tasks,
            as in `rules/clusters.toml`), template, lang or a signal of an earlier stage. Rows without a value are one
            group.
        rate: how large a group's share p is. `proportional`: p ~ min(n, cap), n being its rows. `temperature`:
            p ~ min(n, cap)^(1 / temperature). `weights`: p ~ its weight. `tokens`: shares and budget are of tokens, by
            weight where `weights` is given, else by the tokens that the group has.
        cap: rows above which a group's rate grows no more; 3,000 as in FLAN (Wei et al. 2022).
        most: rows of a group that may be taken at all; 30,000 as in FLAN.
        temperature: 1 is proportional, a large one uniform; 2 is the flattest that T5 found to lose little (Raffel et
            al. 2020, section 3.5.2).
        weights: a number for every group by name, 0 leaves it out; for `weights` and `tokens`.
        budget: rows, or tokens, of the mix. Left out, it is the largest that repeats no row, which the group with the
            fewest rows for its share sets (`sets_size` in the table).

    Signals:
        rank (u32): 0, 1, … within the group in the order in which rows are taken.
        copies (u32): how often the row stands in the mix; 0 leaves it out.
        epochs (f64): the group's part of the mix in times all its rows that may be taken (those within `most`).

    Tables:
        groups: a line per group: its rows, those that may be taken and their tokens, weight before shares are made of
            it, target share and target (in rows, or in tokens for `tokens`), copies and tokens in the mix, epochs, and
            whether it set the size. A weight without rows has zeros.
    """
    ordered = _ordered(state, by)
    pools = _pools(ordered, by, most)
    rates = _rates(pools, rate=rate, cap=cap, temperature=temperature, weights=weights)
    if budget is not None and budget < 1:
        raise UserError("mix", f"budget = {budget} leaves nothing", "leave it out for the largest without repeats")
    if most < 1:
        raise UserError("mix", f"most = {most} leaves nothing", "30000 is the default")
    sizes = [sum(tokens) if rate == "tokens" else len(tokens) for _, _, tokens in pools]
    targets, setters = _targets(rates, sizes, budget, whole=rate != "tokens")
    taken = [
        _copies(tokens if rate == "tokens" else None, len(tokens), target)
        for (_, _, tokens), target in zip(pools, targets, strict=True)
    ]
    table = _table(pools, taken, targets=targets, rates=rates, setters=setters)
    empty = _unmet(pools, weights if rate in ("weights", "tokens") else None)
    return Measured(_signals(ordered, pools, taken), {"groups": pl.concat([table, empty])})


def _ordered(state: pl.DataFrame, by: str) -> pl.DataFrame:
    """Return the rows group by group in the order in which they are taken, with their place in `state`."""
    if by not in state.columns or by in _OWN:
        raise UserError("mix", f"by = '{by}' is no column", suggest(by, [n for n in state.columns if n not in _OWN]))
    if state.schema[by].is_nested():
        raise UserError("mix", f"by = '{by}' has lists of values", "a row belongs to one group: name another column")
    # Ids settle the ties that 53 bits of chance may leave.
    drawn = state.with_row_index("place").sort("draw", "id")
    wording = drawn.with_columns(wording=pl.int_range(pl.len()).over("record"))
    grouped = wording.with_columns(group=pl.col(by).cast(pl.String))
    return grouped.sort("group", "wording", "draw", "id", nulls_last=True)


def _pools(ordered: pl.DataFrame, by: str, most: int) -> list[Pool]:
    """Return the groups by name, those without one last."""
    counted = ordered.group_by("group", maintain_order=True).agg(pl.len(), pl.col("tokens").head(max(most, 0)))
    return list(counted.iter_rows())


def _rates(
    pools: Sequence[Pool], *, rate: Rate, cap: int, temperature: float, weights: Mapping[str, float] | None
) -> list[Fraction]:
    """Return what the shares are in proportion to, exactly, to twelve digits that all machines agree on."""
    if (rate == "weights" and weights is None) or (weights is not None and rate not in ("weights", "tokens")):
        what = "is missing" if weights is None else "has no use"
        raise UserError("mix", f"rate = '{rate}': weights {what}", "weights go with rate = 'weights' or 'tokens'")
    if weights is not None:
        return _weighted(pools, weights)
    if rate == "tokens":
        return [Fraction(sum(tokens)) for _, _, tokens in pools]
    if cap < 1 or not temperature > 0:
        raise UserError("mix", f"cap = {cap}, temperature = {temperature}", "both are above 0")
    power = 1 / temperature if rate == "temperature" else 1
    return [Fraction(f"{min(len(tokens), cap) ** power:.12g}") for _, _, tokens in pools]


def _weighted(pools: Sequence[Pool], weights: Mapping[str, float]) -> list[Fraction]:
    """Return the weight of each group."""
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError("mix", f"weights: {name} = {weight}", "a weight is 0 or more")
    if not any(weights.values()):
        raise UserError("mix", "weights: none is above 0", "give one at least a share")
    missing = [name for name, _, _ in pools if name not in weights]
    if missing:
        what = f"the rows without a value have no weight, nor has a null a name{_also(missing)}"
        fix = "mix by another column, such as source"
        if missing[0] is not None:
            what, fix = f"weights: none for {', '.join(map(str, missing[:5]))}", "0 leaves a group out"
        raise UserError("mix", what, fix)
    return [Fraction(f"{weights[str(name)]:.12g}") for name, _, _ in pools]


def _also(missing: Sequence[str | None]) -> str:
    named = [name for name in missing if name is not None]
    return f"; none either for {', '.join(named[:5])}" if named else ""


def _targets(
    rates: Sequence[Fraction], sizes: Sequence[int], budget: int | None, *, whole: bool
) -> tuple[list[int], list[bool]]:
    """Return each group's part of the budget, and which group set the size where no budget does."""
    if not any(rates):
        return [0] * len(rates), [False] * len(rates)
    if budget is None:
        reach = [size / rate if rate else None for size, rate in zip(sizes, rates, strict=True)]
        least = min(one for one in reach if one is not None)
        return [int(rate * least) for rate in rates], [one == least for one in reach]
    total = sum(rates)
    shares = [rate / total for rate in rates]
    found = _shared_out(shares, budget) if whole else [int(share * budget) for share in shares]
    return found, [False] * len(rates)


def _shared_out(shares: Sequence[Fraction], total: int) -> list[int]:
    """Return whole numbers that sum to a total, in proportion to shares, none smaller than for a smaller total.

    Rounding shares of a total that is half the number of groups smaller gives Webster's numbers for a sum that is not
    above the total; what is missing goes one by one to the largest share / (2 · number + 1).
    """
    start = max(Fraction(0), total - Fraction(len(shares), 2))
    found = [math.floor(share * start + Fraction(1, 2)) for share in shares]
    while sum(found) < total:
        place = max(range(len(shares)), key=lambda one: (shares[one] / (2 * found[one] + 1), -one))
        found[place] += 1
    return found


def _copies(tokens: Sequence[int] | None, count: int, target: int) -> list[int]:
    """Return how often each of `count` rows is taken; by tokens, no row goes beyond the target."""
    times, rest = divmod(target, sum(tokens) if tokens is not None else count)
    found, used = [], 0
    for size in tokens if tokens is not None else [1] * count:
        used += size
        found.append(times + (used <= rest))
    return found


def _signals(ordered: pl.DataFrame, pools: Sequence[Pool], taken: Sequence[Sequence[int]]) -> pl.DataFrame:
    """Return rank, copies and epochs in the order of the state; rows beyond a pool have no copy."""
    columns: dict[str, list[Any]] = {name: [] for name in _SIGNALS}
    for (_, rows, _), copies in zip(pools, taken, strict=True):
        columns["rank"] += range(rows)
        columns["copies"] += [*copies, *[0] * (rows - len(copies))]
        columns["epochs"] += [sum(copies) / len(copies)] * rows
    found = pl.DataFrame(columns, schema=_SIGNALS).with_columns(ordered["place"])
    return found.sort("place").drop("place")


def _table(
    pools: Sequence[Pool],
    taken: Sequence[Sequence[int]],
    *,
    targets: Sequence[int],
    rates: Sequence[Fraction],
    setters: Sequence[bool],
) -> pl.DataFrame:
    """Return a line per group; see the table `groups`."""
    total = sum(rates)
    lines = []
    for (name, rows, tokens), copies, target, rate, setter in zip(pools, taken, targets, rates, setters, strict=True):
        told = sum(size * times for size, times in zip(tokens, copies, strict=True))
        share = float(rate / total) if total else 0.0
        line = (name, rows, len(tokens), sum(tokens), float(rate), share, target)
        lines.append((*line, sum(copies), told, sum(copies) / len(copies), setter))
    return pl.DataFrame(lines, schema=_GROUP, orient="row")


def _unmet(pools: Sequence[Pool], weights: Mapping[str, float] | None) -> pl.DataFrame:
    """Return a line for each weight whose group has no row here."""
    there = {name for name, _, _ in pools}
    lines = [
        (name, 0, 0, 0, float(weight), 0.0, 0, 0, 0, 0.0, False)
        for name, weight in sorted((weights or {}).items())
        if name not in there
    ]
    return pl.DataFrame(lines, schema=_GROUP, orient="row")
