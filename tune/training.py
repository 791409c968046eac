"""Fine-tune a small language model on a mix."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import lm
from curate.errors import UserError
from curate.folders import make
from curate.precision import BF16, precision
from curate.rundir import write_frame, write_json
from curate.schema import canonical, digest
from tune import (
    adapter,
    checkpoint,
    data,
    dynamics,
    facts,
    layout,
    pairs,
    preference,
    processes,
    schedule,
    tiny,
    trackers,
)
from tune.settings import Settings
from tune.trunk import Trunk

Progress = Callable[[str, int, int], None]
LOG = "log.parquet"
# AdamW (Loshchilov and Hutter 2019) without decay, which pulls an adapter to nothing; gradients cut at norm 1, as in
# most published recipes.
_NORM = 1.0
_RATES = {"adapter": 1e-3, "full": 1e-4, "scratch": 3e-3}
# Seconds between checkpoints, and more where writing one takes over a twentieth of the time: of a full model, 1.6 GB.
_PAUSE, _SHARE = 30.0, 20


@dataclass(frozen=True)
class Tuned:
    """A finished training.

    Args:
        path: folder of the adapter or model; `curate.lm.load` reads it.
        facts: what was trained on what, and what came of it, as in tune.json.
    """

    path: Path
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Work:
    """All that the steps of a training need."""

    model: lm.LanguageModel
    examples: Sequence[data.Example]
    group: int  # examples that are learned together: two of a pair
    plan: Sequence[Sequence[int]]
    forward: layout.Forward
    objective: layout.Objective | None
    settings: Settings
    rate: float

    def places(self, plan: Sequence[int]) -> list[int]:
        """Return the places of the examples of some rows or pairs."""
        return [self.group * number + part for number in plan for part in range(self.group)]


def train(
    mix: pl.DataFrame | str | Path,
    *,
    out: str | Path,
    model: str | lm.LanguageModel | Trunk = "smollm2",
    settings: Settings = Settings(),  # noqa: B008  # a frozen value
    seed: int = 0,
    progress: Progress = lambda label, done, total: None,
) -> Tuned:
    """Fine-tune a model on a mix; broken off, the same call goes on from its last checkpoint; done, it does nothing.

    Args:
        mix: rows with `messages`, a run directory, or a file of conversations; or pairs (rows with `rejected` too, as
            of `pairs.load`, or a file of them), from which a model learns what is preferred: see `preference`.
        out: folder for what is trained, its log of steps and tune.json; new, empty, or of an earlier training.
        model: a name or path for `curate.lm.load`, `tiny` for a small Llama from scratch, or a model that is loaded, or
            a trunk with one and what is kept of it; the weights are as before afterwards, unless all are trained.
        settings: budget, sizes, rates.
        seed: of the first weights and of the order of rows.
        progress: called with a label that holds early numbers, the steps done and all steps.

    Raises:
        UserError: for rows that cannot be written or have nothing to train on, a missing model or library, or a loss
            that is no number.
    """
    processes.join()
    folder = _free(Path(out))
    rows, paired = _rows(mix)
    if not rows.height:
        raise UserError("mix", "has no rows", "there is nothing to train on")
    settings = _settled(settings, folder, model)
    with _loaded(model, rows, settings, seed) as (loaded, name):
        scratch = name == tiny.NAME
        window = min(settings.window, loaded.window)
        encoded = data.encode(rows, coder=loaded.coder, window=window)
        size = settings.batch or (32 if loaded.model.device.type == "cuda" else 8)
        kind = "scratch" if scratch else "full" if settings.full else "adapter"
        both = encoded.examples
        group = 2 if paired else 1
        plan = schedule.steps(both[::group], settings=settings, size=size, seed=seed)
        about = {"base": name, "kind": kind, "seed": seed, "rows": len(both) // group}
        told = facts.beforehand(loaded, encoded, settings, about)
        rate = settings.rate or _RATES[kind]
        told |= {"pairs": paired, "batch": size, "window": window, "rate": rate, "steps": len(plan)}
        told["key"] = digest(canonical(told))
        done = _finished(folder, str(told["key"]))
        if done is not None:
            return Tuned(folder, done)
        make(folder)
        with adapter.opened(loaded, settings=settings, base=name, full=kind != "adapter", seed=seed) as trained:
            started = time.perf_counter()
            forward = _forward(loaded, model, both, settings)
            objective = _objective(plan, both, (loaded, forward, settings.beta)) if paired else None
            work = _Work(loaded, both, group, plan, forward, objective, settings, rate)
            where = _steps(work, trained.weights, folder, key=str(told["key"]), progress=progress)
            told |= facts.afterwards(where.log, time.perf_counter() - started)
            if processes.first():
                if processes.count() == 1 and not paired:  # of several each saw its share alone
                    dynamics.write(folder, where.seen, encoded.examples)
                _write(folder, told, where.log, trained)
    return Tuned(folder, told)


def _rows(mix: pl.DataFrame | str | Path) -> tuple[pl.DataFrame, bool]:
    """Return the conversations, and whether they are pairs, one after the other."""
    if isinstance(mix, pl.DataFrame) and "rejected" in mix.columns:
        return pairs.unpaired(mix), True
    if not isinstance(mix, pl.DataFrame) and pairs.holds(mix):
        return pairs.unpaired(pairs.load(Path(mix))), True
    return data.rows(mix), False


def _free(folder: Path) -> Path:
    """Return the folder; refuse one that holds something else."""
    ours = any((folder / name).exists() for name in (lm.TUNED, checkpoint.NAME, LOG, trackers.FOLDER))
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(str(folder), "exists and is no training", "choose another --out, or empty it yourself")
    return folder


def _settled(settings: Settings, folder: Path, model: str | lm.LanguageModel | Trunk) -> Settings:
    """Return settings that name the dtype: the one of a training that goes on, of a loaded model, of this machine."""
    if settings.dtype != "auto":
        return settings
    loaded = model.model if isinstance(model, Trunk) else model
    own = loaded.dtype if isinstance(loaded, lm.LanguageModel) and not settings.full else None
    return settings.model_copy(update={"dtype": own or checkpoint.dtype(folder) or precision()})


@contextmanager
def _loaded(
    model: str | lm.LanguageModel | Trunk, rows: pl.DataFrame, settings: Settings, seed: int
) -> Iterator[tuple[lm.LanguageModel, str]]:
    """Yield the model that is trained and the name of its base."""
    if isinstance(model, Trunk):
        yield model.model, model.model.name
    elif isinstance(model, lm.LanguageModel):
        yield model, model.name
    elif model == tiny.NAME:
        with tempfile.TemporaryDirectory() as folder:
            tiny.write_model(Path(folder), tiny.texts(rows), seed=seed)
            # a model of this size is not faster in bf16, whose steps are too coarse to train weights in
            yield replace(lm.load(folder, dtype="fp32"), name=tiny.NAME), tiny.NAME
    else:
        found = lm.load(model, dtype="fp32" if settings.full else settings.dtype)
        yield found, model if model == "smollm2" else str(Path(model).expanduser().resolve())


def _objective(
    plan: Sequence[Sequence[int]], examples: Sequence[data.Example], by: tuple[lm.LanguageModel, layout.Forward, float]
) -> layout.Objective:
    """Return what pairs teach, from the likelihoods of those that will be seen, by the model as it is now."""
    seen = sorted({2 * pair + part for step in plan for pair in step for part in (0, 1)})
    return preference.learned([examples[place] for place in seen], model=by[0], forward=by[1], beta=by[2])


def _forward(
    model: lm.LanguageModel, given: object, examples: Sequence[data.Example], settings: Settings
) -> layout.Forward:
    """Return the way through a model: plain, or from the kept states of its lower layers."""
    if not settings.kept:
        return lambda batch: model.states(batch.ids, **batch.options)
    trunk = given if isinstance(given, Trunk) else Trunk(model, settings.layers or 0)
    if trunk.layers != settings.layers:
        what = f"the trunk leaves {trunk.layers}, the settings adapt {settings.layers}"
        raise UserError("layers", what, "use the same number")
    trunk.prepare(examples)
    return trunk.forward


def _steps(work: _Work, weights: list[Any], folder: Path, *, key: str, progress: Progress) -> checkpoint.Standing:
    """Train, from the last checkpoint on; return a line for each step, and what it saw of each example."""
    import torch

    optimizer = torch.optim.AdamW(weights, lr=work.rate, weight_decay=0.0)
    where = checkpoint.restore(folder, key=key, weights=weights, optimizer=optimizer)
    log = where.log
    total, started = len(work.plan), time.perf_counter()
    written, pause, read = started, _PAUSE, 0
    with trackers.told(work.settings.report_to, folder, total) as tell:
        for step in range(len(log), total):
            pace = work.rate * schedule.rate(step, total=total)
            line, seen = _step(work, work.plan[step], weights, optimizer, pace)
            log.append({"step": step + 1, **line})
            where.seen.extend(seen)
            tell(log[-1])
            now = time.perf_counter()
            read += int(log[-1]["tokens"])
            note = f"loss {log[-1]['loss']:.3f}, {read / (now - started):,.0f} tokens/s"
            progress(f"training: {note}", step + 1, total)
            if now - written > pause and processes.first():
                dtype = work.settings.dtype
                checkpoint.save(folder, key=key, dtype=dtype, where=where, weights=weights, optimizer=optimizer)
                written = time.perf_counter()
                pause = max(_PAUSE, _SHARE * (written - now))
    return where


def _step(
    work: _Work, plan: Sequence[int], weights: list[Any], optimizer: Any, rate: float
) -> tuple[dict[str, float], list[dynamics.Seen]]:
    """Take one step: the mean loss of its trained tokens or pairs, its gradients, cut, and the change."""
    import torch

    examples = [work.examples[place] for place in work.places(plan)]
    trained = int(sum(one.trained.sum() for one in examples))
    places = work.places(processes.share(plan))
    mine = [work.examples[place] for place in places]
    learned = None
    if mine:
        batch = (layout.packed if work.settings.pack else layout.padded)(mine, model=work.model)
        with _autocast(work):
            parts = trained if work.objective is None else len(plan)
            learned = layout.learn(
                batch, model=work.model, forward=work.forward, trained=parts, objective=work.objective
            )
    value = processes.total(weights, learned.loss if learned else None)
    if not isfinite(value):
        fix = "lower the rate (settings.rate), or use dtype fp32"
        raise UserError("training", "the loss is no number any more", fix)
    torch.nn.utils.clip_grad_norm_(weights, _NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    tokens = sum(len(one.ids) for one in examples)
    seen = dynamics.seen(places, mine, learned) if learned else []
    return {"rows": len(plan), "tokens": tokens, "trained": trained, "rate": rate, "loss": value}, seen


def _autocast(work: _Work) -> Any:
    """Return the context in which weights held in float32, because all are trained, are multiplied in bf16."""
    import torch

    if work.settings.full and work.settings.dtype == BF16:
        return torch.autocast(work.model.model.device.type, dtype=torch.bfloat16)
    return nullcontext()


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the facts of a training of this key that is done."""
    path = folder / lm.TUNED
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found if found is not None and found.get("key") == key else None


def _write(folder: Path, facts: dict[str, Any], log: list[dict[str, float]], trained: adapter.Trained) -> None:
    """Write log, weights and facts, the facts last: with them a training is done."""
    whole = pl.col("step", "rows", "tokens", "trained").cast(pl.Int64)
    write_frame(folder / LOG, pl.DataFrame(log).with_columns(whole))
    for path in folder.iterdir():  # of an earlier training; an adapter beside a whole model would be read as both
        if path.suffix in (".json", ".jinja", ".safetensors") and path.name != checkpoint.NAME:
            path.unlink()
    trained.save(folder)
    write_json(folder / lm.TUNED, facts)
    (folder / checkpoint.NAME).unlink(missing_ok=True)
