"""Small causal language models from local files, to score texts with and to tune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from curate import apart, tokenizer, weights
from curate.embed import quiet
from curate.errors import INPUT, MISSING, UserError, suggest
from curate.precision import precision
from curate.rundir import file_digest
from curate.schema import digest

DTYPES = ("auto", "bf16", "fp32")
ADAPTER, TUNED = "adapter_config.json", "tune.json"
_INSTALL = "pip install 'curatune[tune]'"
# Logits from the head alone and those of the whole model differ by rounding only, or the model does more than that.
_CLOSE = 1e-3
# States in bf16 have 8 bits; texts that see each other differ by their whole size.
_CLOSE_BF16 = 0.05


@dataclass(frozen=True)
class LanguageModel:
    """A loaded causal language model.

    Args:
        model: of transformers, in `eval` mode, on the GPU where there is one; of an adapter its base, with the adapter
            in place.
        tokenizer: of transformers.
        coder: the same tokenizer as this project reads it: renders conversations and says what is trained.
        name: as it was asked for.
        sha: hash of weights, configuration and tokenizer, of an adapter also of its base.
        dtype: `bf16` or `fp32`, what the weights are held in.
    """

    model: Any
    tokenizer: Any
    coder: tokenizer.Tokenizer
    name: str
    sha: str
    dtype: str

    @property
    def pad(self) -> int:
        """Return the id to fill up with; which one does not matter, nothing looks at it."""
        found = self.tokenizer.pad_token_id
        return int(found if found is not None else self.tokenizer.eos_token_id or 0)

    @property
    def window(self) -> int:
        """Return the greatest number of tokens that the model takes."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30)

    def padded(self, rows: Sequence[Sequence[int]]) -> Any:
        """Return token ids as a tensor, (n, longest) int64, filled up on the right.

        Under causal attention no token sees what stands right of it: no attention mask is needed.
        """
        import torch

        width = max(len(row) for row in rows)
        filled = [[*row, *[self.pad] * (width - len(row))] for row in rows]
        return torch.tensor(filled, dtype=torch.long, device=self.model.device)

    def states(self, ids: Any, **options: Any) -> Any:
        """Return the last hidden states, (n, length, d) in the model's dtype, from which `head` makes logits.

        Args:
            ids: (n, length) token ids, None with `inputs_embeds`.
            options: for the model, such as `position_ids`; with `lengths`, those of texts that lie end to end in one
                row, none sees another (where the model `packs`).
        """
        with apart.attention(self.model) if "lengths" in options else nullcontext():
            return self.model.base_model(input_ids=ids, use_cache=False, **options).last_hidden_state

    @cached_property
    def packs(self) -> bool:
        """Tell whether texts may lie end to end: whether two that do have the states that each has alone."""
        import torch

        if getattr(self.model.base_model.config, "sliding_window", None) is not None:
            return False
        ids = torch.arange(5, device=self.model.device)[None] % self.model.config.vocab_size
        places = torch.tensor([[0, 1, 2, 0, 1]], device=self.model.device)
        with torch.no_grad():
            alone = torch.cat([self.states(ids[:, :3]), self.states(ids[:, 3:])], dim=1).float()
            try:
                both = self.states(ids, position_ids=places, lengths=(3, 2)).float()
            except (AttributeError, TypeError, ValueError, KeyError):  # a model that does attention in a way of its own
                return False
        close = _CLOSE if self.dtype == "fp32" else _CLOSE_BF16
        return both.shape == alone.shape and bool((both - alone).abs().max() <= close * alone.abs().max().clamp(min=1))

    def head(self, states: Any) -> Any:
        """Return logits, (…, vocabulary) float32, of chosen hidden states.

        Always in float32: logits near 20 have steps of 0.125 in bf16.

        Raises:
            UserError: for a model that does more to its logits than its head.
        """
        import torch

        if not self._plain:
            what = "changes its logits after its last layer, which is not supported"
            raise UserError(f"model '{self.name}'", what, "take a model of the Llama or Qwen kind")
        layer = self.model.get_output_embeddings()
        bias = None if getattr(layer, "bias", None) is None else layer.bias.float()
        return torch.nn.functional.linear(states.float(), layer.weight.float(), bias)

    @cached_property
    def _plain(self) -> bool:
        """Tell whether the head alone makes this model's logits, tried on four tokens in float32."""
        import torch

        if self.model.get_output_embeddings() is None:
            return False
        ids = torch.arange(4, device=self.model.device)[None] % self.model.config.vocab_size
        with torch.inference_mode():
            whole = self.model(input_ids=ids, use_cache=False).logits.float()
            layer = self.model.get_output_embeddings()
            alone = layer(self.states(ids)).float()
        return bool((whole - alone).abs().max() <= _CLOSE * whole.abs().max().clamp(min=1))


