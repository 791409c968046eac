"""The engine: same rows for any order and worker count, replay, resume, accounting, gates."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from projects import RECIPE, lay_out, questions

import curate
from curate import embed, ingest
from curate.errors import UserError

COUNT = 120


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "SLICE", 25)


def files(run: curate.Run) -> tuple[bytes, bytes]:
    """Return the bytes of the two tables that must not change."""
    return (run.path / "rows.parquet").read_bytes(), (run.path / "mix.parquet").read_bytes()


def do(
    folder: Path, records: list[dict[str, object]] | None = None, *, parts: int = 1, **options: object
) -> curate.Run:
    """Lay out a project in its own folder and run it there, with its own cache."""
    overrides = options.pop("overrides", ())
    recipe = curate.load_recipe(lay_out(folder, records or questions(COUNT), files=parts), overrides=overrides)  # type: ignore[arg-type]
    return curate.run(recipe, out=folder / "runs" / "r", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "SLICE", 25)
        return files(do(tmp_path_factory.mktemp("reference")))


def test_the_same_run_twice_gives_the_same_bytes(tmp_path: Path, reference: tuple[bytes, bytes]) -> None:
    assert files(do(tmp_path)) == reference
    assert files(do(tmp_path)) == reference  # now from the cache
    assert files(do(tmp_path, fresh=True)) == reference


@pytest.mark.parametrize("parts", [3, 7])
def test_files_and_order_of_the_input_do_not_matter(tmp_path: Path, reference: tuple[bytes, bytes], parts: int) -> None:
    records = questions(COUNT)
    random.Random(parts).shuffle(records)
    assert files(do(tmp_path, records, parts=parts)) == reference


def test_workers_do_not_matter(tmp_path: Path, reference: tuple[bytes, bytes]) -> None:
    assert files(do(tmp_path, workers=2)) == reference


def test_a_slow_step_takes_pieces_and_goes_on_from_them(
    tmp_path: Path, reference: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate.steps import length as module

    real, heights = module.length, []

    def counted(rows: pl.DataFrame, **arguments: Any) -> pl.DataFrame:
        if rows.height:
            heights.append(rows.height)
        if len(heights) == 8 and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt
        return real(rows, **arguments)

    stopped: list[bool] = []
    monkeypatch.setattr(module, "PIECE", 15, raising=False)
    monkeypatch.setattr(module, "length", functools.wraps(real)(counted))
    with pytest.raises(KeyboardInterrupt):
        do(tmp_path, workers=1)
    assert files(do(tmp_path, workers=1)) == reference
    # 120 records of two rows each: four slices of 50 rows and one of 40; the eighth piece was begun twice.
    assert heights[:7] + heights[8:] == [15, 15, 15, 5] * 4 + [15, 15, 10]
    assert heights[7] == heights[8]


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_the_polars_engine_does_not_matter(tmp_path: Path, reference: tuple[bytes, bytes], engine: str) -> None:
    recipe = lay_out(tmp_path, questions(COUNT))
    code = "import sys, curate; from curate import ingest; ingest.SLICE = 25; "
    code += "curate.run(curate.load_recipe(sys.argv[1]), out=sys.argv[2])"
    command = [sys.executable, "-c", code, str(recipe), str(tmp_path / "runs" / "r")]
    subprocess.run(command, check=True, env={**os.environ, "POLARS_ENGINE_AFFINITY": engine})
    assert files(curate.Run(tmp_path / "runs" / "r")) == reference


@pytest.mark.parametrize(
    "override",
    ["stages.checks.keep.0.min=5", "stages.near copies.steps.0.threshold=0.5", "stages.balance.keep.0.max=9", "seed=4"],
)
def test_a_replayed_mix_equals_a_fresh_run(tmp_path: Path, override: str) -> None:
    do(tmp_path / "a")
    replayed = do(tmp_path / "a", overrides=[override])
    assert files(replayed) == files(do(tmp_path / "b", overrides=[override]))


def test_replay_reuses_row_wise_results(tmp_path: Path) -> None:
    do(tmp_path)
    stages = do(tmp_path, overrides=["stages.checks.keep.0.min=5"]).manifest["stages"]
    cached = {step["as"]: step["cached"] for stage in stages for step in stage["steps"]}
    assert cached == {"length": True, "repetition": True, "exact": False, "near": False, "balance": False}


def test_an_interrupted_run_goes_on_from_what_was_finished(
    tmp_path: Path, reference: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate.steps import repetition

    calls = {"count": 0, "stop": True}
    real = repetition.repetition

    def counting(rows: pl.DataFrame, *, column: str = "response") -> object:
        calls["count"] += 1
        if calls["stop"] and calls["count"] == 3:
            raise KeyboardInterrupt
        return real(rows, column=column)

    counting.__doc__ = real.__doc__
    monkeypatch.setattr(repetition, "repetition", counting)
    with pytest.raises(KeyboardInterrupt):
        do(tmp_path)
    assert not (tmp_path / "runs" / "r").exists()
    assert not list((tmp_path / "runs").glob(".*.partial"))
    slices = 5  # 120 records in slices of 25
    calls.update(count=0, stop=False)
    assert files(do(tmp_path)) == reference
    assert calls["count"] == slices - 2


def test_rows_add_up_and_ids_are_unique(tmp_path: Path) -> None:
    run = do(tmp_path)
    rows, totals = run.rows, run.manifest["totals"]
    assert rows["id"].n_unique() == rows.height == 2 * COUNT == totals["train_rows"]
    assert rows["id"].is_sorted()
    assert rows["kept"].sum() == run.mix.height == totals["kept"]
    assert rows.filter(~pl.col("kept"))["dropped_by"].list.len().min() == 1
    assert rows.filter("kept")["dropped_by"].list.len().max() == 0
    empty = sum(not record["answer"] for record in questions(COUNT))
    assert rows.filter(pl.col("dropped_at") == "checks")["record"].n_unique() == empty


def test_corpus_signals_of_rows_dropped_before_are_unseen(tmp_path: Path) -> None:
    rows = do(tmp_path).rows
    early = rows.filter(pl.col("dropped_at") == "checks")
    assert early["exact.rank"].null_count() == early.height > 0
    assert early["length.chars"].null_count() == 0
    assert rows.filter(pl.col("dropped_at") != "checks")["exact.rank"].null_count() == 0


def test_every_copy_names_a_keeper_that_stayed(tmp_path: Path) -> None:
    rows = do(tmp_path).rows
    dropped = rows.filter(pl.col("dropped_at") == "copies")
    assert dropped.height > 0
    survivors = rows.filter(pl.col("kept") | pl.col("dropped_at").is_in(["near copies", "balance"]))
    assert set(dropped["exact.keeper"]) <= set(survivors["id"])
    pairs = dropped.join(rows, left_on="exact.keeper", right_on="id", suffix="_keeper")
    assert (pairs["content"] == pairs["content_keeper"]).all()


@pytest.mark.parametrize("limit", [1, 10, 119, 500])
def test_limits_take_exactly_the_lowest_hashes(tmp_path: Path, limit: int) -> None:
    records = questions(COUNT)
    first = do(tmp_path / "a", records, overrides=[f"sources.qa.limit={limit}", "stages=[]"]).rows
    second = do(tmp_path / "b", records[::-1], overrides=[f"sources.qa.limit={limit}", "stages=[]"]).rows
    whole = do(tmp_path / "c", records, overrides=["stages=[]"]).rows
    assert first["record"].n_unique() == min(limit, COUNT)
    assert first["record"].unique().sort().to_list() == second["record"].unique().sort().to_list()
    assert first["record"].unique().sort().to_list() == whole["record"].unique().sort().to_list()[:limit]


def test_identical_records_keep_identities_of_their_own(tmp_path: Path) -> None:
    record = {"question": "What is the colour of the sky on a clear day?", "answer": "blue"}
    rows = do(tmp_path, [record] * 4, overrides=["stages=[]"]).rows
    assert rows["record"].n_unique() == 4
    assert rows["record"].str.head(16).n_unique() == 1


def test_keys_name_records_whatever_else_changes(tmp_path: Path) -> None:
    first = [{"question": f"What is {i}?", "answer": "a", "n": i} for i in range(5)]
    second = [{**record, "answer": "b"} for record in first]
    key = ['sources.qa.key="n"', "stages=[]"]
    one, other = (do(tmp_path / name, data, overrides=key).rows for name, data in (("a", first), ("b", second)))
    assert one["id"].to_list() == other["id"].to_list()


def test_flags_report_without_dropping(tmp_path: Path) -> None:
    rows = do(tmp_path, overrides=["stages.checks.keep.0.flag=true"]).rows
    flagged = rows.filter(pl.col("flagged_by").list.len() > 0)
    assert not flagged["dropped_by"].list.join(" ").str.contains("checks").any()
    assert (flagged["length.words"] == 0).all()
    assert flagged.height > 0


def test_too_many_rejects_fail_the_run(tmp_path: Path) -> None:
    records = [*questions(20), {"question": "no answer for jane.roe@mail-host.org here?"}]
    with pytest.raises(UserError, match="1 of 21 records rejected") as caught:
        do(tmp_path, records)
    assert caught.value.code == 4
    run = do(tmp_path, records, overrides=["rejects=0.05"])
    rejects = [json.loads(line) for line in (run.path / "rejects.jsonl").read_text().split("\n")[:-1]]
    assert [(reject["source"], reject["line"]) for reject in rejects] == [("qa", 21)]
    assert "answer" in rejects[0]["cause"]
    assert "no answer for [EMAIL] here?" in rejects[0]["excerpt"]


def test_a_broken_gate_leaves_the_run_and_says_three(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_dropped_share") as caught:
        do(tmp_path, overrides=["gates.max_dropped_share=0.01"])
    assert caught.value.code == 3
    gates = curate.Run(tmp_path / "runs" / "r").manifest["gates"]
    assert [gate["passed"] for gate in gates] == [False]


def test_nothing_left_says_four_and_leaves_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is left") as caught:
        do(tmp_path, overrides=["stages.checks.keep.0.min=1000"])
    assert caught.value.code == 4
    assert curate.Run(tmp_path / "runs" / "r").mix.height == 0


def test_a_folder_that_is_no_run_is_never_touched(tmp_path: Path) -> None:
    recipe = curate.load_recipe(lay_out(tmp_path, questions(5)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not a run directory"):
        curate.run(recipe, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


HELDOUT = RECIPE.replace(
    "[templates]", '[[sources]]\nname = "test"\npath = "held.jsonl"\ntask = "qa_open"\nsplit = "heldout"\n[templates]'
).replace('{ step = "repetition" }]', '{ step = "leak" }]')


def test_held_out_rows_stay_out_of_the_mix_and_feed_the_leak_check(tmp_path: Path) -> None:
    path = lay_out(tmp_path, questions(30), recipe=HELDOUT)
    (tmp_path / "held.jsonl").write_text(json.dumps(questions(30)[3]) + "\n")
    run = curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
    held = pl.read_parquet(run.path / "heldout.parquet")
    assert held.height == 2
    assert not set(held["id"]) & set(run.rows["id"])
    leaked = run.rows.filter(pl.col("leak.overlap") > 0.9)
    assert leaked["record"].n_unique() == 1
    assert set(leaked["leak.match"]) <= set(held["id"])


def test_exemplars_come_from_other_train_records(tmp_path: Path) -> None:
    rows = do(tmp_path, overrides=["stages=[]"]).rows
    few = rows.filter(pl.col("parents").list.len() > 0)
    assert few.height > 0
    assert few["template"].str.contains("few_shot").all()
    pairs = few.explode("parents")
    assert (pairs["parents"] != pairs["record"]).all()
    assert set(pairs["parents"]) <= set(rows["record"])


def test_a_step_that_loses_a_row_is_a_bug_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.steps import length

    def broken(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
        return rows.select(words="id").head(1)

    broken.__doc__ = length.length.__doc__
    monkeypatch.setattr(length, "length", broken)
    with pytest.raises(AssertionError, match=r"length\.length returned 1 rows"):
        do(tmp_path)


MAP = (
    RECIPE.split("[[stages]]")[0]
    + """
