"""Join signals that were made elsewhere, from a Parquet file keyed by id."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from curate.errors import INPUT, UserError, suggest


def table(rows: pl.DataFrame, *, path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Join the columns of a Parquet file by the column `id`.

    Args:
        rows: instruction rows.
        path: Parquet file with a column `id`, each id once; ids that are no row are ignored.
        columns: which columns to join; all others than `id` when left out.

    Signals:
        * (any): the columns joined, under their names: bool, str, list[str]; whole numbers become i64 (u32 where they
            are unsigned and fit), other numbers f64; null for a row that the file does not have.
    """
    found = _read(path, columns)
    for name, dtype in found.schema.items():
        if not _fits(dtype):
            fix = "make it a bool, a number, a text or a list of texts, or leave it out of `columns`"
            raise UserError(str(path), f"column '{name}' is of type {dtype}", fix)
    found = found.select(_cast(name, dtype) for name, dtype in found.schema.items())
    if broken := [name for name, dtype in found.schema.items() if dtype == pl.Float64 and _broken(found[name])]:
        raise UserError(str(path), f"NaN or infinity in {', '.join(broken)}", "write null where nothing is known")
    return rows.select("id").join(found, on="id", how="left", maintain_order="left").drop("id")


def _read(path: Path, columns: list[str] | None) -> pl.DataFrame:
    """Return `id` and the columns asked for, each id once."""
    try:
        names = pl.read_parquet_schema(path)
        if "id" not in names:
            raise UserError(str(path), "has no column 'id'", "name the column of row ids 'id'")
        wanted = [name for name in columns or names if name != "id"]
        for name in wanted:
            if name not in names:
                raise UserError(str(path), f"has no column '{name}'", suggest(name, [n for n in names if n != "id"]))
        found = pl.read_parquet(path, columns=["id", *wanted], glob=False)
    except (OSError, PolarsError) as error:
        raise UserError(str(path), f"cannot be read as Parquet: {error}", "check the path", code=INPUT) from error
    if found["id"].dtype != pl.String:
        raise UserError(str(path), f"column 'id' is of type {found['id'].dtype}", "use the ids of rows.parquet")
    if found["id"].null_count() or found["id"].is_duplicated().any():
        twice = found.filter(pl.col("id").is_duplicated() | pl.col("id").is_null())["id"].sort()[0]
        raise UserError(str(path), f"id '{twice}' is there more than once or empty", "leave one line per id")
    return found


def _fits(dtype: pl.DataType) -> bool:
    """Tell whether a column can be a signal."""
    text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    texts = isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.String)
    # 64 unsigned bits do not fit into i64, and no signal has more.
    whole = dtype.is_integer() and dtype not in (pl.UInt64, pl.UInt128, pl.Int128)
    return text or texts or dtype == pl.Boolean or whole or dtype.is_float()


def _cast(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return the column as the signal type next to its own."""
    if dtype.is_float():
        return pl.col(name).cast(pl.Float64)
    if dtype.is_integer():
        small = dtype in (pl.UInt8, pl.UInt16, pl.UInt32)
        return pl.col(name).cast(pl.UInt32 if small else pl.Int64)
    return pl.col(name).cast(pl.String) if isinstance(dtype, pl.Categorical | pl.Enum) else pl.col(name)


def _broken(column: pl.Series) -> bool:
    """Tell whether a column of numbers has some that are none."""
    return bool((~column.drop_nulls().is_finite()).any())
