"""Texts to vectors on the GPUs of a cluster: on each an actor that has loaded the network once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from curate import embed, stored
from curate.errors import INPUT, UserError
from curate.remote import Cluster, Holders

# Texts of a task: some seconds of a GPU, a few hundred kilobytes of vectors on their way.
TEXTS = 2048


@dataclass(frozen=True)
class Shared:
    """An encoder whose texts are shared out.

    Args:
        encoder: which vectors these are.
        holders: what has its network loaded.
    """

    encoder: embed.Encoder
    holders: Holders

    def checked(self, cache: Path) -> dict[str, Any]:
        """Return what a manifest says about the encoder; the agreement of its backend is that of this processor."""
        return {**replace(self.encoder, device=embed.DEVICE).checked(cache), **self.encoder.identity()}

    def encode(
        self, texts: Sequence[str], *, cache: Path | None = None, progress: embed.Progress | None = None
    ) -> embed.Vectors:
        """Return unit vectors, shape (n, dimensions), float32: see `embed.Encoder.encode`."""
        folder = self.encoder.stored(cache) if cache else None
        return stored.vectors(
            texts, folder=folder, dimensions=self.encoder.dimensions, progress=progress, batches=self._batches
        )

    def _batches(self, texts: list[str]) -> Iterator[tuple[list[int], embed.Vectors]]:
        """Give the places of some texts and their vectors, in the order of the texts."""
        spans = [range(low, min(low + TEXTS, len(texts))) for low in range(0, len(texts), TEXTS)]
        tasks = ([texts[place] for place in span] for span in spans)
        try:
            for span, found in zip(spans, self.holders.map(_encoded, tasks), strict=True):
                yield list(span), found
        except BrokenProcessPool as error:
            fix = "run again: what was encoded is kept; without a GPU in the cluster this is done here"
            what = f"a process that held the network was ended again and again ({str(error).splitlines()[0]})"
            raise UserError("embedding on GPUs", what, fix, code=INPUT) from None


def placed(encoder: embed.Encoder, cluster: Any) -> embed.Encoder | Shared:
    """Return an encoder as it is, or shared out to the GPUs of a Ray cluster that has some.

    A GPU gives other bits than a processor: its vectors are kept apart, and the encoder's identity names it.

    Args:
        encoder: not used yet.
        cluster: what works on slices; only Ray's has GPUs that we know of.

    Raises:
        UserError: what loading the network there raises.
    """
    if not isinstance(cluster, Cluster) or not cluster.gpus:
        return encoder
    holders = cluster.holders(partial(_there, encoder))
    (device,) = holders.map(_device, [None])
    return Shared(replace(encoder, device=device), holders)


def _there(encoder: embed.Encoder) -> embed.Encoder:
    """Return the encoder for the device of this process."""
    import torch

    return replace(encoder, device="cuda" if torch.cuda.is_available() else "cpu")


def _device(encoder: embed.Encoder, _: None) -> str:
    return encoder.device


def _encoded(encoder: embed.Encoder, texts: list[str]) -> embed.Vectors:
    return encoder.encode(texts)
