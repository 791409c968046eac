from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reports import html, measures, quality

TEMPLATES = sorted(html.ASSETS.glob("*.html.j2"))
USED = re.compile(r"terms\.term\(\"([^\"]+)\"")


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run)


def test_every_term_that_a_section_links_to_is_explained(facts: dict[str, Any]) -> None:
    used = [(path.name, key) for path in TEMPLATES for key in USED.findall(path.read_text(encoding="utf-8"))
            if path.name != "terms.html.j2"]  # fmt: skip
    assert ("lengths.html.j2", "survival") in used
    explained = {one["id"] for one in facts["glossary"]}
    assert [(name, key) for name, key in used if f"term-{key}" not in explained] == []
    with pytest.raises(KeyError):
        measures.term(facts["glossary"], "no such word")


def test_terms_have_ids_of_their_own_and_say_something(facts: dict[str, Any]) -> None:
    ids = [one["id"] for one in facts["glossary"]]
    assert len(ids) == len(set(ids)) > 50
    assert all(re.fullmatch(r"term-[a-z0-9-]+", one) for one in ids)
    assert all(one["term"] and one["text"] and one["text"][-1] != "." for one in facts["glossary"])
    assert [one["order"] for one in facts["glossary"]] == sorted(one["order"] for one in facts["glossary"])


def test_signals_are_explained_under_their_names(facts: dict[str, Any]) -> None:
    signals = {one["term"]: one["text"] for one in facts["glossary"] if one["section"] == measures.SIGNALS}
    assert signals["exact.rank"] == measures.SHARED["rank"]
    assert measures.term(facts["glossary"], "near.keeper")["text"] == measures.SHARED["keeper"]


def test_the_page_has_an_anchor_for_every_term_and_a_link_with_its_meaning(facts: dict[str, Any]) -> None:
    page = html.render(facts)
    assert all(f'id="{one["id"]}"' in page for one in facts["glossary"])
    packing = measures.term(facts["glossary"], "packing")
    assert f'<a class="term" href="#term-packing" title="{packing["text"]}">Packing</a>' in page
