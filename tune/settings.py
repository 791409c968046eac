"""How a model is tuned: one value, each default with its reason."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Settings(BaseModel):
    """What a training does, but for its rows, its model and its seed.

    Args:
        epochs: how often each row is seen; 2 when no budget is given (measured to suffice on a few hundred rows).
        steps: a budget of steps instead. Arms are compared at equal steps: they differ in rows, not in training.
        tokens: a budget of tokens instead, the context among them; training ends with the batch that reaches it.
        batch: rows of a step, over all processes; 8 on a CPU, where larger ones are not faster, and 32 on a GPU.
        window: greatest number of tokens of a row; 1,024 holds all but long documents.
        rate: the highest learning rate; 1e-3 for LoRA (worked in all ablations of SmolLM2-135M, others untried),
            1e-4 for full fine-tuning, 3e-3 for a model from scratch. The same for pairs:
            of 1e-4, 5e-4 and 1e-3 the last taught an adapter most in one pilot (bench/preference.py), others untried.
        full: whether all weights are tuned instead of an adapter.
        rank: of the adapter; 8, with a scale of 2 (alpha 16), is the smallest size in use.
        layers: how many of the upper layers have an adapter; all when left out.
        kept: whether the layers below them are computed once per text and kept; needs `layers`.
        pack: whether the rows of a step are laid end to end, none seeing another, instead of filled up to the longest;
            the loss is the same, and a step of eight rows of about one length took 12.2 s instead of 16.6.
        dtype: `bf16`, `fp32`, or `auto`: what this machine is fast in (`curate.precision`), and what it began in for a
            training that goes on.
        beta: of direct preference optimisation, when pairs are learned from: how dearly the model pays for moving away
            from where it began; 0.1 as its authors used throughout (Rafailov et al. 2023).
        report_to: trackers of transformers, such as `tensorboard`, `wandb` or `mlflow`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int | None = Field(default=None, ge=1)
    steps: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=1)
    window: int = Field(default=1024, ge=2)
    rate: float | None = Field(default=None, gt=0)
    full: bool = False
    rank: int = Field(default=8, ge=1)
    layers: int | None = Field(default=None, ge=1)
    kept: bool = False
    pack: bool = True
    dtype: str = "auto"
    beta: float = Field(default=0.1, gt=0)
    report_to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if sum(one is not None for one in (self.epochs, self.steps, self.tokens)) > 1:
            raise ValueError("name one budget: epochs, steps or tokens")
        if self.full and (self.layers or self.kept):
            raise ValueError("`layers` and `kept` are of adapters, not of full fine-tuning")
        if self.kept and self.layers is None:
            raise ValueError("`kept` needs `layers`")
        return self