[[stages]]
name = "map"
steps = [{ step = "map", size = 5 }]
"""
)


def test_a_corpus_step_embeds_once_and_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="embeds; install curatune[embed]")
    path = lay_out(tmp_path, questions(12), recipe=MAP)
    run = curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
    vectors = (run.path / "tables" / "map.vectors.parquet").read_bytes()
    assert int(run.rows["map.sampled"].sum()) == pl.read_parquet(vectors).height == 5
    monkeypatch.setattr(embed.Encoder, "encode", None)  # not called again
    again = curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
    assert again.manifest["stages"][0]["steps"][0]["cached"]
    assert (again.path / "tables" / "map.vectors.parquet").read_bytes() == vectors


def test_a_backend_is_told_in_the_manifest_and_results_of_another_are_not_taken(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="embeds; install curatune[embed]")
    found = []
    for backend in ("torch-fp32", "torch-bf16"):
        own = MAP.replace("[[stages]]", f'[embedding]\nbackend = "{backend}"\n\n[[stages]]', 1)
        run = curate.run(curate.load_recipe(lay_out(tmp_path, questions(12), recipe=own)), out=tmp_path / "runs" / "r")
        assert not run.manifest["stages"][0]["steps"][0]["cached"]
        assert run.manifest["embedding"]["backend"] == backend
        assert ("agreement" in run.manifest["embedding"]) == (backend != "torch-fp32")
        found.append((run.path / "tables" / "map.vectors.parquet").read_bytes())
    assert found[0] != found[1]


def test_other_weights_in_the_same_folder_are_another_encoder(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="embeds; install curatune[embed]")
    shutil.copytree(embed.load().folder, tmp_path / "model")
    own = MAP.replace("[[stages]]", '[embedding]\nmodel = "model"\n\n[[stages]]', 1)
    path = lay_out(tmp_path, questions(12), recipe=own)
    cached = []
    for _ in range(2):
        run = curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
        cached.append(run.manifest["stages"][0]["steps"][0]["cached"])
    config = tmp_path / "model" / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "4"))
    run = curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
    assert [*cached, run.manifest["stages"][0]["steps"][0]["cached"]] == [False, True, False]
