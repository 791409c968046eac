"""Personal data is masked in everything that is shown, also where no step of the run looked for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_run import write_tiny

from curate.personal import find_in
from reports import html, markdown, quality
from reports.intake import rejects
from reports.masking import masked, masked_together
from reports.view import open_view

ADDRESS, NUMBER = "maria.lopez@uni-lund.se", "+44 20 7219 3042"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"to {ADDRESS}!", ("to ‹email›!", 1)),
        (f"{ADDRESS} {NUMBER}", ("‹email› ‹phone›", 2)),
        ("info@example.com is nobody's", ("info@example.com is nobody's", 0)),
        ("", ("", 0)),
    ],
)
def test_a_text_is_masked_and_the_places_counted(text: str, expected: tuple[str, int]) -> None:
    assert masked(text) == expected


def test_what_is_found_in_one_text_is_masked_in_all() -> None:
    # Without its cue nobody can tell that the second text is a telephone number.
    texts = masked_together({"prompt": "Tel: 030 8412 7765", "response": "It is 030 8412 7765."})
    assert texts == {"prompt": ("Tel: ‹phone›", 1), "response": ("It is ‹phone›.", 1)}


@given(st.text(max_size=20), st.text(max_size=20))
def test_an_address_between_blanks_never_survives(before: str, after: str) -> None:
    assert ADDRESS not in masked(f"{before} {ADDRESS} {after}")[0]


def test_masked_text_holds_nothing_more_to_find() -> None:
    text = f"{NUMBER} {ADDRESS} 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 81.2.69.142"
    assert len(find_in(text)) == 5 and find_in(masked(text)[0]) == []


def everywhere(path: Path, make_rows: Callable[..., pl.DataFrame]) -> Path:
    """Write a run without a step for personal data that has an address in every place that the report shows."""
    row: dict[str, Any] = {"prompt": f"who is {ADDRESS}", "response": f"see {ADDRESS}", "table.note": f"by {ADDRESS}"}
    rows = [row | {"slots": json.dumps({"label": ADDRESS}), "response": f"see {ADDRESS}{'!' * n}"} for n in range(8)]
    held = [{"prompt": f"held {ADDRESS}", "response": "yes", "content": f"who is {ADDRESS}\nsee {ADDRESS}"}]
    reject = {"source": "test", "file": "a.jsonl", "line": 1, "cause": f"'{ADDRESS}' is no label", "excerpt": ADDRESS}
    signals = {"table.note": pl.String()}
    return write_tiny(path, make_rows, rows, signals=signals, heldout=held, rejected=[reject])


def test_nothing_shows_personal_data_without_a_step_that_looks_for_it(
    tmp_path: Path, make_rows: Callable[..., pl.DataFrame]
) -> None:
    facts = quality.facts(everywhere(tmp_path / "run", make_rows))
    assert "who is ‹email›" in {row["prompt"] for row in facts["rows"].values()}
    assert facts["rejects"]["causes"][0]["cause"] == "'‹email›' is no label"
    assert facts["labels"]["sources"][0]["labels"][0]["label"] == "‹email›"
    values = next(one for one in facts["measures"]["list"] if one["name"] == "table.note")["distribution"]["values"]
    assert values == [{"value": "by ‹email›", "rows": 8, "failed": 0}]
    for shown in (json.dumps(facts), html.render(facts), markdown.card(facts)):
        assert "maria" not in shown


def test_an_address_that_the_reader_cut_is_not_shown(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> None:
    text = "x " * 94 + "maria.lopez@uni-lund.se"
    reject = {"source": "test", "file": "a.jsonl", "line": 1, "cause": "no", "excerpt": text[:200]}
    assert reject["excerpt"].endswith("maria.lopez@")
    run = write_tiny(tmp_path / "run", make_rows, [{}], rejected=[reject])
    found = rejects(open_view(run))["examples"][0]["excerpt"]
    assert found == "x " * 79 + "x…"


def test_a_text_is_masked_before_it_is_cut(tmp_path: Path, make_rows: Callable[..., pl.DataFrame]) -> None:
    cause = "x" * 150 + " " + ADDRESS
    reject = {"source": "test", "file": "a.jsonl", "line": 1, "cause": cause, "excerpt": ""}
    run = write_tiny(tmp_path / "run", make_rows, [{"prompt": "y " * 195 + ADDRESS + " z" * 200}], rejected=[reject])
    facts = quality.facts(run)
    assert facts["rejects"]["causes"][0]["cause"] == "x" * 150 + " ‹email›"
    prompts = {row["prompt"] for row in facts["rows"].values()}
    assert all("y ‹email› z" in prompt and "maria" not in prompt for prompt in prompts) and prompts


def test_a_place_outside_of_a_text_masks_nothing_in_it() -> None:
    texts = {"prompt": "same ask a.b@firma.de question", "response": "A perfectly harmless answer with nothing."}
    found = masked_together(texts, {"prompt": [(9, 21, "email")], "response": [(0, -10, "email")]})
    assert found == {"prompt": ("same ask ‹email› question", 1), "response": (texts["response"], 0)}
