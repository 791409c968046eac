"""A tokenizer whose tokens can be counted by eye: words and punctuation, and a small chat template."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Punctuation, Sequence, WhitespaceSplit

WORDS = ["user", "assistant", "system", "tool", "hello", "there", "what", "is", "two", "and", "four", "?", ".", ":"]
SPECIAL = ["<unk>", "<s>", "<|start|>", "<|end|>"]
# Each turn is <|start|>, its role, its text, <|end|>: three tokens beside those of the text.
CHATML = "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"


def write_tokenizer(folder: Path, template: str | None = CHATML) -> Path:
    """Write tokenizer.json and, with a template, tokenizer_config.json; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Punctuation()])
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.enable_truncation(4)  # as bundled encoders have it: nothing may be cut
    tokenizer.save(str(folder / "tokenizer.json"))
    if template is not None:
        config = {"chat_template": template, "bos_token": "<s>", "eos_token": {"content": "<|end|>"}}
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
