"""The command as its users type it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest
from commands import curate
from projects import RECIPE, lay_out, questions


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished run in runs/small."""
    folder = tmp_path_factory.mktemp("finished")
    lay_out(folder, questions(40))
    done = curate("run", "recipe.toml", "--workers", 1, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_run_leaves_a_whole_run_directory_and_a_short_summary(finished: Path) -> None:
    names = {path.name for path in (finished / "runs" / "small").iterdir()}
    assert names == {
        "manifest.json", "rows.parquet", "heldout.parquet", "mix.parquet", "origins.parquet", "tables", "rejects.jsonl",
        "failures.jsonl", "report.json", "report.html", "README.md", "croissant.json",
    }  # fmt: skip
    again = curate("run", "recipe.toml", cwd=finished)
    assert again.returncode == 0
    assert len(again.stdout.strip().split("\n")) <= 30
    assert "report.html" in again.stdout
    assert again.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "recipe.toml"),
        ("check", "recipe.toml"),
        ("report", "runs/small"),
        ("report", "runs/small", "--against", "runs/small"),
        ("steps",),
        ("steps", "length"),
        ("templates",),
        ("templates", "qa_open"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_json_is_exactly_one_document_on_stdout(finished: Path, arguments: tuple[str, ...]) -> None:
    done = curate(*arguments, "--json", cwd=finished)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert curate(*arguments, cwd=finished).returncode == 0


def test_doctor_tells_of_every_extra_and_of_the_language_model(finished: Path, tmp_path: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = set(project["optional-dependencies"]) - {"all", "bench", "dev"}
    environment = {**os.environ, "CURATUNE_CACHE": str(tmp_path)}
    told = json.loads(curate("doctor", "--json", cwd=finished, env=environment).stdout)
    assert set(told["extras"]) == own
    model = told["language_model"]
    if "missing" in model:
        assert "pip install" in model["fix"]
    else:
        assert model["ready"] is False  # the folder of converted models is empty
        assert model["dtype"] in ("bf16", "fp32")
    assert "language model: " in curate("doctor", cwd=finished, env=environment).stdout


def test_explain_tells_the_life_of_a_dropped_row_by_a_prefix(finished: Path) -> None:
    rows = pl.read_parquet(finished / "runs" / "small" / "rows.parquet")
    copy = rows.filter(pl.col("dropped_at") == "copies").row(0, named=True)
    told = json.loads(curate("explain", "runs/small", copy["id"][:20], "--json", cwd=finished).stdout)
    assert told["row"]["id"] == copy["id"]
    assert told["origin"]["raw"]["question"] in copy["content"]
    verdicts = {rule["id"]: rule["verdict"] for stage in told["stages"] for rule in stage["rules"]}
    assert verdicts["checks/length.words min 1"] == "passed"
    assert verdicts["copies/exact.rank max 0"] == "failed"
    assert verdicts["near copies/near.rank max 0"] == "unseen: dropped before"
    assert told["stars"][0]["keeper"]["id"] == copy["exact.keeper"]
    text = curate("explain", "runs/small", copy["id"], cwd=finished).stdout
    assert "dropped at 'copies'" in text
    assert "one copy" in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "missing.toml"), 2, "no such recipe"),
        (("run", "recipe.toml", "--set", "sede=1"), 2, "did you mean 'seed'?"),
        (("explain", "runs/small", "zzz"), 2, "begins so"),
        (("explain", "runs/none", "a"), 4, "no such run directory"),
        (("steps", "lenght"), 2, "did you mean 'length'?"),
        (("templates", "qa_opne"), 2, "did you mean 'qa_open'?"),
        (("export", "runs/small", "--to", "alpcaa", "--out", "x"), 2, "did you mean 'alpaca'?"),
        (("audit", "missing.jsonl"), 4, "missing.jsonl"),
        (("frobnicate",), 2, "frobnicate"),
        (("run",), 2, "RECIPE"),
    ],
    ids=str,
)
def test_mistakes_say_what_to_do_without_a_traceback(
    finished: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = curate(*arguments, cwd=finished)
    assert done.returncode == code, done.stderr
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_init_starts_a_project_that_runs(tmp_path: Path) -> None:
    assert curate("init", "mine", cwd=tmp_path).returncode == 0
    done = curate("run", "mine/recipe.toml", "--out", "runs/mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(tmp_path / "runs" / "mine" / "mix.parquet").height > 0
    assert curate("init", "mine", cwd=tmp_path).returncode == 2


def test_an_audit_says_the_format_and_drops_nothing(tmp_path: Path) -> None:
    rows = [{"instruction": f"Name city {i}.", "input": "", "output": "Rome" if i else ""} for i in range(20)]
    (tmp_path / "my data[1].json").write_text(json.dumps(rows))
    done = curate("audit", "my data[1].json", "--out", "a", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["sources"][0]["format"] == "alpaca"
    assert "instruction" in manifest["sources"][0]["detected"]
    assert manifest["totals"]["dropped"] == 0
    told = json.loads(done.stdout)
    assert (told["recipe"], told["export"]["folder"]) == ("a/recipe.toml", "a/export")
    assert (told["export"]["rows"], told["export"]["format"]) == (20, "messages")
    flagged = pl.read_parquet(tmp_path / "a" / "rows.parquet").filter(pl.col("flagged_by").list.len() > 0)
    assert flagged.filter(pl.col("response") == "").height == 1


def test_an_audit_ends_with_what_it_left(tmp_path: Path) -> None:
    rows = [{"prompt": f"Name city {i}.", "completion": "Rome" if i else ""} for i in range(20)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = curate("audit", "data.jsonl", cwd=tmp_path).stdout
    assert "20 rows, 1 flagged by 1 of 14 checks; the written recipe would drop 1." in text
    assert "reads data as prompt_completion, because `prompt` and `completion` exist" in text
    assert "recipe  runs/audit-data/recipe.toml  would drop 1 of 20 rows" in text
    written = tmp_path / "runs" / "audit-data" / "export"
    size = sum(path.stat().st_size for path in written.rglob("*") if path.is_file())
    assert f"export  runs/audit-data/export  20 rows as messages, {size / 1000:.0f} kB" in text
    assert curate("check", "runs/audit-data/recipe.toml", cwd=tmp_path).returncode == 0
    assert curate("audit", "data.jsonl", "--no-export", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "runs" / "audit-data" / "export").exists()


def test_a_gate_ends_with_three_after_the_report(tmp_path: Path) -> None:
    lay_out(tmp_path, questions(40), recipe=RECIPE + "\n[gates]\nmax_dropped_share = 0.01\n")
    done = curate("run", "recipe.toml", cwd=tmp_path)
    assert done.returncode == 3
    assert "max_dropped_share" in done.stderr
    assert (tmp_path / "runs" / "small" / "report.html").is_file()


def test_an_interrupt_ends_with_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    lay_out(tmp_path, questions(4000))
    command = [sys.executable, "-m", "curate", "run", "recipe.toml", "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((tmp_path / "runs").glob(".*.partial")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "goes on from there" in stderr
    assert not (tmp_path / "runs" / "small").exists()
    assert curate("run", "recipe.toml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "runs" / "small" / "manifest.json").exists()


def test_hostile_text_reaches_the_terminal_disarmed(tmp_path: Path) -> None:
    record = {"question": "red \u001b[31m alert [bold]x[/bold] \u202e?", "answer": "fine"}
    lay_out(tmp_path, [record, *questions(5)])
    assert curate("run", "recipe.toml", "--set", "sources.qa.clean=[]", cwd=tmp_path).returncode == 0
    rows = pl.read_parquet(tmp_path / "runs" / "small" / "rows.parquet")
    row = rows.filter(pl.col("content").str.contains("alert"))["id"][0]
    told = curate("explain", "runs/small", row, cwd=tmp_path).stdout
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[bold]x[/bold]" in told


def test_colour_and_bars_stay_out_of_pipes(finished: Path) -> None:
    done = curate("report", "runs/small", cwd=finished, env={**os.environ, "NO_COLOR": "1"})
    assert "\x1b" not in done.stdout + done.stderr
