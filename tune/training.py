"""Fine-tune a small language model on a mix."""

from __future__ import annotations

import importlib.metadata
import platform
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
from curate.rundir import write_frame, write_json
from curate.schema import canonical, digest
from tune import adapter, checkpoint, data, dynamics, layout, pairs, preference, processes, schedule, tiny, trackers
from tune.settings import Settings
from tune.trunk import Trunk

Progress = Callable[[str, int, int], None]
LOG = "log.parquet"
# AdamW (Loshchilov and Hutter 2019) without decay, which pulls an adapter to nothing; gradients cut at norm 1, as in
# most published recipes.
_NORM = 1.0
_RATES = {"adapter": 1e-3, "full": 1e-4, "scratch": 3e-3}
# Of pairs a tenth: an answer is made unlikely much faster than likely, and what is good with it goes too.
_PAIRS = 0.1
# Seconds between checkpoints, and more where writing one takes over a twentieth of the time: of a full model, 1.6 GB.
_PAUSE, _SHARE = 30.0, 20
# Steps of which the first and the last loss are means.
_MEAN = 5


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
    groups: Sequence[Sequence[data.Example]]
    plan: Sequence[Sequence[int]]
    forward: layout.Forward
    objective: layout.Objective | None
    settings: Settings
    rate: float


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
    with _loaded(model, rows, settings, seed) as (loaded, name):
        scratch = name == tiny.NAME
        window = min(settings.window, loaded.window)
        encoded = data.encode(rows, coder=loaded.coder, window=window)
        size = settings.batch or (32 if loaded.model.device.type == "cuda" else 8)
        kind = "scratch" if scratch else "full" if settings.full else "adapter"
        both = encoded.examples
        groups = list(zip(both[0::2], both[1::2], strict=True)) if paired else [(one,) for one in both]
        plan = schedule.steps([one[0] for one in groups], settings=settings, size=size, seed=seed)
        facts = _facts(loaded, encoded, settings, {"base": name, "kind": kind, "seed": seed, "rows": len(groups)})
        rate = settings.rate or _RATES[kind] * (_PAIRS if paired else 1)
        facts |= {"pairs": paired, "batch": size, "window": window, "rate": rate, "steps": len(plan)}
        facts["key"] = digest(canonical(facts))
        done = _finished(folder, str(facts["key"]))
        if done is not None:
            return Tuned(folder, done)
        make(folder)
        with adapter.opened(loaded, settings=settings, base=name, full=kind != "adapter", seed=seed) as trained:
            started = time.perf_counter()
            forward = _forward(loaded, model, both, settings)
            planned = {place for step in plan for place in step} if paired else ()
            first = [one for place in sorted(planned) for one in groups[place]]
            objective = preference.learned(first, model=loaded, forward=forward, beta=settings.beta) if paired else None
            work = _Work(loaded, groups, plan, forward, objective, settings, rate)
            where = _steps(work, trained.weights, folder, key=str(facts["key"]), progress=progress)
            facts |= _outcome(where.log, time.perf_counter() - started)
            if processes.first():
                _write(folder, facts, where.log, trained)
    return Tuned(folder, facts)


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
    total, started = len(work.plan), time.perf_counter()
    written, pause, read = started, _PAUSE, 0
    with trackers.told(work.settings.report_to, folder, total) as tell:
        for step in range(len(where.log), total):
            pace = work.rate * schedule.rate(step, total=total)
            line, seen = _step(work, work.plan[step], weights, optimizer, pace)
            where.log.append({"step": step + 1, **line})
            where.seen.extend(seen)
            tell(where.log[-1])
            now = time.perf_counter()
            read += int(line["tokens"])
            speed = read / (now - started)
            progress(f"training: loss {line['loss']:.3f}, {speed:,.0f} tokens/s", step + 1, total)
            if now - written > pause and processes.first():
                checkpoint.save(folder, key=key, where=where, weights=weights, optimizer=optimizer)
                written = time.perf_counter()
                pause = max(_PAUSE, _SHARE * (written - now))
    if work.objective is None and processes.count() == 1:  # of several each saw its share alone
        dynamics.write(folder, where.seen, [group[0] for group in work.groups])
    return where


def _step(
    work: _Work, places: Sequence[int], weights: list[Any], optimizer: Any, rate: float
) -> tuple[dict[str, float], list[dynamics.Seen]]:
    """Take one step: the mean loss of its trained tokens or pairs, its gradients, cut, and the change."""
    import torch

    examples = [one for place in places for one in work.groups[place]]
    trained = int(sum(one.trained.sum() for one in examples))
    mine = [one for place in processes.share(places) for one in work.groups[place]]
    learned = None
    if mine:
        batch = (
            layout.packed(mine, model=work.model)
            if work.settings.pack and not work.settings.kept
            else layout.padded(mine, model=work.model)
        )
        with _autocast(work):
            parts, goal = trained if work.objective is None else len(places), work.objective
            learned = layout.learn(batch, model=work.model, forward=work.forward, trained=parts, objective=goal)
    value = processes.total(weights, learned.loss if learned else None)
    if not isfinite(value):
        raise UserError("training", "the loss is no number any more", "lower settings.rate, or use dtype fp32")
    torch.nn.utils.clip_grad_norm_(weights, _NORM)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    tokens = sum(len(one.ids) for one in examples)
    seen = dynamics.seen(processes.share(places), mine, learned) if learned and work.objective is None else []
    return {"rows": len(places), "tokens": tokens, "trained": trained, "rate": rate, "loss": value}, seen


def _autocast(work: _Work) -> Any:
    """Return the context in which weights held in float32, because all are trained, are multiplied in bf16."""
    import torch

    wanted = lm.precision() if work.settings.dtype == "auto" else work.settings.dtype
    if work.settings.full and wanted == "bf16":
        return torch.autocast(work.model.model.device.type, dtype=torch.bfloat16)
    return nullcontext()


def _facts(model: lm.LanguageModel, encoded: data.Encoded, settings: Settings, told: dict[str, Any]) -> dict[str, Any]:
    """Return all that the result depends on: JSON data."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")}
    return {
        "base": {"name": told["base"], "sha": model.sha},
        "kind": told["kind"],
        "seed": told["seed"],
        "rows": told["rows"],
        "rows_sha": digest(*(name for one in encoded.examples for name in (one.id, str(one.ids), str(one.trained)))),
        "tokens": encoded.tokens,
        "trained_tokens": encoded.trained,
        "truncated": encoded.truncated,
        "dtype": model.dtype,
        "settings": settings.model_dump(mode="json", exclude={"report_to"}),
        "processes": processes.count(),
        "versions": {"python": platform.python_version(), **versions},
    }


def _finished(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the facts of a training of this key that is done."""
    path = folder / lm.TUNED
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found if found is not None and found.get("key") == key else None


def _outcome(log: Sequence[dict[str, float]], seconds: float) -> dict[str, Any]:
    """Return what came of a training, and on what it ran."""
    import torch

    losses = [line["loss"] for line in log]
    return {
        "read_tokens": int(sum(line["tokens"] for line in log)),
        "first_loss": sum(losses[:_MEAN]) / len(losses[:_MEAN]),
        "last_loss": sum(losses[-_MEAN:]) / len(losses[-_MEAN:]),
        "seconds": round(seconds, 2),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }


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
