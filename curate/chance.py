"""Chance as a hash: the same seed, id and purpose give the same number on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

# Written out once: options are shuffled for every row.
_NUMBERS = tuple(b"%d" % number for number in range(32))


def _bits(seed: int, key: str, purpose: str) -> int:
    """Return 64 bits of BLAKE2b over the three values."""
    return int.from_bytes(blake2b(_named(seed, key, purpose), digest_size=8).digest(), "big")


def _named(seed: int, key: str, purpose: str) -> bytes:
    """Return the three values as one, length-prefixed so that no two triples collide by joining."""
    return f"{seed}\x1f{len(purpose)}\x1f{purpose}\x1f{key}".encode()


def uniform(seed: int, key: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on the three values alone."""
    return (_bits(seed, key, purpose) >> 11) / (1 << 53)


def uniforms(seed: int, keys: Sequence[str], purpose: str) -> npt.NDArray[np.float64]:
    """Return `uniform` for each key, shape (n,), float64."""
    return np.fromiter((uniform(seed, key, purpose) for key in keys), dtype=np.float64, count=len(keys))


def pick(seed: int, key: str, purpose: str, *, size: int) -> int:
    """Return an index in [0, size); `size` must be positive."""
    return int((_bits(seed, key, purpose) >> 11) / (1 << 53) * size)  # as `uniform`, which costs a call


def shuffled(seed: int, key: str, purpose: str, *, size: int) -> list[int]:
    """Return a permutation of range(size), ordered by one hash per member so that prefixes are stable draws."""
    # What all members share is hashed once.
    head = blake2b(_named(seed, f"{key}\x1f", purpose), digest_size=8)
    drawn = []
    for index in range(size):
        one = head.copy()
        one.update(_NUMBERS[index] if index < len(_NUMBERS) else b"%d" % index)
        drawn.append((one.digest(), index))
    drawn.sort()
    return [index for _, index in drawn]


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a numpy generator for algorithms that need a stream; use it over id-sorted data only."""
    return np.random.Generator(np.random.PCG64(_bits(seed, "", purpose)))
