from __future__ import annotations

from pathlib import Path

from projects import lay_out

import curate
from reports.coverage import coverage
from reports.view import open_view

RECIPE = """
name = "tiny"
[[sources]]
name = "english"
path = "qa0.jsonl"
task = "qa_open"
lang = "en"
[[sources]]
name = "french"
path = "qa0.jsonl"
task = "qa_open"
lang = "fr"
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "refusal" }]
"""


def test_says_which_step_judged_which_share_of_each_language(tmp_path: Path) -> None:
    records = [{"question": f"question {number}", "answer": "A plain answer."} for number in range(4)]
    recipe = curate.load_recipe(lay_out(tmp_path, records, recipe=RECIPE))
    run = curate.run(recipe, out=tmp_path / "run")
    found = {one["as"]: one for one in coverage(open_view(run.path))["list"]}
    assert found["length"]["share"] == 1.0
    assert (found["refusal"]["seen"], found["refusal"]["judged"], found["refusal"]["share"]) == (8, 4, 0.5)
    by_language = {one["lang"]: one["share"] for one in found["refusal"]["languages"]}
    assert by_language == {"en": 1.0, "fr": 0.0}
