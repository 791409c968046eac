"""Signals of rows that come out of a training: what it made of them, and whether they pull where held-out rows do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate import lm, losses
from curate.errors import UserError
from curate.rundir import MANIFEST, RunDir, write_frame
from tune import data, evaluation, layout, tiny

Progress = Callable[[str, int, int], None]
NAME = "signals.parquet"
# Tokens of a conversation, as in training: all but long documents.
WINDOW = 1024


def signals(
    model: str | lm.LanguageModel,
    *,
    on: pl.DataFrame | str | Path,
    out: str | Path | None = None,
    base: str | lm.LanguageModel | None = None,
    validation: str | Path | None = None,
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Measure rows by a trained model, and write what came of it as a table that the step `table` joins by id.

    A model that has seen these very rows has learnt their mistakes by heart: train it on others, or briefly. Weights
    are read as float32, so that no score depends on what is faster here; a model that is given loaded stays as it is.

    Args:
        model: folder of a trained model or adapter, or that model loaded.
        on: rows, a run directory, of which all train rows are taken, or a file as for training.
        out: the Parquet file; `signals.parquet` in the model's folder when left out.
        base: the model before the training; the one named in its tune.json when left out.
        validation: rows that stand for what the model is to be good at: a file, or a run directory for its held-out
            rows. Without it no gradients are computed, which take three times as long as a loss.
        progress: told a label, what is done and the total.

    Returns:
        out, rows, measured (rows with a verdict), seconds. The file has id and, f64 and null where the answer is empty
        or the conversation longer than 1,024 tokens: base_loss and loss, nats per token of the last answer and its end
        before and after the training; learnability, base_loss minus loss (the reducible loss of Mindermann et al. 2022:
        high where there was something to learn and it could be learnt); with a validation set influence, the greatest
        over its sources of the mean cosine between the row's gradient and theirs (Xia et al. 2024, LESS, at one
        checkpoint and without Adam's moments; Pruthi et al. 2020, TracIn), and gradient_norm (Paul et al. 2021).

    Raises:
        UserError: for a model or rows that cannot be read, or a base that is not known.
    """
    started = time.perf_counter()
    rows = _rows(on)
    name = model.name if isinstance(model, lm.LanguageModel) else model
    before = _of(_loaded(base or _base(name)), rows, progress=progress)
    trained = _loaded(model)
    found = {"base_loss": before, "loss": _of(trained, rows, progress=progress)}
    told = rows.select("id").with_columns(pl.Series(name, values, pl.Float64) for name, values in found.items())
    told = told.with_columns(learnability=pl.col("base_loss") - pl.col("loss"))
    if validation is not None:
        aims = _directions(trained, evaluation.load(Path(validation)).rows, progress=progress)
        told = told.hstack(_influence(trained, rows, aims, progress=progress))
    target = Path(out) if out is not None else Path(name) / NAME
    write_frame(target, told.sort("id"))
    measured = told["loss"].count()
    return {"out": str(target), "rows": rows.height, "measured": measured, "seconds": time.perf_counter() - started}


def _rows(on: pl.DataFrame | str | Path) -> pl.DataFrame:
    """Return the rows; of a run also those that it dropped, since they may come back."""
    if isinstance(on, str | Path) and (Path(on) / MANIFEST).is_file():
        return RunDir.open(Path(on)).rows()
    return data.rows(on)


def _loaded(model: str | lm.LanguageModel) -> lm.LanguageModel:
    return lm.load(model, dtype="fp32") if isinstance(model, str) else model


def _base(model: str) -> str:
    """Return the name of the model before the training."""
    path = Path(model) / lm.TUNED
    name = str(orjson.loads(path.read_bytes())["base"]["name"]) if path.is_file() else None
    if name in (None, tiny.NAME):
        what = "does not say from which model it was trained" if name is None else "was trained from scratch"
        raise UserError(f"model '{model}'", what, "name the model to compare it with: --base MODEL")
    return str(name)


