"""Direct preference optimisation (Rafailov et al. 2023, equation 7): from pairs of answers, without a reward model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.lm import LanguageModel
from tune import layout
from tune.data import Example

# Rows that are looked at together before the training.
_BATCH = 8


@dataclass(frozen=True)
class Preference:
    """What is learned from pairs: the mean of −log σ(β · margin).

    The margin of a pair is how much more likely the model has made the preferred answer than the other since the
    training began: (log π(y⁺) − log π₀(y⁺)) − (log π(y⁻) − log π₀(y⁻)). Its gradient is that of the two answers'
    cross-entropies, weighed by β · σ(−β · margin) and its negative, so a step needs no second pass through the model.

    Args:
        start: log π₀, in nats, of each answer by id.
        beta: β.
    """

    start: Mapping[str, float]
    beta: float

    def __call__(self, examples: Sequence[Example], likelihoods: Any) -> tuple[Any, Any]:
        """Return the weight of each example's cross-entropy, (n,), and the sum of the objective; see `layout`.

        Args:
            examples: pairs in a row, the preferred answer first.
            likelihoods: (n,) log π, in nats.
        """
        import torch

        start = torch.tensor([self.start[one.id] for one in examples], device=likelihoods.device)
        gained = likelihoods - start
        margins = self.beta * (gained[0::2] - gained[1::2])
        weights = self.beta * torch.sigmoid(-margins)
        return torch.stack([weights, -weights], dim=1).flatten(), torch.nn.functional.softplus(-margins).sum()


def learned(examples: Sequence[Example], *, model: LanguageModel, forward: layout.Forward, beta: float) -> Preference:
    """Return what is to be learned, with the log-likelihoods of all answers before anything is trained.

    Args:
        examples: all answers that will be learned from.
        model: the model, as it is when the training begins.
        forward: the way to its last hidden states.
        beta: how dearly the model pays for moving away from where it began.
    """
    order = sorted(examples, key=lambda one: -len(one.ids))
    found: dict[str, float] = {}
    for low in range(0, len(order), _BATCH):
        part = order[low : low + _BATCH]
        sums = layout.likelihoods(layout.padded(part, model=model), model=model, forward=forward)
        found.update(zip((one.id for one in part), sums.tolist(), strict=True))
    return Preference(found, beta)
