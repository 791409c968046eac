"""The dataset card: front matter that programs read, and no text of the data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports import markdown, quality
from reports.alerts import alerts


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def front(card: str) -> dict[str, Any]:
    """Read the part of YAML that the card uses: `key: "text"`, lists of texts, and the nested configs as lines."""
    assert card.startswith("---\n")
    lines = card.split("---\n", 2)[1].rstrip("\n").split("\n")
    found: dict[str, Any] = {}
    for line in lines:
        if match := re.fullmatch(r'(\w+): (".*")', line):
            found[match[1]] = json.loads(match[2])
        elif match := re.fullmatch(r"(\w+):", line):
            key = match[1]
            found[key] = []
        elif match := re.fullmatch(r'  - (".*")', line):
            found[key].append(json.loads(match[1]))
        else:
            assert key == "configs" and re.fullmatch(r'( {2}- | {4}| {6}- | {8})\w+:( ".*")?', line), line
            found[key].append(line.strip())
    return found


def test_front_matter_says_what_the_hub_asks(facts: dict[str, Any]) -> None:
    found = front(markdown.card(facts))
    assert found["language"] == ["en"]
    assert (found["license"], found["license_name"]) == ("other", "mixed")
    assert found["size_categories"] == ["n<1K"]
    assert found["task_categories"] == ["text-classification", "text-generation"]
    assert found["configs"][-1] == 'path: "mix.parquet"'


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
def test_size_category_follows_the_kept_rows(facts: dict[str, Any], rows: int, size: str) -> None:
    facts["headline"]["kept"] = rows
    assert front(markdown.card(facts))["size_categories"] == [size]


def test_manipulation_lists_every_dropping_rule_with_its_reason(facts: dict[str, Any]) -> None:
    card = markdown.card(facts)
    table = card.split("## Data manipulation")[1].split("##")[0]
    assert "| checks | Keeps rows whose toxicity.score is at most 0.5. | a model repeats what it reads | 5 |" in table
    assert table.count("\n| ") == 2 + 5 and "max 50" not in table
    assert "mojibake 3" in table


def test_card_holds_no_text_of_the_data_and_escapes_names(facts: dict[str, Any]) -> None:
    facts["composition"]["tables"][0]["values"][0]["value"] = "a|b\n# [x](y) <i>"
    facts["rejects"]["causes"][0]["cause"] = "answer 'secret' is not among the choices"
    facts["alerts"] = alerts(facts)
    card = markdown.card(facts)
    assert "1 record could not be read" in card and "secret" not in card
    assert not [row["prompt"] for row in facts["rows"].values() if row["prompt"].strip() in card]
    assert "| a\\|b \\# \\[x\\](y) \\<i\\> |" in card