def _of(model: lm.LanguageModel, rows: pl.DataFrame, *, progress: Progress) -> list[float | None]:
    """Return the mean loss of each row's last answer and its end, in nats per token, null without one."""
    found = losses.answers(model, rows["messages"].to_list(), window=WINDOW)
    label = f"losses under {Path(model.name).name}"
    measured = iter(
        losses.token_losses(
            model, [one.whole for one in found if one], progress=lambda done, total: progress(label, done, total)
        )
    )
    return [float(next(measured).mean()) if one else None for one in found]


def _examples(model: lm.LanguageModel, rows: pl.DataFrame) -> list[data.Example | None]:
    """Return the rows as a training of their last answers would read them."""
    found: list[data.Example | None] = []
    for name, one in zip(rows["id"], losses.answers(model, rows["messages"].to_list(), window=WINDOW), strict=True):
        if one is None:
            found.append(None)
            continue
        trained = np.zeros(len(one.whole.ids), dtype=bool)
        trained[list(one.whole.places)] = True
        found.append(data.Example(name, list(one.whole.ids), trained))
    return found


def _weights(model: lm.LanguageModel) -> list[Any]:
    """Return the weights whose gradients are compared, and ask for these alone: an adapter's, or the last layer's."""
    named = dict(model.model.named_parameters())
    chosen = {name: weight for name, weight in named.items() if "lora_" in name}
    if not chosen:
        chosen = dict(model.model.base_model.layers[-1].named_parameters())
    model.model.requires_grad_(False)
    for weight in chosen.values():
        weight.requires_grad_(True)
    return list(chosen.values())


def _gradient(model: lm.LanguageModel, example: data.Example, weights: Sequence[Any]) -> Any:
    """Return the gradient of the mean loss of a row, (weights,) float32."""
    import torch

    batch = layout.padded([example], model=model)
    layout.learn(
        batch, model=model, forward=lambda one: model.states(one.ids), trained=max(1, int(example.trained.sum()))
    )
    found = torch.cat([weight.grad.float().flatten() for weight in weights])
    for weight in weights:
        weight.grad = None
    return found


def _directions(model: lm.LanguageModel, rows: pl.DataFrame, *, progress: Progress) -> Mapping[str, Any]:
    """Return for each source of the validation rows the mean of their gradients, each of unit length."""
    weights = _weights(model)
    sums: dict[str, Any] = {}
    counts: dict[str, int] = {}
    given = zip(rows["source"], _examples(model, rows), strict=True)
    for number, (source, example) in enumerate(given, 1):
        progress("gradients of the validation rows", number, rows.height)
        if example is None:
            continue
        gradient = _gradient(model, example, weights)
        norm = gradient.norm()
        if norm:
            sums[source] = sums.get(source, 0) + gradient / norm
            counts[source] = counts.get(source, 0) + 1
    if not sums:
        what = f"no row has an answer within {WINDOW:,} tokens"
        raise UserError("validation", what, "give rows with answers")
    return {source: total / counts[source] for source, total in sums.items()}


def _influence(
    model: lm.LanguageModel, rows: pl.DataFrame, aims: Mapping[str, Any], *, progress: Progress
) -> pl.DataFrame:
    """Return influence and gradient_norm of each row."""
    import torch

    weights, goals = _weights(model), torch.stack(list(aims.values()))
    found: list[tuple[float | None, float | None]] = []
    for number, example in enumerate(_examples(model, rows), 1):
        progress("gradients", number, rows.height)
        if example is None:
            found.append((None, None))
            continue
        gradient = _gradient(model, example, weights)
        norm = float(gradient.norm())
        found.append((float((goals @ (gradient / norm)).max()) if norm else None, norm))
    return pl.DataFrame(found, schema={"influence": pl.Float64, "gradient_norm": pl.Float64}, orient="row")
