"""Masking, differences, visible text and the small formats."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sample_run import RECIPE

from reports import shown, toml
from reports.examples import difference, texts
from reports.view import View, draw, open_view

RECIPES = sorted((Path(__file__).parents[2] / "rules" / "recipes").glob("*.toml"))
JSON = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.text())
def test_visible_text_has_no_hidden_characters(text: str) -> None:
    seen = shown.visible(text)
    assert not [c for c in seen if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not [c for c in seen if unicodedata.bidirectional(c) in ("LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI")]
    seen.encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0 %"), (1, "100 %"), (0.0001, "< 0.1 %"), (0.9999, "> 99.9 %"), (0.034, "3.4 %"), (0.5, "50 %"), (None, "–")],
)
def test_shares_never_round_to_nothing_or_all(value: float | None, expected: str) -> None:
    assert shown.share(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(1234567, "1,234,567"), (0.125, "0.125"), (2.0, "2"), (1234.5, "1,234"), (True, "true")]
)
def test_numbers_are_short(value: float, expected: str) -> None:
    assert shown.number(value) == expected


def test_a_long_prompt_shows_both_ends_and_says_what_is_between() -> None:
    text, left_out = shown.both_ends("a" * 500 + "b" * 500, 300)
    assert (text, left_out) == ("a" * 200 + "\n[… 700 characters …]\n" + "b" * 100, 700)
    assert shown.both_ends("short\x00", 300) == ("short[U+0000]", 0)


@given(st.text(alphabet="ab \n.é", max_size=40), st.text(alphabet="ab \n.é", max_size=40))
def test_a_difference_holds_both_texts(one: str, other: str) -> None:
    pieces = difference(one, other)
    assert "".join(text for kind, text in pieces if kind != "gone") == other
    assert "".join(text for kind, text in pieces if kind != "new") == one


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4))
@example({"0\n": 1})
def test_toml_reads_back_as_the_same_data(data: dict[str, object]) -> None:
    assert tomllib.loads(toml.dumps(data)) == data


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_bundled_recipes_survive_toml(path: Path) -> None:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert tomllib.loads(toml.dumps(data)) == data
    assert tomllib.loads(toml.dumps(RECIPE)) == RECIPE


def masked(run: Path, spans: pl.DataFrame) -> tuple[str, str]:
    """Return prompt and response of the row with an address, masked by these spans."""
    spans.write_parquet(run / "tables" / "pii.spans.parquet")
    row = spans["id"][0]
    found = texts(open_view(run), [row])[row]
    return found["prompt"], found["response"]


@pytest.fixture
def address(run: Path) -> str:
    """Give the id of the row that says: Write to jane.doe@example.org or jane.doe@example.org again."""
    return str(pl.read_parquet(run / "tables" / "pii.spans.parquet")["id"][0])


@pytest.mark.parametrize(
    ("column", "start", "end", "expected"),
    [
        ("response", 9, 29, "Write to ‹email› or ‹email› again"),
        ("response", 0, 5, "‹email› to jane.doe@example.org or jane.doe@example.org again"),
        ("trained", 9, 29, "Write to ‹email› or ‹email› again"),
        ("response", 9, 10, "Write to ‹email›ane.doe@example.org or jane.doe@example.org again"),
    ],
)
def test_spans_are_masked_with_their_repeats(
    run: Path, address: str, column: str, start: int, end: int, expected: str
) -> None:
    spans = pl.DataFrame([{"id": address, "column": column, "kind": "email", "start": start, "end": end}])
    assert masked(run, spans)[1] == expected


def test_overlapping_spans_become_one_mask(run: Path, address: str) -> None:
    span = {"id": address, "column": "response", "kind": "email"}
    spans = pl.DataFrame([{**span, "start": 9, "end": 20}, {**span, "kind": "name", "start": 12, "end": 29}])
    assert "‹email› or" in masked(run, spans)[1]


def test_a_span_that_cannot_be_placed_withholds_the_texts(run: Path, address: str) -> None:
    spans = pl.DataFrame([{"id": address, "column": "somewhere.else", "kind": "email", "start": 0, "end": 4}])
    prompt, response = masked(run, spans)
    assert prompt == response and "withheld" in prompt


def test_a_draw_is_fair_and_the_same_each_time(run: Path) -> None:
    view = open_view(run)
    every = pl.repeat(True, 60, dtype=pl.Boolean, eager=True)
    assert draw(view, every, "a", size=5) == draw(view, every, "a", size=5)
    drawn = [row for number in range(200) for row in draw(view, every, f"purpose {number}", size=3)]
    assert len(set(drawn)) > 50  # 600 draws of 60 rows leave few out
    assert draw(view, ~every, "a", size=5) == []


def test_a_where_on_any_column_limits_the_rule(run: Path, make_run: Callable[..., Path]) -> None:
    from reports.rules import covered

    view: View = open_view(run)
    rule = {"index": 0, "where": {"source": ["news", "chat"], "length.words": 10}}
    assert covered(view, rule).sum() == 20 + 8  # chat but 56 (0 words) and 59 (80 words)
    assert covered(view, {"index": 1, "where": {}}).sum() == 45
