from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curate.errors import UserError
from curate.steps.toxicity import reads, toxicity

LABELS = {0: "toxicity", 1: "threat", 2: "sexual_explicit"}


def write_model(folder: Path, labels: dict[int, str]) -> Path:
    """Save a tiny classifier whose first label is always likely and whose others never are."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "you"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([2.0] + [-2.0] * (len(labels) - 1)))
    model.save_pretrained(folder)
    return folder


def rows(*texts: str | None) -> pl.DataFrame:
    return pl.DataFrame(
        {"response": texts, "lang": [None] * len(texts)}, schema={"response": pl.String, "lang": pl.String}
    )


def test_labels_of_a_classifier_become_categories(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", LABELS)
    found = toxicity(rows("hello you", None), vectors=None, classifier=folder)
    # The sigmoid of 2 is 0.8808.
    assert found.row(0) == (0.8808, "harassment", ["concept.harassment"], 0, 9)
    assert found.row(1) == (None, None, None, None, None)


def test_unknown_labels_are_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", {0: "spam", 1: "ham"})
    with pytest.raises(UserError, match="no label is known"):
        toxicity(rows("hello"), vectors=None, classifier=folder)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", LABELS)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model\.safetensors") as caught:
        toxicity(rows("hello"), vectors=None, classifier=folder)
    assert caught.value.code == 5


def test_all_files_of_a_classifier_count_for_the_cache(tmp_path: Path) -> None:
    names = {path.name for path in reads(write_model(tmp_path / "model", LABELS))}
    assert {"config.json", "model.safetensors"} <= names
