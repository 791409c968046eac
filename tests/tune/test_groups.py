"""From a run to which groups of its mix helped: one group plainly right, one plainly wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import curate

import tune
from curate import api
from curate.errors import UserError
from curate.recipe import load_recipe
from tune import groups
from tune.groups import Groups

pytest.importorskip("sklearn", reason="the probe needs scikit-learn; install curatune[tune]")
RECIPE = """
name = "moods"
[[sources]]
name = "moods"
path = "moods.jsonl"
task = "classification"
[[sources]]
name = "judge"
path = "judge.jsonl"
task = "classification"
split = "heldout"
[[stages]]
name = "checks"
steps = [{ step = "length", column = "content" }]
keep = []
"""
WORDS = {"good": ["bright", "kind", "lovely", "warm", "happy"], "bad": ["dull", "rude", "awful", "cold", "sad"]}


def records(count: int, *, wrong: bool, text: str) -> list[dict[str, str]]:
    """Return sentences whose mood one word tells, or the other mood."""
    found = []
    for place in range(count):
        label = ("good", "bad")[place % 2]
        told = ("bad", "good")[place % 2] if wrong else label
        found.append({"text": text.format(WORDS[label][place // 2 % 5], place), "label": told})
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over 60 right records of 6 words with their label, 30 wrong ones of 7 and 40 that judge."""
    folder = tmp_path_factory.mktemp("moods")
    files = {
        "moods": records(60, wrong=False, text="a {} day number {}")
        + records(30, wrong=True, text="quite a {} day number {}"),
        "judge": records(40, wrong=False, text="one {} day of year {}"),
    }
    for name, lines in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    api.run(load_recipe(folder / "recipe.toml"), out=folder / "run")
    return folder / "run"


def test_right_rows_help_and_wrong_ones_harm(run: Path, tmp_path: Path) -> None:
    asked = Groups(by="length.words", tier="probe", seeds=4)
    found = tune.worth(run, asked, out=tmp_path / "worth")
    right, wrong = found["groups"]
    assert (right["group"], right["rows"], wrong["group"], wrong["rows"]) == ("6", 60, "7", 30)
    assert found["items"] == 40
    assert found["base"] == 0.5  # of two labels nothing is known
    assert (right["left_out"]["verdict"], right["shapley"]["verdict"]) == ("helps", "helps")
    assert (wrong["left_out"]["verdict"], wrong["shapley"]["verdict"]) == ("harms", "harms")
    total = right["shapley"]["mean"] + wrong["shapley"]["mean"]
    assert total == pytest.approx(found["whole"] - found["base"])
    assert (found["trainings"], found["orders"]) == (16, None)
    assert json.loads((tmp_path / "worth" / "worth.json").read_text(encoding="utf-8"))["groups"] == found["groups"]


def test_what_is_trained_is_found_again_and_another_question_is_trained_anew(run: Path, tmp_path: Path) -> None:
    asked = Groups(by="length.words", tier="probe", seeds=2)
    work = groups.prepare(run, asked, out=tmp_path)
    first = groups.finish(work)
    cell = tmp_path / "cells" / "0" / "3.json"
    before = cell.stat().st_mtime_ns
    (tmp_path / "cells" / "1" / "2.json").unlink()
    told: list[tuple[int, int]] = []
    again = groups.finish(
        groups.prepare(run, asked, out=tmp_path), progress=lambda _, done, all_: told.append((done, all_))
    )
    assert told == [(7, 8), (8, 8)]
    assert cell.stat().st_mtime_ns == before
    assert again["groups"] == first["groups"]
    other = groups.prepare(run, Groups(by="length.words", tier="trunk-head", seeds=2), out=tmp_path)
    assert other.key != work.key and groups._read(other, 0, 3) is None


def test_a_coalition_trains_on_its_own_groups_of_one_draw(run: Path, tmp_path: Path) -> None:
    work = groups.prepare(run, Groups(by="length.words", tier="probe", seeds=2), out=tmp_path)
    groups.finish(work)
    rows = {one: groups._read(work, 0, one)["rows"] for one in range(4)}  # type: ignore[index]
    assert rows[0] == 0
    assert rows[3] == 45  # the probe draws half of the records
    assert rows[1] + rows[2] == rows[3] and min(rows[1], rows[2]) > 0


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"by": "sorce"}, "no column 'sorce'"),
        ({"by": "parents"}, "several values"),
        ({"by": "source"}, "1 group of"),
        ({"by": "record"}, "90 groups of"),
    ],
)
def test_a_column_that_makes_no_groups_is_told(run: Path, tmp_path: Path, asked: dict[str, str], what: str) -> None:
    with pytest.raises(UserError, match=what):
        groups.prepare(run, Groups(tier="probe", **asked), out=tmp_path)


def test_held_out_rows_must_be_there_to_judge(run: Path, tmp_path: Path) -> None:
    text = (run.parent / "recipe.toml").read_text(encoding="utf-8").replace('split = "heldout"', "")
    (run.parent / "whole.toml").write_text(text, encoding="utf-8")
    api.run(load_recipe(run.parent / "whole.toml"), out=tmp_path / "run")
    with pytest.raises(UserError, match="no held-out rows"):
        groups.prepare(tmp_path / "run", Groups(by="source", heldout=True), out=tmp_path / "worth")
    assert groups.prepare(tmp_path / "run", Groups(by="source"), out=tmp_path / "worth").names == ("judge", "moods")


def test_worth_as_it_is_typed(run: Path) -> None:
    options = ("--by", "length.words", "--tier", "probe", "--seeds", 4)
    done = curate("worth", run, *options, cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "2 groups by length.words: all 4 sets of groups x 4 seeds = 16 trainings" in done.stdout
    assert "helps" in done.stdout and "0.500 trained on nothing" in done.stdout
    found = json.loads(curate("worth", run, *options, "--json", cwd=run.parent).stdout)
    assert {one["group"] for one in found["groups"]} == {"6", "7"}
    wrong = curate("worth", run, "--tier", "prob", cwd=run.parent)
    assert wrong.returncode == 2 and "did you mean 'probe'?" in wrong.stderr
