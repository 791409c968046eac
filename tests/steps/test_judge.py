"""A model's scores of answers: asked for with leave alone, kept, and never a reason to drop before it was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import offline
import polars as pl
import pytest
from projects import lay_out
from stub_judge import Stub, fair, served
from typer.testing import CliRunner

import curate
from curate import check, endpoint, proof
from curate.cli.main import app
from curate.errors import UserError
from curate.recipe import load_recipe
from curate.schema import Measured
from curate.steps.judge import judge

RECIPE = """
name = "small"
rejects = 0.05
[[sources]]
name = "qa"
path = "qa*.jsonl"
format = "prompt_completion"
fields = {{ prompt = "question", completion = "answer" }}
[[stages]]
name = "quality"
steps = [{{ step = "judge", url = "{url}", model = "small"{more} }}]
keep = [{{ signal = "judge.score", min = 3, why = "a poor answer" }}]
"""
RECORDS = [{"question": f"Question {n}?", "answer": f"Answer {1 + n % 5} of story {n}."} for n in range(60)]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "WAIT", 0.0)
    monkeypatch.delenv(endpoint.KEY, raising=False)


def project(folder: Path, stub: Stub, more: str = "") -> Path:
    return lay_out(folder, RECORDS, recipe=RECIPE.format(url=stub.url, more=more))


def scored(rows: pl.DataFrame, stub: Stub, folder: Path, **more: Any) -> Measured:
    return judge(rows, url=stub.url, model="small", network=folder / "answers", **more)


def test_scores_follow_the_rows_and_what_is_no_score_is_null_and_shown(
    make_rows: Callable[..., pl.DataFrame], tmp_path: Path
) -> None:
    rows = make_rows(
        {"response": "5 stars"}, {"response": None}, {"response": "2 stars"}, {"prompt": None}, {"response": "none"}
    )
    with served(lambda text: fair(text) if "stars" in text else "As a model, I\u202e cannot") as stub:
        found = scored(rows, stub, tmp_path)
        assert len(stub.asked) == 3
    told = dict(zip(rows["response"], found.signals["score"], strict=True))
    assert told == {"5 stars": 5.0, "2 stars": 2.0, None: None, "none": None, "answer": None}
    unread = found.tables["unread"]
    assert unread.height == 1
    assert unread["answer"][0].startswith("As a model, I\\u202e cannot")


def test_without_leave_no_recipe_asks_a_server(tmp_path: Path) -> None:
    with served() as stub:
        recipe = load_recipe(project(tmp_path, stub))
        with pytest.raises(UserError, match="add --allow-network") as caught:
            curate.run(recipe, out=tmp_path / "runs" / "r")
        assert caught.value.code == 2
        assert not stub.asked
        shown = CliRunner().invoke(app, ["check", str(tmp_path / "recipe.toml"), "--allow-network"])
        assert shown.exit_code == 0, shown.output
        assert "only flags: judge small is unproven: nobody measured it, see `curate trust`" in shown.output
        assert not stub.asked


def test_leave_cannot_be_given_by_a_recipe(tmp_path: Path) -> None:
    with served() as stub:
        path = project(tmp_path, stub)
        path.write_text("network = true\n" + path.read_text())
        with pytest.raises(UserError, match="unknown key 'network'"):
            load_recipe(path)
        shown = CliRunner().invoke(app, ["run", str(path), "--set", "network=true"])
        assert shown.exit_code != 0
        assert not stub.asked


def test_checking_a_recipe_opens_no_socket(tmp_path: Path) -> None:
    with served() as stub:
        path = project(tmp_path, stub)
    command = [sys.executable, offline.__file__, sys.executable, "-m", "curate", "check", str(path), "--allow-network"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    if done.returncode == offline.IMPOSSIBLE:
        pytest.skip("this kernel cannot forbid sockets")
    assert done.returncode == 0, done.stderr


def run(folder: Path, stub: Stub, more: str = "", **options: Any) -> curate.Run:
    recipe = load_recipe(project(folder, stub, more), allow_network=True)
    return curate.run(recipe, out=folder / "runs" / "r", **options)


def test_a_run_flags_and_the_same_run_asks_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(endpoint.KEY, "sk-very-secret")
    with served() as stub:
        done = run(tmp_path, stub)
        assert len(stub.asked) == 60
        assert done.rows["kept"].all()
        flagged = done.rows.filter(pl.col("judge.score") < 3)
        assert flagged["flagged_by"].to_list() == [["quality/judge.score min 3"]] * 24
        (entry,) = done.manifest["stages"][0]["steps"]
        assert (entry["model"]["url"], entry["model"]["model"], entry["model"]["temperature"]) == (
            stub.url,
            "small",
            0.0,
        )
        assert entry["model"]["prompt"].startswith("You judge answers")
        run(tmp_path, stub, fresh=False)
        run(tmp_path, stub, ", parallel = 2")  # computed again, out of the answers that are there
        assert len(stub.asked) == 60
        run(tmp_path, stub, ', prompt = "Be strict."')
        assert len(stub.asked) == 120
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert all(b"very-secret" not in path.read_bytes() for path in files)


def test_a_server_that_goes_away_ends_the_run_and_what_it_said_is_kept(tmp_path: Path) -> None:
    with served() as stub:
        recipe = load_recipe(project(tmp_path, stub), allow_network=True)
        few = load_recipe(project(tmp_path, stub), allow_network=True, limit=20)
        curate.run(few, out=tmp_path / "runs" / "few")
        assert len(stub.asked) == 20
        stub.failures = ["html"] * 1000
        with pytest.raises(UserError, match="no chat completion") as caught:
            curate.run(recipe, out=tmp_path / "runs" / "r")
        assert caught.value.code == 4
        stub.failures, asked = [], len(stub.asked)
        curate.run(recipe, out=tmp_path / "runs" / "r")
        assert len(stub.asked) - asked <= 40


def test_a_row_that_the_server_refuses_is_quarantined(tmp_path: Path) -> None:
    with served(lambda text: 400 if "story 7." in text else fair(text)) as stub:
        done = run(tmp_path, stub)
    assert done.rows["judge.score"].null_count() == 1
    (failure,) = [json.loads(line) for line in (done.path / "failures.jsonl").read_text().splitlines()]
    assert "answers with status 400" in failure["error"]


def test_a_judge_that_was_measured_may_drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with served() as stub:
        run(tmp_path, stub)
        refused = CliRunner().invoke(app, ["trust", "runs/r"])
        assert isinstance(refused.exception, UserError)
        assert "--allow-network" in refused.exception.fix
        asked = len(stub.asked)
        shown = CliRunner().invoke(app, ["trust", "runs/r", "--allow-network", "--rows", "55"])
        assert shown.exit_code == 0, shown.output
        assert "rules on its scores may drop rows" in shown.output
        assert len(stub.asked) - asked == 3 * 55  # the first answers are those of the run
        done = run(tmp_path, stub, ', figures = "judge-figures.json"')
        assert done.manifest["totals"]["dropped"] == 24
        again = json.loads(
            CliRunner().invoke(app, ["trust", "runs/r", "--allow-network", "--rows", "55", "--json"]).output
        )
        assert again["lacks"] == []
        other = load_recipe(
            project(tmp_path, stub, ', figures = "judge-figures.json", temperature = 1.0'), allow_network=True
        )
        (rule,) = other.stages[0].keep
        assert "is of another model" in (proof.reason(rule, proof.unproven(other)) or "")
        assert list(check.problems(other)) == []


def test_a_run_without_a_judge_is_told(tmp_path: Path) -> None:
    with served() as stub:
        path = project(tmp_path, stub)
        path.write_text(path.read_text().split("[[stages]]")[0])
        curate.run(load_recipe(path), out=tmp_path / "runs" / "r")
    shown = CliRunner().invoke(app, ["trust", str(tmp_path / "runs" / "r"), "--allow-network"])
    assert isinstance(shown.exception, UserError)
    assert "has no judge" in shown.exception.what
