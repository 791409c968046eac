"""Whether the order of stages matters, decided again; what rules cost and how they overlap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import lay_out
from typer.testing import CliRunner

import curate
import reports
from curate import cache
from curate.cli.main import app
from curate.errors import UserError
from curate.order import order
from curate.recipe import Recipe, Stage, load_recipe
from curate.rundir import RunDir
from curate.tally import tally
from curate.verdict import broken

RECIPE = """
name = "small"
[[sources]]
name = "a"
path = "a.jsonl"
format = "prompt_completion"
[[sources]]
name = "b"
path = "b.jsonl"
format = "prompt_completion"
[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 1, why = "empty" }]
[[stages]]
name = "signs"
steps = [{ step = "symbols" }, { step = "echo" }]
keep = [{ signal = "echo.same", is = false, flag = true, why = "an echo" }]
[[stages]]
name = "copies"
steps = [{ step = "exact", on = "prompt", prefer = "source=b" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy" }]
[[stages]]
name = "long"
keep = [{ signal = "length.words", max = 2, why = "too long" }]
"""
ASKED = ["Who is she?", "Where is it?", "When was that?", "Why so?"]


def project(folder: Path, recipe: str = RECIPE) -> Path:
    """Return a recipe over the same four questions from two sources, of which b has two without an answer."""
    folder.mkdir(parents=True, exist_ok=True)
    for source, answers in (("a", ["one", "two", "three", "four"]), ("b", ["", "", "three more", "four more words"])):
        lines = [json.dumps({"prompt": q, "completion": a}) for q, a in zip(ASKED, answers, strict=True)]
        (folder / f"{source}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return lay_out(folder, [], recipe=recipe)


@pytest.fixture
def run(tmp_path: Path) -> curate.Run:
    return curate.run(load_recipe(project(tmp_path)), out=tmp_path / "runs" / "small")


def pairs(found: dict[str, Any]) -> dict[tuple[str, str], tuple[str, int | None, int | None]]:
    return {(p["first"], p["second"]): (p["state"], p["only_now"], p["only_swapped"]) for p in found["pairs"]}


def test_neighbours_that_see_other_rows_change_fates_and_row_wise_ones_do_not(run: curate.Run) -> None:
    assert sorted(run.mix["response"]) == ["one", "three more", "two"]
    found = order(RunDir.open(run.path))
    assert (found["rows"], found["kept"]) == (8, 3)
    assert pairs(found) == {
        ("checks", "signs"): ("same", 0, 0),
        ("signs", "copies"): ("replayed", 0, 0),
        # Judged first, the long answer of b would go and the one of a would stay.
        ("copies", "long"): ("replayed", 0, 1),
    }
    answers = dict(run.rows.select("id", "response").iter_rows())
    assert [answers[row] for row in found["pairs"][2]["swapped_rows"]] == ["four"]


def test_any_two_stages_are_swapped_on_demand_and_what_check_refuses_is_refused(run: curate.Run) -> None:
    found = order(RunDir.open(run.path), every=True)
    assert pairs(found)["checks", "copies"] == ("replayed", 2, 0)  # copies of unanswered questions would be lost
    assert pairs(found)["checks", "long"] == ("refused", None, None)
    assert pairs(found)["signs", "long"][0] == "replayed"  # copies stand between
    refused = next(pair for pair in found["pairs"] if pair["state"] == "refused")
    assert "no signal 'length.words' is measured up to this stage" in refused["why"]


def test_a_swap_is_what_a_run_of_the_other_order_gives(run: curate.Run, tmp_path: Path) -> None:
    found = order(RunDir.open(run.path), every=True)
    head, checks, signs, copies, long = RECIPE.split("[[stages]]")
    other = "[[stages]]".join([head, copies, signs, checks, long])
    fresh = curate.run(load_recipe(project(tmp_path / "other", other)), out=tmp_path / "other" / "runs" / "r")
    now, then = set(run.mix["id"]), set(fresh.mix["id"])
    assert pairs(found)["checks", "copies"] == ("replayed", len(now - then), len(then - now)) == ("replayed", 2, 0)


def test_a_run_whose_data_changed_is_not_decided_again(run: curate.Run, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "New?", "completion": "yes"}', encoding="utf-8")
    with pytest.raises(UserError, match="the recipe gives other rows than when this run was made"):
        order(RunDir.open(run.path))
    assert not (run.path / "order.json").exists()


def test_the_report_asks_for_the_order_then_shows_it_and_a_new_run_forgets_it(
    run: curate.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    facts = reports.build(Path("runs/small"))
    assert facts["rules"]["order"] == {"skipped": "run `curate order runs/small`"}
    shown = CliRunner().invoke(app, ["order", "runs/small", "--all", "--workers", "1"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0, shown.output
    assert "8 rows, 3 kept; order matters where rows change sides" in shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert ["checks", "copies", "2", "0"] in lines
    assert ["checks", "long", "refused"] in lines
    facts = reports.load(Path("runs/small"))
    assert pairs(facts["rules"]["order"])["checks", "copies"] == ("replayed", 2, 0)
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "rows that change sides when checks and copies swap" in page
    told = json.loads(CliRunner().invoke(app, ["order", "runs/small", "--json", "--workers", "1"]).output)
    assert pairs(told)["copies", "long"] == ("replayed", 0, 1)
    curate.run(load_recipe("recipe.toml"), out="runs/small")
    assert not (run.path / "order.json").exists()


def test_costs_are_of_the_run_that_computed(run: curate.Run, tmp_path: Path) -> None:
    steps = [step for stage in run.manifest["stages"] for step in stage["steps"]]
    assert [step["cost"]["rows"] for step in steps] == [8, 8, 8, 6]  # copies saw the rows alive
    assert all(step["cost"]["seconds"] > 0 for step in steps)
    again = curate.run(load_recipe(tmp_path / "recipe.toml"), out=tmp_path / "runs" / "small")
    cached = [step for stage in again.manifest["stages"] for step in stage["steps"]]
    assert all(step["cached"] for step in cached)
    assert [step["cost"] for step in cached] == [step["cost"] for step in steps]
    costs = reports.load(again.path)["timing"]["rules"]
    assert [one["step"] for one in costs] == ["length", "echo", "exact", "length"]
    first = steps[0]["cost"]
    assert costs[0]["per_thousand"] == pytest.approx(first["seconds"] * 1000 / 8)


def test_a_cost_that_was_not_kept_is_said_to_be_from_the_cache(run: curate.Run, tmp_path: Path) -> None:
    for path in (tmp_path / "runs" / ".curate-cache").glob("*/*.json"):
        sums = json.loads(path.read_text(encoding="utf-8"))
        sums.pop(cache.SECONDS, None)
        path.write_text(json.dumps(sums), encoding="utf-8")
    again = curate.run(load_recipe(tmp_path / "recipe.toml"), out=tmp_path / "runs" / "small")
    assert [step["cost"]["seconds"] for stage in again.manifest["stages"] for step in stage["steps"]] == [None] * 4
    assert "from the cache" in (again.path / "report.html").read_text(encoding="utf-8")
    shown = CliRunner().invoke(app, ["report", str(again.path), "--rules"], env={"COLUMNS": "120"})
    lines = [line.split() for line in shown.output.splitlines()]
    assert ["checks/length.words", "min", "1", "from", "the", "cache", "2", "2", "2", "2"] in lines
    assert ["signs/echo.same", "is", "false", "from", "the", "cache", "0", "0", "flags"] in lines


def stages(*bounds: tuple[str, int, bool]) -> Recipe:
    """Return a recipe with a stage for each bound `x.<name> max <bound>`, which may flag only."""
    made = [
        {"name": f"s{n}", "keep": [{"signal": f"x.{name}", "max": bound, "flag": flag, "why": "w"}]}
        for n, (name, bound, flag) in enumerate(bounds)
    ]
    return Recipe.model_validate(
        {
            "name": "r",
            "sources": [{"name": "a", "path": "a", "task": "qa_open"}],
            "stages": [Stage.model_validate(one) for one in made],
        }
    )


def test_rules_of_different_stages_meet_and_removals_alone_count_over_all_stages() -> None:
    recipe = stages(("p", 0, False), ("q", 0, False), ("p", 5, True))
    frame = pl.DataFrame({"x.p": [0, 1, 9, 0, None], "x.q": [0, 0, 1, 2, 1]})
    found = tally(recipe.stages, np.array([True, False, False, False, False]), frame)
    assert [(rule["id"], rule["hit"], rule["alone"]) for rule in found["rules"]] == [
        ("s0/x.p max 0", 2, 1),
        ("s1/x.q max 0", 3, 2),
        ("s2/x.p max 5", 1, 0),  # it only flags
    ]
    assert found["both"] == [[0, 1, 1], [0, 2, 1], [1, 2, 1]]


BOUNDS = st.lists(st.tuples(st.sampled_from("pq"), st.integers(0, 3), st.booleans()), min_size=1, max_size=4)
VALUES = st.lists(st.tuples(st.integers(0, 4) | st.none(), st.integers(0, 4) | st.none()), max_size=12)


@given(bounds=BOUNDS, values=VALUES)
def test_without_a_rule_exactly_the_rows_come_back_that_it_removes_alone(
    bounds: list[tuple[str, int, bool]], values: list[tuple[int | None, int | None]]
) -> None:
    recipe = stages(*bounds)
    schema = {"x.p": pl.Int64, "x.q": pl.Int64}
    frame = pl.DataFrame(values, schema=schema, orient="row")

    def kept(without: int | None) -> np.ndarray:
        rules = [stage.keep[0] for n, stage in enumerate(recipe.stages) if n != without]
        failed = [broken(rule, frame)[0] for rule in rules if not rule.flag]
        return ~np.any([np.zeros(frame.height, bool), *failed], axis=0)

    found = tally(recipe.stages, kept(None), frame)
    back = [int(kept(place).sum() - kept(None).sum()) for place in range(len(bounds))]
    assert [rule["alone"] for rule in found["rules"]] == back
