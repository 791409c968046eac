"""Shifts between two mixes: figures that can be counted, and sentences that say them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sample_run import manifest

from curate import rundir
from reports import html
from reports.compare import facts

Rows = Callable[..., pl.DataFrame]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, make_rows: Rows) -> Write:
    """Give a writer of runs in which every row is kept, from texts and signals in one order."""

    def written(
        name: str, texts: Sequence[dict[str, Any]], *, copies: int = 1, signals: dict[str, Any] | None = None
    ) -> Path:
        path = tmp_path / name
        (path / "tables").mkdir(parents=True)
        numbered = [{"meta": str(place), "record": f"{place:032x}"[::-1], **text} for place, text in enumerate(texts)]
        rows = make_rows(*numbered)
        order = rows["meta"].cast(pl.Int64).to_list()
        columns = {key: pl.Series(list(values)).gather(order) for key, values in (signals or {}).items()}
        lists = pl.List(pl.String)
        verdicts = {
            "kept": pl.lit(True),
            "dropped_at": pl.lit(None, dtype=pl.String),
            "dropped_by": pl.lit([], dtype=lists),
            "flagged_by": pl.lit([], dtype=lists),
        }
        full = rows.with_columns(**columns).with_columns(**verdicts)
        rundir.write_frame(path / "rows.parquet", full)
        rundir.write_frame(path / "mix.parquet", rows.with_columns(copies=pl.lit(copies, dtype=pl.Int64)))
        rundir.write_frame(path / "heldout.parquet", rows.clear())
        rundir.write_frame(path / "origins.parquet", rows.select("record", "source", file=pl.lit("f"), line=pl.lit(1)))
        rundir.write_text(path / "rejects.jsonl", "")
        totals = {"train_rows": rows.height, "kept": rows.height, "dropped": 0, "heldout_rows": 0}
        changed = {"name": name, "stages": [], "totals": totals | {"records_read": rows.height, "rejects": 0}}
        rundir.write_json(path / "manifest.json", manifest() | changed)
        return path

    return written


def shift(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one measure or column."""
    listed = [*told["drift"]["numeric"], *told["drift"]["categorical"]]
    return next(one for one in listed if one["name"] == name)


def answers(*lengths: int, times: int = 1) -> list[dict[str, Any]]:
    """Return rows with responses of these lengths."""
    return [{"response": "x" * length} for length in lengths for _ in range(times)]


def test_a_shift_is_measured_over_all_rows_and_told(write: Write) -> None:
    # A quarter of the new responses are ten characters long, the others and all old ones four.
    old, new = write("old", answers(4, times=200)), write("new", answers(4, 4, 4, 10, times=50))
    told = facts(new, old)
    found = shift(told, "response_characters")
    assert (found["distance"], found["delta"], found["higher"]) == (0.25, 0.25, 0.625)
    assert found["size"] == "medium" and found["old"]["mean"] == 4 and found["new"]["mean"] == 5.5
    assert [(bar["old"], bar["new"]) for bar in found["histogram"]["bars"] if bar["old"] or bar["new"]] == [
        (200, 150),
        (0, 50),
    ]
    assert told["headline"]["verdict"] == "drift"
    first = told["drift"]["lines"][0]
    assert first["text"] == "responses became longer: mean 4 → 5.5 characters, medium"
    assert (told["changes"][0]["moved"], told["changes"][0]["size"]) == (0.25, None)
    assert "50 rows changed their text" in told["changes"][0]["text"]


def test_measures_that_say_the_same_are_told_once(write: Write) -> None:
    lengths = [*range(20, 220)]
    old = write("old", answers(*lengths), signals={"length.chars": lengths, "other.count": [1, 2] * 100})
    longer = [3 * length for length in lengths]
    new = write("new", answers(*longer), signals={"length.chars": longer, "other.count": [1, 2] * 100})
    told = facts(new, old)["drift"]
    assert [line["name"] for line in told["lines"]] == ["length.chars"]
    assert told["told_by"]["response_characters"] == "length.chars" and "other.count" not in told["told_by"]


def test_rows_count_as_often_as_their_copies(write: Write) -> None:
    told = facts(write("new", answers(1, 2, times=50), copies=3), write("old", answers(1, 2, times=50)))
    assert told["drift"]["rows"] == {"old": 100, "new": 300}
    assert shift(told, "response_characters")["distance"] == 0


def test_values_are_compared_and_those_that_moved_most_named(write: Write) -> None:
    def mix(*tasks: str) -> list[dict[str, Any]]:
        return [{"task": task} for task in tasks for _ in range(50)]

    told = facts(write("new", mix("math", "math", "math", "chat")), write("old", mix("math", "chat", "chat", "chat")))
    found = shift(told, "task")
    assert found["variation"] == 0.5
    # ½ (0.5² / 1 + 0.5² / 1) = ¼
    assert found["association"] == 0.5 and found["size"] == "large"
    assert found["values"][0] == {"value": "chat", "old": 150, "new": 50, "old_share": 0.75, "new_share": 0.25}
    assert found["sentence"] == "task family moved: chat 75 % → 25 %, math 25 % → 75 %, large"


def test_members_of_lists_are_compared_one_by_one(write: Write) -> None:
    kinds = {"pii.kinds": [["email"]] * 10 + [[]] * 90}, {"pii.kinds": [["email", "phone"]] * 60 + [[]] * 40}
    told = facts(
        write("new", answers(*[5] * 100), signals=kinds[1]), write("old", answers(*[5] * 100), signals=kinds[0])
    )
    found = shift(told, "pii.kinds")
    assert found["kind"] == "list" and found["variation"] == pytest.approx(0.6)
    assert {value["value"]: (value["old"], value["new"]) for value in found["values"]} == {
        "phone": (0, 60),
        "email": (10, 60),
        "(none)": (90, 40),
    }


