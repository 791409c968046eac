"""Every case of the table ends as it says: nothing lost, nothing executed, nothing hidden, memory bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forks import Commands, Ended, commands
from hostile_cases import MARK, READ, REFUSED, Read, Refused

# MiB of a command: twice what the report of a run with small sound files takes here (290).
MEMORY = 600
# What acts on a terminal or hides what it shows.
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


@pytest.fixture(scope="module")
def server() -> Iterator[Commands]:
    with commands() as running:
        yield running


def check_end(ended: Ended, folder: Path) -> None:
    assert "Traceback" not in ended.err
    assert not ACTS.search(ended.out + ended.err)
    assert ended.mib < MEMORY
    assert not [path for place in (folder, folder.parent, folder.parent.parent) for path in place.glob(f"*{MARK}*")]


def test_there_are_sixty_cases_and_more() -> None:
    names = [one.file for one in READ] + [one.name for one in REFUSED]
    assert len(names) == len(set(names)) >= 60


@pytest.fixture(scope="module")
def run(server: Commands, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, dict[str, Any], Path]:
    """Read all files in one run."""
    folder = tmp_path_factory.mktemp("read")
    text = 'name = "read"\nrejects = 1.0\n'
    for one in READ:
        (folder / one.file).write_bytes(one.content())
        text += f'[[sources]]\nname = "{one.file}"\npath = "{one.file}"\ntask = "qa_open"\n'
    text += '[[stages]]\nname = "s"\nsteps = [{ step = "length" }]\n'
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    ended = server.run("run", "recipe.toml", "--out", "r", "--workers", 1, cwd=folder)
    assert ended.status == 0, ended.err[-3000:]
    return ended, json.loads((folder / "r" / "manifest.json").read_text()), folder


def test_the_run_over_hostile_files_stays_small_and_shows_nothing_that_acts(run: tuple[Ended, Any, Path]) -> None:
    ended, _, folder = run
    check_end(ended, folder)
    for name in ("report.html", "README.md", "report.json", "croissant.json", "rejects.jsonl"):
        text = (folder / "r" / name).read_text(encoding="utf-8")
        assert not ACTS.search(text), name
        assert name != "report.html" or "<script>window" not in text


@pytest.mark.parametrize("case", READ, ids=lambda case: case.file)
def test_each_record_of_a_hostile_file_is_a_row_or_a_reject(run: tuple[Ended, Any, Path], case: Read) -> None:
    _, manifest, folder = run
    source = next(one for one in manifest["sources"] if one["name"] == case.file)
    assert (source["records_read"] - source["rejects"], source["rejects"]) == (case.records, case.rejects)
    listed = [json.loads(one) for one in (folder / "r" / "rejects.jsonl").read_text().split("\n")[:-1]]
    causes = [one["cause"] for one in listed if one["source"] == case.file]
    assert len(causes) == case.rejects
    assert not case.rejects or any(case.cause in cause for cause in causes)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_cannot_be_used_is_one_clear_error(server: Commands, tmp_path: Path, case: Refused) -> None:
    folder = tmp_path / "a" / "project"
    folder.mkdir(parents=True)
    case.lay(folder)
    ended = server.run(*case.command, cwd=folder)
    check_end(ended, folder)
    assert ended.status == case.status, ended.err
    assert case.said in ended.err.replace("\n", " ")
    assert not (folder / "runs" / "r" / "manifest.json").exists()
    assert not (folder / "theirs").exists() or (folder / "theirs" / "thesis.txt").read_text() == "years of work"
