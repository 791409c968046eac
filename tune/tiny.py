"""A small Llama from scratch, with a tokenizer of its own: seconds to train, for tests and grids of many seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from curate.embed import quiet

NAME = "tiny"
START, END, PAD = "<|start|>", "<|end|>", "<|pad|>"
# Each turn is <|start|>, its role, a line break, its text, <|end|>.
TEMPLATE = (
    "{% for message in messages %}{{ '<|start|>' + message['role'] + '\n' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)
# A million weights in all: 0.3 in the vocabulary, 0.2 in each layer. Short texts have three times as many tokens as
# words with it.
_VOCABULARY, _WIDTH, _LAYERS, _HEADS, _WINDOW = 2048, 128, 4, 4, 1024


def texts(rows: pl.DataFrame) -> list[str]:
    """Return the texts of all turns, in order."""
    turns = rows.select(pl.col("messages").list.explode().struct.field("content").alias("text"))
    return turns["text"].drop_nulls().to_list()


def write_tokenizer(folder: Path, texts: Iterable[str]) -> None:
    """Write a byte-pair tokenizer trained on texts, with a chat template."""
    with quiet():
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast

        inner = Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=_VOCABULARY, special_tokens=[PAD, START, END], show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )  # fmt: skip
        inner.train_from_iterator(texts, trainer)
        outer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, pad_token=PAD, bos_token=START)
        outer.chat_template = TEMPLATE
        outer.save_pretrained(str(folder))


def write_model(folder: Path, texts: Iterable[str], *, seed: int) -> None:
    """Write a tokenizer trained on texts and a model with random weights.

    Args:
        folder: an empty folder.
        texts: any number of them, in a fixed order.
        seed: of the weights.
    """
    write_tokenizer(folder, texts)
    with quiet():
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        words = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        config = LlamaConfig(
            vocab_size=len(words), hidden_size=_WIDTH, intermediate_size=3 * _WIDTH, num_hidden_layers=_LAYERS,
            num_attention_heads=_HEADS, num_key_value_heads=_HEADS, max_position_embeddings=_WINDOW,
            tie_word_embeddings=True, bos_token_id=words.bos_token_id, eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            LlamaForCausalLM(config).save_pretrained(str(folder))
