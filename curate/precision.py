"""Whether this machine is faster in bf16: found out once and kept, so that no result hangs on how busy it was."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from curate import weights
from curate.folders import workshop
from curate.rundir import write_json
from curate.schema import canonical, digest

BF16, FP32 = "bf16", "fp32"
# How much faster bf16 must be to be worth its rounding. A product of matrices took 0.25 of the time of fp32 where the
# processor has avx512_bf16, 1.3 where it has avx512 alone and 50 with avx2 (oneDNN held to each in turn): a factor of
# 1.8 lies as far from the first as from the second, and chance decides for neither.
_WORTH = 1.8
# Times that each is measured, by turns, so that what else runs delays both; the least time is that of the machine. Half
# a second, five where bf16 is only imitated.
_TURNS = 20
Measure = Callable[[str], float]


@lru_cache(maxsize=1)
def precision() -> str:
    """Return the dtype that this machine works well in: `bf16` where a product of matrices is clearly faster in it.

    On a processor this is measured once for its type and the version of torch, and kept in the folder `precision`
    beside that of converted models; deleted, it is measured anew.

    Raises:
        UserError: when that folder cannot be written.
    """
    import torch

    if torch.cuda.is_available():
        return BF16 if torch.cuda.is_bf16_supported() else FP32
    return kept(weights.home().parent / "precision", about=_about(), measure=_seconds)


def kept(folder: Path, *, about: dict[str, str], measure: Measure) -> str:
    """Return what was decided on such a machine, decided now where nothing was.

    Args:
        folder: of decisions; several processes may share it, and one of them decides.
        about: what a decision is about: type of processor, versions.
        measure: seconds of a piece of work in a dtype.
    """
    path = folder / f"{digest(canonical(about))[:16]}.json"
    if not path.is_file():
        with workshop(folder / f".{path.stem}.partial", wait=True) as shop:
            if not path.is_file():  # another process may have been first
                write_json(shop / path.name, {**about, **decided(measure)})
                (shop / path.name).replace(path)
    return str(orjson.loads(path.read_bytes())["dtype"])


def decided(measure: Measure) -> dict[str, Any]:
    """Return the dtype that is taken, and the least seconds of each.

    Args:
        measure: seconds of a piece of work in a dtype.
    """
    turns = [(measure(FP32), measure(BF16)) for _ in range(_TURNS)]
    plain, short = (min(taken) for taken in zip(*turns, strict=True))
    return {"dtype": BF16 if plain > _WORTH * short else FP32, "seconds": {FP32: plain, BF16: short}}


def _seconds(dtype: str) -> float:
    """Return the seconds of a product of matrices: those of a layer of SmolLM2 over 64 tokens."""
    import torch

    kind = torch.bfloat16 if dtype == BF16 else torch.float32
    left, right = torch.ones(64, 576, dtype=kind), torch.ones(576, 1536, dtype=kind)
    started = time.perf_counter()
    _ = left @ right
    return time.perf_counter() - started


def _about() -> dict[str, str]:
    """Return the type of the processor, what it can do, and the version of what computes on it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)  # of the first processor
    told = {name.strip(): value.strip() for name, value in found.items()}
    return {
        "machine": platform.machine(),
        "processor": told.get("model name") or platform.processor(),
        "features": digest(told.get("flags") or told.get("Features") or "")[:16],
        "torch": metadata.version("torch"),
    }
