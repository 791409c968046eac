"""The ledger of the mix: it adds up, and says what moved each share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
import reports
from reports import ledger, quality

RECIPE = """
name = "mixed"
seed = 3
sources = [
  { name = "big", path = "big.jsonl", task = "qa_open" },
  { name = "small", path = "small.jsonl", task = "math" },
]
[[stages]]
name = "words"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", max = 20, why = "short answers are wanted" }]
[[stages]]
name = "mix"
steps = [{ step = "mix", MORE }]
keep = [{ signal = "mix.copies", min = 1, why = "every source has its share" }]
"""


def mixed(folder: Path, more: str, *, recipe: str = RECIPE, long: int = 10) -> dict[str, Any]:
    """Return the facts of a run of 50 rows of `big`, 10 of them too long, and 5 of `small`."""
    for name, count in (("big", 50), ("small", 5)):
        answers = ("word " * 30 if name == "big" and i < long else f"It is {i}." for i in range(count))
        lines = [json.dumps({"question": f"What is {name} {i}?", "answer": one}) for i, one in enumerate(answers)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    path = folder / "recipe.toml"
    path.write_text(recipe.replace("MORE", more))
    return reports.build(curate.run(curate.load_recipe(path), out=folder / "run").path)


def column(facts: dict[str, Any], name: str) -> dict[str, Any]:
    found = {table["column"]: table for table in facts["ledger"]["columns"]}[name]
    return {one["value"]: one for one in found["groups"]}


def test_every_column_adds_up_to_the_funnel_and_the_mix(run: Path) -> None:
    facts = quality.facts(run)
    stages = [stage["rows_out"] for stage in facts["funnel"]["stages"]]
    assert stages == [45, 40, 39]
    for table in facts["ledger"]["columns"]:
        lines = [*table["groups"], *([table["rest"]] if table["rest"] else [])]
        assert [sum(counts) for counts in zip(*(one["rows"] for one in lines), strict=True)] == [60, *stages]
        assert sum(one["in_mix"] for one in lines) == facts["headline"]["mix_rows"]
        assert sum(one["mix_share"] for one in lines) == pytest.approx(1, abs=1e-4)


def test_the_rule_that_moved_a_share_most_is_named(run: Path) -> None:
    notes = column(quality.facts(run), "source")["notes"]
    assert notes["rows"] == [10, 0, 0, 0]
    # 10 of 60 rows; rules before drop 1 and 4 others: 10 of 55 when its own rule takes them all
    assert notes["moved"] == {"by": "checks/length.words min 5 where task=summarization", "share": -0.181818}


@given(
    st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 30), min_size=5, max_size=5),
)
def test_moves_add_up_to_the_difference(counts: list[list[int]], copies: list[int]) -> None:
    table = np.array(counts, dtype=np.int64)
    shares, moved = ledger.moves(table, table[:, -1] * np.array(copies[: len(table)], dtype=np.int64))
    assert np.allclose(shares[:, 0] + moved.sum(axis=1), shares[:, -1])
    assert np.allclose(moved.sum(axis=0), shares.sum(axis=0)[1:] - shares.sum(axis=0)[:-1])
    assert shares.shape == (len(table), 5)


def test_targets_stand_beside_what_came_of_them(tmp_path: Path) -> None:
    facts = mixed(tmp_path, 'rate = "weights", weights = { big = 1, small = 1 }, budget = 60')
    big, small = (column(facts, "source")[name] for name in ("big", "small"))
    assert (small["rows"], small["in_mix"], small["epochs"]) == ([5, 5, 5], 30, 6.0)
    assert (big["rows"], big["in_mix"], big["epochs"]) == ([50, 40, 30], 30, 1.0)
    assert big["target_share"] == small["target_share"] == big["mix_share"] == small["mix_share"] == 0.5
    assert small["moved"]["by"] == "copies"
    said = [one["text"] for one in facts["alerts"] if one["section"] == "ledger"]
    assert [text.split(";")[0] for text in said] == [
        "Each row of source small stands in the mix 6 times on average",
        "Each row of task family math stands in the mix 6 times on average",
    ]


def test_targets_of_other_columns_follow_from_what_each_group_holds(tmp_path: Path) -> None:
    facts = mixed(tmp_path, 'rate = "weights", weights = { big = 1, small = 1 }, budget = 60')
    tables = {table["column"]: table for table in facts["ledger"]["columns"]}
    # half of the mix is `small`, all of which is maths; all rows have two turns
    assert [(one["value"], one["target_share"], one["follows"]) for one in tables["task"]["groups"]] == [
        ("qa_open", 0.5, True),
        ("math", 0.5, True),
    ]
    assert [(one["value"], one["target"]) for one in tables["turns"]["groups"]] == [("2", 60)]
    assert not any(one["follows"] for one in tables["source"]["groups"])
    for table in tables.values():
        lines = [*table["groups"], *([table["rest"]] if table["rest"] else [])]
        assert sum(one.get("target_share", 0) for one in lines) == pytest.approx(1, abs=1e-4)


def test_a_line_says_what_is_repeated_and_what_moved(tmp_path: Path) -> None:
    facts = mixed(tmp_path, 'rate = "weights", weights = { big = 1, small = 1 }, budget = 60')
    assert ledger.summed_up(facts) == (
        "60 rows, 25 of them repeats, up to 6 epochs of source small; 0 % off the targets; "
        "source big 90.9 % → 50 %, most by copies"
    )


def test_without_a_mix_the_line_tells_of_sources(run: Path) -> None:
    assert ledger.summed_up(quality.facts(run)) == (
        "39 rows, none repeated; source news 33 % → 51 %, most by checks/length.words min 5 where task=summarization"
    )


def test_what_sets_the_size_of_a_mix_is_said(tmp_path: Path) -> None:
    facts = mixed(tmp_path, 'rate = "weights", weights = { big = 3, small = 1 }')
    assert facts["ledger"]["mixes"][0]["sets_size"] == ["small"]
    assert facts["headline"]["mix_rows"] == 20
    said = [one["text"] for one in facts["alerts"] if one["section"] == "ledger"]
    assert said == ["No row is repeated, so source small sets the size of the mix: it has no more rows for the share."]


def test_a_later_rule_that_moves_the_mix_is_told(tmp_path: Path) -> None:
    first, words, mix = RECIPE.split("[[stages]]")
    recipe = "[[stages]]".join((first, mix, words))
    facts = mixed(tmp_path, "budget = 55", recipe=recipe, long=25)
    assert facts["headline"]["mix_rows"] == 30
    small = column(facts, "source")["small"]
    assert (small["target_share"], small["mix_share"]) == (0.090909, 0.166667)  # 5 of 55, 5 of 30
    assert small["moved"] == {"by": "words/length.words max 20", "share": 0.075758}
    said = [one["text"] for one in facts["alerts"] if one["section"] == "ledger"]
    assert said == ["By source, 7.6 % of the mix stands elsewhere than its target asks."]


def test_a_run_without_a_mix_has_no_targets(run: Path) -> None:
    facts = quality.facts(run)
    assert facts["ledger"]["mixes"] == []
    assert all("target" not in one for one in column(facts, "source").values())
