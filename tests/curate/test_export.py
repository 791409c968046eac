"""Exports load where they are meant to be loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import curate
from curate import export
from curate.errors import UserError
from curate.rundir import RunDir

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALLS = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}]
CONVERSATIONS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]},
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "Two?"},
            {"role": "assistant", "content": "2"},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "Weather in Oslo?"},
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "content": "rain", "tool_call_id": "c1"},
            {"role": "assistant", "content": "It rains in Oslo."},
        ],
        "tools": TOOLS,
    },
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """Run three conversations through an empty recipe."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "chat.jsonl").write_text("".join(json.dumps(one) + "\n" for one in CONVERSATIONS))
    text = 'name = "chat"\n[[sources]]\nname = "chat"\npath = "chat.jsonl"\nformat = "messages"\n'
    (folder / "r.toml").write_text(text)
    curate.run(curate.load_recipe(folder / "r.toml"), out=folder / "run")
    return RunDir.open(folder / "run")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Read the exported JSONL."""
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().split("\n")[:-1]]


def test_messages_come_back_as_they_were_read(run: RunDir, tmp_path: Path) -> None:
    export.export(run, form="messages", out=tmp_path / "x")
    found = sorted(lines(tmp_path / "x"), key=json.dumps)
    assert found == sorted(CONVERSATIONS, key=json.dumps)


def test_answers_of_a_dialogue_that_are_not_trained_on_say_so(tmp_path: Path) -> None:
    records = [{"question": f"{number}?", "answer": str(number)} for number in range(5)]
    (tmp_path / "quiz.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    text = 'name = "quiz"\n[templates]\nkinds = ["multi_turn"]\n[[sources]]\nname = "q"\npath = "quiz.jsonl"\n'
    (tmp_path / "r.toml").write_text(text + 'task = "qa_open"\n')
    curate.run(curate.load_recipe(tmp_path / "r.toml"), out=tmp_path / "run")
    export.export(RunDir.open(tmp_path / "run"), form="messages", out=tmp_path / "x")
    for one in lines(tmp_path / "x"):
        *earlier, last = [turn for turn in one["messages"] if turn["role"] == "assistant"]
        assert [turn["weight"] for turn in earlier] == [0] * (len(one["messages"]) // 2 - 1)
        assert "weight" not in last


def test_alpaca_holds_history_and_leaves_tool_turns_out(run: RunDir, tmp_path: Path) -> None:
    told = export.export(run, form="alpaca", out=tmp_path / "x")
    assert (told["rows"], told["left_out"]) == (2, 1)
    assert {
        "instruction": "Two?",
        "input": "",
        "output": "2",
        "system": "Be brief.",
        "history": [["One?", "1"]],
    } in lines(tmp_path / "x")


def test_sharegpt_and_prompt_completion_name_roles_their_way(run: RunDir, tmp_path: Path) -> None:
    export.export(run, form="sharegpt", out=tmp_path / "s")
    simple = {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Good day."}]}
    assert simple in lines(tmp_path / "s")
    export.export(run, form="prompt-completion", out=tmp_path / "p")
    pair = {
        "prompt": [{"role": "user", "content": "Hello"}],
        "completion": [{"role": "assistant", "content": "Good day."}],
    }
    assert pair in lines(tmp_path / "p")


@pytest.mark.parametrize("form", sorted(export.FORMS))
def test_datasets_loads_each_export_offline(
    run: RunDir, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra hf is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = curate.Run(run.path).export(form, tmp_path / "x")
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"train.jsonl", "data", "README.md", "croissant.json"}
    loaded = datasets.load_dataset(str(tmp_path / "x"), split="train", cache_dir=str(tmp_path / "cache"))
    plain = datasets.Dataset.from_parquet(str(tmp_path / "x" / told["files"][1]), cache_dir=str(tmp_path / "plain"))
    assert loaded.num_rows == told["rows"]
    assert loaded.features == plain.features, "the card describes other columns than the file has"
    assert "large" not in str(loaded.features)


def test_the_card_of_an_export_tells_what_the_form_cannot_hold(run: RunDir, tmp_path: Path) -> None:
    told = curate.Run(run.path).export("alpaca", tmp_path / "x")
    assert told["files"] == ["train.jsonl", "data/train-00000-of-00001.parquet", "README.md", "croissant.json"]
    card = (tmp_path / "x" / "README.md").read_text()
    assert "Here as alpaca: 2 rows, each as often as it counts; 1 row left out that this form cannot hold." in card
    assert "`history` | list of list of string" in card and "| `slots`" not in card


def test_an_export_of_a_run_with_an_old_report_reckons_anew(run: RunDir, tmp_path: Path) -> None:
    curate.Run(run.path).export("messages", tmp_path / "x")
    report = run.path / "report.json"
    saved = report.read_text()
    report.write_text('{"schema": 1}')
    curate.Run(run.path).export("messages", tmp_path / "y")
    report.write_text(saved)
    for name in ("README.md", "croissant.json"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_an_unknown_form_is_refused(run: RunDir, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'messages'"):
        export.export(run, form="mesages", out=tmp_path / "x")


def test_proposed_repairs_lie_beside_the_rows_and_not_in_them(tmp_path: Path) -> None:
    records = [{"prompt": f"Name city {n}.", "completion": "Paris." + "</s>" * (n == 3)} for n in range(5)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    text = 'name = "c"\n[[sources]]\nname = "c"\npath = "c.jsonl"\nformat = "prompt_completion"\n'
    (tmp_path / "r.toml").write_text(text + '[[stages]]\nname = "s"\nsteps = [{ step = "repair" }]\n')
    curate.run(curate.load_recipe(tmp_path / "r.toml"), out=tmp_path / "run")
    told = export.export(RunDir.open(tmp_path / "run"), form="messages", out=tmp_path / "x")
    (found,) = [json.loads(line) for line in (tmp_path / "x" / "repairs.jsonl").read_text().splitlines()]
    assert (found["kind"], found["before"], found["after"]) == ("markers", "Paris.</s>", "Paris.")
    assert lines(tmp_path / "x")[found["line"] - 1]["messages"][found["turn"]]["content"] == "Paris.</s>"
    assert (told["rows"], told["repairs"]) == (5, 1)
    assert "repairs.jsonl" in told["files"]


def test_an_export_that_holds_nothing_leaves_its_folder_empty(tmp_path: Path) -> None:
    tool = [CONVERSATIONS[2]]
    (tmp_path / "c.jsonl").write_text(json.dumps(tool[0]) + "\n")
    text = 'name = "c"\n[[sources]]\nname = "c"\npath = "c.jsonl"\nformat = "messages"\n'
    (tmp_path / "r.toml").write_text(text)
    curate.run(curate.load_recipe(tmp_path / "r.toml"), out=tmp_path / "run")
    with pytest.raises(UserError, match="no row of the mix fits"):
        export.export(RunDir.open(tmp_path / "run"), form="alpaca", out=tmp_path / "x")
    assert list((tmp_path / "x").iterdir()) == []
