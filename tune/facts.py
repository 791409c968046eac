"""What tune.json tells of a training."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from curate import lm
from curate.schema import digest
from tune import data, processes
from tune.settings import Settings

# Steps of which the first and the last loss are means.
_MEAN = 5


def beforehand(
    model: lm.LanguageModel, encoded: data.Encoded, settings: Settings, told: dict[str, Any]
) -> dict[str, Any]:
    """Return all that the result depends on: JSON data.

    Args:
        model: the base, loaded.
        encoded: the conversations.
        settings: how it is tuned.
        told: base, kind, seed and rows (or pairs).
    """
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")}
    return {
        "base": {"name": told["base"], "sha": model.sha},
        "kind": told["kind"],
        "seed": told["seed"],
        "rows": told["rows"],
        "rows_sha": digest(*(name for one in encoded.examples for name in (one.id, str(one.ids), str(one.trained)))),
        "tokens": encoded.tokens,
        "trained_tokens": encoded.trained,
        "truncated": encoded.truncated,
        "dtype": model.dtype,
        "settings": settings.model_dump(mode="json", exclude={"report_to"}),
        "processes": processes.count(),
        "versions": {"python": platform.python_version(), **versions},
    }


def afterwards(log: Sequence[dict[str, float]], seconds: float) -> dict[str, Any]:
    """Return what came of a training, from its log and how long it took, and on what it ran: JSON data."""
    import torch

    losses = [line["loss"] for line in log]
    return {
        "read_tokens": int(sum(line["tokens"] for line in log)),
        "first_loss": sum(losses[:_MEAN]) / len(losses[:_MEAN]),
        "last_loss": sum(losses[-_MEAN:]) / len(losses[-_MEAN:]),
        "seconds": round(seconds, 2),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
