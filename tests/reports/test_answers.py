"""Four questions answered from the facts alone; see `support/sample_run.py` for what is in the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sample_run import EXACT, TOXIC, WORDS_5

from reports import quality
from reports.answers import answers


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def said(facts: dict[str, Any]) -> dict[str, str]:
    return {one["question"]: one["answer"] for one in answers(facts)}


def test_each_question_is_answered_with_figures_and_a_section(facts: dict[str, Any]) -> None:
    told = said(facts)
    assert told["What was removed?"] == f"21 rows (35 %), by {WORDS_5} (10), {EXACT} (5), {TOXIC} (4) and 2 rules more."
    grounds = "Nobody has judged it on this data yet. 21 rows went by rules that nobody judged. "
    assert told["Was it right?"].startswith(grounds + "15 rows drawn by chance")
    assert told["Which rule did harm?"].startswith(f"Suspect: Rule {WORDS_5} drops 100 % of task family summarization.")
    balance = "the largest, source news, has 51 %. 2 task families, as varied as 1.7 equal groups; "
    assert balance + "the largest, task family classification, has 79 %." in told["Is the mix balanced?"]
    assert {one["section"] for one in facts["answers"]} == {"funnel", "rules", "composition"}


def test_judged_rules_answer_whether_it_was_right(facts: dict[str, Any]) -> None:
    facts["reviews"] = {"list": [{"rule": EXACT, "precision": 0.9, "low": 0.7}, {"rule": TOXIC, "precision": None}]}
    assert said(facts)["Was it right?"] == f"By those who judged a sample: {EXACT}: 90 % right (at least 70 %)."


def test_dropped_rows_are_counted_by_the_grounds_on_which_they_went(facts: dict[str, Any]) -> None:
    facts["reviews"] |= {"construction": [{"rule": EXACT}], "unjudged": [{"rule": TOXIC, "elsewhere": {"right": 9}}]}
    sure = "5 rows went by rules that are right by construction"
    rest = "4 rows went by rules that people judged on other data, 12 rows went by rules that nobody judged"
    assert f"{sure}, {rest}." in said(facts)["Was it right?"]


def test_a_run_that_dropped_nothing_says_so(facts: dict[str, Any]) -> None:
    facts["headline"] |= {"dropped": 0, "kept": 60}
    told = said(facts)
    assert told["What was removed?"] == "Nothing: no rule dropped a row. 1 row is flagged."
    assert told["Which rule did harm?"] == "None: no rule dropped a row."


def test_rows_without_a_task_are_no_task_family(facts: dict[str, Any]) -> None:
    table = next(table for table in facts["composition"]["tables"] if table["column"] == "task")
    table["values"][1]["value"] = None
    assert "1 task family and rows without a task family" in said(facts)["Is the mix balanced?"]
