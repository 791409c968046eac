"""One recipe, many ways to run it: one process, workers, shards, Ray, with a worker killed. Always the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from forks import ROOT, Commands, commands
from projects import lay_out, questions
from sharing import sharded

import curate
from curate import ingest, shards
from curate.slices import Rows, Shard

RAY = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'curatune[ray]'")
# The sample in slices of 50 records, so that there is something to share out.
SLICE = 50
SLICED = f"import sys; from curate import ingest; ingest.SLICE = {SLICE}; from curate.cli.main import main\n"
SLICED += "if __name__ == '__main__': main()"
# `complexity` sees all rows, and what is measured from its signals in the same stage waits for it.
RECIPE = """
name = "small"
seed = 3
[[sources]]
name = "qa"
path = "qa*.jsonl"
task = "qa_open"
[templates]
per_record = 2
kinds = ["zero_shot", "few_shot", "inverted"]
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "complexity" }, { step = "balance", by = "complexity.constraints" }]
keep = [{ signal = "length.words", min = 1, why = "an empty answer teaches nothing" }]
[[stages]]
name = "copies"
steps = [{ step = "minhash" }]
keep = [{ signal = "minhash.rank", max = 0, why = "one of each cluster" }]
[[stages]]
name = "exemplars"
steps = [{ step = "parents" }]
keep = [{ signal = "parents.dropped", max = 0, why = "a bad example" }]
"""
STAGES = ("checks", "copies", "exemplars")


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "SLICE", SLICE)


@pytest.fixture(scope="module")
def server() -> Iterator[Commands]:
    with commands() as running:
        yield running


def tables(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in ("rows.parquet", "mix.parquet", "heldout.parquet", "failures.jsonl")]


def small(folder: Path, recipe: str = RECIPE) -> Path:
    return lay_out(folder, questions(300), recipe=recipe)


def with_ray(recipe: Path, out: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a recipe on a local Ray of two processors, in a process of its own."""
    command = [sys.executable, "-c", SLICED, "run", str(recipe), "--out", str(out), "--engine", "ray", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([*command, "-q", *flags], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "SLICE", SLICE)
        return tables(curate.run(curate.load_recipe(small(folder)), out=folder / "r").path)


@pytest.mark.parametrize("of", [1, 3, 7])
def test_shards_give_the_bytes_of_one_process(tmp_path: Path, reference: list[bytes], of: int) -> None:
    sharded(curate.load_recipe(small(tmp_path)), tmp_path / "r", of)
    assert tables(tmp_path / "r") == reference


def test_a_shard_works_out_its_own_slices_alone(tmp_path: Path) -> None:
    recipe = curate.load_recipe(small(tmp_path))
    done = shards.work(recipe, Shard(1, 4), stage="checks", out=tmp_path / "r")
    rows = next((tmp_path / ".curate-cache" / "ingest").glob("*/rows.parquet"))
    heights = [end - start for start, end in Rows(rows, rows, ("", "")).spans()]
    assert len(heights) == 6  # 300 records in slices of 50
    assert (done["slices"], done["rows"]) == (2, heights[1] + heights[5])
    results = [path for path in (tmp_path / ".curate-cache").glob("??/*.json")]
    assert len(results) == 2 + 2  # of `length` and of the state of `complexity`; `balance` has to wait
    assert shards.work(recipe, Shard(7, 8), stage="checks", out=tmp_path / "r")["slices"] == 0


def test_stages_that_nobody_sharded_are_worked_out_by_the_merge(server: Commands, tmp_path: Path) -> None:
    small(tmp_path)
    first = server.run("run", "recipe.toml", "--out", "r", "--stage", "checks", "--json", cwd=tmp_path)
    assert json.loads(first.out)["of"] == 1
    ended = server.run("run", "recipe.toml", "--out", "r", "--merge", cwd=tmp_path, page=False)
    assert ended.status == 0, ended.err
    assert "1 stages from shards (checks); worked out here: minhash, parents" in ended.out
    assert server.run("run", "recipe.toml", "--out", "other/r", cwd=tmp_path, page=False).status == 0
    assert tables(tmp_path / "r") == tables(tmp_path / "other" / "r")


def test_a_merge_names_the_shards_that_are_missing(server: Commands, tmp_path: Path) -> None:
    small(tmp_path)
    run = ("run", "recipe.toml", "--out", "r", "--workers", "1")
    ended = server.run(*run, "--merge", cwd=tmp_path)
    assert ended.status == 4
    assert "no shard has left a marker" in ended.err
    for number in (0, 3):
        ended = server.run(*run, "--stage", "checks", "--shard", f"{number}/5", cwd=tmp_path)
        assert ended.status == 0, ended.err
    assert "stage 'checks': of 5 shards these are missing: 1, 2, 4" in ended.out
    for more in (("--merge",), ("--stage", "copies", "--shard", "0/5")):
        ended = server.run(*run, *more, cwd=tmp_path)
        assert ended.status == 4
        assert "stage 'checks': of 5 shards these are missing: 1, 2, 4" in ended.err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("changed", ["recipe", "inputs"])
def test_shards_of_another_recipe_or_other_inputs_are_not_merged(
    server: Commands, tmp_path: Path, changed: str
) -> None:
    small(tmp_path)
    run = ("run", "recipe.toml", "--out", "r", "--workers", "1")
    assert server.run(*run, "--stage", "checks", cwd=tmp_path).status == 0
    if changed == "recipe":
        small(tmp_path, RECIPE.replace("min = 1", "min = 2"))
    else:
        lay_out(tmp_path, questions(299), recipe=RECIPE)
    ended = server.run(*run, "--merge", cwd=tmp_path)
    assert ended.status == 4
    assert f"1 were made for {'another recipe' if changed == 'recipe' else 'other inputs'}" in ended.err
    assert server.run(*run, "--stage", "checks", cwd=tmp_path).status == 0
    assert server.run(*run, "--merge", cwd=tmp_path, page=False).status == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--shard", "0/2"), "--stage NAME"),
        (("--stage", "checks", "--shard", "2/2"), "such as 0/7"),
        (("--stage", "checks", "--shard", "a/b"), "such as 0/7"),
        (("--stage", "check"), "did you mean 'checks'?"),
        (("--stage", "checks", "--merge"), "leave --stage out"),
        (("--stage", "checks", "--fresh"), "leave --fresh out"),
        (("--engine", "spark"), "engine"),
    ],
)
def test_flags_that_make_no_sense_are_refused(
    server: Commands, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    small(tmp_path)
    ended = server.run("run", "recipe.toml", *flags, cwd=tmp_path)
    assert ended.status == 2
    assert said in ended.err


def test_the_machine_that_is_done_first_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = curate.load_recipe(small(tmp_path))
    real, folders = ingest._read_all, []

    def raced(*given: object) -> object:
        if not folders:  # another machine, whose locks we do not see, reads the same and is done before us
            monkeypatch.setattr("curate.folders.host", lambda: "other")
            folders.append(0)
            shards.work(recipe, Shard(1, 3), stage="checks", out=tmp_path / "r")
            folders[0] = next((tmp_path / ".curate-cache" / "ingest").glob("[!.]*")).stat().st_ino
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "_read_all", raced)
    shards.work(recipe, Shard(0, 3), stage="checks", out=tmp_path / "r")
    left = list((tmp_path / ".curate-cache" / "ingest").iterdir())
    assert [path.stat().st_ino for path in left] == folders


