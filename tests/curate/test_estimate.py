"""What a run will take: counted from the beginning of a file, told for all of it, refused where it is too much."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from forks import Commands, commands
from projects import RECIPE, lay_out, questions

import curate
from curate import estimate


@pytest.fixture(scope="module")
def server() -> Iterator[Commands]:
    with commands() as running:
        yield running


@pytest.mark.parametrize(
    ("text", "size"), [("8GiB", 8 << 30), ("1.5 MiB", 3 << 19), ("100B", 100), ("2TiB", 2 << 40), ("0KiB", 0)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert estimate.bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "8", "8GB", "GiB", "-1GiB", "8 gib", "1e3MiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(curate.UserError, match="write it like 8GiB"):
        estimate.bytes_of(text)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0.0 B"), (1023, "1023 B"), (1 << 20, "1.0 MiB"), (12 << 30, "12 GiB"), (3 << 39, "1.5 TiB")],
)
def test_sizes_are_shown(size: int, shown: str) -> None:
    assert estimate.shown_bytes(size) == shown


def written(folder: Path, form: str, count: int) -> Path:
    """Write records of equal length in some form."""
    records = [{"question": f"What is number {number:06}?", "answer": "It is one."} for number in range(count)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    path = folder / f"qa.{form}"
    if form == "jsonl.gz":
        path.write_bytes(gzip.compress(lines.encode()))
    elif form == "csv":
        pl.DataFrame(records).write_csv(path)
    elif form == "parquet":
        pl.DataFrame(records).write_parquet(path)
    else:
        path.write_text(json.dumps(records) if form == "json" else lines, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "json", "csv", "parquet"])
@pytest.mark.parametrize("sample", [4_000, 1 << 23])
def test_records_are_counted_from_the_beginning_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, sample: int
) -> None:
    monkeypatch.setattr(estimate, "SAMPLE", sample)
    written(tmp_path, form, 3_000)
    recipe = curate.load_recipe(lay_out(tmp_path, [], recipe=RECIPE.replace("qa*.jsonl", f"qa.{form}")))
    (tmp_path / "copy").mkdir()
    found = estimate._probed(recipe.sources[0], recipe, tmp_path / "copy")
    assert found.total == pytest.approx(3_000, rel=0.1 if sample == 4_000 else 0)
    assert 0 < len(found.records) <= estimate.PROBE
    limited = recipe.sources[0].model_copy(update={"limit": 70})
    assert estimate._probed(limited, recipe, tmp_path / "copy").total == 70


def test_figures_lie_on_the_line_through_both_probes() -> None:
    few, many = {"records": 20.0, "disk": 110.0}, {"records": 200.0, "disk": 200.0}
    assert estimate._at(200, many, few, "disk") == 200
    assert estimate._at(1_000_200, many, few, "disk") == 500_200
    assert estimate._at(1_000, many, many, "disk") == 200  # all were probed: there is no line to draw


def test_a_run_takes_about_the_disk_that_was_told(tmp_path: Path) -> None:
    recipe = curate.load_recipe(lay_out(tmp_path, questions(4_000)))
    told = estimate.estimate(recipe, workers=1)
    assert (told["probe"], told["records"]) == (200, 4_000)
    curate.run(recipe, out=tmp_path / "runs" / "r")
    tables = [path for path in (tmp_path / "runs").rglob("*") if path.is_file() and path.name != "report.html"]
    used = sum(path.stat().st_size for path in tables)
    assert used / 2 < told["disk"] < used * 2


def test_a_run_that_would_take_too_much_is_refused(server: Commands, tmp_path: Path) -> None:
    lay_out(tmp_path, questions(60))
    for command in ("check", "run"):
        ended = server.run(command, "recipe.toml", "--memory", "1MiB", "--workers", "2", cwd=tmp_path)
        assert ended.status == 2
        assert "of memory, more than 1.0 MiB" in ended.err
    assert not (tmp_path / "runs").exists()
    ended = server.run("check", "recipe.toml", "--memory", "lots", cwd=tmp_path)
    assert "write it like 8GiB" in ended.err
    ended = server.run("check", "recipe.toml", "--memory", "900GiB", "--json", cwd=tmp_path)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)["estimate"]
    assert (told["probe"], told["records"]) == (60, 60)
    assert 0 < told["disk"] < told["memory"] < 900 << 30
    assert "estimate of about 60 records" in server.run("check", "recipe.toml", "--estimate", cwd=tmp_path).out
