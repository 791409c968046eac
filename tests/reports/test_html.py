"""The page: whole, offline, and deaf to whatever stands in the data."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sample_run import HOSTILE, SCRIPT

from reports import html, quality
from reports.budget import thinned
from reports.examples import texts
from reports.view import open_view


class Page(HTMLParser):
    """Tags, attributes and ids of a page, the text of its script, and the data beside it by id."""

    VOID = ("meta", "br", "img", "input", "hr", "link")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.script = ""
        self.data: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attributes = self.tags[-1][1]
            if attributes.get("type") == "application/json":
                name = str(attributes["id"])
                self.data[name] = self.data.get(name, "") + data
            else:
                self.script += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


@pytest.fixture
def hostile(run: Path) -> dict[str, Any]:
    """Facts that show every row, and name things as an enemy would."""
    facts, view = quality.facts(run), open_view(run)
    ids = view.base["id"].to_list()
    facts["rows"] = texts(view, ids, contents=ids)
    facts["worth"]["list"] = [{"row": row, "reason": SCRIPT} for row in ids]
    facts["headline"]["name"] = '"><script>alert(3)</script>\u202e'
    facts["alerts"][0]["command"] = "x' onmouseover='alert(4)\" onclick=\"alert(5)"
    facts["funnel"]["by"]["source"]["groups"][0]["value"] = "{{ 7919*7907 }}<b>"
    return facts


def test_nothing_from_the_data_becomes_markup(hostile: dict[str, Any]) -> None:
    text = html.render(hostile)
    page = Page(text)
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert [attrs for attrs in scripts if attrs.get("type") != "application/json"] == [{}]
    assert not {"img", "iframe", "object", "link"} & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text and "<script>alert" not in text
    assert page.open == []
    assert "{{ 7919*7907 }}&lt;b&gt;" in text and "62615533" not in text


def test_rows_to_search_are_data_that_cannot_leave_their_element(hostile: dict[str, Any]) -> None:
    island = Page(html.render(hostile)).data["rows-data"]
    assert not set("<>&") & set(island)
    found = {row[0]: row for row in json.loads(island)}
    assert found.keys() == hostile["rows"].keys()
    assert {row[8] for row in found.values()} >= {SCRIPT, "Write to ‹email› or ‹email› again"}
    assert all(row[1] == hostile["rows"][name]["source"] for name, row in found.items())


def test_hidden_characters_are_spelled_out(hostile: dict[str, Any]) -> None:
    text = html.render(hostile)
    assert "[U+202E]gnp.exe[U+2066] [U+200B]hidden" in text
    assert "null[U+0000]byte[U+001B][31mred" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", text)


def test_the_page_asks_the_network_for_nothing(run: Path) -> None:
    text = html.render(quality.facts(run))
    page = Page(text)
    assert page.values("src") == [] and all(link.startswith("#") for link in page.values("href"))
    assert "http://" not in text and "https://" not in text
    assert "url(" not in text and "@import" not in text


def test_the_policy_allows_our_script_alone(run: Path) -> None:
    page = Page(html.render(quality.facts(run)))
    policy = page.values("content")[0]
    digest = base64.b64encode(sha256(page.script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none';") and f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_links_inside_the_page_lead_somewhere(run: Path) -> None:
    page = Page(html.render(quality.facts(run)))
    assert {link[1:] for link in page.values("href")} <= set(page.values("id"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_personal_data_is_masked_everywhere(run: Path) -> None:
    text = html.render(quality.facts(run))
    assert "jane.doe" not in text
    assert "Write to ‹email› or ‹email› again" in text


def test_equal_facts_give_equal_pages(run: Path) -> None:
    assert html.render(quality.facts(run)) == html.render(quality.facts(run))


def test_long_words_are_cut_and_the_page_stays_small(hostile: dict[str, Any]) -> None:
    text = html.render(hostile)
    assert "w" * 601 not in text and "4,400 characters more" in text
    assert len(text.encode()) < 5_000_000
    assert len(HOSTILE[54]) == 5000


def test_charts_stand_beside_a_table_with_the_same_numbers(run: Path) -> None:
    facts = quality.facts(run)
    page = Page(html.render(facts))
    charts = sum(1 for tag, attrs in page.tags if tag == "svg")
    tables = sum(1 for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "table")
    numeric = sum(1 for rule in facts["rules"]["list"] if rule["distribution"]["kind"] == "numeric")
    assert charts == tables == numeric + len(facts["lengths"]["histograms"]) + 1  # and the survival curve


def test_a_mix_with_copies_shows_them(run: Path) -> None:
    mix = pl.read_parquet(run / "mix.parquet")
    mix.with_columns(copies=pl.lit(2, dtype=pl.Int64)).write_parquet(run / "mix.parquet")
    facts = quality.facts(run)
    assert facts["headline"]["mix_rows"] == 78 and facts["composition"]["repeated"]
    assert "With copies" in html.render(facts)


def test_a_page_above_its_limit_cuts_texts_and_says_so(hostile: dict[str, Any]) -> None:
    hostile["rules"]["list"] = []  # charts take time
    whole = html.render(hostile)
    size = len(whole.encode())
    assert 'id="notice"' not in whole and html.render(hostile, limit=size) == whole
    cut = html.render(hostile, limit=size - 1)
    assert len(cut.encode()) < size and "texts are cut to 240 characters" in cut and Page(cut).open == []
    least = html.render(hostile, limit=1)
    assert "the sections in detail are left out" in least and Page(least).open == []
    assert "Rows worth a look" in least and 'id="funnel"' not in least and len(least) < len(cut)


def test_a_cut_text_counts_what_is_missing(run: Path) -> None:
    facts = quality.facts(run)
    row, texts = next((row, texts) for row, texts in facts["rows"].items() if texts["response"].startswith("wwww"))
    cut = thinned(facts, 20)["rows"][row]
    assert cut["response"] == "w" * 20 and cut["left_out"]["response"] == 4980
    assert texts["response"] == "w" * 600  # the facts stay as they are
    assert thinned({"rows": {}, "a": [{"difference": [["same", "x" * 9], ["new", "y" * 9]]}]}, 5)["a"] == [
        {"difference": [["same", "xxxxx"], ["same", " […]"]]}
    ]
