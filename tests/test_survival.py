"""A run that is killed, starved or disturbed: the same bytes in the end, or an error that says what to do."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from forks import ROOT, Commands, commands
from projects import lay_out, questions

RECIPE = """
name = "odd"
rejects = 0.3
[[sources]]
name = "qa"
path = "qa*.jsonl"
task = "qa_open"
[[stages]]
name = "own"
steps = [{ step = "length" }, { step = "own_steps:picky" }]
keep = [{ signal = "picky.letters", min = 1, why = "x" }]
[[stages]]
name = "near copies"
steps = [{ step = "near", threshold = 0.8 }]
keep = [{ signal = "near.rank", max = 0, why = "x" }]
"""
SMALL = ("run", "recipe.toml", "--out", "runs/r", "--workers", "1", "--allow-code")


@pytest.fixture(scope="module")
def server() -> Iterator[Commands]:
    with commands() as running:
        yield running


def project(folder: Path, step: str = "picky", count: int = 400) -> Path:
    lay_out(folder, questions(count), recipe=RECIPE.replace(":picky", f":{step}").replace("picky.", f"{step}."))
    shutil.copy(ROOT / "tests" / "support" / "own_steps.py", folder)
    return folder


def tables(folder: Path) -> list[bytes]:
    names = ("rows.parquet", "mix.parquet", "heldout.parquet", "rejects.jsonl", "failures.jsonl")
    return [(folder / "runs" / "r" / name).read_bytes() for name in names]


@pytest.fixture(scope="module")
def reference(server: Commands, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], float, Path]:
    """Run undisturbed: the bytes, the seconds it took without the page, and the project."""
    folder = project(tmp_path_factory.mktemp("reference"))
    started = time.monotonic()
    assert server.run(*SMALL, "--out", "runs/other", "--fresh", cwd=folder, page=False).status == 0
    seconds = time.monotonic() - started
    ended = server.run(*SMALL, cwd=folder)
    assert ended.status == 0, ended.err
    return tables(folder), seconds, folder


def test_a_row_on_which_a_step_raises_is_kept_and_recorded(reference: tuple[list[bytes], float, Path]) -> None:
    folder = reference[2] / "runs" / "r"
    rows = pl.read_parquet(folder / "rows.parquet")
    lamps = rows.filter(pl.col("response").str.contains("lamp"))
    failures = [json.loads(one) for one in (folder / "failures.jsonl").read_text().split("\n")[:-1]]
    assert [one["id"] for one in failures] == lamps["id"].to_list()
    assert lamps["picky.letters"].null_count() == lamps.height == rows["picky.letters"].null_count() > 0
    assert lamps["dropped_at"].is_in(["own"]).sum() == 0
    assert {one["step"] for one in failures} == {"picky"}
    assert "  own_steps, line" in failures[0]["traceback"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["failures"] == {"rows": lamps.height, "steps": {"picky": lamps.height}}
    facts = json.loads((folder / "report.json").read_text())
    assert facts["rejects"]["failures"]["rows"] == lamps.height
    for path in (folder / name for name in ("failures.jsonl", "report.html", "report.json", "README.md")):
        assert "jane.doe" not in path.read_text(encoding="utf-8"), path


def test_too_many_failures_fail_the_run(server: Commands, tmp_path: Path) -> None:
    ended = server.run(*SMALL, "--set", "rejects=0.01", cwd=project(tmp_path))
    assert ended.status == 4
    assert "allowed 1.0%" in ended.err
    assert "jane.doe" not in ended.err
    failures = (tmp_path / "runs" / ".curate-cache" / "failures" / "odd.jsonl").read_text()
    assert failures.count("\n") == 5  # one more than the hundredth of 400 rows, not all of them
    assert "jane.doe" not in failures


def test_a_row_that_a_state_raises_on_is_unseen_by_the_corpus_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import curate
    from curate.steps import exact

    real = exact.state

    def state(rows: pl.DataFrame, *, on: object = "content") -> object:
        if rows["content"].str.contains("number 3[?]").any():
            raise RuntimeError("cannot")
        return real(rows, on=on)

    state.__doc__ = real.__doc__
    monkeypatch.setattr(exact, "state", state)
    text = RECIPE.replace('{ step = "own_steps:picky" }', '{ step = "symbols" }').replace(
        "picky.letters", "length.chars"
    )
    text = text.replace('"near", threshold = 0.8', '"exact"').replace("near.rank", "exact.rank")
    run = curate.run(curate.load_recipe(lay_out(tmp_path, questions(40), recipe=text)), out=tmp_path / "r")
    lost = run.rows.filter(pl.col("content").str.contains("number 3[?]"))
    assert lost.height == 1
    assert lost["exact.rank"].to_list() == [None]
    assert lost["kept"].to_list() == [True]
    assert (
        run.rows.filter(pl.col("dropped_at").is_null() | (pl.col("dropped_at") == "near copies"))[
            "exact.rank"
        ].null_count()
        == 1
    )
    assert run.manifest["failures"] == {"rows": 1, "steps": {"exact": 1}}


def test_a_step_that_hangs_ends_the_run_at_its_time_limit(server: Commands, tmp_path: Path) -> None:
    ended = server.run(*SMALL, "--set", "slice_seconds=0.5", cwd=project(tmp_path, "hangs"))
    assert ended.status == 4
    assert "took longer than 0.5 s for one slice" in ended.err


def test_a_step_without_enough_memory_is_told(server: Commands, tmp_path: Path) -> None:
    ended = server.run(*SMALL, cwd=project(tmp_path, "greedy"))
    assert ended.status == 4
    assert "there is not enough memory" in ended.err


SLICED = "import sys; from curate import ingest; ingest.SLICE = 50; from curate.cli.main import main\n"
SLICED += "if __name__ == '__main__': main()"


def test_a_worker_that_is_killed_ends_the_run_which_then_goes_on(tmp_path: Path) -> None:
    folder = project(tmp_path, "dies")
    arguments = [sys.executable, "-c", SLICED, *SMALL[:4], "--workers", "2", "--allow-code", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert "a worker process was ended from outside" in done.stderr
    assert "fewer --workers" in done.stderr
    (folder / "there is more memory").touch()
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(
    server: Commands, tmp_path: Path, reference: tuple[list[bytes], float, Path]
) -> None:
    draw = random.Random(13)
    killed = 0
    for number in range(3):
        folder = project(tmp_path / str(number))
        moment = draw.uniform(0.05, reference[1])
        killed += server.run(*SMALL, cwd=folder, kill=moment, page=False).status == -9
        ended = server.run(*SMALL, cwd=folder, page=False)
        assert ended.status == 0, ended.err
        assert tables(folder) == reference[0]
        assert sorted(one.name for one in (folder / "runs").iterdir()) == [".curate-cache", "r"]
    assert killed


@pytest.mark.parametrize("size", [500, 5_000, 30_000])
def test_a_full_disk_is_told_and_then_gone_on_from(
    server: Commands, tmp_path: Path, reference: tuple[list[bytes], float, Path], size: int
) -> None:
    folder = project(tmp_path)
    ended = server.run(*SMALL, cwd=folder, limits={"RLIMIT_FSIZE": size})
    assert ended.status == 4, ended.err
    assert "file too large" in ended.err
    assert "Traceback" not in ended.err
    assert server.run(*SMALL, cwd=folder, page=False).status == 0
    assert tables(folder) == reference[0]


def test_a_folder_that_cannot_be_written_is_told(server: Commands, tmp_path: Path) -> None:
    ended = server.run(*SMALL[:2], "--out", "/proc/curate/r", "--allow-code", cwd=project(tmp_path))
    assert ended.status == 2
    assert "cannot be made" in ended.err


def mounted(folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    """Run where the runs lie on a disk of their own; in pieces, so that records go to disk while they are read."""
    (folder / "runs").mkdir()
    code = f"from curate import shelf; shelf.ROOM = 20_000\n{SLICED}"
    mount = f'mount -t tmpfs -o {options} none runs && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", sys.executable, "-c", code, *SMALL, "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.stderr.startswith(("unshare:", "mount:")):
        pytest.skip("this process may not mount a disk")
    return done


@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux has disks of one process")
@pytest.mark.parametrize("size", ["40k", "140k", "300k"])
def test_a_disk_that_is_really_full_is_told(tmp_path: Path, size: str) -> None:
    done = mounted(project(tmp_path), f"size={size}")
    assert done.returncode == 4, done.stderr
    assert "no space left on device" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="only Linux has disks of one process")
def test_a_disk_that_can_only_be_read_is_told(tmp_path: Path) -> None:
    done = mounted(project(tmp_path), "ro")
    assert done.returncode == 2, done.stderr
    assert "read-only file system" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_an_input_that_changed_between_runs_is_read_again(server: Commands, tmp_path: Path) -> None:
    first, second = project(tmp_path / "a"), project(tmp_path / "b", count=300)
    assert server.run(*SMALL, cwd=first, page=False).status == 0
    lay_out(first, questions(300), recipe=(second / "recipe.toml").read_text())
    assert server.run(*SMALL, cwd=first, page=False).status == 0
    assert server.run(*SMALL, cwd=second, page=False).status == 0
    assert tables(first) == tables(second)


def test_an_input_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import curate
    from curate import ingest

    path = lay_out(
        tmp_path, questions(20), recipe=RECIPE.replace('{ step = "own_steps:picky" }', '{ step = "symbols" }')
    )
    path.write_text(path.read_text().replace("picky.letters", "length.words"))
    real = ingest._read_all

    def disturbed(*given: object) -> object:
        with open(tmp_path / "qa0.jsonl", "a") as file:
            file.write(json.dumps(questions(1)[0]) + "\n")
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "_read_all", disturbed)
    with pytest.raises(curate.UserError, match="changed while it was read"):
        curate.run(curate.load_recipe(path), out=tmp_path / "r")


@pytest.mark.parametrize("clock", [0.0, 4e9])
def test_the_clock_does_not_matter(
    server: Commands, tmp_path: Path, reference: tuple[list[bytes], float, Path], clock: float
) -> None:
    folder = project(tmp_path)
    for path in folder.iterdir():
        os.utime(path, (4e9 - clock, 4e9 - clock))
    for now in (clock, 2e9 - clock / 2):  # the second time the clock has gone back, or leapt
        assert server.run(*SMALL, cwd=folder, page=False, clock=now).status == 0
        assert tables(folder) == reference[0]


def test_two_runs_in_one_directory_do_not_meet(tmp_path: Path, reference: tuple[list[bytes], float, Path]) -> None:
    folder = project(tmp_path)
    command = [sys.executable, "-m", "curate", *SMALL, "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    for process, err in zip(both, said, strict=True):
        assert process.returncode == 0 or (process.returncode == 2 and "another run is writing it" in err), err
    assert 0 in [one.returncode for one in both]
    assert tables(folder) == reference[0]
