"""The dataset card: front matter that the hub and `datasets` read, and a body without any text of the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sample_run import NEAR, RECIPE, TOXIC

import reports
from reports import markdown, quality
from reports.alerts import alerts

HEADINGS = ["Motivation", "Composition", "Personal data", "Collection", "Data manipulation", "Known biases",
            "Known limits", "Uses", "Distribution and maintenance", "Make it again"]  # fmt: skip
NO_HUB = "reads the card with huggingface_hub; install curatune[hf]"


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def front(card: str) -> dict[str, Any]:
    """Read the front matter as the hub does."""
    hub = pytest.importorskip("huggingface_hub", reason=NO_HUB)
    found: dict[str, Any] = hub.DatasetCard(card).data.to_dict()
    return found


def section(card: str, heading: str) -> str:
    """Return the text below a heading of the second level."""
    return card.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_front_matter_says_what_the_hub_asks(facts: dict[str, Any]) -> None:
    found = front(markdown.card(facts))
    assert found["language"] == ["en"]
    assert (found["license"], found["license_name"]) == ("other", "mixed")
    assert found["size_categories"] == ["n<1K"]
    assert found["task_categories"] == ["text-classification", "text-generation"]
    assert found["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "mix.parquet"}]},
    ]
    assert "annotations_creators" not in found and "source_datasets" not in found


def test_front_matter_describes_the_file_of_the_mix(run: Path, facts: dict[str, Any]) -> None:
    info = front(markdown.card(facts))["dataset_info"]
    assert info["splits"][0]["name"] == "train" and info["splits"][0]["num_examples"] == 39
    assert info["download_size"] == (run / "mix.parquet").stat().st_size
    features = {feature["name"]: feature for feature in info["features"]}
    assert list(features) == pl.read_parquet_schema(run / "mix.parquet").names()
    assert features["parents"] == {"name": "parents", "list": "string"}
    assert [part["name"] for part in features["messages"]["list"]] == ["role", "content", "train"]
    assert features["copies"] == {"name": "copies", "dtype": "int64"}


def test_datasets_loads_the_kept_rows_of_a_run_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="loads the folder with datasets; install curatune[hf]")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reports.build(run)
    loaded = datasets.load_dataset(str(run), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    mix = pl.read_parquet(run / "mix.parquet")
    assert loaded["train"]["id"] == mix["id"].to_list() and len(mix) == 39
    assert loaded["train"][0]["messages"] == mix["messages"].to_list()[0]


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["MIT"], {"license": "mit"}),
        (["CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["My own: terms\n---\nevil"], {"license": "other", "license_name": "my-own-terms-evil"}),
        ([None], {"license": "unknown"}),
        (["MIT", None], {"license": "other", "license_name": "mixed"}),
    ],
)
def test_licence_is_one_the_hub_knows_or_other(facts: dict[str, Any], licences: list[Any], expected: Any) -> None:
    table = next(table for table in facts["composition"]["tables"] if table["column"] == "license")
    table["values"] = [{**table["values"][0], "value": licence} for licence in licences]
    found = front(markdown.card(facts))
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


@pytest.mark.parametrize(
    ("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (999_999, "100K<n<1M"), (10**6, "1M<n<10M")]
)
def test_size_category_follows_the_rows_of_the_file(facts: dict[str, Any], rows: int, size: str) -> None:
    facts["provenance"]["outputs"][0]["rows"] = rows
    assert front(markdown.card(facts))["size_categories"] == [size]


def test_detected_languages_stand_in_where_none_is_declared(facts: dict[str, Any]) -> None:
    table = next(table for table in facts["composition"]["tables"] if table["column"] == "lang")
    one = table["values"][0]
    table["values"] = [{**one, "value": None}]
    shares = {"fr": 0.7, "und": 0.2, "de": 0.06, "la": 0.04}  # the last is what a detector gets wrong anyway
    detected = [{**one, "value": name, "mix_share": share} for name, share in shares.items()]
    facts["composition"]["tables"].append({**table, "column": "language.lang", "values": detected})
    assert front(markdown.card(facts))["language"] == ["de", "fr"]


def test_the_body_answers_a_datasheet_in_order(facts: dict[str, Any]) -> None:
    assert re.findall(r"^## (.*)$", markdown.card(facts), re.MULTILINE) == HEADINGS


def test_what_nobody_can_compute_is_marked_until_the_maker_states_it(make_run: Callable[..., Path]) -> None:
    unstated = markdown.card(quality.facts(make_run()))
    assert section(unstated, "Motivation").count("*Not stated by the maker.*") == 2
    assert section(unstated, "Uses").count("*Not stated by the maker.*") == 2
    stated = {"creators": ["Ada *L*"], "motivation": "small models", "uses": "tuning", "published": "2026-01-31"}
    stated |= {"annotations_creators": ["machine-generated"], "source_datasets": ["original"]}
    card = markdown.card(quality.facts(make_run(recipe=RECIPE | {"card": stated})))
    assert "Made by: Ada \\*L\\*" in card and "Purpose: small models" in card and "Published: 2026-01-31" in card
    assert section(card, "Uses").count("*Not stated by the maker.*") == 1
    assert (front(card)["annotations_creators"], front(card)["source_datasets"]) == (
        ["machine-generated"],
        ["original"],
    )


def test_manipulation_lists_every_dropping_rule_with_its_reason(facts: dict[str, Any]) -> None:
    text = section(markdown.card(facts), "Data manipulation")
    removed, flagged = text.split("Flagged only")
    row = (
        "| checks | Keeps rows whose toxicity.score is at most 0.5. | a model repeats what it reads | 60 | 5 | 4 | 3 |"
    )
    assert row in removed
    assert removed.count("\n| ") == 2 + 5 and "max 50" not in removed
    assert "| checks/length.words max 50 | long answers are worth a look | 1 |" in flagged
    assert "mojibake 3" in flagged


def test_biases_and_limits_are_our_own_numbers(facts: dict[str, Any]) -> None:
    card = markdown.card(facts)
    biases, limits = section(card, "Known biases"), section(card, "Known limits")
    assert "- Largest source: news, 51 % of the mix, of 3 in all" in biases  # 20 of 39
    assert "- Largest task family: classification, 79 % of the mix, of 2 in all" in biases  # 31 of 39
    # reviews keep 5 good and 6 bad
    assert "- Source reviews keeps 2 labels; the commonest is 55 % of its rows (even: 50 %)." in biases
    where = "checks/length.words min 5 where task=summarization"
    assert f"- {where} removes 100 % of task summarization, 100 % of all rows it looks at." not in biases
    assert "not remove them: checks/toxicity.score max 0.5 3." in limits
    assert "- Not looked at: what the rules do to a trained model (no rule of this run was put on trial)." in limits
    assert "source notes: all 10 rows" in limits


def test_personal_data_copies_and_records_are_told(facts: dict[str, Any]) -> None:
    card = markdown.card(facts)
    assert "found in 1 row, 0 of them not in the mix." in card and "where some was found: email 1." in card
    assert "- exact: 5 copies found, 1 of a row of another source; 0 of them in the mix." in card
    assert "- 61 records were read from 4 sources and rendered as 60 rows." in card
    assert "- 1 record could not be read or rendered: left out of the mix." in card


def test_leaks_left_in_the_mix_are_told(facts: dict[str, Any]) -> None:
    assert "Overlap with evaluation data was not looked for: " in markdown.card(facts)
    heldout = [{"source": "exam", "items": 40, "hit": 3, "kept_hit": 2}, {"source": "quiz", "items": 9, "kept_hit": 0}]
    step = {"name": "leak", "measure": "overlap", "rows": 5, "kept": 2, "bound": 0.5, "heldout": heldout}
    facts["contamination"] = {"method": "", "steps": [step]}
    told = "5 rows with more than 50 % of a held-out item, 2 of them in the mix. Items these give away: exam 2 of 40."
    assert f"- leak: {told}" in markdown.card(facts)
    step |= {"name": "rephrased", "measure": "similarity", "bound": 0.9}
    assert "- rephrased: 5 rows whose cosine with a held-out item is above 0.9, 2 of them in " in markdown.card(facts)


def test_what_people_found_of_the_rules_is_their_evidence(facts: dict[str, Any]) -> None:
    rule = {"rule": TOXIC, "of": 5, "judged": 5, "right": 3, "wrong": 1, "unsure": 1}
    rule |= {"precision": 0.75, "low": 0.3, "high": 0.95}
    facts["reviews"] = {"method": "", "list": [rule], "unjudged": [{"rule": NEAR}]}
    text = section(markdown.card(facts), "Data manipulation")
    told = "5 of the 5 rows it hits, right 3, wrong 1, unsure 1; precision 75 % (95 % interval 30 % to 95.0 %)."
    assert f"Judged by people: {TOXIC}, {told}" in text
    assert f"Nobody has judged what these rules remove: {NEAR}." in text


def test_a_rule_that_hits_a_group_of_people_is_a_known_bias(facts: dict[str, Any]) -> None:
    line = {"rule": TOXIC, "flag": False, "group": "gender:women", "share": 0.2, "by": "bias"}
    line |= {"equal_length": {"ratio": 2.5}, "notable": True}
    facts["fairness"] = {"method": "", "steps": ["bias"], "bound": {"ratio": 1.25, "q": 0.05}, "tested": 4}
    facts["fairness"]["identity"] = [line, {**line, "notable": False, "group": "age:old"}]
    text = section(markdown.card(facts), "Known biases")
    assert text.count("of rows that mention") == 1
    assert f"{TOXIC} removes 20 % of rows that mention gender:women, 2.5 times as many as of all rows of their" in text
    facts["fairness"]["identity"] = []
    assert "(4 pairs of a rule and a group tested)" in markdown.card(facts)
    facts["fairness"]["tested"] = 0
    assert "Too few rows mention a group of people" in markdown.card(facts)


def test_the_folders_of_a_machine_are_not_published(facts: dict[str, Any]) -> None:
    facts["provenance"]["inputs"][0]["path"] = "/home/jane/secret plans/news.jsonl"
    facts["provenance"]["command"] = "curate audit '/home/jane/secret plans/news.jsonl'"
    card = markdown.card(facts)
    assert "jane" not in card and "    curate audit news.jsonl\n" in card and "| news | news.jsonl |" in card


def test_card_holds_no_text_of_the_data_and_escapes_names(facts: dict[str, Any]) -> None:
    facts["composition"]["tables"][0]["values"][0]["value"] = "a|b\n# [x](y) <i>"
    facts["rejects"]["causes"][0]["cause"] = "answer 'zanzibar' is not among the choices"
    facts["alerts"] = alerts(facts)
    card = markdown.card(facts)
    assert "zanzibar" not in card
    assert not [row["prompt"] for row in facts["rows"].values() if row["prompt"].strip() in card]
    assert "| a\\|b \\# \\[x\\](y) \\<i\\> |" in card
