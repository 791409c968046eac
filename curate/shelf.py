"""Records on their way to rows: in memory, or where they are many on disk, and given back in the order of their hashes.

What is added is kept until it fills `ROOM`, then sorted and written. Given back is one span of hashes after the other,
gathered from all sorted files, of which the statistics tell what need not be read. So memory does not grow with the
records, and nothing that is made of them depends on whether they went to disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from curate import rundir
from curate.folders import make
from curate.schema import PREFIX

# Bytes of records in memory. 256 MiB are half a million of 300 characters; while they are sorted they are there twice.
ROOM = 1 << 28
# Records of a row group, the least that is read again: a few megabytes.
GROUP = 10_000
# Hex digits by which spans are cut, and how many beginnings they have.
_BEGINNINGS = 16**PREFIX


class Shelf:
    """Records by their hash, the column `base`."""

    def __init__(self, folder: Path) -> None:
        """Keep what does not fit in memory in a folder, which is made when it is needed."""
        self._folder = folder
        self._frames: list[pl.DataFrame] = []
        self._held = self._size = 0
        self._runs: list[Path] = []
        self.height = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Add records: a hash `base` and other columns, the same each time."""
        size = int(frame.estimated_size())
        self._frames.append(frame)
        self._held, self._size, self.height = self._held + size, self._size + size, self.height + frame.height
        if self._held > ROOM:
            self._write()

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield all records, as often as it is asked: frames sorted by `base`, each behind the one before it.

        Records whose hashes begin alike are never in two of them.
        """
        if not self._runs:
            if self._frames:
                self._frames = [_sorted(self._frames)]
                yield self._frames[0]
            return
        if self._frames:
            self._write()
        files = [pl.scan_parquet(path, glob=False) for path in self._runs]
        count = -(-self._size // ROOM)
        bounds = [f"{number * _BEGINNINGS // count:0{PREFIX}x}" for number in range(1, count)]
        for low, high in zip(["", *bounds], [*bounds, None], strict=True):
            span = pl.col("base") >= low
            some = [file.filter(span if high is None else span & (pl.col("base") < high)) for file in files]
            yield _sorted(pl.collect_all(some))

    def clear(self) -> None:
        """Forget the records, and delete what of them is on disk."""
        for path in self._runs:
            path.unlink()
        self._frames, self._runs, self._held, self._size, self.height = [], [], 0, 0, 0

    def _write(self) -> None:
        """Sort what is in memory into a file."""
        make(self._folder)
        frame, self._frames, self._held = _sorted(self._frames), [], 0
        path = self._folder / f"{len(self._runs):06d}.parquet"
        with rundir.Writer(path, frame.schema) as writer:
            for some in frame.iter_slices(GROUP):
                writer.write(some)
        self._runs.append(path)


def _sorted(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames).sort("base")
