"""A trained quality filter in a folder: kept as numbers and JSON, checked before it is used, never a pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from curate import heads, seals
from curate.errors import INPUT, UserError
from curate.heads import Heads
from curate.rundir import file_digest

Encode = Callable[[Sequence[str]], Any]
FACTS, WEIGHTS, NGRAMS = "filter.json", "weights.npz", "ngrams.json"
FORMAT = 1
# Characters read of a text: the encoder takes some thousand, and n-grams of more would let length decide.
READ = 4000
# A sentence whose vector is kept with the filter: an encoder that gives another one is not the one it was trained with.
_PROBE = "The quick brown fox jumps over the lazy dog."
# Cosine to that vector: the same weights on another machine differ in the last bits, another model in the first.
_SAME = 0.999
_AGAIN = "make it again with `curate fit`"


@dataclass(frozen=True)
class Filter:
    """A fitted filter.

    Args:
        heads: one class, the positive examples, over vector and n-grams of characters.
        probe: (dimensions,) float32, what the encoder made of a fixed sentence.
        facts: what `filter.json` says beside the hashes: name, column, encoder, trained, figures, precision, below,
            above.
        digest: hash of everything that it is, once it is saved.
    """

    heads: Heads
    probe: npt.NDArray[np.float32]
    facts: Mapping[str, Any]
    digest: str = ""

    def scores(self, texts: Sequence[str], encode: Encode) -> list[float]:
        """Return how much each text is like the positive examples, in [0, 1], whatever the others are.

        Raises:
            UserError: when the encoder is not the one that the filter was trained with.
        """
        if not texts:
            return []
        read = [prepared(text) for text in texts]
        vectors = np.asarray(encode([_PROBE, *read]))
        if vectors.shape[1] != len(self.probe) or float(vectors[0] @ self.probe) < _SAME:
            what = f"was trained with another encoder ({self.facts['encoder']})"
            raise UserError(f"filter '{self.facts['name']}'", what, "set [embedding] to that one, or fit it again")
        found: list[float] = self.heads.scores(read, vectors[1:])[:, 0].tolist()
        return found


def prepared(text: str) -> str:
    """Return of a text what a filter reads."""
    return text[:READ]


def probed(encode: Encode) -> npt.NDArray[np.float32]:
    """Return what a filter keeps to know its encoder again."""
    found: npt.NDArray[np.float32] = np.asarray(encode([_PROBE]))[0].astype(np.float32)
    return found


def save(folder: Path, fitted: Filter) -> str:
    """Write a filter into an empty folder; equal filters give equal bytes.

    Returns:
        Its hash, over everything that it is.
    """
    (counter,) = fitted.heads.counters
    model = fitted.heads
    with (folder / WEIGHTS).open("wb") as file:
        np.savez(
            file, dense=model.dense, sparse=model.sparse, intercepts=model.intercepts, probe=fitted.probe,
            rarities=counter.idf_,
        )  # fmt: skip
    (folder / NGRAMS).write_bytes(orjson.dumps(counter.get_feature_names_out().tolist()))
    files = {name: file_digest(folder / name) for name in (WEIGHTS, NGRAMS)}
    return seals.write(folder / FACTS, {"format": FORMAT, **fitted.facts, "files": files})


def files(folder: Path) -> list[Path]:
    """Return the files that a filter is made of.

    Raises:
        UserError: for a folder that lacks one.
    """
    for name in (FACTS, WEIGHTS, NGRAMS):
        if not (folder / name).is_file():
            what = f"has no {name}"
            fix = "give the folder that `curate fit` wrote (no pickles are read)"
            raise UserError(f"filter '{folder}'", what, fix, code=INPUT)
    return [folder / name for name in (FACTS, NGRAMS, WEIGHTS)]


def load(folder: Path) -> Filter:
    """Return the filter of a folder; nothing in it is run.

    Raises:
        UserError: for a missing, damaged or changed file.
    """
    stamps = ((path, path.stat()) for path in files(folder))
    return _load(folder, tuple((path, one.st_size, one.st_mtime_ns) for path, one in stamps))


# A recipe may use a few filters, on prompt and response for example.
@lru_cache(maxsize=4)
def _load(folder: Path, _stamps: object) -> Filter:
    where = f"filter '{folder}'"
    facts, stated = seals.read(folder / FACTS, where=where, fix=_AGAIN)
    try:
        if facts["format"] != FORMAT:
            raise UserError(where, f"has the form {facts['format']}, known is {FORMAT}", _AGAIN, code=INPUT)
        for name, expected in facts["files"].items():
            if file_digest(folder / name) != expected:
                raise UserError(where, f"{name} is not the file that {FACTS} names", _AGAIN, code=INPUT)
        return replace(_parsed(folder, facts), digest=stated)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        what = f"is damaged: {' '.join(str(error).split())[:200]}"
        raise UserError(where, what, _AGAIN, code=INPUT) from None


def _parsed(folder: Path, facts: Mapping[str, Any]) -> Filter:
    """Return the filter whose files are those that were written."""
    terms = orjson.loads((folder / NGRAMS).read_bytes())
    with (folder / WEIGHTS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        dense, sparse, intercepts, probe, rarities = (
            arrays[name] for name in ("dense", "sparse", "intercepts", "probe", "rarities")
        )
    if dense.shape != (1, len(probe)) or sparse.shape != (len(terms), 1) or intercepts.shape != (1,):
        raise ValueError(f"weights of the shapes {dense.shape}, {sparse.shape}, {intercepts.shape}")
    if not all(np.isfinite(one).all() for one in (dense, sparse, intercepts, probe, rarities)):
        raise ValueError("weights that are no numbers")
    counter = heads.counted(terms, rarities)
    return Filter(Heads(("positive",), (counter,), dense, sparse, intercepts), probe, facts)
