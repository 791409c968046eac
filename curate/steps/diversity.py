"""Rank rows so that every prefix is a varied choice, beside random rows and the longest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, choices, schema
from curate.errors import UserError, suggest
from curate.neighbours import Indices, Numbers, Vectors, graph, gridded, kmeans, nearest_before
from curate.picks import apart, by_means, farthest_first, interleaved, volume
from curate.schema import Measured

Method = Literal["facility", "stochastic", "k-centre", "threshold", "dpp", "random", "longest"]
_SIGNALS: dict[str, Any] = {
    "rank": pl.UInt32(), "distance": pl.Float64(), "gain": pl.Float64(), "tokens_before": pl.Int64(),
    "cluster": pl.UInt32(),
}  # fmt: skip
_OWN = ("id", "vector", "tokens", "length")
# Share of the best gain that a sample may cost on average, epsilon: with 0.1 a tenth of 10,000 rows of a published mix
# kept 0.985 of the value of the lazy greedy choice.
_EPSILON = 0.1


@dataclass(frozen=True)
class Settings:
    """Arguments of `decide` that only some methods read."""

    neighbours: int
    picks: int
    threshold: float
    varied: bool


def state(rows: pl.DataFrame, *, vectors: Callable[[Sequence[str]], Vectors], column: str = "content") -> pl.DataFrame:
    """Embed the text of each row.

    Args:
        rows: instruction rows.
        vectors: texts to vectors of unit length.
        column: the text that is spread out; the content by default, from which the template is subtracted: prompts
            would make a record with another template look new.

    Returns:
        vector: array of f32 of unit length; null where the text is null.
        tokens: i64, estimated tokens of prompt and response.
        length: i64, characters of the response, 0 where there is none.
    """
    texts = schema.column_text(rows, column)
    known = texts.is_not_null()
    found = vectors(texts.drop_nulls().to_list())
    embedded = pl.Series("vector", found, dtype=pl.Array(pl.Float32, found.shape[1]))
    place = known.cum_sum().cast(pl.Int64) - 1
    vector = embedded.gather(pl.select(pl.when(known).then(place)).to_series())
    length = rows["response"].str.len_chars().fill_null(0).cast(pl.Int64)
    return pl.DataFrame({"vector": vector, "tokens": schema.tokens(rows), "length": length})


def decide(
    state: pl.DataFrame,
    *,
    seed: int,
    texts: Callable[[Sequence[str]], pl.DataFrame],
    column: str = "content",
    method: Method = "facility",
    by: str | list[str] | None = None,
    power: float = 0.5,
    clusters: int = 100,
    threshold: float = 0.9,
    prefer: str | None = None,
    neighbours: int = 64,
    picks: int = 5000,
    varied: bool = True,
    budget: int | None = None,
    unit: Literal["rows", "tokens"] = "rows",
) -> Measured:
    """Rank all rows by one method; the choice of 1,000 is the start of the choice of 2,000.

    Each method wins by its own measure, and none promises better training than a random sample of the same size; the
    table tells all measures beside random rows and the longest. Remove copies first. Ties go by id throughout.

    Args:
        state: what `state` returned for all living rows, with id, source, task, template, lang and the signals that
            are named, sorted by id.
        seed: draws what is random.
        texts: ids to whole rows.
        column: as for the state.
        method: `facility` takes the row that most raises the mean cosine of all rows to the nearest one taken
            (facility location on a graph of neighbours, greedily, at least 1 - 1/e of the best): rows that stand for
            many. `stochastic` does so among a few drawn rows.
            `k-centre` takes the row farthest from all taken: no row stays far from the choice, but it collects outliers
            and can represent the whole worse than random rows; junk that lies far out comes early. `threshold` walks
            over the rows and takes those below a cosine to all taken (DEITA). `dpp` takes the row that most enlarges
            the volume that those taken span (k-DPP, greedily): little redundancy, and outliers. `random` and `longest`
            (characters of the response) are the baselines.
        by: groups that get a share of every prefix: task, source, template, lang, "cluster" (k-means of the vectors), a
            signal of an earlier stage, or a list of these. Rows without a value are one group. Where shares are equal
            groups come in the order of their mean vectors, the largest first, then the farthest from all before.
        power: a group's share is in proportion to its size to this power: 0 is equal shares, 1 those of the rows; 0.5
            is the flattest that T5 found to lose little (as `temperature` 2 of the step `mix`).
        clusters: k-means clusters, at most a tenth of the rows; 100 as Cherry (Li et al., 2024) takes.
        threshold: cosine for `threshold` at which a row is too near to one taken; 0.9 as in DEITA.
        prefer: for `threshold`, the numeric signal by which rows are walked over, the highest first (the lowest with a
            minus before); by chance where it is left out. DEITA walks by its quality score.
        neighbours: rows that one row can stand for; 64 keep 0.996 of the value of all pairs when a tenth of 6,572 rows
            is chosen, 32 keep 0.995 (bench/selection.py).
        picks: rows taken one by one by `k-centre`, `dpp`, `threshold` and `stochastic`; the rest comes behind by
            distance or gain, without taking each other into account. 5,000, because a mix chosen for diversity is
            seldom larger, and the time grows with rows x picks; for `stochastic` the size of the choice, as
            fewer picks see more rows each. `distance` is told to these.
        varied: for `facility`, whether the farthest row comes next wherever the picks are more alike (by the mean
            squared cosine of their pairs) than random rows. Without it, 1 % of 6,572 rows have a Vendi score of 40
            where random ones have 47; with it 48, for 0.43 in place of 0.45 of the value (random: 0.37), and one pick
            in sixty is such a row (bench/selection.py).
        budget: size of the choice that is compared with the baselines: the bound of your rule; a tenth of the rows
            where it is left out.
        unit: whether the budget is of rows or of tokens.

    Signals:
        rank (u32): 0 = taken first; null where the text is null.
        distance (f64): 1 - cosine to the nearest row ranked before, of the first picks, in [0, 2], rounded to 2**-22;
            null for the first row and where the text is null.
        gain (f64): what the row added when it was taken: for `facility` and `stochastic` cosines, summed over all rows,
            for `dpp` the logarithm of the volume; null for other methods and where the text is null.
        tokens_before (i64): tokens (UTF-8 bytes / 4) of all rows ranked before: `max = N` keeps a choice of N tokens
            and the row that crosses the line; null where the text is null.
        cluster (u32): the row's k-means cluster, 0 = the largest; null where the text is null.

    Tables:
        choices: the choice of the budget beside all rows, random ones and the longest, at equal rows and equal tokens.
        settings: name, value: how the choice was made; `different` is the number of rows that differ, as the renderings
            of one record do not.
    """
    _check(picks=picks, clusters=clusters, neighbours=neighbours, budget=1 if budget is None else budget, power=power)
    keys, walk = _keys(state, by), _walk(state, prefer)
    rows = state.with_row_index("place").with_columns(walk).filter(pl.col("vector").is_not_null())
    vectors = gridded(rows["vector"].to_numpy()) if rows.height else np.zeros((0, 1), dtype=np.float32)
    with _one_thread():
        labels = _clustered(vectors, count=clusters, seed=seed)
        rows = rows.with_columns(cluster=labels, draw=chance.uniforms(seed, rows["id"].to_list(), "diversity"))
        settings = Settings(neighbours=neighbours, picks=picks, threshold=threshold, varied=varied)
        order, gain = _ordered(rows, vectors, method=method, seed=seed, settings=settings)
        if keys and rows.height:
            groups = rows.select(pl.struct(keys).rank("dense") - 1).to_series().to_numpy().astype(np.int64)
            order = interleaved(order, groups, power=power, first=by_means(vectors, groups))
        distance = nearest_before(vectors, order, picks=picks)
        orders = {"chosen": [order], "random": _random(seed, rows.height), "longest": [_longest(rows)]}
        size = _size(rows["tokens"].to_numpy()[order], budget, unit)
        table = choices.compared(_pool(rows, vectors, texts, column), orders, count=size)
    rank = np.argsort(order)
    spent = np.cumsum(rows["tokens"].to_numpy()[order])[rank] - rows["tokens"].to_numpy()
    found = pl.DataFrame({"place": rows["place"], "rank": rank, "distance": distance, "gain": gain})
    found = found.with_columns(tokens_before=spent, cluster=labels, distance=_finite("distance"), gain=_finite("gain"))
    signals = state.with_row_index("place").select("place").join(found, on="place", how="left", maintain_order="left")
    told = {"method": method, "by": ", ".join(keys), "power": power, "column": column, "rows": rows.height}
    told |= {"choice": size, "budget": "" if budget is None else f"{budget} {unit}"}
    # Rows that are equal to none ranked before: a choice of more has copies, whoever makes it.
    told["different"] = int((distance > 0).sum())
    lines = pl.DataFrame({"name": list(told), "value": [str(value) for value in told.values()]})
    return Measured(
        signals.select(pl.col(name).cast(kind) for name, kind in _SIGNALS.items()),
        {"choices": table, "settings": lines},
    )


def _check(*, power: float, **counts: int) -> None:
    """Refuse numbers that mean nothing."""
    for name, value in counts.items():
        if value < 1:
            raise UserError("diversity", f"{name} = {value} is not positive", "leave it out for the default")
    if not 0 <= power <= 1:
        raise UserError("diversity", f"power = {power} is not in [0, 1]", "0 gives equal shares, 1 those of the rows")


def _one_thread() -> Any:
    """Threads that wait for each other on a busy machine take two hundred times as long."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _finite(name: str) -> pl.Expr:
    """Return null for what has no value."""
    return pl.when(pl.col(name).is_finite()).then(pl.col(name))


