from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate import precision

ABOUT = {"processor": "one", "torch": "2"}


def clock(*, fp32: list[float], bf16: list[float]) -> precision.Measure:
    """Return what measures these seconds, by turns, over and over."""
    turns = {"fp32": 0, "bf16": 0}

    def measure(dtype: str) -> float:
        taken = {"fp32": fp32, "bf16": bf16}[dtype]
        turns[dtype] += 1
        return taken[turns[dtype] % len(taken)]

    return measure


@pytest.mark.parametrize(
    ("fp32", "bf16", "chosen"),
    [
        ([1.2], [0.3], "bf16"),  # avx512_bf16
        ([1.2], [1.5], "fp32"),  # avx512
        ([1.3], [97.0], "fp32"),  # imitated
        ([1.2], [1.0], "fp32"),  # hardly faster: not worth its rounding
        ([1.2, 1.2, 80.0], [0.3, 40.0], "bf16"),  # what delays some turns decides nothing
        ([90.0, 1.2], [1.5, 1.5], "fp32"),
    ],
)
def test_bf16_is_taken_where_its_least_time_is_clearly_shorter(
    fp32: list[float], bf16: list[float], chosen: str
) -> None:
    assert precision.decided(clock(fp32=fp32, bf16=bf16))["dtype"] == chosen


def test_both_are_measured_by_turns() -> None:
    seen: list[str] = []

    def measure(dtype: str) -> float:
        seen.append(dtype)
        return 1.0

    precision.decided(measure)
    assert seen[:4] == ["fp32", "bf16", "fp32", "bf16"]
    assert seen.count("fp32") == seen.count("bf16") >= 10


def test_what_was_decided_stays_until_it_is_deleted_or_the_machine_is_another(tmp_path: Path) -> None:
    fast, slow = clock(fp32=[1.2], bf16=[0.3]), clock(fp32=[1.2], bf16=[1.5])
    assert precision.kept(tmp_path, about=ABOUT, measure=fast) == "bf16"
    assert precision.kept(tmp_path, about=ABOUT, measure=slow) == "bf16"
    assert precision.kept(tmp_path, about={**ABOUT, "torch": "3"}, measure=slow) == "fp32"
    files = sorted(tmp_path.iterdir())
    assert [path.suffix for path in files] == [".json", ".json"]  # and nothing half made
    told = [json.loads(path.read_bytes()) for path in files]
    assert {"processor": "one", "torch": "2", "dtype": "bf16", "seconds": {"fp32": 1.2, "bf16": 0.3}} in told
    for path in files:
        path.unlink()
    assert precision.kept(tmp_path, about=ABOUT, measure=slow) == "fp32"


def test_it_is_kept_beside_the_converted_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("CURATUNE_CACHE", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    seconds = {"fp32": 1.2, "bf16": 0.3}
    monkeypatch.setattr(precision, "_seconds", seconds.__getitem__)
    precision.precision.cache_clear()
    try:
        assert precision.precision() == "bf16"
    finally:
        precision.precision.cache_clear()
    assert len(list((tmp_path / "precision").glob("*.json"))) == 1
