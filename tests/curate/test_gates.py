"""The gate on how much harder a rule may hit a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import lay_out

import curate
from curate import catalog
from curate.errors import UserError

RULE = "checks/length.words max 3"
RECIPE = """
name = "gated"
[[sources]]
name = "qa"
path = "qa*.jsonl"
format = "prompt_completion"
fields = { prompt = "question", completion = "answer" }
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "bias", column = "response" }]
keep = [{ signal = "length.words", max = 3, why = "a test" }]
[gates]
"""
GATE = f'{{ rule = "{RULE}", by = "bias.groups", group = "religion:jews", max = 1.25 }}'


def records(group: str, *, long: int, of: int) -> list[dict[str, Any]]:
    """Return answers of equal length in characters; the long ones have four words, the others two."""
    texts = [f"{group} a b c" if number < long else f"{group} abcde" for number in range(of)]
    return [{"question": f"{group} {number}?", "answer": text} for number, text in enumerate(texts)]


def gate(folder: Path, data: list[dict[str, Any]], gates: str) -> dict[str, Any]:
    """Run and return the only gate's entry, whatever it says."""
    recipe = curate.load_recipe(lay_out(folder, data, recipe=RECIPE + gates))
    try:
        curate.run(recipe, out=folder / "runs" / "r")
    except UserError as error:
        assert error.code == 3
    (found,) = curate.Run(folder / "runs" / "r").manifest["gates"]
    return dict(found)


PLANTED = [*records("jews", long=30, of=60), *records("sikh", long=60, of=300)]


def test_a_rule_that_hits_a_group_too_hard_breaks_the_gate(tmp_path: Path) -> None:
    recipe = curate.load_recipe(
        lay_out(tmp_path, PLANTED, recipe=RECIPE + f"max_disparity_ratio = {GATE}\nmin_kept = 1\n")
    )
    with pytest.raises(UserError, match=r"max_disparity_ratio of checks/length\.words max 3 by bias") as caught:
        curate.run(recipe, out=tmp_path / "runs" / "r")
    assert caught.value.code == 3
    gates = curate.Run(tmp_path / "runs" / "r").manifest["gates"]
    assert [one["passed"] for one in gates] == [True, False]
    assert gates[1]["value"] == pytest.approx(30 / (60 * 90 / 360)) and "30 of 60 rows fail" in gates[1]["text"]


@pytest.mark.parametrize(
    "form", [f"max_disparity_ratio = [{GATE}]\n", f"[[gates.max_disparity_ratio]]\n{GATE[1:-1].replace(', ', chr(10))}"]
)
def test_a_list_of_tables_says_the_same(tmp_path: Path, form: str) -> None:
    assert gate(tmp_path, PLANTED, form)["passed"] is False


def test_a_wider_bound_holds(tmp_path: Path) -> None:
    assert gate(tmp_path, PLANTED, f"max_disparity_ratio = {GATE.replace('1.25', '2.5')}")["passed"] is True


def test_equal_treatment_holds(tmp_path: Path) -> None:
    data = [*records("jews", long=15, of=60), *records("sikh", long=75, of=300)]
    found = gate(tmp_path, data, f"max_disparity_ratio = {GATE}")
    assert found["passed"] is True and found["value"] == pytest.approx(1)


def test_few_rows_are_not_judged_and_the_report_says_so(tmp_path: Path) -> None:
    from reports import html, quality

    data = [*records("jews", long=20, of=20), *records("sikh", long=60, of=300)]
    found = gate(tmp_path, data, f"max_disparity_ratio = {GATE}")
    assert (found["value"], found["passed"]) == (None, True)
    assert found["text"].startswith("not judged: 20 rows")
    facts = quality.facts(tmp_path / "runs" / "r")
    assert "holds, as too few rows are there to judge it" in facts["headline"]["meaning"]
    assert "not judged" in html.render(facts)


def test_a_group_that_is_everybody_has_nobody_to_be_compared_with(tmp_path: Path) -> None:
    by_source = f'max_disparity_ratio = {{ rule = "{RULE}", by = "source", group = "qa" }}'
    found = gate(tmp_path, PLANTED, by_source)
    assert (
        found["value"] is None and found["text"] == "not judged: all 360 rows that the rule looks at are of the group"
    )


def test_a_group_whose_lengths_nobody_shares_is_judged_without_regard_to_length(tmp_path: Path) -> None:
    data = [*records("jews", long=60, of=60), *records("sikh", long=0, of=300)]
    for one in data[:60]:
        one["answer"] += "bcdefghijklmnopqrstuvwxyz" * 3
    found = gate(tmp_path, data, f"max_disparity_ratio = {GATE}")
    assert (found["passed"], found["value"]) == (False, pytest.approx(6))  # 60 of 60 beside 60 of 360
    assert "no other row is of a length of the group's" in found["text"]


def test_a_group_that_no_row_has_breaks_the_gate(tmp_path: Path) -> None:
    found = gate(tmp_path, PLANTED, f"max_disparity_ratio = {GATE.replace('jews', 'muslims')}")
    assert (found["passed"], found["value"]) == (False, None)
    assert found["text"] == "no row has bias.groups = 'religion:muslims': misspelt?"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("max 3", "max 4"), "no rule 'checks/length.words max 4'; did you mean"),
        (("bias.groups", "bias.group"), "no column 'bias.group'; did you mean 'bias.groups'"),
        (("bias.groups", "length.words"), "groups are texts"),
        (('by = "bias.groups", group = "religion:jews"', 'by = "source", group = "qb"'), "no source 'qb'"),
        (("religion:jews", "religion:jewss"), "no bias.groups 'religion:jewss'; did you mean 'religion:jews'"),
        (('bias.groups", group = "religion:jews', 'bias.axes", group = "religon'), "did you mean 'religion'"),
        (("max = 1.25", "most = 1.25"), "unknown key 'most'"),
        (("max = 1.25", "max = 0.5"), "greater than or equal to 1"),
    ],
)
def test_what_is_not_there_is_a_mistake(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = lay_out(tmp_path, PLANTED, recipe=RECIPE + f"max_disparity_ratio = {GATE.replace(*change)}")
    with pytest.raises(UserError, match=said) as caught:
        curate.run(curate.load_recipe(path), out=tmp_path / "runs" / "r")
    assert caught.value.code == 2


def test_a_step_that_scores_with_another_is_measured_again_when_that_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate import cache

    text = RECIPE.replace(
        '{ step = "length" }', '{ step = "length" }, { step = "swap", scorer = "symbols", signal = "x" }'
    )
    signal = next(name for name, kind in catalog.describe("symbols").signals.items() if kind in ("f64", "u32"))
    recipe = curate.load_recipe(
        lay_out(tmp_path, PLANTED[:9], recipe=text.replace('"x"', f'"{signal}"').replace("max = 3", "max = 30"))
    )
    cached = []
    digest = cache.code_digest
    for changed in ("", "", "another"):
        monkeypatch.setattr(
            cache, "code_digest", lambda *files, mark=changed: digest(*files) + mark * ("curate.steps.symbols" in files)
        )
        run = curate.run(recipe, out=tmp_path / "runs" / "r")
        cached.append([step["cached"] for step in run.manifest["stages"][0]["steps"]])
    assert cached == [[False] * 3, [True] * 3, [True, False, True]]
