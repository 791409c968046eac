from __future__ import annotations

from pathlib import Path

import pytest

from curate import concepts
from curate.errors import UserError

GROUPS = """
why = "people"
language = "en"
owner = "me"
version = "1"
[masks]
group = "folks"
[slots]
group = ["tall people", "people"]
"""
HATE = """
why = "dislike"
language = "en"
owner = "me"
version = "1"
category = "hate"
[slots]
bad = ["mean", "dull"]
[[concepts]]
id = "said"
draws = 2
texts = ["<group> are <bad>"]
contrast = ["<group> are here"]
[[measured]]
data = "my notes"
texts = 20
precision = 0.9
recall = 0.5
date = 2026-11-24
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "groups.toml").write_text(GROUPS, encoding="utf-8")
    (tmp_path / "hate.toml").write_text(HATE, encoding="utf-8")
    return tmp_path


def test_slots_are_filled_and_groups_masked(folder: Path) -> None:
    found = {(example.text, example.category) for example in concepts.read(folder).examples()}
    assert found == {("folks are mean", "hate"), ("folks are dull", "hate"), ("folks are here", None)}


def test_the_longest_name_of_a_group_is_masked(folder: Path) -> None:
    assert concepts.read(folder).hide("tall people and people, no peoples") == "folks and folks, no peoples"


def test_a_slot_that_is_not_there_is_told(folder: Path) -> None:
    (folder / "hate.toml").write_text(HATE.replace("<bad>", "<bat>"), encoding="utf-8")
    with pytest.raises(UserError, match="no slot 'bat'") as caught:
        concepts.read(folder).examples()
    assert "'bad'" in caught.value.fix


def test_unknown_keys_are_told(folder: Path) -> None:
    (folder / "hate.toml").write_text(HATE.replace("draws", "drawz"), encoding="utf-8")
    with pytest.raises(UserError, match="drawz"):
        concepts.read(folder)


def test_bundled_examples_are_few_enough_and_of_every_category() -> None:
    examples = concepts.read().examples()
    assert len(examples) <= 4000
    assert {example.category for example in examples} == {None, *concepts.CATEGORIES}


def test_bundled_files_say_no_two_things_of_one_text() -> None:
    told: dict[str, set[str | None]] = {}
    for example in concepts.read().examples():
        told.setdefault(example.text.lower(), set()).add(example.category)
    assert [text for text, categories in told.items() if None in categories and len(categories) > 1] == []
