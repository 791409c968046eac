"""The demo recipe finds every fault planted in the bundled sample, by the rule meant for it, and no other.

Some of its rules drop and some flag.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import offline
import polars as pl
import pytest

import curate

RULES = Path(__file__).resolve().parent.parent / "rules"
DEMO = RULES / "recipes" / "demo.toml"
DEFECTS: list[dict[str, Any]] = json.loads((RULES / "samples" / "defects.json").read_text(encoding="utf-8"))
EXEMPLARS = "exemplars/parents.dropped max 0"
# What happens to a planted record without one of its rows being dropped for the fault.
STAYING = ("rejected", "repaired", "kept", "flagged", "flagged_some")
CAN_EMBED = importlib.util.find_spec("sentence_transformers") is not None


def planted(*expected: str) -> Any:
    """Parametrise a test with the entries of defects.json that have one of the given outcomes."""
    chosen = [defect for defect in DEFECTS if defect["expect"] in expected]
    return pytest.mark.parametrize("defect", chosen, ids=[f"{d['defect']}-{d['source']}-{d['line']}" for d in chosen])


def shut_off(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where no socket to a network can be opened."""
    command = [sys.executable, offline.__file__, sys.executable, *arguments]
    return subprocess.run(command, cwd=RULES.parent, capture_output=True, text=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> curate.Run:
    """Run the demo once, without a network; without the extra `embed` it goes without the stage that needs it."""
    out = tmp_path_factory.mktemp("sample") / "run"
    if CAN_EMBED:
        command = [
            sys.executable,
            offline.__file__,
            sys.executable,
            "-m",
            "curate",
            "run",
            str(DEMO),
            "--out",
            str(out),
        ]
        done = subprocess.run(command, cwd=RULES.parent, capture_output=True, text=True)
        if done.returncode != offline.IMPOSSIBLE:
            assert done.returncode == 0, done.stderr
            return curate.Run(out)
    recipe = curate.load_recipe(DEMO)
    if not CAN_EMBED:
        stages = tuple(stage for stage in recipe.stages if stage.name != "diversity")
        recipe = recipe.model_copy(update={"stages": stages})
    return curate.run(recipe, out=out)


def test_the_whole_demo_runs_where_no_socket_can_be_opened(finished: curate.Run) -> None:
    tried = "import socket; socket.socket(socket.AF_UNIX).close(); socket.socket()"
    done = subprocess.run(
        [sys.executable, offline.__file__, sys.executable, "-c", tried], capture_output=True, text=True
    )
    if done.returncode == offline.IMPOSSIBLE:
        pytest.skip("this kernel cannot forbid sockets")
    assert "PermissionError" in done.stderr
    assert finished.manifest["totals"]["kept"] > 0


@pytest.fixture(scope="module")
def rows(finished: curate.Run) -> pl.DataFrame:
    """Return the train rows."""
    return finished.rows


@pytest.fixture(scope="module")
def records(finished: curate.Run) -> dict[tuple[str, int], str]:
    """Return the record of each source and line."""
    origins = pl.read_parquet(finished.path / "origins.parquet")
    return {(source, line): record for record, source, _, line in origins.iter_rows()}


@pytest.fixture(scope="module")
def rejects(finished: curate.Run) -> list[dict[str, Any]]:
    """Return the rejected lines."""
    return [json.loads(line) for line in (finished.path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]


def places(defect: dict[str, Any]) -> list[tuple[str, int]]:
    """Return source and line of a defect and of its partner."""
    both = [defect, defect["partner"]] if "partner" in defect else [defect]
    return [(one["source"], one["line"]) for one in both]


def causes(defect: dict[str, Any]) -> set[str]:
    """Return the rules that may drop a defect's rows."""
    return {defect["rule"]} if defect["rule"] else set()


def of(rows: pl.DataFrame, record: str) -> list[dict[str, Any]]:
    """Return the rows of a record."""
    found = rows.filter(pl.col("record") == record).to_dicts()
    assert found, f"record {record} has no rows"
    return found


@pytest.fixture(scope="module")
def faults(records: dict[tuple[str, int], str]) -> dict[str, set[str]]:
    """Return by planted record the rules that may drop it."""
    found: dict[str, set[str]] = {}
    for defect in DEFECTS:
        if defect["expect"] not in STAYING:
            for place in places(defect):
                found.setdefault(records[place], set()).update(causes(defect))
    return found


def dropped_by_it(row: dict[str, Any], defect: dict[str, Any]) -> bool:
    """Tell whether the rule that was meant for a defect dropped the row, and no other did."""
    return not row["kept"] and defect["rule"] in row["dropped_by"] and set(row["dropped_by"]) <= causes(defect)


def excused(row: dict[str, Any], faults: dict[str, set[str]]) -> bool:
    """Tell whether a row of a clean record was dropped only for a planted record among its exemplars."""
    allowed = {EXEMPLARS}.union(*(faults[parent] for parent in row["parents"] if parent in faults))
    return any(parent in faults for parent in row["parents"]) and set(row["dropped_by"]) <= allowed


@planted("dropped", "both_dropped")
def test_planted_record_is_dropped_by_its_rule(
    defect: dict[str, Any], rows: pl.DataFrame, records: dict[tuple[str, int], str]
) -> None:
    for place in places(defect):
        for row in of(rows, records[place]):
            assert dropped_by_it(row, defect), (row["template"], row["dropped_by"])


@planted("one_dropped")
def test_one_of_two_copies_is_dropped_by_its_rule(
    defect: dict[str, Any], rows: pl.DataFrame, records: dict[tuple[str, int], str]
) -> None:
    both = [of(rows, records[place]) for place in places(defect)]
    stays, goes = sorted(both, key=lambda copy: any(defect["rule"] in row["dropped_by"] for row in copy))
    assert all(dropped_by_it(row, defect) for row in goes), [row["dropped_by"] for row in goes]
    assert all(row["kept"] or set(row["dropped_by"]) == {EXEMPLARS} for row in stays), [r["dropped_by"] for r in stays]
    step = re.search(r"/(\w+)\.", defect["rule"])
    assert step is not None
    assert {row[f"{step[1]}.keeper"] for row in goes} <= {row["id"] for row in stays}


def shows(row: dict[str, Any]) -> bool:
    """Tell whether the response of a rendering is the faulty text: blank, or a slot of one word."""
    response = row["response"].strip()
    return len(response.split()) < 2 and (not response or response in json.loads(row["slots"]).values())


@planted("dropped_some")
def test_rendering_that_shows_the_fault_is_dropped_by_its_rule(
    defect: dict[str, Any], rows: pl.DataFrame, records: dict[tuple[str, int], str]
) -> None:
    for row in of(rows, records[places(defect)[0]]):
        if row["template"].endswith(":few_shot") and row["dropped_by"] == [EXEMPLARS]:
            continue
        assert dropped_by_it(row, defect) if shows(row) else row["kept"], (row["template"], row["dropped_by"])


@planted("flagged", "flagged_some")
def test_planted_record_is_flagged_by_its_rule_and_stays(
    defect: dict[str, Any], rows: pl.DataFrame, records: dict[tuple[str, int], str], faults: dict[str, set[str]]
) -> None:
    for row in of(rows, records[places(defect)[0]]):
        expected = defect["expect"] == "flagged" or shows(row)
        assert (defect["rule"] in row["flagged_by"]) == expected, (row["template"], row["flagged_by"])
        assert row["kept"] or excused(row, faults), (row["template"], row["dropped_by"])


def test_no_clean_row_is_flagged_as_faulty(rows: pl.DataFrame, records: dict[tuple[str, int], str]) -> None:
    """A row may be flagged for an example in its prompt; quotas flag clean rows, and that is what they are for."""
    planted_rules: dict[str, set[str]] = {}
    for defect in DEFECTS:
        if defect["expect"] not in ("rejected", "repaired", "kept"):
            for place in places(defect):
                planted_rules.setdefault(records[place], set()).add(defect["rule"])
    quotas = ("diversity/", "balance/")
    wrong = []
    for row in rows.iter_rows(named=True):
        known = set().union(*(planted_rules.get(record, set()) for record in (row["record"], *row["parents"])))
        known |= {"checks/length.words min 3 where task=summarization"} if not row["response"].strip() else set()
        known |= (
            {"checks/leak.overlap max 0.5"} if "checks/leak.overlap max 0.99" in known else set()
        )  # the more, the less
        flags = {flag for flag in row["flagged_by"] if not flag.startswith(quotas)}
        wrong += [(row["source"], row["prompt"][:60], flag) for flag in flags - known]
    assert wrong == []


@pytest.mark.parametrize("rule", sorted({d["rule"] for d in DEFECTS if d["rule"]}))
def test_every_rule_of_the_list_hits_a_row(rule: str, finished: curate.Run) -> None:
    rules = {rule["id"]: rule for stage in finished.manifest["stages"] for rule in stage["rules"]}
    assert rules[rule]["failed"] > 0


@planted("rejected")
def test_unreadable_line_is_rejected(
    defect: dict[str, Any], rejects: list[dict[str, Any]], records: dict[tuple[str, int], str]
) -> None:
    place = (defect["source"], defect["line"])
    assert [bool(reject["cause"]) for reject in rejects if (reject["source"], reject["line"]) == place] == [True]
    assert place not in records


def test_no_other_line_is_rejected(rejects: list[dict[str, Any]]) -> None:
    expected = {place for defect in DEFECTS if defect["expect"] == "rejected" for place in places(defect)}
    assert {(reject["source"], reject["line"]) for reject in rejects} == expected


@planted("repaired")
def test_mojibake_is_mended_and_counted(
    defect: dict[str, Any], finished: curate.Run, rows: pl.DataFrame, records: dict[tuple[str, int], str]
) -> None:
    expected = sum(d["expect"] == "repaired" and d["source"] == defect["source"] for d in DEFECTS)
    source = next(source for source in finished.manifest["sources"] if source["name"] == defect["source"])
    assert source["repairs"][defect["defect"]] >= expected
    for row in of(rows, records[places(defect)[0]]):
        assert not re.search("Ã|â€", row["content"])


def test_no_clean_row_is_dropped(rows: pl.DataFrame, faults: dict[str, set[str]]) -> None:
    """A row may still go for an example in its prompt, by the rule that this example broke or the one on exemplars."""
    clean = rows.filter(~pl.col("record").is_in(list(faults)) & ~pl.col("kept"))
    lost = [row for row in clean.iter_rows(named=True) if not excused(row, faults)]
    assert [(row["source"], row["template"], row["prompt"][:80], row["dropped_by"]) for row in lost] == []


@planted("kept")
def test_trap_is_not_taken_for_a_fault(
    defect: dict[str, Any], rows: pl.DataFrame, records: dict[tuple[str, int], str], faults: dict[str, set[str]]
) -> None:
    own = of(rows, records[places(defect)[0]])
    assert all(row["kept"] or excused(row, faults) for row in own), [row["dropped_by"] for row in own]


def test_held_out_records_are_not_in_the_mix(finished: curate.Run, records: dict[tuple[str, int], str]) -> None:
    heldout = {record for (source, _), record in records.items() if source == "exam_problems"}
    assert len(heldout) == 20
    assert heldout.isdisjoint(finished.rows["record"])


def test_sample_covers_all_task_families(rows: pl.DataFrame) -> None:
    families = {path.stem for path in (RULES / "templates").glob("*.toml")}
    assert families <= set(rows["task"].drop_nulls().unique())
    assert len(families) >= 9


def test_diversity_stage_ranks_every_row_that_is_left(finished: curate.Run, rows: pl.DataFrame) -> None:
    if not CAN_EMBED:
        pytest.skip("the extra `embed` is not installed, the run went without the diversity stage")
    ranks = rows.filter(pl.col("kept"))["diversity.rank"].sort()
    assert ranks.to_list() == list(range(finished.mix.height))
