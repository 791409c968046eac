"""Texts laid end to end, none of which sees another: attention text by text, everything else for all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_NAME = "apart"


@contextmanager
def attention(model: Any) -> Iterator[None]:
    """Let a model of transformers compute attention text by text for a while; its call then takes `lengths`.

    Nothing is filled up and no mask is made, so no work is spent on what nobody reads.

    Args:
        model: of transformers, whose layers ask its configuration how attention is computed.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _by_text)
    config = model.base_model.config
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _by_text(module: Any, *states: Any, lengths: Sequence[int], scaling: float, **others: Any) -> tuple[Any, None]:
    """Return causal attention within each text, (1, length, heads, d), as transformers asks for it.

    Args:
        module: the layer.
        states: queries, (1, heads, length, d); keys and values, each (1, heads or a part of them, length, d); and a
            mask, which is none.
        lengths: of the texts; they sum to length.
        scaling: of the products.
        others: what other ways of attention need.
    """
    import torch

    query, key, value, _ = states
    times = query.shape[1] // key.shape[1]
    every = (query, key.repeat_interleave(times, dim=1), value.repeat_interleave(times, dim=1))
    parts = zip(*(one.split(list(lengths), dim=2) for one in every), strict=True)
    found = [torch.nn.functional.scaled_dot_product_attention(*part, is_causal=True, scale=scaling) for part in parts]
    return torch.cat(found, dim=2).transpose(1, 2).contiguous(), None
