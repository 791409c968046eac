"""Folders, locks and damaged files: nothing of the user is lost, and what was computed is right or computed again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from projects import lay_out, questions

import curate
from curate import engine, folders, rundir
from curate.errors import INPUT, UserError

BASE = """
name = "t"
[[sources]]
name = "s"
path = "qa0.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "pii" }]
keep = [{ signal = "length.words", min = 1, why = "x" }]
"""


def project(folder: Path, text: str = BASE, records: list[dict[str, Any]] | None = None) -> Path:
    return lay_out(folder, questions(20) if records is None else records, recipe=text)


def run(path: Path, **options: Any) -> curate.Run:
    return curate.run(curate.load_recipe(path), out=path.parent / "runs" / "r", **options)


def tables(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "rows.parquet").read_bytes(), (folder / "mix.parquet").read_bytes()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "garbage": lambda data: b"x" * len(data),
    "bit": lambda data: data[:-30] + bytes([data[-30] ^ 1]) + data[-29:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_is_computed_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    recipe = curate.load_recipe(project(tmp_path, BASE + '[[stages]]\nname = "m"\nsteps = [{ step = "minhash" }]\n'))
    out, cache = tmp_path / "runs" / "r", tmp_path / "runs" / ".curate-cache"
    engine.execute(recipe, out=out)
    whole = tables(out)
    for group in ("*/*.parquet", "*/*.table", "*/*.json", "ingest/*/facts.json", "ingest/*/*.parquet"):
        stored = [one for one in cache.glob(group) if (group[0] == "i") == (one.parent.parent.name == "ingest")]
        sizes = {one: one.stat().st_size for one in stored if one.suffix != ".json"}  # these say how long it took
        assert stored
        for one in stored:
            one.write_bytes(damage(one.read_bytes()))
        engine.execute(recipe, out=out)
        assert tables(out) == whole
        assert {one: one.stat().st_size for one in sizes} == sizes
        assert all(orjson.loads(one.read_bytes()) for one in stored if one.suffix == ".json")


@pytest.mark.parametrize("left", [".r.x.partial", ".r.partial"])
def test_what_killed_runs_left_behind_does_not_stop_the_next(tmp_path: Path, left: str) -> None:
    path = project(tmp_path)
    (tmp_path / "runs" / left / "tables").mkdir(parents=True)
    assert run(path).mix.height


def test_two_runs_do_not_write_the_same_folder_at_once(tmp_path: Path) -> None:
    path = project(tmp_path)
    with rundir.staging(tmp_path / "runs" / "r"), pytest.raises(UserError, match="another run is writing it"):
        run(path)
    assert run(path).mix.height


def test_a_locked_folder_is_waited_for_and_removed_in_the_end(tmp_path: Path) -> None:
    seen: list[str] = []

    def second() -> None:
        with folders.workshop(tmp_path / "w", wait=True):
            seen.append("second")

    with folders.workshop(tmp_path / "w", wait=True) as path:
        (path / "file").touch()
        thread = threading.Thread(target=second)
        thread.start()
        seen.append("first")
        path.rename(tmp_path / "done")
    thread.join()
    assert seen == ["first", "second"]
    assert [one.name for one in tmp_path.iterdir()] == ["done"]


def test_files_of_the_user_in_a_run_directory_are_kept(tmp_path: Path) -> None:
    path = project(tmp_path)
    (run(path).path / "notes.txt").write_text("mine")
    assert (run(path).path / "notes.txt").read_text() == "mine"
    assert sorted(one.name for one in (tmp_path / "runs").iterdir()) == [".curate-cache", "r"]


def test_an_interrupted_replacement_is_finished(tmp_path: Path) -> None:
    done = run(project(tmp_path)).path
    done.rename(done.with_name(".r.replaced"))
    with rundir.staging(done):
        assert (done / "manifest.json").is_file()


def web(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "manifest.json").write_text('{"name": "an app of somebody else"}')


def other_project(path: Path) -> None:
    lay_out(path, [1])


def plain_file(path: Path) -> None:
    path.parent.mkdir()
    path.touch()


@pytest.mark.parametrize("make", [web, other_project, plain_file])
def test_nothing_but_a_run_is_replaced(tmp_path: Path, make: Any) -> None:
    path = project(tmp_path)
    make(tmp_path / "runs" / "r")
    with pytest.raises(UserError, match="is not a run directory"):
        run(path)


def test_the_folder_one_stands_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path)
    (tmp_path / "runs" / "r").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "runs" / "r")
    with pytest.raises(UserError, match="the folder you are in"):
        curate.run(curate.load_recipe(path), out=".")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = project(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "r").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert run(path).mix.height
    assert (tmp_path / "runs" / "r").is_symlink()


def test_an_out_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    path = project(tmp_path)
    with pytest.raises(UserError, match="cannot be made"):
        curate.run(curate.load_recipe(path), out=path / "below")
    with pytest.raises(UserError, match="not UTF-8"):
        folders.make(tmp_path / "\udcff")


@pytest.mark.parametrize(
    ("name", "content"),
    [("manifest.json", b"{tru"), ("manifest.json", b"[]"), ("rows.parquet", b"PAR1cut"), ("mix.parquet", None)],
)
def test_a_damaged_run_is_named_and_can_be_made_again(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = project(tmp_path)
    done = run(path).path
    (done / name).unlink() if content is None else (done / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as caught:
        rundir.RunDir.open(done)
    assert caught.value.code == INPUT
    if name == "manifest.json" or content:
        assert run(path).mix.height


def test_a_changed_input_is_said_by_explain(tmp_path: Path) -> None:
    done = run(project(tmp_path))
    row = done.rows["id"][0]
    data = tmp_path / "qa0.jsonl"
    data.write_text("#" * data.stat().st_size)
    assert "has changed" in done.explain(row)["origin"]["note"]
