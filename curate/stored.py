"""Vectors of texts, each computed once and kept on disk: files that are whole under their final name, or not there."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curate.errors import INPUT, UserError
from curate.schema import digest

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
Batches = Callable[[list[str]], Iterator[tuple[list[int], Vectors]]]
# Texts per file: about 3 MB of vectors, a minute of work that a killed run loses at most.
_FILE = 2048


def vectors(
    texts: Sequence[str], *, folder: Path | None, dimensions: int, batches: Batches, progress: Progress | None = None
) -> Vectors:
    """Return the vectors of texts, (n, dimensions) float32: each distinct one is computed once and kept in a folder.

    Args:
        texts: any texts.
        folder: one encoder's, with one backend; several processes may share it.
        dimensions: of a vector.
        batches: gives for some texts the places of a few and their vectors, until all are there; not asked for none.
        progress: told (texts done, texts to compute) now and then.
    """
    distinct = sorted(set(texts))
    keys = [digest(text) for text in distinct]
    place = {text: number for number, text in enumerate(distinct)}
    found = np.zeros((len(distinct), dimensions), dtype=np.float32)
    missing = read(folder, keys, found) if folder else list(range(len(distinct)))
    done, unsaved = 0, list[int]()
    for part, some in batches([distinct[number] for number in missing]) if missing else ():
        chosen = [missing[number] for number in part]
        found[chosen] = some
        done += len(chosen)
        unsaved += chosen
        if folder and (len(unsaved) >= _FILE or done == len(missing)):
            write(folder, [keys[number] for number in unsaved], found[unsaved])
            unsaved = []
        if progress:
            progress(done, len(missing))
    return found[[place[text] for text in texts]] if texts else found


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
