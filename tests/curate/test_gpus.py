"""Texts shared out to GPUs: the vectors of one process, kept apart where a device gives other bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from curate import embed, gpus
from curate.errors import UserError
from curate.remote import Cluster, Holders

TEXTS = [f"{number} lamps stand beside the river" for number in range(7)] + ["", "a lamp"]


class Here:
    """Holders whose actor is this process."""

    def __init__(self, held: Any) -> None:
        self.held, self.tasks = held, list[Any]()

    def map(self, work: Callable[[Any, Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        for task in tasks:
            self.tasks.append(task)
            yield work(self.held, task)


class Dead:
    """Holders whose actor was killed."""

    def map(self, work: Callable[[Any, Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        raise BrokenProcessPool("the actor died")


def test_vectors_are_those_of_one_process_and_each_is_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "TEXTS", 4)
    encoder = embed.load()
    here = Here(encoder)
    shared = gpus.Shared(encoder, cast(Holders, here))
    wanted = encoder.encode(TEXTS)
    assert np.array_equal(shared.encode([*TEXTS, TEXTS[0]], cache=tmp_path)[:-1], wanted)
    assert [len(task) for task in here.tasks] == [4, 4, 1]
    assert np.array_equal(shared.encode(TEXTS, cache=tmp_path), wanted)
    assert len(here.tasks) == 3
    assert np.array_equal(encoder.encode(TEXTS, cache=tmp_path), wanted)  # kept where one process looks


def test_another_device_is_named_and_its_vectors_are_kept_apart(tmp_path: Path) -> None:
    encoder = embed.load()
    there = replace(encoder, device="cuda")
    assert there.stored(tmp_path) != encoder.stored(tmp_path)
    assert "device" not in encoder.identity()
    shared = gpus.Shared(there, cast(Holders, Dead()))
    assert shared.checked(tmp_path) == {**encoder.identity(), "device": "cuda"}


def test_without_a_gpu_the_encoder_stays_here() -> None:
    encoder = embed.load()
    assert gpus.placed(encoder, Cluster(2)) is encoder
    assert gpus.placed(encoder, None) is encoder


def test_an_actor_that_is_killed_again_and_again_is_told() -> None:
    shared = gpus.Shared(embed.load(), cast(Holders, Dead()))
    with pytest.raises(UserError, match="was ended again and again"):
        shared.encode(["a lamp"])
