"""A linear classifier on what a small language model makes of the slots: its states, computed once per text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import stored
from curate.lm import LanguageModel
from tune import language, probe
from tune.tiers import Budget
from tune.trunk import only

# The layer that is read, as a share of the depth. Of layers 6, 12, 18, 21, 24, 27 and 30 of SmolLM2-135M the 21st was
# the best for sentiment (240 and 300 rows: 0.86 of 200 items right; the last layer 0.75) and level with the best for
# intents (0.97). The mean over tokens beside the last token was better than either (0.76, 0.79).
_DEPTH = 0.7
# Spread of the features: that of n-grams, so that the classifier's regularisation fits both.
_SCALE = 4.0
# Tokens computed at once, and the most that are read of a text: its first ones, as with the encoder of sentences.
_TOKENS, _LONGEST = 1024, 512


def trunk_head(train: pl.DataFrame, evaluation: pl.DataFrame, *, seed: int, budget: Budget) -> pl.DataFrame:
    """Train and score on states of a language model; see `tune.tiers.RunCell`."""
    # Always float32: a vector is kept for all cells, whatever it was computed beside.
    model = language.model(budget.tuning.model, dtype="fp32")

    def vectors(texts: Sequence[str]) -> stored.Vectors:
        return states(texts, model=model, cache=budget.cache)

    return probe.cell(train, evaluation, lambda known: _standardised(known, vectors))


def states(texts: Sequence[str], *, model: LanguageModel, cache: Path) -> stored.Vectors:
    """Return what a model makes of texts: the mean state of the tokens beside the last token's, (n, 2 d) float32.

    Args:
        texts: any texts; of a blank one the state of the token that ends texts.
        model: of the Llama kind, in float32.
        cache: folder for vectors; several processes may share it.
    """
    dimensions = 2 * int(model.model.config.hidden_size)
    folder = cache / "states" / f"{model.sha[:16]}-{_DEPTH}"
    return stored.vectors(texts, folder=folder, dimensions=dimensions, batches=lambda some: _batches(some, model))


def _batches(texts: Sequence[str], model: LanguageModel) -> Iterator[tuple[list[int], stored.Vectors]]:
    """Give the places of texts of about one length and their vectors."""
    import torch

    layers = round((1 - _DEPTH) * int(model.model.config.num_hidden_layers))
    tokens = [[*one.ids[:_LONGEST]] or [model.pad] for one in model.coder.encode(list(texts))]
    order = sorted(range(len(texts)), key=lambda place: len(tokens[place]))
    while order:
        count = max(1, _TOKENS // len(tokens[order[0]]))
        part, order = order[:count], order[count:]
        with torch.inference_mode(), only(model, lower=True, layers=layers):
            found = model.states(model.padded([tokens[place] for place in part])).float().cpu().numpy()
        own = [one[: len(tokens[place])] for one, place in zip(found, part, strict=True)]
        yield part, np.stack([np.concatenate([one.mean(axis=0), one[-1]]) for one in own])


def _standardised(
    known: Sequence[tuple[str, ...]], vectors: Callable[[Sequence[str]], stored.Vectors]
) -> probe.Features:
    """Return the maker of features: what the model makes of both texts of a pair read as one, each dimension alike."""

    def read(pairs: Sequence[tuple[str, ...]]) -> npt.NDArray[np.float64]:
        return vectors(["\n".join(pair) for pair in pairs]).astype(np.float64)

    taught = read(known)
    centre, spread = taught.mean(axis=0), taught.std(axis=0) + 1e-6
    scale = _SCALE / np.sqrt(taught.shape[1] / 2)
    return lambda pairs: (read(pairs) - centre) / spread * scale
