"""Two runs side by side: counts a person can check."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from sample_run import SCRIPT, write_run

import curate
import reports
from curate import rundir
from curate.errors import UserError
from reports import compare, html
from reports.compare import facts

Rows = Callable[..., pl.DataFrame]
RECIPE = """
name = "pair"
[[sources]]
name = "qa"
path = "qa.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 2, why = "short" }]
"""
ANSWERS = ["one", "one two", "one two three", "one two three four"]


def make(folder: Path, name: str, answers: list[str], *overrides: str, source: str = "qa") -> Path:
    """Run the recipe over one question per answer."""
    records = [{"question": f"Question number {i}?", "answer": answer} for i, answer in enumerate(answers)]
    (folder / "qa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "r.toml").write_text(RECIPE.replace('name = "qa"', f'name = "{source}"'))
    curate.run(curate.load_recipe(folder / "r.toml", overrides=list(overrides)), out=folder / "runs" / name)
    return folder / "runs" / name


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Return two runs over answers of one to four words: the second has one record less and a bound of three."""
    old = make(tmp_path, "a", ANSWERS)
    return make(tmp_path, "b", ANSWERS[:3], "stages.checks.keep.0.min=3"), old


def printed(told: dict[str, Any]) -> str:
    file = io.StringIO()
    reports.comparison(told, console=Console(file=file, width=100, highlight=False))
    return file.getvalue()


def test_rows_are_matched_by_id(runs: tuple[Path, Path]) -> None:
    told = facts(*runs)
    assert told["matching"]["rows"] == {"both": 3, "same": 2, "verdict": 1, "text": 0, "added": 0, "removed": 1}
    assert told["matching"]["moves"] == {"kept_to_dropped": 1, "dropped_to_kept": 0, "other_rule": 0}
    (flow,) = told["matching"]["flows"]
    assert (flow["old"], flow["new"], flow["rows"]) == (None, "checks/length.words min 3", 1)
    (example,) = flow["examples"]
    row = told["rows"]["new"][example["row"]]
    assert row["response"] == "one two" and row["dropped_by"] == ["checks/length.words min 3"]
    assert told["rows"]["old"][example["row"]]["kept"]


def test_a_rule_with_another_bound_is_the_same_rule(runs: tuple[Path, Path]) -> None:
    (rule,) = facts(*runs)["rules"]["list"]
    assert rule["status"] == "other bound"
    assert [(rule[side]["form"], rule[side]["failed"], rule[side]["evaluated"]) for side in ("old", "new")] == [
        ("min 2", 1, 4),
        ("min 3", 2, 3),
    ]
    # 2/3 − 1/4; the one row that fails either bound has not changed its verdict.
    assert rule["difference"]["difference"] == pytest.approx(5 / 12)
    assert rule["difference"]["low"] < 5 / 12 < rule["difference"]["high"]


def test_what_was_told_and_read_is_compared(runs: tuple[Path, Path]) -> None:
    told = facts(*runs)["recipe"]
    assert not told["equal"] and told["versions"] == [] and told["sources"] == [] and told["settings"] == []
    (file,) = told["inputs"]
    assert file["status"] == "changed" and file["source"] == "qa" and file["old"] != file["new"]