KILLED = RECIPE.replace('{ step = "length" }', '{ step = "length" }, { step = "own_steps:falters" }')


@pytest.mark.parametrize("way", ["workers", "shards", pytest.param("ray", marks=RAY)])
def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path, way: str) -> None:
    for name in ("whole", "killed"):
        small(tmp_path / name, KILLED)
        shutil.copy(ROOT / "tests" / "support" / "own_steps.py", tmp_path / name)
    (tmp_path / "whole" / "has faltered").touch()
    command = [sys.executable, "-c", SLICED, "run", "recipe.toml", "--out", "r", "--allow-code", "-q", "--workers"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(name: str, *more: str) -> int:
        done = subprocess.run([*command, *more], cwd=tmp_path / name, env=environment, capture_output=True, text=True)
        assert done.returncode in (0, 4, -9), done.stderr
        return done.returncode

    assert run("whole", "1") == 0
    if way == "workers":
        assert (run("killed", "2"), run("killed", "2")) == (4, 0)
    elif way == "ray":
        assert run("killed", "2", "--engine", "ray") == 0  # Ray does the task again by itself
    else:
        part = ("1", "--stage", "checks", "--shard")
        assert [run("killed", *part, shard) for shard in ("0/2", "1/2")] == [-9, 0]
        assert run("killed", "1", "--merge") == 4
        assert (run("killed", *part, "0/2"), run("killed", "1", "--merge")) == (0, 0)
    assert (tmp_path / "killed" / "has faltered").exists()
    assert tables(tmp_path / "killed" / "r") == tables(tmp_path / "whole" / "r")


@RAY
def test_ray_tells_of_failures_as_a_local_run_does(tmp_path: Path) -> None:
    for name, step in (("raises", "picky"), ("hangs", "hangs")):
        small(tmp_path / name, KILLED.replace("falters", step))
        shutil.copy(ROOT / "tests" / "support" / "own_steps.py", tmp_path / name)
    ended = with_ray(tmp_path / "raises" / "recipe.toml", tmp_path / "r", "--allow-code")
    assert ended.returncode == 4
    assert "steps raised on" in ended.stderr
    flags = ("--allow-code", "--set", "slice_seconds=0.5")
    ended = with_ray(tmp_path / "hangs" / "recipe.toml", tmp_path / "r", *flags)
    assert ended.returncode == 4
    assert "took longer than 0.5 s for one slice" in ended.stderr


def test_a_recipe_that_asks_for_ray_says_when_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.remote.installed", lambda: False)
    path = small(tmp_path, f'engine = "ray"\n{RECIPE}')
    with pytest.raises(curate.UserError, match="Ray is not installed") as raised:
        curate.run(curate.load_recipe(path), out=tmp_path / "r")
    assert raised.value.code == 5


IN_A_CLUSTER = """
import os, subprocess, sys, ray
ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", object_store_memory=1 << 28)
address = ray.get_runtime_context().gcs_address
sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "RAY_ADDRESS": address}).returncode)
"""


@pytest.mark.slow
@RAY
def test_a_cluster_that_runs_already_is_used(tmp_path: Path, reference: list[bytes]) -> None:
    small(tmp_path)
    command = [sys.executable, "-c", SLICED, "run", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "r"), "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", IN_A_CLUSTER, *command, "--engine", "ray"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "r") == reference


