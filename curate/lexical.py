"""Texts to unit vectors without any model: TF-IDF of their words, reduced to the directions in which rows differ.

Latent semantic analysis (Deerwester et al. 1990): texts that share words, or words that stand beside the same others,
lie near each other. Which directions these are hangs on the rows of the run, so its vectors are its own.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from curate import stored, text
from curate.errors import MISSING, UserError
from curate.schema import digest

# As a recipe calls it under `[embedding] model`.
NAME = "tf-idf"
# Steps for which nearness in words will do. The others ask what a text means, or were measured with another encoder.
STEPS = frozenset({"diversity", "label_noise", "map", "semantic"})
# 100 to 300 directions are the usual number since Deerwester et al.; 256 is near that of the bundled encoder (384).
DIMENSIONS = 256
# Words counted: the most frequent ones, in at least two texts; the tail costs memory and has no direction of its own.
_WORDS, _LEAST = 50_000, 2
# Texts that the directions are fitted on, evenly spaced by id: those of more rows are the same but for noise.
_FITTED = 100_000
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lexical:
    """An encoder fitted on the rows of a run; fitted when the first text is not in the cache.

    Args:
        key: hash of the rows and of the library that fits.
        texts: gives the texts that it is fitted on, sorted by the ids of their rows.
    """

    key: str
    texts: Callable[[], Sequence[str]]

    def identity(self) -> dict[str, Any]:
        """Return which vectors these are; other rows give others."""
        return {"model": NAME, "files": self.key[:16], "backend": "scikit-learn", "dimensions": DIMENSIONS}

    def checked(self, cache: Path) -> dict[str, Any]:
        """Return what a manifest says about it."""
        return self.identity()

    def encode(
        self, texts: Sequence[str], *, cache: Path | None = None, progress: stored.Progress | None = None
    ) -> Vectors:
        """Return unit vectors, (n, 256) float32; zero for a text of whose words the rows say nothing.

        Args:
            texts: any texts.
            cache: folder for vectors; several processes may share it.
            progress: told (texts done, texts to encode) now and then.
        """
        folder = cache / f"{self.key[:16]}-{NAME}" if cache else None
        return stored.vectors(texts, folder=folder, dimensions=DIMENSIONS, progress=progress, batches=self._batches)

    def _batches(self, texts: list[str]) -> Any:
        size = 10_000  # vectors of so many texts take 10 MB
        for low in range(0, len(texts), size):
            part = texts[low : low + size]
            yield list(range(low, low + len(part))), self._vectors(part)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        counter, directions = self._fitted
        found = np.zeros((len(texts), DIMENSIONS), dtype=np.float64)
        if directions is not None:
            found[:, : directions.shape[1]] = counter.transform(texts) @ directions
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return (found / np.where(length > 0, length, 1)).astype(np.float32)

    @cached_property
    def _fitted(self) -> tuple[Any, npt.NDArray[np.float64] | None]:
        """Return the counter of words, and the directions, (words, at most 256); None where no word is shared."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        every = self.texts()
        chosen = [every[place] for place in np.linspace(0, len(every) - 1, min(len(every), _FITTED)).astype(int)]
        counter = TfidfVectorizer(analyzer=text.words, sublinear_tf=True, min_df=_LEAST, max_features=_WORDS)
        try:
            counts = counter.fit_transform(chosen)
        except ValueError:  # no word is in two texts
            return counter, None
        size = min(DIMENSIONS, min(counts.shape) - 1)
        if size < 1:
            return counter, None
        # Randomised with a fixed seed (Halko et al. 2011), as many power iterations as scikit-learn's default; on one
        # thread, as the order of sums decides the last bits.
        with threadpool_limits(1):
            svd = TruncatedSVD(size, algorithm="randomized", n_iter=5, random_state=0).fit(counts)
        return counter, svd.components_.T


def load(rows: str, texts: Callable[[], Sequence[str]], *, steps: Sequence[str]) -> Lexical:
    """Return the encoder of a run.

    Args:
        rows: hash of its rows.
        texts: gives their contents, sorted by id.
        steps: that ask for vectors.

    Raises:
        UserError: for steps that ask what a text means, and with status 5 without scikit-learn.
    """
    if unfit := sorted(set(steps) - STEPS):
        what = f"tells which words texts share; {', '.join(unfit)} must know what they mean"
        raise UserError(
            f"embedding model '{NAME}'", what, "name a sentence encoder under [embedding], or leave them out"
        )
    try:
        version = importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(
            f"embedding model '{NAME}'", "scikit-learn is not installed", "pip install scikit-learn", code=MISSING
        ) from error
    return Lexical(digest(rows, version, NAME), texts)
