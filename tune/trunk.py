"""Lower layers that no adapter changes: computed once per text, kept for every epoch, arm and seed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from curate.errors import UserError
from curate.lm import LanguageModel
from tune import trees
from tune.data import Example
from tune.layout import Batch
from tune.trees import Tree

# Tokens computed at once; larger batches are not faster on a CPU.
_TOKENS = 1024
# Tokens whose states are kept, those used last: 0.9 GB of SmolLM2-135M in float32, half of that in bf16.
_ROOM = 400_000
# The two halves of a model must give its own states, but for rounding.
_CLOSE = 1e-3


@dataclass(frozen=True)
class Trunk:
    """A model, and what its lower layers made of texts.

    The states of a token take 4 or 2 bytes for each of the model's dimensions: 2.3 KB for SmolLM2-135M in float32. They
    are kept for as many tokens as have room.

    Args:
        model: the model; it may have an adapter on its upper layers when `forward` is called.
        layers: how many of the upper layers are not part of the trunk.
        kept: states after the trunk by token ids or tree, (length, d) each.
    """

    model: LanguageModel
    layers: int
    kept: dict[Hashable, Any] = field(default_factory=dict)

    def prepare(self, examples: Sequence[Example]) -> int:
        """Compute the states of texts that have none yet; return how many tokens that took.

        Raises:
            UserError: for a model whose layers cannot be taken apart.
        """
        wanted = {ids: len(ids) for ids in (tuple(one.ids[:-1]) for one in examples)}
        return self._keep(wanted, lambda part: (self.model.padded(part), {}))

    def forward(self, batch: Batch) -> Any:
        """Return the last hidden states of a batch, from the kept ones."""
        return self._upper([tuple(one.ids[:-1]) for one in batch.examples], batch.options)

    def states(self, some: Sequence[Tree]) -> Any:
        """Return the last hidden states of trees, (n, longest, d), from the kept ones."""
        self._keep({one: len(one.ids) for one in some}, lambda part: trees.laid(part, model=self.model))
        return self._upper(some, trees.laid(some, model=self.model)[1])

    def _keep(self, wanted: Mapping[Any, int], lay: Callable[[Any], tuple[Any, dict[str, Any]]]) -> int:
        """Compute what is missing of the wanted texts, whose lengths are given; forget what was not used for long."""
        import torch

        if not self.kept:
            self._check()
        missing = sorted((one for one in wanted if one not in self.kept), key=lambda one: wanted[one])
        for one in wanted.keys() & self.kept.keys():
            self.kept[one] = self.kept.pop(one)  # used last
        tokens = sum(wanted[one] for one in missing)
        self._forget(wanted, room=_ROOM - tokens)
        while missing:
            count = max(1, _TOKENS // max(1, wanted[missing[0]]))
            part, missing = missing[:count], missing[count:]
            ids, options = lay(part)
            with torch.no_grad(), only(self.model, lower=True, layers=self.layers):
                states = self.model.states(ids, **options)
            for one, found in zip(part, states, strict=True):
                self.kept[one] = found[: wanted[one]].clone()
        return tokens

    def _forget(self, wanted: Mapping[Any, int], *, room: int) -> None:
        """Let go of the states of other texts, those used longest ago first, until the rest has room."""
        held = sum(len(found) for found in self.kept.values())
        for one in [one for one in self.kept if one not in wanted]:
            if held <= room:
                return
            held -= len(self.kept.pop(one))

    def _upper(self, keys: Sequence[Any], options: dict[str, Any]) -> Any:
        """Return what the upper layers make of kept states, end to end or filled up on the right."""
        import torch

        kept = [self.kept[one] for one in keys]
        end_to_end = "lengths" in options
        below = torch.cat(kept)[None] if end_to_end else torch.nn.utils.rnn.pad_sequence(kept, batch_first=True)
        with only(self.model, lower=False, layers=self.layers):
            return self.model.states(None, inputs_embeds=below, **options)

    def _check(self) -> None:
        """Refuse a model whose halves do not give its own states, tried on four tokens."""
        import torch

        ids = torch.arange(4, device=self.model.model.device)[None] % self.model.model.config.vocab_size
        with torch.no_grad():
            whole = self.model.states(ids).float()
            try:
                with only(self.model, lower=True, layers=self.layers):
                    below = self.model.states(ids)
                with only(self.model, lower=False, layers=self.layers):
                    halves = self.model.states(None, inputs_embeds=below).float()
            except AttributeError:
                halves = torch.full_like(whole, float("inf"))
        if not bool((whole - halves).abs().max() <= _CLOSE * whole.abs().max().clamp(min=1)):
            what = "has layers that cannot be computed apart"
            raise UserError(f"model '{self.model.name}'", what, "leave `kept` out, or take a model of the Llama kind")


@contextmanager
def only(model: LanguageModel, *, lower: bool, layers: int) -> Iterator[None]:
    """Leave a model its lower layers without the last norm, or its upper ones, for a while.

    Args:
        model: of the Llama kind.
        lower: which of both.
        layers: how many count as upper.
    """
    import torch

    inner = model.model.base_model
    every, norm = inner.layers, inner.norm
    cut = len(every) - layers
    inner.layers = every[:cut] if lower else every[cut:]
    inner.norm = torch.nn.Identity() if lower else norm
    try:
        yield
    finally:
        inner.layers, inner.norm = every, norm
