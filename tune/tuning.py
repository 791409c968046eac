"""How the tiers with a language model try an arm, as a plan says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict

from curate.weights import SMOLLM2

Whole = Annotated[int, Strict()]


class Tuning(BaseModel):
    """What one training of a grid does; all arms the same.

    Rows, epochs, rank and layers are those of the design in which 30 % label noise was told from clean labels with
    three seeds of a minute each; others were not tried.

    Args:
        model: for `curate.lm.load`: the one that a package brings, or a folder.
        rows: of the largest arm that a seed draws; the others draw the same share.
        epochs: how often the largest arm is seen; the others see as many examples.
        items: evaluation items of a source at most; scoring them takes a third of a training.
        rank: of the adapter.
        layers: how many of the upper layers tier `lora` adapts; the fewer, the more is computed once.
        window: greatest number of tokens of a row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = SMOLLM2
    rows: Whole = Field(default=400, ge=1)
    epochs: Whole = Field(default=2, ge=1)
    items: Whole = Field(default=150, ge=1)
    rank: Whole = Field(default=8, ge=1)
    layers: Whole = Field(default=6, ge=1)
    window: Whole = Field(default=1024, ge=2)
