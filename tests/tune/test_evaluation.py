from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_model import write_model
from tiny_run import rule, write_tiny
from typer.testing import CliRunner

import tune
from curate import embed
from curate.cli.main import app
from curate.errors import MISSING, UserError
from curate.rulebook import families
from tune import worst
from tune.scoring import PREDICTIONS

torch = pytest.importorskip("torch")
TOPICS = ("four", "two")


@pytest.fixture(autouse=True)
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the encoder, as where its extra is not installed: fitting the heads takes half a minute."""

    def missing(*_: Any, **__: Any) -> None:
        raise UserError("embedding model", "is not installed", code=MISSING)

    monkeypatch.setattr(embed, "load", missing)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_rows: Callable[..., pl.DataFrame]) -> Path:
    """A run whose held-out rows are closed, open and instructions; one train row was dropped by a rule."""
    stages = [
        {
            "name": "checks",
            "steps": [{"as": "length", "step": "length"}],
            "rules": [rule("checks", "length.words", "min 1")],
        }
    ]
    train = [
        {"prompt": "what is four", "content": "what is four"},
        {"prompt": "hello there", "content": "hello there", "rules": ["checks/length.words min 1"]},
    ]
    closed = [closed_row(text, label) for text, label in (("hello", "four"), ("what", "two"), ("hello there", "two"))]
    template = families()["qa_open"].templates[0].id
    written = {"task": "qa_open", "template": template, "prompt": "what is two and two ?", "response": "four",
               "source": "sums", "slots": '{"question": "q", "answer": "four"}', "content": "hello there"}  # fmt: skip
    talk = {"task": None, "template": None, "source": "talk", "prompt": "hello", "response": "hello there"}
    path = tmp_path_factory.mktemp("runs") / "run"
    clusters = {"sources": {"topics": "classification", "sums": "closed_book_qa"}, "heldout": ["closed_book_qa"]}
    return write_tiny(path, make_rows, train, heldout=[*closed, written, talk], stages=stages, clusters=clusters)


def closed_row(text: str, label: str) -> dict[str, Any]:
    slots = json.dumps({"text": text, "label": label})
    return {"task": "classification", "template": "classification.label_only", "prompt": text, "response": label,
            "source": "topics", "slots": slots, "content": text, "lang": "en"}  # fmt: skip


@pytest.fixture(scope="module")
def report(model: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load", _missing)
        yield tune.evaluate(str(model), on=run, out=tmp_path_factory.mktemp("out") / "one")


def _missing(*_: Any, **__: Any) -> None:
    raise UserError("embedding model", "is not installed", code=MISSING)


def test_scores_are_long_and_of_every_row(report: dict[str, Any], run: Path) -> None:
    scores = pl.read_parquet(Path(report["out"]) / "scores.parquet")
    assert scores.columns == ["id", "record", "source", "task", "template", "metric", "value"]
    assert set(scores["id"]) == set(pl.read_parquet(run / "heldout.parquet")["id"])
    by_task = {task: set(part["metric"]) for (task,), part in scores.partition_by("task", as_dict=True).items()}
    assert {"accuracy", "accuracy_pmi", "accuracy_per_character", "brier", "closed_bits"} < by_task["classification"]
    assert by_task["qa_open"] == {"exact_match", "token_f1", "bits_per_token", "bits_per_byte"}
    assert by_task["instructions"] == {"token_f1", "rougeL", "chrf", "bits_per_token", "bits_per_byte"}
    assert scores.filter(pl.col("value").is_nan() | pl.col("value").is_null()).is_empty()


def test_predictions_tell_options_likelihoods_and_what_was_said(report: dict[str, Any]) -> None:
    rows = pl.read_parquet(Path(report["out"]) / "predictions.parquet")
    closed = rows.filter(task="classification")
    assert {tuple(sorted(options)) for options in closed["options"]} == {TOPICS}
    for row in closed.iter_rows(named=True):
        best = max(range(2), key=row["likelihoods"].__getitem__)
        assert row["options"][best] == row["said"] == row["answer"]
        assert row["right"] == (row["said"] == row["label"]) == (row["outcome"] == "right")
    assert rows.filter(task="qa_open")["options"].to_list() == [None]


def test_means_say_how_many_and_how_sure(report: dict[str, Any]) -> None:
    [found] = [one for one in report["means"] if (one["slice"], one["metric"]) == ("classification", "accuracy")]
    assert (found["n"], found["records"], found["interval"]) == (3, 3, "wilson")
    assert 0 <= found["low"] <= found["mean"] <= found["high"] <= 1
    settings = {one["slice"] for one in report["means"] if one["by"] == "setting"}
    assert settings == {"held-out rows", "zero-shot cluster"}


def test_worst_answers_name_the_nearest_training_rows_and_their_rules(report: dict[str, Any]) -> None:
    [found] = [one for one in report["worst"] if one["task"] == "qa_open"]
    nearest = found["nearest"][0]
    assert (nearest["prompt"], nearest["method"]) == ("hello there", "words")
    assert (nearest["kept"], nearest["dropped_by"]) == (False, ["checks/length.words min 1"])


def test_the_same_model_gives_the_same_numbers(report: dict[str, Any], model: Path, run: Path, tmp_path: Path) -> None:
    again = tune.evaluate(str(model), on=run, out=tmp_path / "again")
    assert again["means"] == report["means"]
    first, second = (Path(one["out"]) / "scores.parquet" for one in (report, again))
    assert first.read_bytes() == second.read_bytes()


def test_several_models_stand_side_by_side(model: Path, run: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", seed=1)
    found = CliRunner().invoke(
        app,
        ["evaluate", str(model), "--run", str(run), "--against", str(other), "--out", str(tmp_path / "out"), "--json"],
    )
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert [one["model"]["name"] for one in told["models"]] == [str(model), str(other)]
    assert {one["model"] for one in told["against"]} == {str(other)}
    assert (tmp_path / "out" / "against" / "1-other" / "scores.parquet").is_file()


def test_the_command_shows_a_table(model: Path, run: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["evaluate", str(model), "--run", str(run), "--limit", "1", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "zero-shot cluster" in found.stdout
    assert "minimal pairs" in found.stdout


def test_conversations_of_any_file_are_rows_of_instructions(model: Path, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hello there"}]
    path = tmp_path / "talk.jsonl"
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for _ in range(2)))
    found = tune.evaluate(str(model), on=path)
    assert {one["slice"] for one in found["means"] if one["by"] == "task"} == {"instructions"}
    assert found["out"] == str(tmp_path / "talk.tiny")
    assert found["worst"][0]["nearest"] == []


def test_a_run_without_held_out_rows_says_what_to_do(
    model: Path, tmp_path: Path, make_rows: Callable[..., pl.DataFrame]
) -> None:
    path = write_tiny(tmp_path / "run", make_rows, [{}])
    with pytest.raises(UserError, match="no held-out rows") as error:
        tune.evaluate(str(model), on=path)
    assert error.value.code == 4


def test_the_command_wants_one_kind_of_data(model: Path) -> None:
    for data in ([], ["--run", "a", "--data", "b"]):
        with pytest.raises(UserError, match="one of --run and --data"):
            CliRunner().invoke(app, ["evaluate", str(model), *data], catch_exceptions=False)


def test_nothing_near_is_found_where_nothing_was_trained(make_rows: Callable[..., pl.DataFrame]) -> None:
    predictions = pl.DataFrame(schema=PREDICTIONS)
    assert worst.worst(predictions, make_rows({}), train=make_rows({})) == []


def test_tasks_for_the_harness_hold_the_same_prompts_and_options(model: Path, run: Path, tmp_path: Path) -> None:
    told = tune.export_tasks(str(model), on=run, out=tmp_path / "tasks")
    assert told["tasks"] == ["curatune_topics"]
    lines = [json.loads(line) for line in (tmp_path / "tasks" / "curatune_topics.jsonl").read_text().splitlines()]
    assert {line["prompt"] for line in lines} >= {"<|start|>user\nhello<|end|>\n<|start|>assistant\n"}
    assert {tuple(sorted(line["choices"])) for line in lines} == {TOPICS}
    (tmp_path / "tasks" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        tune.export_tasks(str(model), on=run, out=tmp_path / "tasks")


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_harness_finds_the_same_accuracy(
    report: dict[str, Any], model: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    tune.export_tasks(str(model), on=run, out=tmp_path / "tasks")
    backend = HFLM(pretrained=str(model), dtype="float32", batch_size=2, device="cpu")
    manager = TaskManager(include_path=str(tmp_path / "tasks"))
    found = simple_evaluate(model=backend, tasks=["curatune_topics"], task_manager=manager, bootstrap_iters=0)
    ours = {one["metric"]: one["mean"] for one in report["means"] if one["slice"] == "topics"}
    theirs = found["results"]["curatune_topics"]
    assert theirs["acc,none"] == pytest.approx(ours["accuracy"], abs=1e-3)
    assert theirs["acc_norm,none"] == pytest.approx(ours["accuracy_per_character"], abs=1e-3)
    rows = {
        row["id"]: row for row in pl.read_parquet(Path(report["out"]) / "predictions.parquet").iter_rows(named=True)
    }
    for sample in found["samples"]["curatune_topics"]:
        values = [float(one[0]) for one in sample["filtered_resps"]]
        assert values == pytest.approx(rows[sample["doc"]["id"]]["likelihoods"], abs=1e-3)
