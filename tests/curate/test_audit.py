"""An audit drops nothing, and what it predicts is what its recipe does."""

from __future__ import annotations

import gzip
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate
from curate import audit, check
from curate.errors import UserError

SUBJECTS = ("river", "stone", "lamp", "garden", "copper", "window", "bridge", "winter", "orange", "paper", "silver")


def pair(prompt: str, response: str) -> dict[str, Any]:
    return {"prompt": prompt, "completion": response}


def story(number: int) -> str:
    """Return thirty words that share few of their runs with any other number's."""
    words = [f"{SUBJECTS[(number * 7 + place * (number + 3)) % 11]}{number * place % 89}" for place in range(30)]
    return " ".join(words)


def records() -> list[dict[str, Any]]:
    """Return 40 sound records, 3 empty answers, 2 echoes, 4 exact copies and 3 near copies."""
    sound = [pair(f"Tell story {number}.", story(number)) for number in range(40)]
    empty = [pair(f"Say nothing about {SUBJECTS[number]}.", " \n" if number else "") for number in range(3)]
    echoes = [pair(text, text.upper()) for text in ("Repeat after me: lamp.", "What is a lamp?")]
    copies = [dict(sound[number]) for number in (3, 3, 5, 8)]
    near = [pair(f"Tell story {number}.", story(number) + " end") for number in (11, 12, 13)]
    return [*sound, *empty, *echoes, *copies, *near]


def lost_keeper() -> list[dict[str, Any]]:
    """Return near copies whose keeper, the longest of them, is an echo and dropped before."""
    text = story(1)
    return [
        pair(f"{text} one two three", f"{text} one two three"),
        pair(f"{text} one two", f"{text} one two three"),
        pair(f"{text} one", f"{text} one two three"),
        *(pair(f"Tell story {number}.", story(number)) for number in range(20, 30)),
    ]


def crowd() -> list[dict[str, Any]]:
    """Return so many near copies of an echo that not all of their pairs are kept."""
    text = " ".join([story(1), story(2), story(3)])
    echo = pair(f"{text} one two three", f"{text} one two three")
    return [echo, *(pair(text, f"{text} word{number} last") for number in range(30))]


def copies_of_nothing() -> list[dict[str, Any]]:
    """Return equal records with empty answers, and equal ones with answers: only the latter are dropped as copies."""
    return [*[pair("Say nothing.", "")] * 3, *[pair("Say lamp.", "lamp")] * 3, pair("Name a stone.", "Granite.")]


def misread() -> list[dict[str, Any]]:
    """Return a text and its mojibake, which repairing makes equal."""
    return [pair("What is it?", "It is Müller’s café."), pair("What is it?", "It is MÃ¼llerâ€™s cafÃ©.")]


FILES: dict[str, list[dict[str, Any]]] = {
    "planted": records(),
    "lost keeper": lost_keeper(),
    "crowd": crowd(),
    "copies of nothing": copies_of_nothing(),
    "misread": misread(),
}


def write(folder: Path, found: Sequence[Any], name: str = "data.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")
    return path


def audited(*files: Path, out: Path) -> dict[str, Any]:
    """Run an audit and return its facts."""
    found: dict[str, Any] = curate.run(audit.audit_recipe(files, seed=0), out=out).report()
    return found


