"""Normalised pointwise mutual information with intervals that know that sentences of a row belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.parity import Z95

# Fewer units together make a value that the next unit changes by more than a tenth; five is the bound of Church and
# Hanks (1990, Computational Linguistics 16), who found pointwise mutual information unstable below.
TOGETHER = 5


@dataclass(frozen=True)
class Association:
    """How much two things keep together.

    Args:
        group: the first.
        word: the second.
        together: units with both.
        groups: units with the first.
        words: units with the second.
        expected: units with both if they were independent.
        npmi: in [-1, 1].
        low: lower end of its 95 % interval.
        high: upper end.
        p: two-sided, that they are independent.
    """

    group: str
    word: str
    together: int
    groups: int
    words: int
    expected: float
    npmi: float
    low: float
    high: float
    p: float


def associations(units: pl.DataFrame, pairs: pl.DataFrame) -> list[Association]:
    """Return the association of each pair that meets in at least `TOGETHER` units, sorted by group and word.

    nPMI = ln(p(x, y) ÷ (p(x) p(y))) ÷ -ln p(x, y): 1 where two things only occur together, 0 where they are
    independent, -1 where they never meet (Bouma 2009, "Normalized (pointwise) mutual information in collocation
    extraction"). The interval is by the delta method with rows as clusters: units of a row are not independent, rows
    are. With z, x, y and n the counts of a row and Z, X, Y and N their sums, a row moves ln(ZN ÷ XY) by
    z/Z + n/N - x/X - y/Y and ln(Z/N) by z/Z - n/N; the variance is the sum of squares over rows. The test is that of
    the logarithm against 0. Coverage and false alarms are measured in `bench/checks_bias.py`.

    Args:
        units: row, n: units of every row.
        pairs: row, unit (number within the row), groups, words (lists of strings): the units with any.
    """
    n = units.with_columns(pl.col("n").cast(pl.Int64))
    whole = int(n["n"].sum())
    x, y, z = (
        _counted(pairs, names).join(n, on="row", how="left") for names in (["group"], ["word"], ["group", "word"])
    )
    sums = [_summed(frame, names) for frame, names in ((x, ["group"]), (y, ["word"]), (z, ["group", "word"]))]
    met = x.join(y, on="row", suffix="_y").group_by("group", "word").agg(xy=(pl.col("count") * pl.col("count_y")).sum())
    for side in ("group", "word"):
        other = (x if side == "group" else y).select("row", side, other="count")
        with_side = z.join(other, on=["row", side]).group_by("group", "word")
        met = met.join(
            with_side.agg((pl.col("count") * pl.col("other")).sum().alias(f"z_{side}")), on=["group", "word"]
        )
    table = sums[2].filter(pl.col("sum") >= TOGETHER).join(met, on=["group", "word"])
    table = table.join(sums[0], on="group", suffix="_x").join(sums[1], on="word", suffix="_y").sort("group", "word")
    squares = int((n["n"] ** 2).sum())
    return [_association(row, whole, squares) for row in table.iter_rows(named=True)]


def _counted(pairs: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Count the units of each row by what they hold."""
    frame = pairs.rename({"groups": "group", "words": "word"}).select("row", *names)
    for name in names:
        frame = frame.filter(pl.col(name).list.len() > 0).explode(name)
    return frame.group_by("row", *names).agg(count=pl.len().cast(pl.Int64))


def _summed(counts: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Sum counts over rows: as they are, their squares, and their products with the units of the row."""
    count = pl.col("count")
    return counts.group_by(names).agg(
        sum=count.sum(), squares=(count * count).sum(), with_n=(count * pl.col("n")).sum()
    )


def _association(row: dict[str, int | str], whole: int, squares: int) -> Association:
    """Return the association of one pair from sums over rows."""
    z, x, y = (int(row[name]) for name in ("sum", "sum_x", "sum_y"))
    products = np.array([
        [row["squares"], row["with_n"], row["z_group"], row["z_word"]],
        [row["with_n"], squares, row["with_n_x"], row["with_n_y"]],
        [row["z_group"], row["with_n_x"], row["squares_x"], row["xy"]],
        [row["z_word"], row["with_n_y"], row["xy"], row["squares_y"]],
    ], dtype=np.float64)  # fmt: skip
    sizes = np.array([z, whole, x, y], dtype=np.float64)
    value, low, high, p = _estimate(sizes, products / np.outer(sizes, sizes))
    return Association(str(row["group"]), str(row["word"]), z, x, y, x * y / whole, value, low, high, p)


def _estimate(sizes: npt.NDArray[np.float64], products: npt.NDArray[np.float64]) -> Iterator[float]:
    """Yield value, interval and p from the sums of z, n, x and y and the sums of their scaled products."""
    z, n, x, y = sizes.tolist()
    information, most = math.log(z * n / (x * y)), -math.log(z / n)
    if not most:  # in every unit: nothing to keep together
        yield from (0.0, 0.0, 0.0, 1.0)
        return
    plain = np.array([1.0, 1.0, -1.0, -1.0])
    normal = plain / most + information / most**2 * np.array([1.0, -1.0, 0.0, 0.0])
    error, own = (math.sqrt(max(0.0, float(weights @ products @ weights))) for weights in (plain, normal))
    value = information / most
    yield from (value, max(-1.0, value - Z95 * own), min(1.0, value + Z95 * own))
    yield math.erfc(abs(information) / error / math.sqrt(2)) if error else 1.0
