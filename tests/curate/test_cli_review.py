"""`curate review` as its users type it, answers piped in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import curate
from projects import lay_out, questions

RULE = "checks/length.words min 1"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a folder with a finished run, ten rows of which have no answer."""
    lay_out(tmp_path, questions(40))
    assert curate("run", "recipe.toml", "--workers", 1, cwd=tmp_path).returncode == 0
    return tmp_path


def answers(project: Path) -> list[tuple[str, str]]:
    text = (project / "runs" / "small" / "reviews.jsonl").read_text(encoding="utf-8")
    return [(entry["side"], entry["verdict"]) for entry in map(json.loads, text.splitlines())]


def test_answers_are_kept_at_once_and_the_next_call_goes_on_from_there(project: Path) -> None:
    first = curate("review", "runs/small", "--rule", RULE, cwd=project, input="r\n\nw\nb\nu\nq\n")
    assert first.returncode == 0, first.stderr
    assert answers(project) == [("victim", "right"), ("victim", "wrong"), ("victim", "unsure")]
    assert "an empty answer teaches nothing" in first.stdout
    assert "victim 1 of 10" in first.stdout and "victim 3 of 10" in first.stdout
    # an empty line asks again, without showing the row again
    assert first.stdout.count("victim 2 of 10") == 2
    assert "right in 1 of 1 victims judged: 100%, with 95 % confidence 21% to 100%; 1 unsure, 8 open" in first.stdout
    second = curate("review", "runs/small", "--rule", "min 1", cwd=project, input="r\n")
    assert "victim 3 of 10" in second.stdout and "victim 2 of 10" not in second.stdout
    assert "2 of 30 judged" in second.stdout and "victim 4 of 10" in second.stdout


def test_near_misses_follow_and_the_report_tells_all(project: Path) -> None:
    done = curate("review", "runs/small", "--rule", RULE, "--json", cwd=project, input="right\n" * 10 + "w\nr\n")
    facts = json.loads(done.stdout)
    assert (facts["right"], facts["whole"], facts["near"]["missed"], facts["near"]["passed"]) == (10, True, 1, 1)
    assert "near miss 1 of 20" in done.stderr
    report = json.loads((project / "runs" / "small" / "report.json").read_text(encoding="utf-8"))
    assert report["reviews"]["list"] == [facts]


def test_judgements_outlive_another_run_of_the_recipe(project: Path) -> None:
    curate("review", "runs/small", "--rule", RULE, cwd=project, input="r\nr\n")
    again = curate("run", "recipe.toml", "--set", "stages.copies.keep.0.max=1", cwd=project)
    assert again.returncode == 0, again.stderr
    report = json.loads((project / "runs" / "small" / "report.json").read_text(encoding="utf-8"))
    assert [(one["rule"], one["right"]) for one in report["reviews"]["list"]] == [(RULE, 2)]
    assert f"judged  {RULE} right in 100 %" in again.stdout


def test_marks_are_recorded_without_asking(project: Path) -> None:
    listed = curate("review", "runs/small", "--rule", RULE, "--list", "--json", cwd=project)
    rows = [item["row"] for item in json.loads(listed.stdout)["items"] if item["side"] == "victim"]
    assert len(rows) == 10
    marks = [word for row in rows[:2] for word in ("--mark", f"{row}=right")]
    done = curate("review", "runs/small", "--rule", RULE, *marks, cwd=project)
    assert "right in 2 of 2 victims judged" in done.stdout
    assert answers(project) == [("victim", "right")] * 2
    table = curate("review", "runs/small", "--rule", RULE, "--list", cwd=project).stdout
    assert [line.split()[2] for line in table.split("\n") if line.startswith(rows[0])] == ["right"]
    wrong = curate(
        "review", "runs/small", "--rule", RULE, "--mark", f"{rows[2]}=right", "--mark", "zz=right", cwd=project
    )
    assert wrong.returncode == 2 and "not in the sample" in wrong.stderr
    assert len(answers(project)) == 2, "one bad mark among several: none is recorded"


def test_an_unknown_rule_is_a_usage_error_with_the_near_match(project: Path) -> None:
    done = curate("review", "runs/small", "--rule", "lenght.words", cwd=project)
    assert done.returncode == 2
    assert "did you mean 'length.words'" in done.stderr