# Pretends a GPU: the actor that asks for it finds none and runs on a processor, so that the bits are comparable.
WITH_A_GPU = f"""
import sys, curate, ray
from curate import ingest
ingest.SLICE = {SLICE}
ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, _node_ip_address="127.0.0.1", object_store_memory=1 << 28)
curate.run(curate.load_recipe("recipe.toml").model_copy(update={{"engine": "ray"}}), out="r")
assert "sentence_transformers" not in sys.modules, "the network was loaded here"
"""
EMBEDDED = f"""{RECIPE.partition("[[stages]]")[0]}
[[stages]]
name = "map"
steps = [{{ step = "map" }}]
"""


@pytest.mark.slow
@RAY
def test_a_cluster_with_a_gpu_embeds_there_and_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("here", "there"):
        small(tmp_path / name, EMBEDDED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    local = [SLICED, "run", "recipe.toml", "--out", "r", "-q", "--workers", "1"]
    for name, code in (("here", local), ("there", [WITH_A_GPU])):
        command = [sys.executable, "-c", *code]
        done = subprocess.run(command, cwd=tmp_path / name, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    here, there = (tmp_path / name / "r" for name in ("here", "there"))
    assert tables(here) == tables(there)
    embedding = [json.loads((run / "manifest.json").read_text())["embedding"] for run in (here, there)]
    assert embedding[0] == embedding[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "rules" / "recipes").glob("*.toml")))
def test_every_bundled_recipe_gives_the_same_bytes_in_every_way(tmp_path: Path, name: str) -> None:
    out = tmp_path / "contract.json"
    command = [sys.executable, str(ROOT / "bench" / "contract.py"), "--recipes", name, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ways = {line["way"] for line in json.loads(out.read_text())["results"]}
    wanted = {"one process", "two workers", "killed", "1 shards", "3 shards", "7 shards"}
    assert ways == wanted | ({"ray"} if find_spec("ray") else set())
