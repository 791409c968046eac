"""Texts with one beginning laid out as a tree: the beginning once, then what follows in each, none seeing another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.lm import LanguageModel


@dataclass(frozen=True)
class Text:
    """Tokens of which the last ones are scored.

    Args:
        ids: all tokens.
        start: the first that is scored, at least 1.
    """

    ids: tuple[int, ...]
    start: int

    @property
    def scored(self) -> int:
        """Return how many tokens are scored."""
        return len(self.ids) - self.start


@dataclass(frozen=True)
class Tree:
    """What goes through a model once for several texts.

    Args:
        ids: the tokens of the beginning, then those of each branch; the last token of a text needs no state.
        common: how many tokens the beginning has.
        lengths: of the branches, in the order of the texts.
    """

    ids: tuple[int, ...]
    common: int
    lengths: tuple[int, ...]


def planted(texts: Sequence[Text]) -> tuple[Tree, list[list[tuple[int, int]]]]:
    """Return the tree of texts, and for each text the place of the state from which each scored token is read, and it.

    Args:
        texts: at least one; the shared beginning ends where anything is scored.
    """
    first = texts[0].ids
    least = min(one.start for one in texts) if len(texts) > 1 else len(first) - 1
    common = next((place for place in range(least) if any(one.ids[place] != first[place] for one in texts)), least)
    ids, lengths, reads = list(first[:common]), [], []
    for one in texts:
        rest = one.ids[common:-1]
        shift = len(ids) - common
        places = [place if place < common else place + shift for place in range(one.start - 1, len(one.ids) - 1)]
        reads.append(list(zip(places, one.ids[one.start :], strict=True)))
        ids += rest
        lengths.append(len(rest))
    return Tree(tuple(ids), common, tuple(lengths)), reads


def laid(trees: Sequence[Tree], *, model: LanguageModel) -> tuple[Any, dict[str, Any]]:
    """Return trees as a model takes them.

    Returns:
        Token ids, (n, longest) int64, filled up on the right; and options: positions that go on from the beginning in
        each branch, and a mask, (n, 1, longest, longest) bool, by which a token sees what is left of it in the
        beginning and in its own branch. Without branches there are none: causal attention does it.
    """
    import torch

    ids = model.padded([one.ids for one in trees])
    if all(one.common == len(one.ids) for one in trees):
        return ids, {}
    where, width = ids.device, ids.shape[1]
    positions = torch.arange(width).repeat(len(trees), 1)
    owners = torch.full((len(trees), width), -1)
    for row, one in enumerate(trees):
        at = one.common
        for number, length in enumerate(one.lengths):
            positions[row, at : at + length] = torch.arange(one.common, one.common + length)
            owners[row, at : at + length] = number
            at += length
        owners[row, at:] = len(one.lengths)  # what fills up
    own = (owners[:, :, None] == owners[:, None, :]) | (owners[:, None, :] == -1)
    seen = own & torch.ones(width, width, dtype=torch.bool).tril()
    return ids, {"position_ids": positions.to(where), "attention_mask": seen[:, None].to(where)}


def states(trees: Sequence[Tree], *, model: LanguageModel) -> Any:
    """Return the last hidden states of trees, (n, longest, d)."""
    ids, options = laid(trees, model=model)
    return model.states(ids, **options)
