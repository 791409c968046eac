"""What groups are told together with, and pronouns by occupation, from the sentences of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tiny_run import write_tiny

from reports import html, markdown, npmi, quality
from reports.associations import associations
from reports.view import open_view

Make = Callable[..., pl.DataFrame]
Sentence = tuple[Sequence[str], Sequence[str]]
SIGNALS = {"association.sentences": pl.UInt32()}
STAGES = [{"name": "checks", "steps": [{"as": "association", "step": "association"}], "rules": []}]
WOMEN, NURSE = "gender:women", "occupation:nurse"


def write(
    path: Path, make_rows: Make, rows: Sequence[Sequence[Sentence]], signals: Mapping[str, Any] | None = None,
    values: Sequence[Mapping[str, Any]] = (),
) -> Path:  # fmt: skip
    """Write a run of rows with these sentences, of which those without groups and words hold nothing."""
    base = [{"association.sentences": len(row), **(values[place] if values else {})} for place, row in enumerate(rows)]
    run = write_tiny(path, make_rows, base, signals={**SIGNALS, **(signals or {})}, stages=STAGES)
    ids = dict(pl.read_parquet(run / "rows.parquet").select(pl.col("meta").cast(pl.Int64), "id").iter_rows())
    found = [(ids[place], number, [*groups], [*words]) for place, row in enumerate(rows)
             for number, (groups, words) in enumerate(row) if groups or words]  # fmt: skip
    table = {"id": pl.String, "sentence": pl.UInt32, "groups": pl.List(pl.String), "words": pl.List(pl.String)}
    pl.DataFrame(found, schema=table, orient="row").write_parquet(run / "tables" / "association.sentences.parquet")
    return run


def test_npmi_is_boumas() -> None:
    # 100 sentences; x in 20, y in 10, both in 8: ln(.08 ÷ .02) ÷ -ln .08.
    both, x, y = (["x"], ["y"]), (["x"], []), ([], ["y"])
    rows = [both] * 8 + [x] * 12 + [y] * 2 + [([], [])] * 78
    pairs = pl.DataFrame(
        [(place, *row) for place, row in enumerate(rows)],
        schema={"row": pl.UInt32, "groups": pl.List(pl.String), "words": pl.List(pl.String)}, orient="row",
    )  # fmt: skip
    units = pl.DataFrame({"row": range(100), "n": [1] * 100}, schema={"row": pl.UInt32, "n": pl.Int64})
    (found,) = npmi.associations(units, pairs)
    assert (found.together, found.groups, found.words, found.expected) == (8, 20, 10, 2.0)
    assert found.npmi == pytest.approx(math.log(4) / -math.log(0.08))
    assert found.low < found.npmi < found.high and found.p < 0.001


def test_sentences_of_one_row_count_as_one_witness() -> None:
    def units(rows: int, each: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        cells = [(["x"], ["y"])] * 10 + [(["x"], [])] * 30 + [([], ["y"])] * 30 + [([], [])] * 330
        pairs = pl.DataFrame(
            [(row, *cell) for row, cell in ((place * rows // 400, cell) for place, cell in enumerate(cells))],
            schema={"row": pl.UInt32, "groups": pl.List(pl.String), "words": pl.List(pl.String)}, orient="row",
        )  # fmt: skip
        return pl.DataFrame({"row": range(rows), "n": [each] * rows}, schema={"row": pl.UInt32, "n": pl.Int64}), pairs

    (apart,), (bundled,) = npmi.associations(*units(400, 1)), npmi.associations(*units(40, 10))
    assert apart.npmi == bundled.npmi
    assert bundled.high - bundled.low > 1.5 * (apart.high - apart.low)


def test_a_planted_association_is_found_and_an_even_one_is_not(tmp_path: Path, make_rows: Make) -> None:
    rows: list[list[Sentence]] = [[([WOMEN], [NURSE])]] * 30 + [[([WOMEN], ["trait:warm"])]] * 10
    rows += [[([], [])]] * 250 + [[([WOMEN], [])]] * 60 + [[([], ["trait:warm"])]] * 25
    facts = associations(open_view(write(tmp_path / "run", make_rows, rows)))["words"]
    assert [(line["group"], line["word"], line["together"]) for line in facts["list"]] == [(WOMEN, "nurse", 30)]
    assert facts["tested"] == 2 and facts["found"] == 1


def test_pronouns_are_counted_by_occupation_and_row(tmp_path: Path, make_rows: Make) -> None:
    she, he = "pronoun:she", "pronoun:he"
    rows: list[list[Sentence]] = [[([], [NURSE, she]), ([], [NURSE, she])]] * 19 + [[([], [NURSE, he])]]
    rows += [[([], ["occupation:cook", one])] for one in (she, he) for _ in range(15)]
    rows += [[([], [NURSE, she]), ([], [NURSE, he])], [([], [NURSE, "pronoun:they"])], [([], ["occupation:pilot"])]]
    run = write(tmp_path / "run", make_rows, rows)
    balance = associations(open_view(run))["balance"]
    nurse, cook = balance["list"]
    assert [nurse[name] for name in ("occupation", "she", "he", "both", "they")] == ["nurse", 19, 1, 1, 1]
    assert nurse["share"] == 0.95 and nurse["q"] < 0.001
    assert (cook["occupation"], cook["share"], cook["q"]) == ("cook", 0.5, 1.0)
    assert (balance["found"], balance["skewed"]) == (1, 1)
    facts = quality.facts(run)
    (alert,) = [one["text"] for one in facts["alerts"] if one["section"] == "bias"]
    assert "1 occupation of 2 stands" in alert and "most of all nurse: she 95.0 %" in alert
    assert "1 of 2 occupations stand with she and he unevenly" in markdown.card(facts)
    assert "Pronouns by occupation" in html.render(facts)


def test_toxic_rows_by_group(tmp_path: Path, make_rows: Make) -> None:
    signals: dict[str, pl.DataType] = {
        "bias.mentions": pl.UInt32(), "bias.axes": pl.List(pl.String), "bias.groups": pl.List(pl.String),
        "toxicity.score": pl.Float64(),
    }  # fmt: skip
    values = [
        {"bias.groups": [group] if group else [], "toxicity.score": 0.9 if toxic else 0.1}
        for group, bad, of in ((WOMEN, 20, 40), ("gender:men", 5, 100), (None, 15, 260))
        for toxic in [True] * bad + [False] * (of - bad)
    ]
    run = write(tmp_path / "run", make_rows, [[([], [])]] * 400, signals, values)
    toxicity = associations(open_view(run))["toxicity"]
    assert [(line["group"], line["share"]) for line in toxicity["list"]] == [(WOMEN, 0.5), ("gender:men", 0.05)]
    assert toxicity["list"][0]["q"] < 0.001 and toxicity["list"][0]["npmi"] > 0 > toxicity["list"][1]["npmi"]


def test_without_the_step_it_names_what_to_add(tmp_path: Path, make_rows: Make) -> None:
    facts = quality.facts(write_tiny(tmp_path / "run", make_rows, [{}]))
    assert "add the step `association`" in facts["associations"]["skipped"]
    assert "`bias` and `toxicity`" in facts["associations"]["toxicity"]["skipped"]
    page = html.render(facts)
    assert "add the step `association`" in page and "add the step `swap`" in page
