"""Records that do not fit in memory: the same rows, in the same slices."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from forks import ROOT
from projects import lay_out, questions

import curate
from curate import cache, ingest, shelf
from curate.schema import PREFIX
from curate.shelf import Shelf

SAMPLES = ROOT / "rules" / "samples"
# Everything that looks at all records of a source: a limit, template text that is inferred, labels, exemplars, a key.
MORE = f"""
name = "more"
seed = 5
[[sources]]
name = "limited"
path = "qa*.jsonl"
task = "qa_open"
limit = 70
[[sources]]
name = "keyed"
path = "qa*.jsonl"
task = "qa_open"
key = "answer"
[[sources]]
name = "reviews"
path = "{SAMPLES}/reviews.jsonl"
task = "classification"
fields = {{ text = "text", label = "rating" }}
[[sources]]
name = "requests"
path = "{SAMPLES}/requests_alpaca.json"
format = "alpaca"
infer_template = true
[templates]
per_record = 2
kinds = ["zero_shot", "few_shot"]
[[stages]]
name = "s"
steps = [{{ step = "length" }}]
"""


def frame(bases: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"base": bases, "text": [f"text of {base}" for base in bases]})


@pytest.mark.parametrize("room", [500, 5_000, 100_000])
def test_records_come_back_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(shelf, "ROOM", room)
    monkeypatch.setattr(shelf, "GROUP", 7)
    draw = random.Random(3)
    bases = [f"{draw.randrange(1 << 64):016x}" for _ in range(500)] * 2  # each twice: equal hashes stay together
    draw.shuffle(bases)
    kept = Shelf(tmp_path / "records")
    for start in range(0, 1000, 90):
        kept.add(frame(bases[start : start + 90]))
    for _ in range(2):
        parts = list(kept.parts())
        assert pl.concat(parts)["base"].to_list() == sorted(bases)
        assert pl.concat(parts)["text"].to_list() == [f"text of {base}" for base in sorted(bases)]
        starts = [set(part["base"].str.head(PREFIX)) for part in parts]
        assert sum(map(len, starts)) == len(set().union(*starts))
    assert kept.height == 1000
    assert (len(parts) > 1) == (tmp_path / "records").exists() == (room < 100_000)
    kept.clear()
    assert list(kept.parts()) == []
    assert not list((tmp_path / "records").glob("*"))


@pytest.mark.parametrize("name", ["more", "demo"])
def test_rows_of_records_on_disk_are_those_of_records_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(ingest, "SLICE", 50)
    path = lay_out(tmp_path, questions(300), files=2, recipe=MORE)
    recipe = curate.load_recipe(path if name == "more" else ROOT / "rules" / "recipes" / "demo.toml")

    def ingested(folder: str) -> dict[str, bytes]:
        done = ingest.ingest(recipe, store=cache.Store(tmp_path / folder), progress=lambda label, done, total: None)
        assert sorted(one.name for one in done.path.iterdir()) == sorted([*ingest.FILES.values(), ingest.FACTS])
        return {file.name: file.read_bytes() for file in done.path.iterdir()}

    whole = ingested("memory")
    written: list[Path] = []
    real = Shelf._write

    def write(self: Shelf) -> None:
        real(self)
        written.append(self._runs[-1])

    monkeypatch.setattr(Shelf, "_write", write)
    monkeypatch.setattr(shelf, "ROOM", 20_000)
    assert ingested("disk") == whole
    assert len(written) > 5
    assert not any(one.exists() for one in written)
    rows = next((tmp_path / "disk").rglob("rows.parquet"))
    assert pq.ParquetFile(rows).num_row_groups > 3