def _keys(state: pl.DataFrame, by: str | list[str] | None) -> list[str]:
    """Return the columns that make a group."""
    keys = [by] if isinstance(by, str) else list(by or [])
    known = ["cluster", *(name for name in state.columns if name not in _OWN)]
    for key in keys:
        if key not in known:
            raise UserError("diversity", f"by = '{key}' is no column", suggest(key, known))
    return keys


def _walk(state: pl.DataFrame, prefer: str | None) -> pl.Series:
    """Return the number by which rows are walked over, the lowest first."""
    if prefer is None:
        return pl.Series("walk", np.zeros(state.height))
    name = prefer.removeprefix("-")
    known = [key for key, kind in state.schema.items() if "." in key and (kind.is_numeric() or kind == pl.Boolean)]
    if name not in known:
        raise UserError("diversity", f"prefer = '{prefer}' is no numeric signal", suggest(name, known))
    return (state[name].cast(pl.Float64) * (1.0 if prefer.startswith("-") else -1.0)).fill_null(np.inf).alias("walk")


def _clustered(vectors: Vectors, *, count: int, seed: int) -> Indices:
    """Return the cluster of each row, 0 = the largest, of equals the one that comes first."""
    if not len(vectors):
        return np.zeros(0, dtype=np.int64)
    count = min(count, max(1, len(vectors) // 10))
    # Rows far from each other among a few, so that no group of many is left without a centre and few outliers get one.
    few = np.sort(chance.generator(seed, "starts").choice(len(vectors), min(4 * count, len(vectors)), replace=False))
    starts = few[farthest_first(vectors[few], start=0, picks=count)[:count]]
    # As many rows to learn from as faiss takes at most; twenty rounds as it does by default are no nearer.
    labels, _ = kmeans(vectors, starts=starts, seed=seed, learnt=256, rounds=10)
    _, first, which, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    found: Indices = np.argsort(np.lexsort((first, -sizes)))[which].astype(np.int64)
    return found


def _ordered(
    rows: pl.DataFrame, vectors: Vectors, *, method: Method, seed: int, settings: Settings
) -> tuple[Indices, Numbers]:
    """Return all rows in the order of a method, and by row what each added, NaN where a method knows no gain."""
    picks = settings.picks
    drawn = rows.select(pl.int_range(pl.len()).sort_by("draw", "id")).to_series().to_numpy()
    nothing = np.full(rows.height, np.nan)
    if not rows.height or method == "random":
        return drawn, nothing
    if method == "longest":
        return _longest(rows), nothing
    if method == "threshold":
        walked = rows.select(pl.int_range(pl.len()).sort_by("walk", "draw", "id")).to_series().to_numpy()
        return apart(vectors, walk=walked, threshold=settings.threshold, picks=picks), nothing
    if method == "k-centre":
        return farthest_first(vectors, start=int(drawn[0]), picks=picks), nothing
    order, gains = (
        volume(vectors, picks=picks)
        if method == "dpp"
        else _located(vectors, settings, sampled=method == "stochastic", seed=seed)
    )
    nothing[order] = gains
    return order, nothing


def _located(vectors: Vectors, settings: Settings, *, sampled: bool, seed: int) -> tuple[Indices, Numbers]:
    """Return the order of facility location and the gains; each row the best of all, or of a few drawn."""
    from curate import facility  # numba takes half a second to load

    near = facility.turned(*graph(vectors, count=settings.neighbours, seed=seed))
    if not sampled:
        if not settings.varied or len(vectors) < 2:
            return facility.lazy(near, vectors, 0, 0.0)
        return facility.lazy(near, vectors, settings.picks, facility.alikeness(vectors))
    wanted = min(settings.picks, len(vectors))
    sample = int(np.ceil(len(vectors) / wanted * np.log(1 / _EPSILON)))
    draws = chance.generator(seed, "stochastic greedy").random((wanted, sample))
    return facility.stochastic(near, draws)


def _longest(rows: pl.DataFrame) -> Indices:
    """Return all rows, those with the longest response first."""
    found: Indices = np.lexsort((np.arange(rows.height), -rows["length"].to_numpy())).astype(np.int64)
    return found


def _random(seed: int, size: int) -> list[Indices]:
    """Return random orders of all rows."""
    streams = (chance.generator(seed, f"random choice {draw}") for draw in range(choices.DRAWS))
    return [stream.permutation(size) for stream in streams]


def _size(tokens: npt.NDArray[np.int64], budget: int | None, unit: str) -> int:
    """Return how many rows a budget buys, in the order in which they are taken."""
    if budget is None:
        return -(-len(tokens) // 10)
    before = np.cumsum(tokens) - tokens
    return min(budget, len(tokens)) if unit == "rows" else int((before <= budget).sum())


def _pool(
    rows: pl.DataFrame, vectors: Vectors, texts: Callable[[Sequence[str]], pl.DataFrame], column: str
) -> choices.Pool:
    """Return what is chosen from."""
    tasks = rows.select(pl.col("task").rank("dense").fill_null(0)).to_series().to_numpy().astype(np.int64)

    def read(places: Sequence[int]) -> list[str | None]:
        if column in rows.columns:  # a signal of an earlier stage is no text of the row
            return rows[column].gather(list(places)).to_list()
        return schema.column_text(texts(rows["id"].gather(list(places)).to_list()), column).to_list()

    return choices.Pool(vectors, rows["tokens"].to_numpy(), tasks, read)
