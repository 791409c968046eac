"""What of a model is trained: a LoRA adapter put into it and taken out again, or all its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.embed import quiet
from curate.errors import MISSING, UserError
from curate.lm import LanguageModel
from tune.settings import Settings

_INSTALL = "pip install 'curatune[tune]'"
# Hu et al. 2021 scale the update by alpha / rank; 2 is the usual choice and the one measured with.
_SCALE = 2


@dataclass(frozen=True)
class Trained:
    """What is trained.

    Args:
        weights: the tensors, in a fixed order.
        save: writes what was trained into a folder.
        joined: the model of peft around the model, or the model itself.
    """

    weights: list[Any]
    save: Callable[[Path], None]
    joined: Any


@contextmanager
def opened(model: LanguageModel, *, settings: Settings, base: str, full: bool, seed: int) -> Iterator[Trained]:
    """Make a model trainable; in the end it is as it was, unless all its weights were trained.

    Args:
        model: its weights are frozen beside an adapter.
        settings: of them `rank` and `layers`.
        base: how the adapter names its model.
        full: whether all weights are trained.
        seed: of the adapter's first weights.
    """
    if full:
        weights = list(model.model.parameters())
        for weight in weights:
            weight.requires_grad_(True)
        yield Trained(weights, lambda folder: _save_whole(model, folder), model.model)
        model.model.requires_grad_(False)
        return
    joined = _joined(model, settings, seed)
    joined.peft_config["default"].base_model_name_or_path = base
    try:
        weights = [weight for weight in joined.parameters() if weight.requires_grad]
        yield Trained(weights, lambda folder: _save_adapter(joined, model, folder), joined)
    finally:
        joined.unload()


@contextmanager
def worn(model: LanguageModel, folder: Path) -> Iterator[None]:
    """Put a saved adapter into a loaded model for a while; in the end the model is as it was.

    Args:
        model: the very model that the adapter was trained on.
        folder: of the adapter.
    """
    from peft import PeftModel

    with quiet():
        joined = PeftModel.from_pretrained(model.model, str(folder), local_files_only=True)
    try:
        yield
    finally:
        joined.unload()


def _joined(model: LanguageModel, settings: Settings, seed: int) -> Any:
    """Return the model of peft around the model, whose linear layers now have an adapter."""
    import torch

    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("LoRA", "peft is not installed", _INSTALL, code=MISSING) from error
    head = model.model.get_output_embeddings()
    linear = [name for name, part in model.model.named_modules() if isinstance(part, torch.nn.Linear)]
    targets = sorted({name.rsplit(".", 1)[-1] for name in linear if model.model.get_submodule(name) is not head})
    total = int(model.model.config.num_hidden_layers)
    upper = None
    if settings.layers is not None:
        if settings.layers > total:
            raise UserError("layers", f"{settings.layers} of a model that has {total}", f"at most {total}")
        upper = list(range(total - settings.layers, total))
    config = LoraConfig(
        r=settings.rank, lora_alpha=_SCALE * settings.rank, target_modules=targets, layers_to_transform=upper,
        task_type="CAUSAL_LM",
    )  # fmt: skip
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_peft_model(model.model, config)


def _save_adapter(joined: Any, model: LanguageModel, folder: Path) -> None:
    with quiet():
        joined.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # a model card with nothing in it
        model.tokenizer.save_pretrained(str(folder))


def _save_whole(model: LanguageModel, folder: Path) -> None:
    with quiet():
        model.model.save_pretrained(str(folder))
        model.tokenizer.save_pretrained(str(folder))
