"""Measure how likely a small language model finds the answer, with its prompt and without."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from curate import lm, losses, weights
from curate.errors import UserError, suggest

DTYPES = ("fp32", "bf16")
# Share of an answer's tokens, those that the prompt changes most, of which S-IFD is the mean, as in the paper's code.
_SELECTED = 0.5
_SCHEMA = pl.Schema(
    {
        name: pl.Float64()
        for name in ("loss", "perplexity", "bits_per_byte", "alone", "difference", "ifd", "s_ifd", "end")
    }
)

# Rows at once, each such piece in the cache when it is done: a minute of short ones, so that little is lost with a run.
PIECE = 128

# The step reads more than the folder that a recipe names.
reads = lm.files


def likelihood(
    rows: pl.DataFrame, *, model: Path | None = None, window: int = 1024, dtype: str = "fp32"
) -> pl.DataFrame:
    """Measure how likely a small language model finds the answer, with its prompt and without.

    It looks at the conversation up to its last answer, so it has no `column`. Each answer goes through the model twice:
    with SmolLM2 in fp32 some 80 minutes for 10,000 rows of 70 tokens on one core, in bf16 30. On planted defects
    (bench/quality.py) the loss finds garbage, `end` what is cut off, bits_per_byte and ifd answers to another task;
    s_ifd is no better than ifd; nothing here finds wrong labels.

    Args:
        rows: instruction rows.
        model: folder of a causal model (or of an adapter, or a GGUF file); the packaged SmolLM2-135M when left out.
        window: greatest number of tokens of a conversation; 1,024, as in training, holds all but long documents.
        dtype: `fp32`, or `bf16`: twice as fast on processors that have it, slower on others, the order of rows nearly
            the same (rank correlation 0.997 and more). It is never chosen silently, as it changes the numbers.

    Signals:
        loss (f64): mean loss of the answer's tokens given the prompt, in nats per token; null, as all signals, where
            the answer is empty, the conversation longer than `window`, or the chat template refuses it.
        perplexity (f64): exp(loss).
        bits_per_byte (f64): the same in bits per byte of the answer in UTF-8, which no tokenizer changes.
        alone (f64): mean loss of the same tokens without the prompt, after the beginning of the turn alone.
        difference (f64): loss minus alone, in nats per token: below 0 where the prompt helps.
        ifd (f64): loss divided by alone (Li et al. 2023, Instruction-Following Difficulty): about 1 or above where the
            answer does not depend on the prompt; null where alone is 0.
        s_ifd (f64): exp of the mean difference of the half of the tokens that the prompt changes most (Fu et al. 2025,
            Selective IFD; there the half is one of the tokens of all rows, here of the row's own).
        end (f64): loss of ending the answer where it ends, in nats: high where it breaks off; null where the chat
            template sets no marker after an answer.
    """
    if dtype not in DTYPES:
        raise UserError("step 'likelihood'", f"dtype = '{dtype}' is unknown", suggest(dtype, DTYPES))
    if window < 2:
        raise UserError("step 'likelihood'", f"window = {window} holds no answer", "2 or more")
    messages = rows["messages"].to_list()
    if not any(messages):
        if model is None:
            weights.packaged()  # `curate check` tries each step on no rows: here it is told that the package is missing
        return pl.DataFrame({name: [None] * rows.height for name in _SCHEMA}, schema=_SCHEMA)
    loaded = _loaded(model, dtype, _stamps(model))
    found = losses.answers(loaded, messages, window=window)
    scored = [one for one in found if one is not None]
    measured = losses.token_losses(loaded, [text for one in scored for text in (one.whole, one.alone)])
    pairs = iter(zip(scored, measured[::2], measured[1::2], strict=True))
    lines = [
        (None,) * len(_SCHEMA) if one is None else _signals(*next(pairs), len((response or "").encode()))
        for one, response in zip(found, rows["response"], strict=True)
    ]
    return pl.DataFrame(lines, schema=_SCHEMA, orient="row")


def _signals(answer: losses.Answer, whole: losses.Losses, alone: losses.Losses, size: int) -> tuple[float | None, ...]:
    """Return the signals of a row."""
    given = whole[: len(alone)]
    changes = given - alone
    loss, free = float(given.mean()), float(alone.mean())
    most = np.argsort(-np.abs(changes), kind="stable")[: math.ceil(_SELECTED * len(changes))]
    return (
        loss,
        math.exp(min(loss, 700.0)),  # beyond it a float64 ends
        float(given.sum()) / math.log(2) / size if size else None,
        free,
        loss - free,
        loss / free if free else None,
        math.exp(min(float(changes[most].mean()), 700.0)),
        float(whole[-1]) if answer.ended else None,
    )


def _stamps(model: Path | None) -> Any:
    """Return what changes when a model's files do."""
    return tuple((path, path.stat().st_mtime_ns) for path in lm.files(model)) if model else None


@lru_cache(maxsize=1)
def _loaded(model: Path | None, dtype: str, _stamps: object) -> lm.LanguageModel:
    """Return the model; loading takes seconds, and each slice of rows asks for it."""
    return lm.load(str(model) if model else weights.SMOLLM2, dtype=dtype)
