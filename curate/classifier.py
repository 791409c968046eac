"""A sequence classifier of the user's own, from a local folder."""

from __future__ import annotations

import re
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
_PIECES = 512
# Models of the RoBERTa kind count positions from the padding on, whose number is 1: two of them are never used.
_UNUSED = 2
# Files of which each tokenizer has one; without any, transformers would make up an empty one.
_VOCABULARIES = frozenset({"tokenizer.json", "vocab.txt", "vocab.json"})
# A label that says that nothing is wrong shuts all others out.
_NOTHING = re.compile(r"(?:not?|non)(?:[-_ ]|hate|toxic|offensive)|(?:ok|none|neutral|normal|clean|safe|benign)$")


@dataclass(frozen=True)
class Classifier:
    """A loaded model and what its outputs mean.

    Args:
        tokenizer: of the model.
        model: logits of the labels.
        meanings: category of each label, None for those that mean none of ours.
        exclusive: whether just one label is right, so that their probabilities sum to 1 (softmax, not sigmoid).
        pieces: word pieces that the model takes.
    """

    tokenizer: Any
    model: Any
    meanings: tuple[str | None, ...]
    exclusive: bool
    pieces: int

    def scores(self, texts: Sequence[str]) -> Matrix:
        """Return (n, categories) float64, one text at a time; 0 for a blank text.

        Of labels that may be right together a category gets the greatest, of those that exclude each other the sum. A
        text alone gives the same bits whatever the others are; padding to a common length would not.

        Raises:
            UserError: when the model gives no number.
        """
        import torch

        found = np.zeros((len(texts), len(CATEGORIES)))
        for row, text in enumerate(texts):
            if not text.strip():
                continue
            given = self.tokenizer(text[:_READ], truncation=True, max_length=self.pieces, return_tensors="pt")
            with torch.inference_mode():
                logits = self.model(**given).logits[0].double()
            if not bool(torch.isfinite(logits).all()):
                fix = "its weights are damaged: save it again"
                raise UserError("classifier", f"gives no number for a text: {logits.tolist()}", fix)
            values = (torch.softmax(logits, 0) if self.exclusive else torch.sigmoid(logits)).tolist()
            for value, meaning in zip(values, self.meanings, strict=True):
                if meaning:
                    place = CATEGORIES.index(meaning)
                    found[row, place] = found[row, place] + value if self.exclusive else max(found[row, place], value)
        return np.round(found, 4)


def files(folder: Path) -> list[Path]:
    """Return the files that a classifier is made of.

    Raises:
        UserError: status 5 for a folder without safetensors weights or tokenizer.
    """
    if not (folder / "model.safetensors").is_file() or not (folder / "config.json").is_file():
        fix = "give the folder of a sequence classifier saved with save_pretrained (no pickles are read)"
        raise UserError(f"classifier '{folder}'", "has no config.json and model.safetensors", fix, code=MISSING)
    if not any(path.name in _VOCABULARIES or path.suffix == ".model" for path in folder.iterdir()):
        fix = "save its tokenizer there too, with save_pretrained"
        raise UserError(f"classifier '{folder}'", "has no tokenizer", fix, code=MISSING)
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".txt", ".safetensors", ".model"))


def load(folder: Path) -> Classifier:
    """Return the classifier of a folder; nothing is downloaded, no code of the folder is run.

    Raises:
        UserError: status 5 for a missing file or library, or a damaged one; for labels of which none is known.
    """
    stamps = ((path, path.stat()) for path in files(folder))
    return _load(folder, tuple((path, one.st_size, one.st_mtime_ns) for path, one in stamps))


@lru_cache(maxsize=1)
def _load(folder: Path, _stamps: object) -> Classifier:
    try:
        from safetensors import SafetensorError
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise UserError(f"classifier '{folder}'", "transformers is not installed", _INSTALL, code=MISSING) from error
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **local)
        model = AutoModelForSequenceClassification.from_pretrained(str(folder), **local, use_safetensors=True).eval()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        what = f"cannot be loaded: {' '.join(str(error).split())[:200]}"
        fix = "give the folder of a sequence classifier and its tokenizer, both saved with save_pretrained"
        raise UserError(f"classifier '{folder}'", what, fix, code=MISSING) from error
    names = [str(model.config.id2label[number]) for number in range(model.config.num_labels)]
    meanings = tuple(LABELS.get(name.lower().replace(" ", "_")) for name in names)
    if not any(meanings):
        fix = f"rename them in id2label of its config.json; known are: {', '.join(sorted(LABELS))}"
        raise UserError(f"classifier '{folder}'", f"no label is known ({', '.join(names)})", fix)
    positions = getattr(model.config, "max_position_embeddings", None) or _PIECES + _UNUSED
    pieces = min(tokenizer.model_max_length, max(positions - _UNUSED, 1))
    return Classifier(tokenizer, model, meanings, _exclusive(model.config.problem_type, names), pieces)


def _exclusive(problem: str | None, names: Sequence[str]) -> bool:
    """Tell whether just one label is right: as the model says, else where a label says that nothing is wrong."""
    if len(names) < 2 or problem == "multi_label_classification":
        return False
    return problem == "single_label_classification" or any(_NOTHING.match(name.lower()) for name in names)