def load(model: str, *, dtype: str = "auto") -> LanguageModel:
    """Load a model from this machine; nothing is downloaded, no code of its folder is run, no pickle is read.

    Args:
        model: `smollm2`, a folder (a whole model, or an adapter of peft), or a GGUF file.
        dtype: `bf16`, `fp32`, or `auto`: bf16 where this machine is clearly faster in it, see `precision`.

    Raises:
        UserError: status 5 for a missing model or library, 4 for damaged files.
    """
    if dtype not in DTYPES:
        raise UserError(f"dtype '{dtype}'", "unknown", suggest(dtype, DTYPES))
    require(model)
    with quiet():
        chosen = precision() if dtype == "auto" else dtype
        folder = weights.folder(model)
        if (folder / ADAPTER).is_file():
            return _adapted(model, folder, chosen)
        return _whole(model, folder, chosen)


def require(model: str = "smollm2") -> None:
    """Refuse to go on without the libraries that run language models.

    Raises:
        UserError: status 5.
    """
    with quiet():
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            raise UserError(f"model '{model}'", "transformers is not installed", _INSTALL, code=MISSING) from error


def _whole(name: str, folder: Path, dtype: str) -> LanguageModel:
    """Load a model of its own."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kind = torch.bfloat16 if dtype == "bf16" else torch.float32
    local = {"local_files_only": True, "trust_remote_code": False}
    coder = tokenizer.load(folder)

    def read() -> tuple[Any, Any]:
        loaded = AutoModelForCausalLM.from_pretrained(str(folder), dtype=kind, use_safetensors=True, **local)
        return loaded, AutoTokenizer.from_pretrained(str(folder), **local)

    loaded, words = _attempt(name, read)
    return LanguageModel(loaded.to(_device()).eval(), words, coder, name, _digest(folder), dtype)


def _adapted(name: str, folder: Path, dtype: str) -> LanguageModel:
    """Load an adapter on its base."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise UserError(f"model '{name}'", "an adapter needs peft", _INSTALL, code=MISSING) from error
    settings = orjson.loads((folder / ADAPTER).read_bytes())
    tuned = orjson.loads((folder / TUNED).read_bytes()) if (folder / TUNED).is_file() else {}
    base = load(str(settings.get("base_model_name_or_path")), dtype=dtype)
    if tuned.get("base", {}).get("sha", base.sha) != base.sha:
        what = f"was tuned on other weights than '{base.name}' has now"
        raise UserError(f"model '{name}'", what, "tune it again, or bring the base back", code=MISSING)
    joined = _attempt(name, lambda: PeftModel.from_pretrained(base.model, str(folder), local_files_only=True))
    coder = tokenizer.load(folder) if (folder / tokenizer.TOKENIZER).is_file() else base.coder
    inner = joined.get_base_model().eval()  # the model itself, its layers replaced by those with the adapter
    return LanguageModel(inner, base.tokenizer, coder, name, digest(base.sha, _digest(folder)), dtype)


def _attempt(name: str, read: Callable[[], Any]) -> Any:
    """Return what a library reads, its many errors as one that can be mended."""
    from safetensors import SafetensorError

    try:
        return read()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        what = f"cannot be loaded: {' '.join(str(error).split())[:200]}"
        fix = "give the folder of a causal language model and its tokenizer, both saved with save_pretrained"
        raise UserError(f"model '{name}'", what, fix, code=INPUT) from error


def files(model: Path) -> list[Path]:
    """Return the files that make a model what it is, of an adapter those of its base too.

    Args:
        model: a folder or a GGUF file.
    """
    if model.is_file():
        return [model]
    found = _files(model) or sorted(model.glob("*.gguf"))
    if (model / ADAPTER).is_file():
        base = Path(str(orjson.loads((model / ADAPTER).read_bytes()).get("base_model_name_or_path")))
        found += files(base) if base.exists() else []
    return found


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder from which a model is loaded."""
    endings = (".safetensors", ".json", ".jinja", ".model", ".txt")
    made = (TUNED, "checkpoint.safetensors")  # what was said of the training, and where it stood
    return sorted(path for path in folder.iterdir() if path.suffix in endings and path.name not in made)


def _digest(folder: Path) -> str:
    """Return the hash of these files."""
    return digest(*(part for path in _files(folder) for part in (path.name, file_digest(path))))


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
