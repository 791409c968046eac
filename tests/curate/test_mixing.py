"""Mixes in a run: copies in the mix and in exports, and what a recipe must say with them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from projects import lay_out

import curate
from curate.errors import UserError
from curate.export import export

RECIPE = """
name = "mixed"
seed = 3
sources = [
  { name = "big", path = "big.jsonl", task = "qa_open" },
  { name = "small", path = "small.jsonl", task = "qa_open" },
]
[[stages]]
name = "mix"
steps = [{ step = "mix", rate = "weights", weights = { big = 1, small = 1 }, budget = 60 }]
keep = [{ signal = "mix.copies", min = 1, why = "every source has half of the mix" }]
[[stages]]
name = "later"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 1, why = "an empty answer teaches nothing" }]
"""


def project(folder: Path, recipe: str = RECIPE) -> Path:
    folder.mkdir(exist_ok=True)
    for name, count in (("big", 50), ("small", 12)):
        lines = [json.dumps({"question": f"What is {name} {i}?", "answer": f"It is {i}."}) for i in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return lay_out(folder, [], recipe=recipe)


def test_copies_stand_in_the_mix_and_in_its_exports(tmp_path: Path) -> None:
    run = curate.run(curate.load_recipe(project(tmp_path)), out=tmp_path / "runs" / "r")
    by = run.mix.group_by("source").agg(pl.len(), pl.col("copies").sum(), pl.col("copies").max().alias("most"))
    assert sorted(by.rows()) == [("big", 30, 30, 1), ("small", 12, 30, 3)]
    told = export(curate.rundir.RunDir.open(run.path), form="messages", out=tmp_path / "out")
    assert told["rows"] == 60
    lines = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert sum("small" in line for line in lines) == 30
    assert pl.read_parquet(tmp_path / "out" / "data" / "*.parquet").height == 60


def test_a_smaller_budget_is_the_start_of_a_larger_mix(tmp_path: Path) -> None:
    path = project(tmp_path)
    small, large = (
        curate.run(
            curate.load_recipe(path, overrides=[f"stages.mix.steps.mix.budget={budget}"]), out=tmp_path / str(budget)
        ).mix.select("id", "copies")
        for budget in (31, 200)
    )
    both = small.join(large, on="id", how="left", suffix="_large")
    assert (small["copies"].sum(), large["copies"].sum()) == (31, 200)
    assert (both["copies_large"] >= both["copies"]).all()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('keep = [{ signal = "mix.copies", min = 1, why = "every source has half of the mix" }]', "", "without a copy"),
        ('min = 1, why = "every', 'min = 1, flag = true, why = "every', "without a copy"),
        ("small = 1 }", "smell = 1 }", "no source 'smell'"),
        ("small = 1 }", "smell = 1 }", "none for source 'small'"),
        ("small = 1 }", 'small = "1" }', "does not fit"),
        ('[{ step = "length" }]', '[{ step = "length" }, { step = "mix", as = "again" }]', "mixes already"),
    ],
)
def test_a_mix_that_hides_something_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    recipe = curate.load_recipe(project(tmp_path, RECIPE.replace(old, new, 1)))
    with pytest.raises(UserError, match=said):
        curate.run(recipe, out=tmp_path / "r")


CLUSTERS = RECIPE.replace('task = "qa_open" },\n]', 'task = "math", cluster = "sums" },\n]').replace(
    'rate = "weights", weights = { big = 1, small = 1 }',
    'by = "cluster", rate = "weights", weights = { closed_book_qa = 3, sums = 1 }',
)


CAPPED = CLUSTERS.replace('rate = "weights", weights = { closed_book_qa = 3, sums = 1 }', "cap = 12")


def test_clusters_of_tasks_have_their_shares(tmp_path: Path) -> None:
    run = curate.run(curate.load_recipe(project(tmp_path, CLUSTERS)), out=tmp_path / "r")
    by = run.mix.group_by("source").agg(pl.col("copies").sum())
    assert sorted(by.rows()) == [("big", 45), ("small", 15)]


@pytest.mark.parametrize(("cluster", "rows"), [("sums", (30, 30)), ("closed_book_qa", (48, 12))])
def test_another_cluster_is_another_mix_of_the_same_rows(tmp_path: Path, cluster: str, rows: tuple[int, int]) -> None:
    project(tmp_path, CAPPED)
    for name in ("sums", cluster):  # the second time its cache knows the first
        recipe = curate.load_recipe(tmp_path / "recipe.toml", overrides=[f"sources.small.cluster={name}"])
        run = curate.run(recipe, out=tmp_path / "r")
    counts = dict(run.mix.group_by("source").agg(pl.col("copies").sum()).iter_rows())
    assert abs(counts["big"] - rows[0]) <= 5
    assert counts["big"] + counts["small"] == 60


def test_a_weight_for_no_cluster_of_the_recipe_is_refused(tmp_path: Path) -> None:
    recipe = curate.load_recipe(project(tmp_path, CLUSTERS.replace("closed_book_qa = 3", "closed_book = 3")))
    with pytest.raises(UserError, match="no cluster 'closed_book'; did you mean 'closed_book_qa'"):
        curate.run(recipe, out=tmp_path / "r")
    with pytest.raises(UserError, match="none for cluster 'closed_book_qa'"):
        curate.run(recipe, out=tmp_path / "r")
