"""Facts against numbers counted by hand; see `support/sample_run.py` for what is in the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sample_run import EXACT, LONG, TOXIC, WORDS_1, WORDS_5
from tiny_run import rule as tiny_rule
from tiny_run import write_tiny

import reports
from curate.errors import UserError
from reports import quality, shown


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def rule(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in facts["rules"]["list"] if one["id"] == name)


def texts_of(facts: dict[str, Any], severity: str) -> list[str]:
    return [alert["text"] for alert in facts["alerts"] if alert["severity"] == severity]


def test_headline_counts_rows_and_says_that_gates_hold(facts: dict[str, Any]) -> None:
    head = facts["headline"]
    counted = {key: head[key] for key in ("records_read", "rejects", "rows", "kept", "dropped", "mix_rows", "flagged")}
    assert counted == {"records_read": 61, "rejects": 1, "rows": 60, "kept": 39, "dropped": 21, "mix_rows": 39,
                       "flagged": 1}  # fmt: skip
    assert (head["verdict"], head["adds_up"], head["kept_share"]) == ("pass", True, 0.65)


def test_funnel_loses_rows_where_the_rules_drop_them(facts: dict[str, Any]) -> None:
    stages = [(one["name"], one["rows_in"], one["rows_lost"], one["rows_out"]) for one in facts["funnel"]["stages"]]
    assert stages == [("checks", 60, 15, 45), ("copies", 45, 5, 40), ("near", 40, 1, 39)]
    by_source = {
        one["value"]: (one["rows"], one["kept"], one["lost"]) for one in facts["funnel"]["by"]["source"]["groups"]
    }
    assert by_source == {
        "news": (20, 20, {}),
        "reviews": (20, 11, {"checks": 4, "copies": 4, "near": 1}),
        "notes": (10, 0, {"checks": 10}),
        "chat": (10, 8, {"checks": 1, "copies": 1}),
    }
    tokens = [stage["tokens_out"] for stage in facts["funnel"]["stages"]]
    assert tokens == sorted(tokens, reverse=True) and tokens[-1] == facts["headline"]["kept_tokens"]


def test_a_rule_tells_its_shares_by_group_and_what_another_bound_would_do(facts: dict[str, Any]) -> None:
    toxic, empty = rule(facts, TOXIC), rule(facts, WORDS_1)
    groups = [(one["value"], one["failed"], one["rows"]) for one in toxic["groups"]["source"]["list"]]
    assert groups == [("reviews", 4, 20), ("chat", 1, 10)] and toxic["groups"]["source"]["spared"] == 2
    assert [(one["at"], one["looser"], one["failed"], one["change"]) for one in empty["what_if"]] == [
        (0, True, 0, -1),
        (2, False, 1, 0),
    ]
    assert [(one["at"], one["failed"]) for one in toxic["what_if"]] == [(0.45, 5), (0.55, 5)]


def test_a_limited_rule_looks_only_at_its_rows(facts: dict[str, Any]) -> None:
    short = rule(facts, WORDS_5)
    assert (
        short["sentence"]
        == "Keeps rows whose length.words is at least 5; looks only at rows where task is summarization."
    )
    assert short["distribution"]["known"] == 10
    assert short["groups"]["task"] == {"list": [{"value": "summarization", "rows": 10, "failed": 10, "share": 1.0}],
                                       "left_out": 0, "spared": 0}  # fmt: skip


def test_a_stage_sees_only_the_rows_that_reach_it(facts: dict[str, Any]) -> None:
    exact = rule(facts, EXACT)
    known = exact["distribution"]
    assert (known["known"], known["unknown"]) == (45, 0)
    assert sum(bar["failed"] for bar in known["bars"]) == 5


def test_bars_hold_every_row_on_its_side_of_the_bound(facts: dict[str, Any]) -> None:
    spread = rule(facts, TOXIC)["distribution"]
    assert (spread["known"], spread["unknown"]) == (57, 3)
    assert sum(bar["passed"] for bar in spread["bars"]) == 52
    for bar in spread["bars"]:
        assert bar["passed"] == 0 or bar["high"] <= 0.5
        assert bar["failed"] == 0 or bar["low"] >= 0.5


def test_examples_stand_on_both_sides_and_say_of_how_many(facts: dict[str, Any]) -> None:
    examples = rule(facts, TOXIC)["examples"]
    assert (examples["failed_of"], examples["passed_of"]) == (5, 52)
    drawn = {one["row"] for one in examples["drawn"]}
    assert len(drawn) == 4 and all(TOXIC in facts["rows"][row]["dropped_by"] for row in drawn)
    assert len(examples["closest_failed"]) == 1 and examples["closest_failed"][0]["row"] not in drawn
    assert all(float(one["value"]) <= 0.5 for one in examples["closest_passed"])


def test_overlap_names_the_rules_that_meet(facts: dict[str, Any]) -> None:
    overlap = facts["rules"]["overlap"]
    assert (overlap["rules"], overlap["matrix"]) == ([WORDS_1, TOXIC], [[1, 1], [1, 5]])
    assert overlap["jaccard"] == [[1, 0.2], [0.2, 1]]
    assert (overlap["left_out"], overlap["alone"]) == (0, 4)


def test_duplicates_count_clusters_sizes_and_sources(facts: dict[str, Any]) -> None:
    exact, near = facts["duplicates"]["steps"]
    assert (exact["name"], exact["copies"], exact["clusters"], exact["largest_size"]) == ("exact", 5, 2, 5)
    assert exact["sizes"] == [{"size": "2", "clusters": 1, "rows": 2}, {"size": "5–9", "clusters": 1, "rows": 5}]
    assert exact["crossing"] == {"sources": ["chat", "news", "reviews"], "matrix": [[0, 1, 0], [0, 0, 0], [0, 0, 4]],
                                 "across": 1, "left_out": 0}  # fmt: skip
    assert [cluster["size"] for cluster in near["least_similar"]] == [2]
    assert near["least_similar"][0]["copies"][0]["similarity"] == 0.83


def test_labels_show_what_each_label_lost(facts: dict[str, Any]) -> None:
    news, reviews = facts["labels"]["sources"]
    assert (news["source"], news["distinct"], news["rows"]) == ("news", 1, 20)
    assert [(one["label"], one["rows"], one["kept"]) for one in reviews["labels"]] == [("bad", 10, 6), ("good", 10, 5)]


def test_composition_counts_the_mix(facts: dict[str, Any]) -> None:
    tables = {table["column"]: table for table in facts["composition"]["tables"]}
    licences = [(one["value"], one["rows"], one["kept"]) for one in tables["license"]["values"]]
    assert licences == [("MIT", 20, 20), ("CC-BY-4.0", 20, 11), (None, 20, 8)]
    assert tables["source"]["in_mix"] == 3
    assert sum(one["mix_share"] for one in tables["source"]["values"]) == pytest.approx(1)


def test_lengths_count_every_row_once(facts: dict[str, Any]) -> None:
    for histogram in facts["lengths"]["histograms"]:
        assert sum(one["kept"] for one in histogram["classes"]) == 39
        assert sum(one["dropped"] for one in histogram["classes"]) == 21
    # one kept row has twice 5,000 letters: 2,500 tokens and a few
    windows = {one["tokens"]: one["fits"] for one in facts["lengths"]["windows"]}
    assert windows == {256: 38, 512: 38, 1024: 38, 2048: 38, 4096: 39, 8192: 39}


def test_alerts_name_the_faults_gravest_first(facts: dict[str, Any]) -> None:
    warnings, notes = texts_of(facts, "warning"), texts_of(facts, "note")
    assert texts_of(facts, "critical") == []
    assert warnings == [
        "1 kept row holds personal data: email 1.",
        "Nothing is left of source notes: all 10 rows were dropped, most of them in checks.",
        "1 source has a single label, so there is nothing to tell apart: news (“world”).",
        "The mix is out of balance: task family classification is 79 % of it.",
        "The mix is out of balance: source news is 51 % of it.",
        f"Rule {WORDS_5} drops 100 % of task family summarization.",
        "1 record could not be used, in reviews: not JSON.",
    ]
    assert f"1 row is flagged by {LONG}: long answers are worth a look." in notes
    assert notes[-1] == "8 kept rows name no licence: say under which the data may be used before you share the mix."
    assert all(alert["command"] and alert["of"] >= alert["count"] for alert in facts["alerts"])


def test_an_alert_on_a_rule_leads_to_a_row_it_hit(facts: dict[str, Any]) -> None:
    rule = next(rule for rule in facts["rules"]["list"] if rule["id"] == WORDS_5)
    told = next(alert for alert in facts["alerts"] if WORDS_5 in alert["text"])
    assert told["command"] == f"curate explain runs/demo {rule['examples']['drawn'][0]['row']}"


def test_commands_quote_what_a_shell_would_split() -> None:
    assert shown.command("curate", "report", "my run; rm x") == "curate report 'my run; rm x'"


def test_a_broken_gate_fails_the_verdict_and_leads_the_alerts(make_run: Callable[..., Path]) -> None:
    gate = {"name": "max_dropped_share", "bound": 0.2, "value": 0.35, "passed": False}
    facts = quality.facts(make_run(gates=[gate]))
    assert facts["headline"]["verdict"] == "fail"
    assert (
        facts["alerts"][0]["text"] == "Gate max_dropped_share is broken: 0.35, where the recipe asks for at most 0.2."
    )


def test_a_run_that_does_not_add_up_says_so(make_run: Callable[..., Path]) -> None:
    totals = {"records_read": 61, "rejects": 1, "train_rows": 60, "heldout_rows": 0, "kept": 40, "dropped": 20}
    facts = quality.facts(make_run(totals=totals))
    assert facts["alerts"][0]["severity"] == "critical" and not facts["headline"]["adds_up"]


def test_worth_lists_ten_different_rows_with_reasons(facts: dict[str, Any]) -> None:
    rows = [one["row"] for one in facts["worth"]["list"]]
    assert len(rows) == len(set(rows)) == 10
    assert "0.83" in facts["worth"]["list"][0]["reason"]


def test_facts_are_json_and_the_same_twice(run: Path, facts: dict[str, Any]) -> None:
    again = quality.facts(run, name="runs/demo")
    assert json.dumps(again, allow_nan=False) == json.dumps(facts, allow_nan=False)
    assert facts["schema"] == 3


def test_every_row_named_is_shown(facts: dict[str, Any]) -> None:
    named = set(quality.ids_in({key: value for key, value in facts.items() if key != "rows"}))
    assert named == set(facts["rows"])


def test_build_writes_three_files_and_load_reads_them_back(run: Path) -> None:
    facts = reports.build(run)
    assert reports.load(run) == json.loads(json.dumps(facts))
    assert {"report.json", "report.html", "README.md"} <= {path.name for path in run.iterdir()}
    assert not list(run.glob("*.tmp"))


def test_load_without_a_report_names_the_command(run: Path) -> None:
    with pytest.raises(UserError, match="curate report"):
        reports.load(run)


def test_a_run_without_rows_rules_or_steps_still_reports(make_run: Callable[..., Path]) -> None:
    totals = dict.fromkeys(("records_read", "rejects", "train_rows", "heldout_rows", "kept", "dropped"), 0)
    run = make_run(stages=[], totals=totals, gates=[], sources=[], inputs=[])
    for name in ("rows", "mix"):
        pl.read_parquet(run / f"{name}.parquet").clear().write_parquet(run / f"{name}.parquet")
    (run / "rejects.jsonl").write_text("")
    facts = reports.build(run)
    assert facts["headline"]["verdict"] == "fail"
    assert "No row is left in the mix." in texts_of(facts, "critical")


def test_a_balance_step_sets_the_target_that_the_mix_is_held_to(
    tmp_path: Path, make_rows: Callable[..., pl.DataFrame]
) -> None:
    bound = tiny_rule("even", "balance.rank", "max 1", max=1.0)
    dropped = {"rules": [bound["id"]]}
    # Five rows of one task, of which two may stay (one more does by a fault), and one of another.
    rows: list[dict[str, Any]] = [{"task": "math", **(dropped if number < 2 else {})} for number in range(5)]
    stages = [{"name": "even", "steps": [{"as": "balance", "step": "balance", "by": "task"}], "rules": [bound]}]
    run = write_tiny(tmp_path / "even", make_rows, [*rows, {"task": None}], stages=stages)
    target = quality.facts(run)["composition"]["targets"]["list"][0]
    found = [(one["value"], one["rows"], one["target"], one["in_mix"]) for one in target["groups"]]
    assert (target["most"], found) == (2, [("math", 5, 2, 3), ("not given", 1, 1, 1)])
    assert target["moved_share"] == pytest.approx(3 / 4 - 2 / 3, abs=1e-6)


def test_without_a_balance_step_no_target_is_set(facts: dict[str, Any]) -> None:
    assert "no target" in facts["composition"]["targets"]["skipped"]


def test_personal_data_is_counted_by_kind_and_source(facts: dict[str, Any]) -> None:
    matrix = facts["safety"]["personal"]["matrix"]
    assert matrix == {"kinds": ["email"], "sources": [{"source": "chat", "rows": [1], "kept": [1]}]}
