"""Alerts lead on: their commands do what they say, their sections exist, their order holds like against like."""

from __future__ import annotations

import copy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from projects import lay_out, questions

import curate
from curate.cli.main import main
from reports import html, quality
from reports.alerts import alerts

RECIPE = """
name = "small"
seed = 3
rejects = 1.0
[[sources]]
name = "qa"
path = "qa*.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "pii" }]
keep = [
  { signal = "length.words", min = 4, why = "too short" },
  { signal = "pii.count", max = 0, flag = true, why = "personal data" },
  { signal = "length.words", max = 900, flag = true, why = "too long" },
]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, flag = true, why = "one copy" }]
[gates]
max_dropped_share = 0.01
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("alerts")
    records = [
        *questions(60),
        {"question": "Who?", "answer": "Ask mary@firm-letters.de or her sister."},
        {"nothing": 1},
    ]
    path = lay_out(folder, records, recipe=RECIPE)
    with pytest.raises(curate.errors.UserError, match="max_dropped_share"):
        curate.run(curate.load_recipe(path), out=folder / "run")
    return quality.facts(folder / "run")


def test_every_command_runs(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    commands = {one["command"] for one in (*facts["alerts"], *facts["next"])}
    assert len(commands) >= 5
    for command in sorted(commands):
        program, *words = shlex.split(command)
        if program == "less":
            assert [Path(file).is_file() for file in words] == [True]
            continue
        if words[0] == "export" or "--set" in words:
            continue  # they write; `test_export.py` and `test_recipe.py` hold them to what they promise
        asks = ["--list"] if words[0] == "review" else []  # nobody is there to answer
        monkeypatch.setattr(sys, "argv", [program, *words, *asks])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (program, ended.value.code) == ("curate", 0), command


def test_every_section_that_an_alert_names_is_on_the_page(facts: dict[str, Any]) -> None:
    page = html.render(facts)
    assert len({one["section"] for one in facts["alerts"]}) >= 4
    assert all(f'id="{one["section"]}"' in page for one in facts["alerts"])


def test_more_than_five_alerts_are_folded(facts: dict[str, Any]) -> None:
    shown, folded = html.render(facts).split('<details class="more-alerts">')
    assert shown.count('<span class="severity">') == 5
    assert folded.count('<span class="severity">') == len(facts["alerts"]) - 5 > 0
    assert f"and {len(facts['alerts']) - 5} more</summary>" in folded


def test_a_broken_gate_comes_first_and_the_recipe_last(facts: dict[str, Any]) -> None:
    assert facts["alerts"][0]["severity"] == "critical"
    assert [one["unit"] for one in facts["alerts"] if one["text"].startswith("1 rule found nothing")] == ["rule"]
    weights = [one["weight"] for one in facts["alerts"] if one["severity"] == "warning"]
    assert weights == sorted(weights, reverse=True) and weights[0] > 0


def test_one_leaked_address_outweighs_a_few_copies(facts: dict[str, Any]) -> None:
    texts = [one["text"] for one in alerts(facts)]
    personal = next(place for place, text in enumerate(texts) if "holds personal data" in text)
    copies = next(place for place, text in enumerate(texts) if "found by exact" in text and "copies of another" in text)
    assert personal < copies


def test_a_group_without_a_name_is_put_in_words(facts: dict[str, Any]) -> None:
    facts = copy.deepcopy(facts)
    rule = next(rule for rule in facts["rules"]["list"] if not rule["flag"])
    rule["where"] = {"source": ["qa"]}
    rule["groups"]["task"]["list"] = [{"value": None, "rows": 20, "failed": 19, "share": 0.95}]
    texts = [one["text"] for one in alerts(facts)]
    assert f"Rule {rule['id']} drops 95.0 % of the rows without a task family." in texts
    assert not [text for text in texts if "None" in text and "None of" not in text]
