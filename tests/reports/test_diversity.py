"""Sections on diversity and the map, on the small run with vectors set by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from map_run import add_map
from sample_run import SCRIPT

from curate import rundir
from reports import embedding_map, html, quality
from reports.diversity import CHECKS


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(add_map(run), name="runs/demo")


def test_without_the_step_the_words_are_still_told(run: Path) -> None:
    facts = quality.facts(run)
    assert "add the step `map`" in facts["diversity"]["embedding"]["skipped"]
    assert "add the step `map`" in facts["embedding_map"]["skipped"]
    assert facts["diversity"]["words"]["texts"][0]["words"] > 0
    assert "Words" in html.render(facts)


def test_kept_rows_are_compared_with_as_many_random_ones(facts: dict[str, Any]) -> None:
    found = facts["diversity"]["embedding"]
    assert (found["rows"], found["records"], found["kept"]) == (60, 60, 39)
    for measure in found["measures"]:
        random = measure["random"]
        assert random["low"] <= random["mean"] <= random["high"]
        against = (
            "less" if measure["kept"] < random["low"] else "more" if measure["kept"] > random["high"] else "within"
        )
        assert measure["against"] == against
    # notes are gone, but chat lies on the same axis
    assert next(one for one in found["measures"] if one["name"] == "radius")["kept"] < 0.1


def test_a_mix_that_lost_a_subject_is_warned_of(run: Path) -> None:
    add_map(run)
    rows = pl.read_parquet(run / "rows.parquet")
    alone = rows.with_columns(kept=pl.col("source") == "news")
    alone.write_parquet(run / "rows.parquet")
    found = quality.facts(run)
    texts = [alert["text"] for check in CHECKS for alert in check(found)]
    assert len(texts) == 1 and texts[0].startswith("The kept rows cover the whole less well than a random choice")


def test_renderings_of_one_record_count_once(run: Path) -> None:
    add_map(run)
    rows = pl.read_parquet(run / "rows.parquet")
    rows.with_columns(record=pl.lit("the same")).write_parquet(run / "rows.parquet")
    found = quality.facts(run)["diversity"]["embedding"]
    assert (found["rows"], found["records"]) == (60, 1) and found["measures"][0]["kept"] is None


def test_families_of_unequal_size_count_less(facts: dict[str, Any]) -> None:
    tasks = facts["diversity"]["tasks"]
    # 40 classification, 10 summarization, 10 dialogue
    entropy = -(2 / 3 * math.log(2 / 3) + 2 * (1 / 6 * math.log(1 / 6)))
    assert tasks["all"] == {"families": 3, "effective": round(math.exp(entropy), 4)}
    assert tasks["kept"]["families"] == 2


def test_the_map_codes_every_row_and_counts_its_groups(facts: dict[str, Any]) -> None:
    found = facts["embedding_map"]
    modes = {mode["name"]: mode["values"] for mode in found["modes"]}
    assert {one["value"]: one["rows"] for one in modes["source"]} == {
        "news": 20,
        "reviews": 20,
        "notes": 10,
        "chat": 10,
    }
    assert {one["value"]: one["rows"] for one in modes["verdict"]} == {
        "kept": 38, "kept, flagged": 1, "dropped at checks": 15, "dropped at copies": 5, "dropped at near": 1,
    }  # fmt: skip
    columns = found["columns"]
    for name, values in modes.items():
        assert [columns[name].count(code) for code in range(len(values))] == [one["rows"] for one in values]
    assert {len(column) for column in columns.values()} == {60}
    clusters = [(one["cluster"], one["rows"], one["kept"]) for one in found["clusters"]]
    assert clusters == [(0, 20, 20), (1, 20, 11), (2, 20, 8)]


def test_rare_values_share_the_last_colour() -> None:
    counts = pl.DataFrame({"value": list("abcdefghijk"), "rows": [1] * 11, "kept": [1] * 11})
    mode = embedding_map._coded(pl.Series(list("akb")), counts, name="source", title="source")
    assert mode["codes"] == [0, embedding_map.CATEGORIES, 1]
    assert mode["values"][-1] == {"value": "3 others", "rows": 3, "kept": 3} and len(mode["values"]) == 9


def test_key_terms_name_what_a_cluster_is_about_and_never_rare_words() -> None:
    texts = ["the river secret", "the river ‹email›", "the river", "the market", "the market", "the market hush hush"]
    points = pl.DataFrame({"id": list("abcdef"), "record": list("abcdef"), "cluster": [0] * 3 + [1] * 3, "text": texts})
    assert embedding_map.key_terms(points) == {0: ["river"], 1: ["market"]}
    # three renderings of one record are one person's words
    assert embedding_map.key_terms(points.with_columns(record=pl.lit("a"))) == {}


@pytest.mark.parametrize(
    "text", ["short", "word " * 100, "<" * 500, "公园" * 500, "\u202e" * 50, "👩‍👩‍👧‍👦" * 60, "'\"\\" * 99]
)
def test_snippets_of_any_script_stay_short_in_the_page(text: str) -> None:
    found = embedding_map._snippet(text)
    assert len(found) <= 100 and embedding_map._bytes(found) <= embedding_map.BYTES
    assert found == text or "…" in found


def test_personal_data_and_markup_stay_out_of_the_island(facts: dict[str, Any]) -> None:
    page = html.render(facts)
    island = page.split('id="map-data">')[1].split("</script>")[0]
    assert not set("<>&") & set(island)
    data = json.loads(island)
    assert any(SCRIPT in text for text in data["text"])
    assert "jane.doe" not in page and any("‹email›" in text for text in data["text"])
    assert not any("\u202e" in text for text in data["text"])


def test_the_same_run_gives_the_same_sections(run: Path, facts: dict[str, Any]) -> None:
    again = quality.facts(run, name="runs/demo")
    for name in ("diversity", "embedding_map"):
        assert json.dumps(again[name], allow_nan=False) == json.dumps(facts[name], allow_nan=False)


def add_choice(run: Path) -> Path:
    """Write what the step `diversity` would: a choice of 10 of 60 rows that loses to chance in facility location."""
    rows = pl.read_parquet(run / "rows.parquet")
    number = pl.int_range(pl.len())
    ranks = rows.with_columns(
        pl.when(number < 60).then(number).cast(pl.UInt32).alias("spread.rank"),
        (number % 2).cast(pl.UInt32).alias("spread.cluster"),
    )
    rundir.write_frame(run / "rows.parquet", ranks)
    sizes = {"chosen": 0.4, "random": 0.5, "random low": 0.45, "random high": 0.55, "longest": 0.3}
    names = ("radius", "distance", "facility", "vendi", "copies_share", "distinct_2", "tasks")
    lines = [{"equal": "all", "choice": "all", "rows": 60, "tokens": 600, **dict.fromkeys(names, 1.0)}]
    for equal in ("rows", "tokens"):
        lines += [
            {"equal": equal, "choice": name, "rows": 10, "tokens": 100, **dict.fromkeys(names, value)}
            for name, value in sizes.items()
        ]
    settings = {"method": "k-centre", "by": "", "choice": "10"}
    rundir.write_frame(run / "tables" / "spread.choices.parquet", pl.DataFrame(lines))
    told = pl.DataFrame({"name": list(settings), "value": list(settings.values())})
    rundir.write_frame(run / "tables" / "spread.settings.parquet", told)
    manifest = json.loads((run / "manifest.json").read_text())
    step = {"as": "spread", "step": "diversity", "kind": "corpus", "seconds": 0.5, "cached": False, "signals": []}
    manifest["stages"][0]["steps"].append(step)
    rundir.write_json(run / "manifest.json", manifest)
    return run


def test_a_choice_that_loses_to_chance_says_so(run: Path) -> None:
    facts = quality.facts(add_choice(run))
    step = facts["diversity"]["choices"]["steps"][0]
    against = {one["name"]: one["against"] for one in step["equal"][0]["measures"]}
    # all are lower than chance: good where less is better, bad where more is
    assert against == {
        "radius": "better", "distance": "better", "facility": "worse", "vendi": "worse", "copies_share": "better",
        "distinct_2": "worse", "tasks": "worse",
    }  # fmt: skip
    assert step["lost"] == ["facility location", "vendi score"]
    assert [(one["rows"], one["chosen"]) for one in step["clusters"]] == [(30, 5), (30, 5)]
    page = " ".join(html.render(facts).split())
    assert "loses to random rows</b> in facility location, vendi score" in page and "often outliers" in page


def test_without_the_step_no_choice_is_compared(run: Path) -> None:
    assert "step `diversity`" in quality.facts(run)["diversity"]["choices"]["skipped"]


def warnings(facts: dict[str, Any]) -> list[str]:
    return [alert["text"] for check in CHECKS for alert in check(facts)]


def test_a_choice_is_warned_of_by_what_it_aims_at_and_where_it_leaves_the_range_of_chance(run: Path) -> None:
    lost = ["The choice of 10 rows by spread (k-centre) loses to random rows: facility location 0.4 against 0.5, "]
    assert warnings(quality.facts(add_choice(run))) == [lost[0] + "vendi score 0.4 against 0.5."]
    table = pl.read_parquet(run / "tables" / "spread.choices.parquet")
    for radius, copies, words in ((0.55, 0.5, []), (0.56, 0.5, ["coverage radius"]), (0.2, 0.6, ["near copies"])):
        own = {"radius": radius, "copies_share": copies, "facility": 0.45, "vendi": 0.6, "tasks": 0.1}
        here = pl.col("choice") == "chosen"
        changed = [pl.when(here).then(value).otherwise(name).alias(name) for name, value in own.items()]
        rundir.write_frame(run / "tables" / "spread.choices.parquet", table.with_columns(changed))
        found = warnings(quality.facts(run))
        assert len(found) == len(words) and all(word in text for word, text in zip(words, found, strict=True))


def test_a_choice_of_more_rows_than_differ_is_said_to_repeat(run: Path) -> None:
    add_choice(run)
    path = run / "tables" / "spread.settings.parquet"
    settings = pl.read_parquet(path)
    for different, told in ((9, 9), (10, None)):
        line = pl.DataFrame({"name": ["different"], "value": [str(different)]})
        rundir.write_frame(path, pl.concat([settings, line]))
        found = quality.facts(run)
        assert found["diversity"]["choices"]["steps"][0]["different"] == told
        assert ("rows differ in what was embedded" in html.render(found)) == (told is not None)


def test_coarse_vectors_are_warned_of_and_fine_ones_are_not(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    for near, warned in ((0.85, 1), (0.99, 0)):
        agreement = {"texts": 96, "cosine": 0.99, "neighbours": near}
        manifest["embedding"] = {"model": "m", "backend": "torch-int8", "dimensions": 3, "agreement": agreement}
        (run / "manifest.json").write_text(json.dumps(manifest))
        found = quality.facts(run)
        texts = warnings(found)
        assert len(texts) == warned and all("backend torch-int8" in text and "85" in text for text in texts)
        assert "of ten nearest neighbours as in float32" in html.render(found)
