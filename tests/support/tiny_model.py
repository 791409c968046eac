"""A causal model of a few hundred weights over the tokenizer whose tokens can be counted by eye."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_tokenizer import CHATML, write_tokenizer


def write_model(folder: Path, *, layers: int = 2, seed: int = 0) -> Path:
    """Write a random Llama with `tiny_tokenizer`'s tokens; return the folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    write_tokenizer(folder, template=None)
    tokens = {"bos_token": "<s>", "eos_token": "<|end|>", "unk_token": "<unk>", "pad_token": "<unk>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": CHATML, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=18, hidden_size=16, intermediate_size=32, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=128, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=3, pad_token_id=0, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder
