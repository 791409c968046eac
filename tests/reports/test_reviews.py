"""Judgements: the sample, what counts, the precision, and what page and alerts say of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from sample_run import EXACT, LONG, NEAR, TOXIC, WORDS_1, WORDS_5, manifest

import reports
from curate import rundir
from reports import html, quality, terminal, verdicts
from reports.reviews import reviews
from reports.view import open_view


def say(run: Path, rule: str, side: str, verdict: str, *rows: str) -> None:
    """Append judgements to a run."""
    with open(run / rundir.REVIEWS, "a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({"rule": rule, "id": row, "side": side, "verdict": verdict}) + "\n")


def drawn(run: Path, rule: str) -> verdicts.Sample:
    view = open_view(run)
    return verdicts.sample(view, next(one for one in view.rules if one["id"] == rule))


def numbers(run: Path, rows: list[str]) -> list[int]:
    """Return the numbers under which rows stand in the sample run."""
    known = dict(rundir.RunDir.open(run).rows(["id", "meta"]).iter_rows())
    return [json.loads(known[row])["number"] for row in rows]


@pytest.fixture
def judged(run: Path) -> Path:
    """Give the run with four of the five victims of the toxicity rule judged, and one kept row."""
    sample = drawn(run, TOXIC)
    say(run, TOXIC, "victim", "wrong", *sample.victims[:4])
    say(run, TOXIC, "victim", "right", *sample.victims[:2])  # on second thoughts
    say(run, TOXIC, "victim", "unsure", sample.victims[3])
    say(run, TOXIC, "near miss", "wrong", sample.near[0])
    say(run, TOXIC, "near miss", "right", sample.near[1])
    return run


def test_victims_are_all_that_fail_and_begin_with_the_examples_of_the_report(run: Path) -> None:
    sample = drawn(run, TOXIC)
    assert sorted(numbers(run, sample.victims)) == [30, 31, 32, 33, 56]
    rule = next(one for one in quality.facts(run)["rules"]["list"] if one["id"] == TOXIC)
    assert [one["row"] for one in rule["examples"]["drawn"]] == sample.victims[:4]


def test_near_misses_are_the_rows_that_pass_closest_to_the_bound(run: Path) -> None:
    sample = drawn(run, TOXIC)
    values = dict(rundir.RunDir.open(run).rows(["id", "toxicity.score"]).iter_rows())
    passing = sorted((value for value in values.values() if value is not None and value <= 0.5), reverse=True)
    assert [values[row] for row in sample.near] == passing[:20]
    assert (sample.closest, sample.of) == (True, (5, 52))  # three rows have no score


def test_near_misses_equally_close_come_in_the_order_of_a_draw(run: Path) -> None:
    sample = drawn(run, WORDS_1)
    words = dict(rundir.RunDir.open(run).rows(["id", "length.words"]).iter_rows())
    assert [words[row] for row in sample.near] == [3] * 10 + [10] * 10
    assert sample.near[10:] != sorted(sample.near[10:])


def test_copies_have_no_near_miss_so_that_rows_that_stay_are_drawn(run: Path) -> None:
    sample = drawn(run, EXACT)
    assert sorted(numbers(run, sample.victims)) == [21, 22, 23, 24, 58]
    assert (sample.closest, len(sample.near), sample.of) == (False, 20, (5, 40))
    assert not set(sample.near) & set(sample.victims)


def test_a_draw_of_the_victims_left_keeps_its_order(run: Path) -> None:
    view = open_view(run)
    rule = next(one for one in view.rules if one["id"] == EXACT)
    before = verdicts.sample(view, rule).victims
    fewer = view.base.with_columns(
        dropped_by=pl.when(pl.col("id") == before[0]).then(pl.lit([], dtype=pl.List(pl.String))).otherwise("dropped_by")
    )
    after = verdicts.sample(type(view)(view.run, view.manifest, fewer, view.signals, view.name), rule).victims
    assert after == before[1:]


def test_precision_counts_the_last_word_on_each_row(judged: Path) -> None:
    (facts,) = quality.facts(judged, name="runs/demo")["reviews"]["list"]
    counted = {key: facts[key] for key in ("rule", "of", "sampled", "judged", "right", "wrong", "unsure", "precision")}
    assert counted == {
        "rule": TOXIC, "of": 5, "sampled": 5, "judged": 4, "right": 2, "wrong": 1, "unsure": 1,
        "precision": pytest.approx(2 / 3, abs=1e-6),
    }  # fmt: skip
    assert (facts["low"], facts["high"]) == pytest.approx((0.2077, 0.9385), abs=5e-5)
    near = {key: facts["near"][key] for key in ("of", "sampled", "judged", "missed", "passed", "missed_share")}
    assert near == {"of": 52, "sampled": 20, "judged": 2, "missed": 1, "passed": 1, "missed_share": 0.5}
    assert facts["command"] == f"curate review runs/demo --rule '{TOXIC}'"
    assert not facts["whole"]
    assert len(facts["wrong_rows"]) == len(facts["missed_rows"]) == 1


def test_verdicts_on_rows_that_left_the_sample_are_counted_as_stale(judged: Path) -> None:
    victim, passed = drawn(judged, TOXIC).victims[4], drawn(judged, TOXIC).near[2]
    say(judged, TOXIC, "victim", "right", passed)  # it was a victim once
    say(judged, TOXIC, "near miss", "wrong", victim)
    say(judged, "checks/toxicity.score max 0.7", "victim", "right", victim)  # the bound has moved
    facts = quality.facts(judged)["reviews"]
    assert facts["stale"] == 3
    assert [one["judged"] for one in facts["list"]] == [4]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "null", '{"rule": 1}', '{"rule": "a", "id": "b", "side": "victim", "verdict": "maybe"}', "[" * 9999],
)
def test_lines_that_say_nothing_are_counted_and_harm_no_other(judged: Path, line: str) -> None:
    with open(judged / rundir.REVIEWS, "a", encoding="utf-8") as file:
        file.write(line + "\n\n")
    facts = quality.facts(judged)["reviews"]
    assert (facts["unreadable"], [one["judged"] for one in facts["list"]]) == (1, [4])


def test_rules_that_drop_rows_and_were_not_judged_are_named(run: Path) -> None:
    facts = quality.facts(run, name="runs/demo")["reviews"]
    assert facts["list"] == []
    named = {one["rule"]: one["of"] for one in facts["unjudged"]}
    assert named == {WORDS_1: 1, TOXIC: 5, WORDS_5: 10, EXACT: 5, NEAR: 1}  # the rule on long answers only flags
    assert LONG not in named


def test_evidence_of_the_manifest_excuses_a_rule_or_is_told_beside_it(make_run: Callable[..., Path]) -> None:
    stages = manifest()["stages"]
    stages[1]["rules"][0]["evidence"] = {"kind": "construction", "why": "verified copies"}
    found = {"data": "some data", "right": 9, "wrong": 1, "unsure": 0, "who": "we", "date": "2026-11-24", "note": "n"}
    stages[0]["rules"][1]["evidence"] = {"kind": "reviewed", "victims": 10, **found}
    facts = quality.facts(make_run(stages=stages))["reviews"]
    assert facts["construction"] == [{"rule": EXACT, "why": "verified copies"}]
    elsewhere = {one["rule"]: one["elsewhere"] for one in facts["unjudged"]}
    assert EXACT not in elsewhere
    assert elsewhere[WORDS_1] is None
    assert elsewhere[TOXIC]["right"] == 9
    assert elsewhere[TOXIC]["low"] == pytest.approx(0.5958, abs=5e-5)


def alerts(run: Path) -> list[tuple[str, str]]:
    found = quality.facts(run)["alerts"]
    return [(one["severity"], one["text"]) for one in found if one["section"] == "reviews"]


def test_a_rule_that_may_be_wrong_too_often_is_an_alert(judged: Path) -> None:
    doubt, unjudged = alerts(judged)
    text = f"Rule {TOXIC} drops 5 rows and was right in 2 of 3 judged (21 % to 93.9 %): "
    assert doubt == ("warning", text + "judge more of them, or let it flag.")
    assert unjudged[0] == "note"
    assert unjudged[1].startswith("4 rules drop rows that nobody has judged on this data: ")


def test_a_rule_that_is_wrong_too_often_for_sure_is_critical(run: Path) -> None:
    say(run, TOXIC, "victim", "wrong", *drawn(run, TOXIC).victims)
    severity, text = alerts(run)[0]
    assert severity == "critical"
    assert text.endswith("was right in 0 of 5 judged (0 % to 43 %): let it flag, or move its bound.")


def test_few_victims_all_judged_right_leave_nothing_to_chance(run: Path) -> None:
    say(run, TOXIC, "victim", "right", *drawn(run, TOXIC).victims)
    (facts,) = quality.facts(run)["reviews"]["list"]
    assert facts["low"] < 0.8 < facts["least"] == 1.0
    assert [severity for severity, _ in alerts(run)] == ["note"]


def test_facts_of_runs_without_rules_say_why_there_is_nothing(make_run: Callable[..., Path]) -> None:
    stages = [{**stage, "rules": []} for stage in manifest()["stages"]]
    facts = reviews(open_view(make_run(stages=stages)))
    assert facts["skipped"] == "the recipe has no keep rules"
    assert facts["list"] == facts["unjudged"] == []


def test_page_and_terminal_tell_the_precision(judged: Path) -> None:
    facts = quality.facts(judged, name="runs/demo")
    page = html.render(facts)
    first = page[: page.index('id="alerts"')]
    assert "right in 67 %" in first and "2 of 3 judged, with 95 % confidence 21 % to 93.9 %" in first
    assert "not judged" in first and "&#39;checks/length.words min 1&#39;" in first
    printed = io.StringIO()
    terminal.summary(facts, console=Console(width=300, file=printed))
    told = f"judged  {TOXIC} right in 67 % (21 % to 93.9 %, n 3); not on this data: 4 rules that drop rows"
    assert told in printed.getvalue()


def test_buttons_know_what_was_answered_before(judged: Path) -> None:
    page = html.render(quality.facts(judged))
    victims = drawn(judged, TOXIC).victims
    at = page.index(f'<div class="judge" data-row="{victims[0]}">')
    assert 'data-mark="right" aria-pressed="true"' in page[at : at + 4000].split('<div class="judge"')[1]
    assert page.count("data-mark=") >= 3 * 4


def judging(run: Path, rule: str) -> dict[str, Any]:
    found: dict[str, Any] = reports.judging(run, rule)
    return found


def test_a_judge_sees_the_keeper_and_the_difference(run: Path) -> None:
    found = judging(run, NEAR)
    item = found["items"][0]
    (other,) = item["others"]
    assert numbers(run, [item["row"], other["row"]]) == [26, 25]
    assert (other["what"], item["measured"]["similarity"]) == ("keeper", 0.83)
    changed = [(kind, text) for kind, text in other["difference"] if kind != "same"]
    assert ("gone", "25") in changed and ("new", "26") in changed
    assert [one["side"] for one in found["items"]].count("victim") == 1


def test_a_judge_sees_personal_data_masked_and_hidden_characters_spelled_out(run: Path) -> None:
    texts = json.dumps(judging(run, WORDS_1)["rows"]) + json.dumps(judging(run, LONG)["rows"])
    whole = json.dumps([judging(run, rule) for rule in (WORDS_1, TOXIC, EXACT, LONG)], ensure_ascii=False)
    assert "jane.doe@example.org" not in texts
    assert "\u202e" not in whole and "\x1b" not in whole


def test_a_judge_sees_only_the_words_of_a_heldout_item_that_the_row_shares(run: Path) -> None:
    from reports.judging import _shared

    assert _shared(None, "anything") is None
    pieces = _shared("Write to jane@example.org by noon", "Please write to ‹email› by noon")
    assert pieces is not None
    text = "".join(piece for _, piece in pieces)
    assert "jane" not in text and text.endswith(" by noon")
