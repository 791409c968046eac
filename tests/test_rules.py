"""Every word list and pattern finds its own examples and leaves its counter-examples alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from curate import personal, rulebook, terms
from curate.rulebook import Entry, Pattern

LEXICONS = sorted(path.stem for path in (rulebook.RULES / "lexicons").glob("*.toml"))
PATTERNS = sorted(path.stem for path in (rulebook.RULES / "patterns").glob("*.toml"))


def entries() -> Iterator[object]:
    for name in LEXICONS:
        for entry in rulebook.lexicon(name).entries:
            if entry.category != terms.PART:
                yield pytest.param(name, entry, id=f"{name}-{entry.id}")


def patterns() -> Iterator[object]:
    for name in PATTERNS:
        for pattern in rulebook.patterns(name):
            yield pytest.param(pattern, id=f"{name}-{pattern.id}")


def entries_found(name: str, category: str, sentence: str) -> set[str | None]:
    folded = terms.fold(pl.Series([sentence]))[0]
    return {hit.entry.id for hit in terms.matcher(rulebook.lexicon(name), category).find(folded)}


def is_found(pattern: Pattern, value: str) -> bool:
    if pattern.validator:
        return bool(personal.find(value, [pattern]))
    return pattern.regex.search(value) is not None


@pytest.mark.parametrize("name", LEXICONS)
def test_lexicon_entries_have_an_id_each_and_parts_that_exist(name: str) -> None:
    lexicon = rulebook.lexicon(name)
    ids = [entry.id for entry in lexicon.entries]
    assert None not in ids
    assert len(set(ids)) == len(ids)
    used = " ".join(term for entry in lexicon.entries for term in entry.terms)
    unused = {entry.id for entry in lexicon.entries if entry.category == terms.PART and f"<{entry.id}>" not in used}
    assert unused == set()


@pytest.mark.parametrize("name", LEXICONS)
def test_no_term_is_listed_twice_in_one_entry(name: str) -> None:
    for entry in rulebook.lexicon(name).entries:
        assert len(set(entry.terms)) == len(entry.terms), entry.id
        assert all(term == term.lower().strip() for term in entry.terms), entry.id


@pytest.mark.parametrize(("name", "entry"), [*entries()])
def test_lexicon_entry_finds_its_hits_and_no_miss(name: str, entry: Entry) -> None:
    assert entry.hits
    assert entry.misses
    assert [hit for hit in entry.hits if entry.id not in entries_found(name, entry.category, hit)] == []
    assert [miss for miss in entry.misses if entry.id in entries_found(name, entry.category, miss)] == []


@pytest.mark.parametrize("pattern", [*patterns()])
def test_pattern_finds_its_hits_and_no_miss(pattern: Pattern) -> None:
    assert pattern.hits
    assert pattern.misses
    assert [hit for hit in pattern.hits if not is_found(pattern, hit)] == []
    assert [miss for miss in pattern.misses if is_found(pattern, miss)] == []


def test_misses_of_one_personal_pattern_are_found_by_no_other() -> None:
    found = rulebook.patterns("pii")
    wrong = {miss: spans for one in found for miss in one.misses if (spans := personal.find(miss, found))}
    assert wrong == {}


@pytest.fixture(scope="module")
def labels() -> ModuleType:
    path = Path(__file__).parent.parent / "bench" / "labels.py"
    spec = importlib.util.spec_from_file_location("labels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "labels", module)  # its dataclass looks itself up there
        spec.loader.exec_module(module)
    module.__dict__["SHARED"] = path.parent / "nowhere"  # what is committed must suffice
    return module


@pytest.mark.parametrize("name", [*(f"lexicons/{one}" for one in LEXICONS), *(f"patterns/{one}" for one in PATTERNS)])
def test_the_figures_in_the_header_are_those_that_are_measured(labels: ModuleType, name: str) -> None:
    text = (rulebook.RULES / f"{name}.toml").read_text(encoding="utf-8")
    counts = labels.counts(name)
    assert counts
    assert labels.written(text, counts) == text, "measure again: python bench/labels.py --write"


@pytest.mark.parametrize("name", ["identity", "markers", "pii", "refusal"])
def test_labelled_texts_are_different_and_half_of_them_look_alike(labels: ModuleType, name: str) -> None:
    lines = (labels.LABELLED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["text"] for row in rows}) == len(rows) >= 80
    assert len(rows) / 3 < sum(not row["found"] for row in rows) < len(rows) * 2 / 3


def test_counts_compare_label_by_label(labels: ModuleType) -> None:
    found = labels.compare("x", ["a", "b", "c"], [{"p", "q"}, set(), {"p"}], [{"p"}, {"q"}, {"p"}], note="")
    assert (found.right, found.wrong, found.missed) == (2, 1, 1)
    assert (found.precision, found.recall) == (0.6667, 0.6667)
    assert found.failures == ["-q: a", "+q: b"]
