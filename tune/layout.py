"""Batches as tensors, filled up or laid end to end, and their loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.lm import LanguageModel
from tune.data import Example


@dataclass(frozen=True)
class Batch:
    """Rows of a step as a model takes them.

    Args:
        ids: (n, length) token ids; the last token of a row is only a target and left out.
        options: what else the model is given: nothing for rows that are filled up, position_ids and lengths for those
            that lie end to end.
        places: (t,) places, in the flattened batch, of the states that predict the trained tokens.
        targets: (t,) these tokens.
        examples: what was laid out.
    """

    ids: Any
    options: dict[str, Any]
    places: Any
    targets: Any
    examples: Sequence[Example]


@dataclass(frozen=True)
class Learned:
    """What a batch taught.

    Args:
        loss: what its gradients are of, a scalar float32.
        losses: (t,) float32, cross-entropy of each trained token in nats.
        first: (t,) bool, whether the token was the model's first choice.
    """

    loss: Any
    losses: Any
    first: Any


# Logits made at once, 24 MB: as fast as all at once, which of eight rows of Alpaca would be three times 230 MB.
_LOGITS = 6_000_000
# Gives the last hidden states of a batch, (n, length, d).
Forward = Callable[[Batch], Any]
# From the log-likelihoods of what is trained of each example, (n,) in nats, gives a weight for the loss of each, (n,),
# whose gradients are those of another objective, and the sum of that objective, a scalar.
Objective = Callable[[Sequence[Example], Any], tuple[Any, Any]]


def padded(examples: Sequence[Example], *, model: LanguageModel) -> Batch:
    """Return one row for each example, filled up on the right, where causal attention never looks."""
    ids = model.padded([one.ids[:-1] for one in examples])
    starts = [number * ids.shape[1] for number in range(len(examples))]
    return Batch(ids, {}, *_predicted(examples, starts, model=model), examples)


def packed(examples: Sequence[Example], *, model: LanguageModel) -> Batch:
    """Return examples end to end in one row; none sees another, and nothing is filled up.

    Positions begin anew with each example, and attention is computed example by example (`curate.apart`). A model that
    cannot do so gets them filled up.
    """
    import torch

    if len(examples) == 1 or not model.packs:
        return padded(examples, model=model)
    lengths = [len(one.ids) - 1 for one in examples]
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    where = model.model.device
    ids = torch.tensor([[token for one in examples for token in one.ids[:-1]]], dtype=torch.long, device=where)
    positions = torch.cat([torch.arange(length, device=where) for length in lengths])[None]
    options = {"position_ids": positions, "lengths": tuple(lengths)}
    return Batch(ids, options, *_predicted(examples, starts, model=model), examples)


def _predicted(examples: Sequence[Example], starts: Sequence[int], *, model: LanguageModel) -> tuple[Any, Any]:
    """Return the places of the states that predict trained tokens, and these tokens."""
    import torch

    trained = [np.flatnonzero(one.trained) for one in examples]
    places = np.concatenate([start + found - 1 for start, found in zip(starts, trained, strict=True)])
    targets = [one.ids[place] for one, found in zip(examples, trained, strict=True) for place in found]
    where = model.model.device
    return torch.from_numpy(places).to(where), torch.tensor(targets, dtype=torch.long, device=where)


def learn(
    batch: Batch, *, model: LanguageModel, forward: Forward, trained: int, objective: Objective | None = None
) -> Learned:
    """Add the gradients of a batch to the weights; return its loss, and the cross-entropy of each token.

    Only states that predict a trained token reach the head, a fifth of the work of a small model, and they do in parts:
    logits of all at once would be the largest thing in memory by far.

    Args:
        batch: at least one row.
        model: whose head it is.
        forward: the way to the last hidden states.
        trained: what the sum of the losses is divided by.
        objective: what is learned instead of the cross-entropy in nats.
    """
    import torch

    states = forward(batch).flatten(0, 1)[batch.places]
    size = max(1, _LOGITS // int(model.model.config.vocab_size))
    ends = [part.detach().requires_grad_() for part in states.split(size)]
    weights, loss = None, None
    if objective is not None:
        each, loss = objective(batch.examples, _sums(batch, states.detach(), model, size))
        weights = each.repeat_interleave(_lengths(batch, states.device)).split(size)
    losses, first = [], []
    for number, (end, targets) in enumerate(zip(ends, batch.targets.split(size), strict=True)):
        logits = model.head(end)
        found = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        ((found if weights is None else found * weights[number]).sum() / trained).backward()
        losses.append(found.detach())
        first.append(logits.argmax(dim=-1) == targets)
    states.backward(torch.cat([end.grad for end in ends]))
    whole = torch.cat(losses)
    return Learned((whole.sum() if loss is None else loss) / trained, whole, torch.cat(first))


def likelihoods(batch: Batch, *, model: LanguageModel, forward: Forward) -> Any:
    """Return the log-likelihood of what is trained of each example, (n,) float32, in nats."""
    import torch

    with torch.no_grad():
        states = forward(batch).flatten(0, 1)[batch.places]
        return _sums(batch, states, model, max(1, _LOGITS // int(model.model.config.vocab_size)))


def _sums(batch: Batch, states: Any, model: LanguageModel, size: int) -> Any:
    """Return the log-likelihood of each example, whose states are read in parts of a size."""
    import torch

    with torch.no_grad():
        parts = zip(states.split(size), batch.targets.split(size), strict=True)
        each = torch.cat([-torch.nn.functional.cross_entropy(model.head(a), b, reduction="none") for a, b in parts])
        lengths = _lengths(batch, states.device)
        owner = torch.arange(len(lengths), device=states.device).repeat_interleave(lengths)
        return torch.zeros(len(lengths), device=states.device).index_add_(0, owner, each.float())


def _lengths(batch: Batch, device: Any) -> Any:
    """Return how many tokens of each example are trained, (n,) int64."""
    import torch

    return torch.tensor([int(one.trained.sum()) for one in batch.examples], device=device)