def test_names_and_what_was_not_declared_are_no_drift(write: Write) -> None:
    old = write("old", [{"source": "a", "task": "math", "lang": "en"} for _ in range(60)])
    new = write("new", [{"source": "b", "task": None, "lang": "en"} for _ in range(60)])
    told = facts(new, old)
    assert told["drift"]["lines"] == [] and told["headline"]["verdict"] == "steady"
    assert told["drift"]["aside"] == ["no source is common to both", "the new mix does not give its task family"]


def test_how_a_row_stands_among_others_is_no_drift_of_the_data(write: Write) -> None:
    runs = []
    for name, ranks in (("old", range(100)), ("new", range(100, 200))):
        drawn = [name == "old"] * 100
        run = write(name, answers(*[5] * 100), signals={"balance.rank": ranks, "balance.drawn": drawn})
        names = ["balance.rank", "balance.drawn"]
        step = {"as": "balance", "step": "balance", "kind": "corpus", "signals": names}
        told = json.loads((run / "manifest.json").read_text())
        stage = {"name": "balance", "rows_in": 100, "rows_out": 100, "steps": [step], "rules": []}
        rundir.write_json(run / "manifest.json", told | {"stages": [stage]})
        runs.append(run)
    found = facts(runs[1], runs[0])
    assert shift(found, "balance.rank")["distance"] == 1 and shift(found, "balance.drawn")["variation"] == 1
    assert found["drift"]["lines"] == []
    assert found["headline"]["verdict"] == "steady" and "balance" in found["drift"]["aside"][0]


def test_rare_values_of_signals_and_texts_are_not_shown(write: Write) -> None:
    many = {"note.text": [f"secret {place}" for place in range(60)], "kind.name": ["a"] * 57 + ["b"] * 3}
    told = facts(write("new", answers(*[5] * 60), signals=many), write("old", answers(*[5] * 60), signals=many))
    assert "note.text" not in [one["name"] for one in told["drift"]["categorical"]]
    found = shift(told, "kind.name")
    assert [value["value"] for value in found["values"]] == ["a", "b"]  # three rows on each side are six
    assert "secret" not in html.comparison(told)


def test_a_shift_of_a_few_rows_is_no_drift(write: Write) -> None:
    told = facts(write("new", answers(9, 9, 9)), write("old", answers(1, 1, 1)))
    assert shift(told, "response_characters")["delta"] == 1
    assert told["drift"]["lines"] == [] and told["headline"]["verdict"] == "steady"


def test_rows_beyond_the_old_range_are_worth_a_look(write: Write) -> None:
    told = facts(write("new", answers(*range(50, 150), 777)), write("old", answers(*range(100))))
    reasons = [item["reason"] for item in told["worth"]["list"]]
    assert "responses: characters 777: above all of the old mix (99)" in reasons


def test_words_mark_each_side_and_rare_ones_are_not_shown(write: Write) -> None:
    old = [{"prompt": f"please translate this {'secretname' if place < 4 else ''}"} for place in range(40)]
    new = [{"prompt": "please summarise this 2024"} for _ in range(40)]
    told = facts(write("new", new), write("old", old))["words"]
    assert [one["word"] for one in told["old"]] == ["translate"]
    assert [one["word"] for one in told["new"]] == ["summarise"]
    assert told["new"][0]["rows"] == [0, 40] and told["of"]["old"] == {"rows": 40, "of": 40}


def test_rows_with_located_personal_data_lend_no_words(write: Write) -> None:
    texts = [{"prompt": "ask jane" if place < 20 else "ask anyone"} for place in range(40)]
    new, old = write("new", texts), write("old", [{"prompt": "ask"} for _ in range(40)])
    ids = pl.read_parquet(new / "rows.parquet").filter(pl.col("prompt") == "ask jane")["id"]
    rundir.write_frame(new / "tables" / "pii.spans.parquet", pl.DataFrame({"id": ids}))
    told = facts(new, old)["words"]
    assert told["of"]["new"] == {"rows": 20, "of": 40}
    assert [one["word"] for one in told["new"]] == ["anyone"]


def place_vectors(run: Path, vectors: np.ndarray[Any, Any]) -> None:
    ids = pl.read_parquet(run / "rows.parquet")["id"]
    table = pl.DataFrame({"id": ids, "vector": pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32))})
    rundir.write_frame(run / "tables" / "map.vectors.parquet", table)


def test_rows_far_from_the_old_data_are_counted(write: Write) -> None:
    old, new = write("old", answers(*[5] * 100)), write("new", answers(*[5] * 100))
    circle = np.linspace(0, 1, 100)
    near = np.stack([np.cos(circle), np.sin(circle), np.zeros(100)], axis=1)
    far = near.copy()
    far[:25] = [0, 0, 1]
    place_vectors(old, near)
    place_vectors(new, far)
    found = facts(new, old)["clouds"]
    assert (found["far"], found["share"]) == (25, 0.25)
    assert found["low"] < 0.25 < found["high"] and found["farthest"][0]["distance"] == 1
    assert facts(old, old)["clouds"]["share"] == 0


@pytest.mark.parametrize("side", ["old", "new"])
def test_without_vectors_it_says_why(write: Write, side: str) -> None:
    runs = {name: write(name, answers(*[5] * 50)) for name in ("old", "new")}
    place_vectors(runs["new" if side == "old" else "old"], np.ones((50, 3)))
    found = facts(runs["new"], runs["old"])["clouds"]
    assert found == {"skipped": f"the {side} run has no table map.vectors: add the step `map` to the recipe"}