def test_stages_are_matched_by_name(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = make(tmp_path, "c", ANSWERS, 'stages.checks.name="first"')
    told = facts(other, runs[1])
    assert [(one["name"], one["old"] is None, one["new"] is None) for one in told["funnel"]["stages"]] == [
        ("first", True, False),
        ("checks", False, True),
    ]
    assert [rule["status"] for rule in told["rules"]["list"]] == ["added", "removed"]


def test_a_run_against_itself_has_not_changed(runs: tuple[Path, Path]) -> None:
    told = facts(runs[0], runs[0])
    assert told["headline"]["verdict"] == "same" and told["headline"]["meaning"].startswith("Nothing changed")
    assert told["changes"] == [] and told["worth"]["list"] == [] and told["rules"]["changed"] == 0
    assert {one["moved"] for one in (*told["drift"]["numeric"], *told["drift"]["categorical"])} == {0}
    assert told["matching"]["overlap"]["share"] == 1
    assert "Nothing changed" in printed(told) and "Nothing changed" in html.comparison(told)


def test_new_data_is_matched_by_content(runs: tuple[Path, Path], tmp_path: Path) -> None:
    # Another source name makes other records; case and blanks do not make other contents.
    new = make(tmp_path, "d", ["ONE", "one  two", "nothing like it"], source="fresh")
    told = facts(new, runs[1])["matching"]
    assert told["rows"] == {"both": 0, "same": 0, "verdict": 0, "text": 0, "added": 3, "removed": 4}
    assert (told["added"]["same_content"], told["added"]["unknown"]) == (2, 1)
    assert (told["overlap"]["rows"], told["overlap"]["of"]) == (2, 3)
    # "one" was dropped in both runs, "one two" kept in both.
    assert (told["overlap"]["mix"], told["overlap"]["mix_in_mix"]) == (1, 1)


def test_a_changed_text_is_shown_with_its_difference(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in ("manifest.json", "mix.parquet", "heldout.parquet", "origins.parquet", "rejects.jsonl"):
        rundir.copy(run / file, other / file)
    rows = pl.read_parquet(run / "rows.parquet")
    first = rows["id"][0]
    mended = pl.when(pl.col("id") == first).then(pl.lit("mended answer")).otherwise("response").alias("response")
    rundir.write_frame(other / "rows.parquet", rows.with_columns(mended))
    told = facts(other, run)
    assert told["matching"]["rows"]["text"] == 1 and told["matching"]["rows"]["verdict"] == 0
    assert [one["row"] for one in told["matching"]["texts"]["examples"]] == [first]
    assert ["new", "mended answer"] in told["rows"]["new"][first]["difference"]["response"]
    assert "<ins>" in html.comparison(told)


def test_an_empty_mix_is_said(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is left"):
        make(tmp_path, "e", ANSWERS, "stages.checks.keep.0.min=9")
    empty = tmp_path / "runs" / "e"
    told = facts(empty, runs[1])
    assert told["headline"]["verdict"] == "empty" and told["drift"] == {"skipped": "the new mix has no rows"}
    assert "the new mix has no rows" in html.comparison(told)
    assert "Skipped: a mix has no row" in html.comparison(told)


def test_other_versions_and_signals_are_said(run: Path, make_run: Callable[..., Path]) -> None:
    other = make_run(versions={"curatune": "9.9.9", "polars": "2.1.0"}, format=2)
    rows = pl.read_parquet(other / "rows.parquet").drop("toxicity.score")
    rundir.write_frame(other / "rows.parquet", rows)
    told = facts(other, run)
    assert [(one["name"], one["old"], one["new"]) for one in told["recipe"]["versions"]] == [
        ("format of the run", "1", "2"),
        ("curatune", "0.1.0", "9.9.9"),
    ]
    assert told["recipe"]["signals"]["only_old"] == ["toxicity.score"]
    assert "curatune 0.1.0 → 9.9.9" in html.comparison(told)


def test_a_run_of_another_schema_is_refused_with_what_to_do(run: Path, make_run: Callable[..., Path]) -> None:
    other = make_run()
    rundir.write_frame(other / "rows.parquet", pl.read_parquet(other / "rows.parquet").drop("flagged_by"))
    with pytest.raises(UserError, match="its rows have no flagged_by"):
        facts(run, other)


def test_report_and_data_are_written_and_belong_to_the_run(runs: tuple[Path, Path]) -> None:
    told = compare(*runs)
    assert json.loads((runs[0] / "compare.json").read_text()) == told == facts(*runs)
    assert (runs[0] / "compare.html").read_text() == html.comparison(told)
    assert {"compare.json", "compare.html"} <= rundir.OWN


def test_hostile_names_and_texts_stay_text(tmp_path: Path, make_rows: Rows) -> None:
    evil = write_run(tmp_path / "<b>x", make_rows, name=SCRIPT, versions={"[bold]x[/] \x1b[2J": "<i>"})
    told = facts(evil, write_run(tmp_path / "plain", make_rows))
    told["worth"]["list"] = [{"row": row, "sides": ["new"], "reason": SCRIPT} for row in told["rows"]["new"]]
    told["changes"] = [{"text": "[red]x[/red]\u202e", "moved": 1.0, "size": None, "section": "rows"}]
    page = html.comparison(told)
    assert page.count("<script") == 1 and "<b>x" not in page and "<i>" not in page and "\x1b" not in page
    assert not re.search(r"\son\w+=", page) and "http://" not in page and "https://" not in page
    assert "[red]x[/red][U+202E]" in printed(told)


def test_personal_data_is_masked(run: Path, make_run: Callable[..., Path]) -> None:
    other = make_run()
    rows = pl.read_parquet(other / "rows.parquet")
    row = rows.filter(pl.col("response").str.contains("jane.doe"))["id"][0]
    rundir.write_frame(other / "rows.parquet", rows.filter(pl.col("id") != row))
    mix = pl.read_parquet(other / "mix.parquet")
    rundir.write_frame(other / "mix.parquet", mix.filter(pl.col("id") != row))
    told = facts(run, other)
    assert "Write to ‹email›" in told["rows"]["new"][row]["response"]
    assert "jane.doe" not in json.dumps(told) and "jane.doe" not in html.comparison(told)


def test_links_inside_the_page_lead_somewhere(runs: tuple[Path, Path]) -> None:
    page = html.comparison(facts(*runs))
    ids = re.findall(r' id="([^"]+)"', page)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids) and len(ids) == len(set(ids))


def test_every_chart_stands_beside_a_table(runs: tuple[Path, Path]) -> None:
    page = html.comparison(facts(*runs))
    assert page.count('<svg class="chart"') == page.count('<details class="table"') > 0


def test_the_terminal_says_it_in_under_thirty_lines(runs: tuple[Path, Path]) -> None:
    told = facts(*runs)
    text = printed(told)
    assert "kept → dropped by checks/length.words min 3" in text and "compare.html" in text
    told["changes"] = [{"text": "long " * 90, "moved": 0.5, "size": "large", "section": "numbers"}] * 5
    told["headline"]["meaning"] = "word " * 200
    told["rules"]["list"] *= 20
    told["matching"]["flows"] *= 20
    text = printed(told)
    assert sum(-(-max(1, len(line)) // 100) for line in text.rstrip("\n").split("\n")) < 30
    assert "17 more rules" in text and "17 more changes" in text
