"""The rows of a run on disk, cut into slices, and shards of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from curate.errors import UserError


@dataclass(frozen=True)
class Shard:
    """Every `of`-th slice, from `number` on.

    Args:
        number: from 0.
        of: how many shards there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard `i/n`.

        Raises:
            UserError: when it is none.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
            raise UserError(f"--shard {text}", "is no shard", "write i/n with i from 0 to n-1, such as 0/7")
        return cls(int(number), int(of))

    def takes(self, number: int) -> bool:
        """Tell whether a slice is of this shard."""
        return number % self.of == self.number


@dataclass(frozen=True)
class Rows:
    """The rows of a run on disk, cut into slices.

    Args:
        path: a Parquet file with the columns of `schema.ROW`, sorted by id, a row group per slice.
        heldout: the same for held-out sources.
        digests: SHA-256 of both files.
    """

    path: Path
    heldout: Path
    digests: tuple[str, str]

    def spans(self) -> list[tuple[int, int]]:
        """Return the half-open span of rows of each slice."""
        metadata = pq.ParquetFile(self.path).metadata
        ends, total = [], 0
        for group in range(metadata.num_row_groups):
            ends.append((total, total + metadata.row_group(group).num_rows))
            total = ends[-1][1]
        return ends

    def height(self) -> int:
        """Return how many rows there are."""
        return int(pq.ParquetFile(self.path).metadata.num_rows)

    def cuts(self, size: int | None) -> Iterator[tuple[int, int, int, int]]:
        """Yield slices, or pieces of them: number of the slice, first row, row behind the last, first of the slice.

        Args:
            size: rows of a piece; slices are left whole without it.
        """
        for number, (start, stop) in enumerate(self.spans() or [(0, 0)]):
            for low in range(start, stop, size) if size and stop > start else (start,):
                yield number, low, min(stop, low + size) if size else stop, start

    def slice(self, number: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return one slice."""
        file = pq.ParquetFile(self.path)
        none = file.metadata.num_row_groups == 0  # no rows at all
        table = file.read(columns=columns) if none else file.read_row_group(number, columns=columns)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def read(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of all rows."""
        return pl.read_parquet(self.path, columns=list(columns), glob=False)

    def texts(self, ids: Sequence[str]) -> pl.DataFrame:
        """Return whole rows by id, in the order asked."""
        wanted = pl.DataFrame({"id": pl.Series(list(ids), dtype=pl.String)})
        found = pl.scan_parquet(self.path, glob=False).filter(pl.col("id").is_in(wanted["id"].implode())).collect()
        return wanted.join(found, on="id", how="left", maintain_order="left").select(found.columns)
