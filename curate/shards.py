"""Vectors of texts on disk: files that are complete under their final name, or not there at all."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import INPUT, UserError
from curate.schema import digest

Vectors = npt.NDArray[np.float32]


def read(folder: Path, keys: Sequence[str], vectors: Vectors) -> list[int]:
    """Fill in the vectors that are there and return the places of those that are not.

    Args:
        folder: one encoder's, with one backend.
        keys: (n,) hashes of texts, each once.
        vectors: (n, d), filled in place.

    Raises:
        UserError: a file is broken.
    """
    place = {key: number for number, key in enumerate(keys)}
    filled = np.zeros(len(keys), dtype=bool)
    for path in sorted(folder.glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                pairs = [(line, place[key]) for line, key in enumerate(shard["keys"].tolist()) if key in place]
                if pairs:
                    lines, places = (list(part) for part in zip(*pairs, strict=True))
                    vectors[places] = shard["vectors"][lines]
                    filled[places] = True
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(str(path), f"is no file of the cache ({error})", "delete it", code=INPUT) from error
    return np.flatnonzero(~filled).tolist()


def write(folder: Path, keys: Sequence[str], vectors: Vectors) -> None:
    """Add a file, whose name its keys (n,) give, with their vectors (n, d)."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, keys=np.array(keys), vectors=vectors)
        os.replace(temporary, folder / f"{digest(*keys)}.npz")
    finally:
        Path(temporary).unlink(missing_ok=True)
