"""Clusters held out whole: who is of which, what leaks across, and when a run is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import lay_out

import curate
from curate import clusters, rulebook
from curate.errors import UserError
from curate.rundir import RunDir

LONG = "The old bridge over the river was closed for three winters"
RECIPE = """
name = "held"
sources = [
  { name = "entail", path = "entail.jsonl", task = "nli" },
  { name = "ask", path = "ask.jsonl", task = "qa_closed" },
  { name = "again", path = "again.jsonl", task = "paraphrase", fields = { text1 = "premise", text2 = "hypothesis" } },
]
[heldout]
clusters = ["nli"]
"""


def project(folder: Path, recipe: str = RECIPE, **more: list[dict[str, Any]]) -> Path:
    """Lay out three sources that share nothing, and more records."""
    plain = {
        "entail": [
            {"premise": LONG, "hypothesis": "A bridge was closed", "label": "yes"},
            {"premise": "A cat sleeps", "hypothesis": "Some animal sleeps", "label": "yes"},
        ],
        "ask": [{"context": "Ships bring copper and oranges to the harbour.", "question": "What?", "answer": "copper"}],
        "again": [{"premise": "A dog barks", "hypothesis": "A hound barks", "label": "yes"}],
    }
    folder.mkdir(exist_ok=True)
    for name, records in plain.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(one) for one in [*records, *more.get(name, [])]))
    return lay_out(folder, [], recipe=recipe)


def leaks(path: Path, out: Path) -> list[tuple[Any, ...]]:
    """Run a recipe, whether or not its gate breaks, and return kinds, sources and whether the rows were kept."""
    curate.run(curate.load_recipe(path), out=out)
    table = RunDir.open(out).table(clusters.TABLE)
    if table is None:
        return []
    return sorted(table.select("kind", "source", "heldout_source", "cluster", "heldout_cluster", "kept").rows())


def test_every_bundled_family_is_in_one_cluster() -> None:
    listed = [family for one in clusters.clusters().clusters for family in one.families]
    assert sorted(listed) == sorted(rulebook.families())
    names = {one.name for one in clusters.clusters().clusters}
    assert {name for kin in clusters.clusters().kin for name in kin.clusters} <= names


def test_a_held_out_cluster_never_enters_the_mix(tmp_path: Path) -> None:
    run = curate.run(curate.load_recipe(project(tmp_path)), out=tmp_path / "run")
    assert set(run.mix["source"]) == {"ask", "again"}
    gates = RunDir.open(tmp_path / "run").manifest["gates"]
    assert gates == [{"name": "max_shared_with_heldout_clusters", "bound": 0, "value": 0, "passed": True}]


def test_a_source_may_say_that_it_is_of_another_cluster(tmp_path: Path) -> None:
    recipe = RECIPE.replace('task = "qa_closed"', 'task = "qa_closed", cluster = "nli"')
    run = curate.run(curate.load_recipe(project(tmp_path, recipe)), out=tmp_path / "run")
    assert set(run.mix["source"]) == {"again"}


@pytest.mark.parametrize(
    ("name", "record", "kind"),
    [
        ("again", {"premise": "a cat sleeps!", "hypothesis": "Some animal sleeps", "label": "yes"}, "record"),
        ("ask", {"context": f"{LONG}.", "question": "When?", "answer": "three winters"}, "passage"),
    ],
)
def test_what_leaks_across_clusters_breaks_the_run(
    tmp_path: Path, name: str, record: dict[str, str], kind: str
) -> None:
    path = project(tmp_path, **{name: [record]})
    with pytest.raises(UserError, match=r"max_shared_with_heldout_clusters 0, measured 1") as told:
        leaks(path, tmp_path / "run")
    assert told.value.code == 3
    table = RunDir.open(tmp_path / "run").table(clusters.TABLE)
    assert table is not None
    assert table.select("kind", "source", "heldout_source", "heldout_cluster", "kept").rows() == [
        (kind, name, "entail", "nli", True)
    ]
    gate = RunDir.open(tmp_path / "run").manifest["gates"][0]
    assert gate["text"] == f"rows by sources: {name} and entail: 1; the step `shared` finds them, for a rule to drop"


def test_a_recipe_may_bear_some_shared_rows(tmp_path: Path) -> None:
    record = {"context": LONG, "question": "When?", "answer": "three winters"}
    path = project(tmp_path, RECIPE + "max_shared = 1\n", ask=[record])
    assert leaks(path, tmp_path / "run") == [("passage", "ask", "entail", "reading_comprehension", "nli", True)]


def test_short_texts_are_common_property(tmp_path: Path) -> None:
    record = {"context": "A bridge was closed", "question": "When?", "answer": "then"}
    assert leaks(project(tmp_path, ask=[record]), tmp_path / "run") == []


def test_the_same_file_under_another_name_is_told(tmp_path: Path) -> None:
    recipe = RECIPE.replace('path = "again.jsonl"', 'path = "entail.jsonl"') + "max_shared = 9\n"
    found = leaks(project(tmp_path, recipe), tmp_path / "run")
    assert [one[:3] for one in found] == [("record", "again", "entail")] * 2


def test_dropped_rows_do_not_break_the_run(tmp_path: Path) -> None:
    stage = """
[[stages]]
name = "leaks"
steps = [{ step = "shared" }]
keep = [{ signal = "shared.passage", is = false, why = "held-out texts stay unseen" }]
"""
    record = {"context": LONG, "question": "When was it closed?", "answer": "three winters"}
    path = project(tmp_path, RECIPE + stage, ask=[record])
    found = leaks(path, tmp_path / "run")
    assert [(one[0], one[-1]) for one in found] == [("passage", False)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('clusters = ["nli"]', 'clusters = ["nly"]', "no source is of cluster 'nly'"),
        ('clusters = ["nli"]', 'cluster = ["nli"]', "unknown key 'cluster'"),
        ('clusters = ["nli"]', 'clusters = ["nli", "paraphrase", "reading_comprehension"]', "every source is held out"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        curate.run(curate.load_recipe(project(tmp_path, RECIPE.replace(old, new))), out=tmp_path / "run")


def test_the_report_has_every_pair_of_clusters(tmp_path: Path) -> None:
    record = {"context": LONG, "question": "When?", "answer": "three winters"}
    path = project(tmp_path, RECIPE + "max_shared = 1\n", ask=[record])
    facts = curate.run(curate.load_recipe(path), out=tmp_path / "run").report()
    found = facts["holdout"]
    assert [(one["cluster"], one["rows"], one["heldout_rows"]) for one in found["clusters"]] == [
        ("reading_comprehension", 2, 0), ("paraphrase", 1, 0), ("nli", 0, 2)
    ]  # fmt: skip
    pair = found["pairs"][0]
    assert (pair["cluster"], pair["heldout"], pair["rows"], pair["kept"]) == ("reading_comprehension", "nli", 1, 1)
    assert pair["sources"] == [{"source": "ask", "heldout_source": "entail", "rows": 1, "kept": 1}]
    said = [one["text"] for one in facts["alerts"] if one["section"] == "holdout"]
    assert said == [
        "1 kept row of cluster reading_comprehension shares a record or passage with held-out cluster nli.",
        "Cluster nli is held out while paraphrase is trained on: a paraphrase is entailment in both directions; FLAN "
        "trains on neither where one is held out.",
    ]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Held-out clusters" in page and "ask and entail: 1" in page
