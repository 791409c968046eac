"""Chance as a hash: the same seed, id and purpose give the same number on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt


def _bits(seed: int, key: str, purpose: str) -> int:
    """Return 64 bits of BLAKE2b over the three values, length-prefixed so that no two triples collide by joining."""
    data = f"{seed}\x1f{len(purpose)}\x1f{purpose}\x1f{key}".encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def uniform(seed: int, key: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the three values alone."""
    return (_bits(seed, key, purpose) >> 11) / (1 << 53)


def uniforms(seed: int, keys: Sequence[str], purpose: str) -> npt.NDArray[np.float64]:
    """Return `uniform` for each key, shape (n,), float64."""
    return np.fromiter((uniform(seed, key, purpose) for key in keys), dtype=np.float64, count=len(keys))


def pick(seed: int, key: str, purpose: str, *, size: int) -> int:
    """Return an index in [0, size); `size` must be positive."""
    return int(uniform(seed, key, purpose) * size)


def shuffled(seed: int, key: str, purpose: str, *, size: int) -> list[int]:
    """Return a permutation of range(size), ordered by one hash per member so that prefixes are stable draws."""
    return sorted(range(size), key=lambda index: (_bits(seed, f"{key}\x1f{index}", purpose), index))


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a numpy generator for algorithms that need a stream; use it over id-sorted data only."""
    return np.random.Generator(np.random.PCG64(_bits(seed, "", purpose)))