def rules(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (rule for stage in manifest["stages"] for rule in stage["rules"])


@pytest.mark.parametrize("name", FILES)
def test_the_written_recipe_drops_what_the_audit_predicts(name: str, tmp_path: Path) -> None:
    facts = audited(write(tmp_path, FILES[name]), out=tmp_path / "audit")
    recipe = curate.load_recipe(tmp_path / "audit" / "recipe.toml")
    check.require(recipe)
    ran = {rule["id"]: rule for rule in rules(curate.run(recipe, out=tmp_path / "run").manifest)}
    for one in facts["audit"]["checks"]:
        rule = ran[one["id"]]
        assert rule["flag"] == (not one["drops"])
        if one["exact"]:
            assert rule["first"] == one["would_drop"], one["id"]
    if facts["audit"]["exact"]:
        assert sum(rule["first"] for rule in ran.values()) == facts["audit"]["would_drop"]


def test_an_audit_predicts_each_row_once_by_its_first_cause(tmp_path: Path) -> None:
    facts = audited(write(tmp_path, records()), out=tmp_path / "audit")["audit"]
    drops = {one["id"]: one["would_drop"] for one in facts["checks"] if one["drops"]}
    assert drops == {
        "checks/length.words min 1": 3,
        "checks/echo.same is false": 2,
        "copies/exact.rank max 0": 4,
        "near copies/near.rank max 0": 3,
    }
    assert (facts["would_drop"], facts["rows"], facts["exact"]) == (12, 52, True)


def test_copies_of_rows_that_are_dropped_before_are_not_counted_again(tmp_path: Path) -> None:
    facts = audited(write(tmp_path, copies_of_nothing()), out=tmp_path / "audit")["audit"]
    counts = {one["id"]: (one["flagged"], one["would_drop"]) for one in facts["checks"]}
    assert counts["checks/length.words min 1"] == (3, 3)
    assert counts["copies/exact.rank max 0"] == (4, 2)
    assert counts["near copies/near.rank max 0"] == (4, 0)


def test_what_a_run_alone_can_tell_is_said_to_be_about(tmp_path: Path) -> None:
    lost = audited(write(tmp_path / "c", lost_keeper()), out=tmp_path / "c" / "audit")["audit"]
    assert lost["exact"]  # the pairs tell who stays for the others
    lost = audited(write(tmp_path / "a", crowd()), out=tmp_path / "a" / "audit")["audit"]
    assert not lost["exact"]
    assert "name a keeper that is itself dropped" in lost["about"]
    assert "would drop about" in (tmp_path / "a" / "audit" / "recipe.toml").read_text()
    fixed = audited(write(tmp_path / "b", misread()), out=tmp_path / "b" / "audit")["audit"]
    assert not fixed["exact"]
    assert "repairing 1 row" in fixed["about"]


def test_texts_are_as_they_stand_in_the_file_and_the_recipe_mends_them(tmp_path: Path) -> None:
    audited(write(tmp_path, [*misread(), pair("Why?", "So.")]), out=tmp_path / "audit")
    rows = pl.read_parquet(tmp_path / "audit" / "rows.parquet")
    assert "It is MÃ¼llerâ€™s cafÃ©." in rows["response"].to_list()
    recipe = curate.load_recipe(tmp_path / "audit" / "recipe.toml")
    assert recipe.sources[0].clean.repairs == ("mojibake", "unicode", "line_endings")
    assert recipe.sources[0].format == "prompt_completion"
    run = curate.run(recipe, out=tmp_path / "run")
    assert run.manifest["sources"][0]["repairs"] == {"mojibake": 1}
    assert run.manifest["totals"]["dropped"] == 1
    assert set(run.rows["id"]) == set(rows["id"])


def test_the_recipe_names_columns_and_lets_as_many_broken_records_pass(tmp_path: Path) -> None:
    path = write(tmp_path, [{"question": f"Where is city {n}?", "answer": f"In country {n}."} for n in range(8)])
    with path.open("a", encoding="utf-8") as file:
        file.write("{broken\n[1, 2]\n")
    audited(path, out=tmp_path / "audit")
    text = (tmp_path / "audit" / "recipe.toml").read_text()
    source = tomllib.loads(text)["sources"][0]
    assert source["fields"] == {"prompt": "question", "completion": "answer"}
    assert tomllib.loads(text)["rejects"] == 0.2
    recipe = curate.load_recipe(tmp_path / "audit" / "recipe.toml")
    assert curate.run(recipe, out=tmp_path / "run").manifest["totals"]["kept"] == 8


NAMES = {
    "blank and quotes": 'it\'s "a" # [file].jsonl',
    "not UTF-8": os.fsdecode(b"caf\xe9.jsonl"),
    "a star": "all *.jsonl",
    "a line break": "two\nlines.jsonl",
    "a dash": "-x.jsonl",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_recipe_runs_from_any_folder_whatever_the_file_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in", records()[:10], name)
    monkeypatch.chdir(tmp_path / "in")
    facts = audited(Path(name), out=tmp_path / "audit")
    assert facts["headline"]["rows"] == 10
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    recipe = curate.load_recipe(tmp_path / "audit" / "recipe.toml")
    assert curate.run(recipe, out=tmp_path / "run").manifest["totals"]["kept"] == 10


def test_a_folder_a_glob_and_several_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data [x]"
    write(folder, records()[:10], "a.jsonl")
    write(folder, records()[10:20], "b.jsonl")
    (folder / "c.json").write_text("\ufeff" + json.dumps(records()[20:25]), encoding="utf-8")
    (folder / "d.jsonl.gz").write_bytes(gzip.compress(json.dumps(records()[25]).encode() + b"\n"))
    pl.DataFrame(records()[26:28]).write_parquet(folder / "e.parquet")
    (folder / "notes.txt").write_text("no data")
    monkeypatch.chdir(tmp_path)
    assert audited(folder, out=tmp_path / "1")["headline"]["rows"] == 28
    assert audited(Path("data [[]x]/*.jsonl"), out=tmp_path / "2")["headline"]["rows"] == 20
    several = audited(*(folder / name for name in ("a.jsonl", "c.json", "e.parquet")), out=tmp_path / "3")
    assert several["headline"]["rows"] == 17
    assert [source["name"] for source in several["audit"]["reads"]] == ["a", "c", "e"]
    for name in ("1", "2", "3"):
        check.require(curate.load_recipe(tmp_path / name / "recipe.toml"))


def test_an_audit_says_how_it_is_made_again(tmp_path: Path) -> None:
    path = write(tmp_path, records()[:5])
    facts: dict[str, Any] = curate.run(audit.audit_recipe([path], seed=4), out=tmp_path / "audit").report()
    assert facts["provenance"]["command"] == f"curate audit {path} --seed 4"


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no data")
    with pytest.raises(UserError, match="without data files"):
        audit.audit_recipe([tmp_path], seed=0)


def test_an_audit_written_again_replaces_its_own_files_and_no_others(tmp_path: Path) -> None:
    path = write(tmp_path, records())
    out = tmp_path / "audit"
    audited(path, out=out)
    first = audit.take_away(out)
    assert (first["rows"], first["left_out"]) == (52, 0)
    (out / "mine.txt").write_text("kept")
    (out / "export" / "old.txt").write_text("gone")
    audited(path, out=out)
    assert audit.take_away(out) == first
    assert sorted(file.name for file in (out / "export").iterdir()) == [
        "README.md",
        "croissant.json",
        "data",
        "train.jsonl",
    ]
    assert (out / "mine.txt").read_text() == "kept"
    assert (out / "recipe.toml").exists()


def test_a_run_that_is_no_audit_leaves_a_recipe_and_an_export_of_the_user_alone(tmp_path: Path) -> None:
    audited(write(tmp_path, records()), out=tmp_path / "audit")
    recipe = curate.load_recipe(tmp_path / "audit" / "recipe.toml")
    out = tmp_path / "run"
    curate.run(recipe, out=out)
    (out / "recipe.toml").write_text("mine")
    (out / "export").mkdir()
    facts = curate.run(recipe, out=out).report()
    assert (out / "recipe.toml").read_text() == "mine"
    assert (out / "export").is_dir()
    assert facts["headline"]["kind"] == "run"
    assert "skipped" in facts["audit"]
