"""A sequence classifier of the user's own, from a local folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from curate.concepts import CATEGORIES
from curate.errors import MISSING, UserError
from curate.heads import Matrix

# What labels of known classifiers mean: those of Detoxify and the moderation labels of Markov et al. 2023.
# `obscene` says nothing of a target and is left out.
LABELS = {
    "hate": "hate", "identity_attack": "hate", "identity_hate": "hate", "h": "hate", "h2": "hate",
    "hate/threatening": "hate",
    "toxic": "harassment", "toxicity": "harassment", "severe_toxic": "harassment", "severe_toxicity": "harassment",
    "insult": "harassment", "harassment": "harassment", "hr": "harassment",
    "threat": "violence", "violence": "violence", "v": "violence", "v2": "violence", "violence/graphic": "violence",
    "sexual": "sexual", "sexual_explicit": "sexual", "s": "sexual", "s3": "sexual", "sexual/minors": "sexual",
    "self-harm": "self-harm", "self_harm": "self-harm", "sh": "self-harm",
}  # fmt: skip
_INSTALL = "pip install 'curatune[tune]'"
# Characters read of a text: more than the 512 pieces that such models take.
_READ = 4000


@dataclass(frozen=True)
class Classifier:
    """A loaded model and which category each of its outputs means, None for those that mean none of ours."""

    tokenizer: Any
    model: Any
    meanings: tuple[str | None, ...]

    def scores(self, texts: Sequence[str]) -> Matrix:
        """Return (n, categories) float64: the greatest sigmoid of the labels of a category; one text at a time.

        A text alone gives the same bits whatever the others are; padding to a common length would not.
        """
        import torch

        found = np.zeros((len(texts), len(CATEGORIES)))
        for row, text in enumerate(texts):
            given = self.tokenizer(text[:_READ], truncation=True, return_tensors="pt")
            with torch.inference_mode():
                values = torch.sigmoid(self.model(**given).logits[0].double()).tolist()
            for value, meaning in zip(values, self.meanings, strict=True):
                if meaning:
                    place = CATEGORIES.index(meaning)
                    found[row, place] = max(found[row, place], round(value, 4))
        return found


def files(folder: Path) -> list[Path]:
    """Return the files that a classifier is made of.

    Raises:
        UserError: status 5 for a folder without safetensors weights.
    """
    if not (folder / "model.safetensors").is_file() or not (folder / "config.json").is_file():
        fix = "give the folder of a sequence classifier saved with save_pretrained (no pickles are read)"
        raise UserError(f"classifier '{folder}'", "has no config.json and model.safetensors", fix, code=MISSING)
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".txt", ".safetensors", ".model"))


@lru_cache(maxsize=1)
def load(folder: Path) -> Classifier:
    """Return the classifier of a folder; nothing is downloaded, no code of the folder is run.

    Raises:
        UserError: status 5 for a missing file or library; for labels of which none is known.
    """
    files(folder)
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise UserError(f"classifier '{folder}'", "transformers is not installed", _INSTALL, code=MISSING) from error
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True
    ).eval()
    names = [str(model.config.id2label[number]) for number in range(model.config.num_labels)]
    meanings = tuple(LABELS.get(name.lower().replace(" ", "_")) for name in names)
    if not any(meanings):
        fix = f"rename them in id2label of its config.json; known are: {', '.join(sorted(LABELS))}"
        raise UserError(f"classifier '{folder}'", f"no label is known ({', '.join(names)})", fix)
    return Classifier(tokenizer, model, meanings)
