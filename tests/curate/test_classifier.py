from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curate.errors import UserError
from curate.steps.toxicity import reads, toxicity

LABELS = {0: "toxicity", 1: "threat", 2: "sexual_explicit"}


def write_model(folder: Path, labels: dict[int, str], *, first: float = 2.0, problem: str | None = None) -> Path:
    """Save a tiny classifier whose first label has this logit and whose others have -2, for up to 64 pieces."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder.mkdir(exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "you"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, id2label=labels,
        max_position_embeddings=64, problem_type=problem,
        label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([first] + [-2.0] * (len(labels) - 1)))
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


@pytest.mark.parametrize(
    ("labels", "problem", "score"),
    [
        ({0: "toxic", 1: "x"}, "single_label_classification", 0.982),  # 1 / (1 + exp(-4))
        ({0: "hate", 1: "nothate"}, None, 0.982),
        ({0: "hate", 1: "h2", 2: "ok"}, None, 0.9823),  # (exp(4) + 1) / (exp(4) + 2)
        ({0: "toxic", 1: "x"}, None, 0.8808),  # 1 / (1 + exp(-2))
    ],
)
def test_labels_that_exclude_each_other_share_one_probability(
    tmp_path: Path, labels: dict[int, str], problem: str | None, score: float
) -> None:
    folder = write_model(tmp_path / "model", labels, problem=problem)
    assert toxicity(rows("hello"), vectors=None, classifier=folder)["score"].to_list() == [score]


def test_a_model_saved_anew_in_its_folder_is_read_anew(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", LABELS)
    assert toxicity(rows("hello"), vectors=None, classifier=folder)["score"].to_list() == [0.8808]
    write_model(folder, LABELS, first=0.0)
    assert toxicity(rows("hello"), vectors=None, classifier=folder)["score"].to_list() == [0.5]


def test_a_text_longer_than_the_model_takes_is_cut_and_a_blank_one_is_nothing(tmp_path: Path) -> None:
    found = toxicity(rows("hello you " * 100, " "), vectors=None, classifier=write_model(tmp_path / "model", LABELS))
    assert found.select("score", "category").rows() == [(0.8808, "harassment"), (0.0, None)]


def test_a_model_that_gives_no_number_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", LABELS, first=float("nan"))
    with pytest.raises(UserError, match="gives no number"):
        toxicity(rows("hello"), vectors=None, classifier=folder)


@pytest.mark.parametrize(("name", "text"), [("model.safetensors", "x"), ("config.json", "{}"), ("config.json", "{")])
def test_damaged_files_are_told(tmp_path: Path, name: str, text: str) -> None:
    folder = write_model(tmp_path / "model", LABELS)
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot be loaded|no label is known"):
        toxicity(rows("hello"), vectors=None, classifier=folder)


def test_a_model_without_its_tokenizer_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", LABELS)
    for path in [*folder.glob("tok*"), folder / "vocab.txt"]:
        path.unlink()
    with pytest.raises(UserError, match="has no tokenizer"):
        toxicity(rows("hello"), vectors=None, classifier=folder)
