"""Turns and tokens against numbers counted by hand, over a run of ten conversations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_tokenizer import CHATML, write_tokenizer

import curate
from reports import html, quality, turns
from reports.view import open_view

RECIPE = """
name = "talks"
[[sources]]
name = "talk"
path = "talk.jsonl"
format = "messages"
[[stages]]
name = "count"
steps = [{ step = "pii", column = "rendered" }, { step = "tokens", tokenizer = "model" }]
"""
CODES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}


def talk(*said: str, weight: int = 1) -> list[dict[str, Any]]:
    """Return turns from `u two ?`; `weight` 0 trains on none."""
    turns = [{"role": CODES[one[0]], "content": one[2:]} for one in said]
    return [{**turn, "weight": weight} if turn["role"] == "assistant" else turn for turn in turns]


# Each turn takes three tokens beside its words: <|start|>, the role, <|end|>.
TALKS = {
    "plain": talk("u what is two ?", "a four ."),  # 12 tokens, 3 trained, the first after 9
    "system": talk("s hello", "u two ?", "a two"),  # 13, 2, 11
    "long": talk("u two", "a two is two .", "u and four ?", "a four ."),  # 4 + 7 + 6 + 5 = 22, 5 + 3, 6
    "answer first": talk("a hello", "u two", "a four"),  # 12, 2 + 2, 2
    "empty": talk("u two", "a "),  # 7, 1, 6
    "muted": talk("u two", "a four", weight=0),  # 8, 0
    "questions": talk("u two", "u four", "a two"),  # 12, 2, 10
    "far": talk("u " + "hello " * 3000, "a two"),  # 3003 + 4 = 3007, 2, 3005
    "open": talk("u two", "a four", "u and"),  # 12, 2, 6
    "tool": talk("u two", "t four", "a two"),  # 12, 2, 10
}
TOTAL, TRAINED = 12 + 13 + 22 + 12 + 7 + 8 + 12 + 3007 + 12 + 12, 3 + 2 + 8 + 4 + 1 + 0 + 2 + 2 + 2 + 2


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that runs the talks, or some of them, and returns the run directory."""

    def made(*names: str, template: str | None = CHATML, recipe: str = RECIPE, **more: list[dict[str, Any]]) -> Path:
        talks = [*(TALKS[name] for name in names), *more.values()] or list(TALKS.values())
        lines = [json.dumps({"messages": one}) + "\n" for one in talks]
        (tmp_path / "talk.jsonl").write_text("".join(lines))
        (tmp_path / "recipe.toml").write_text(recipe)
        write_tokenizer(tmp_path / "model", template)
        curate.run(curate.load_recipe(tmp_path / "recipe.toml"), out=tmp_path / "out")
        return tmp_path / "out"

    return made


@pytest.fixture
def facts(make: Callable[..., Path]) -> dict[str, Any]:
    return quality.facts(make())


def test_turns_are_counted_by_role_and_out_of_order_ones_by_kind(facts: dict[str, Any]) -> None:
    masks = facts["masks"]
    assert {one["kind"]: (one["rows"], one["kept"]) for one in masks["illegal"]} == {
        "an answer before any question": (1, 1),
        "two questions in a row": (1, 1),
        "a tool's turn that follows no answer": (1, 1),
        "the last turn is no answer": (1, 1),
    }
    assert (masks["rows"], masks["legal"]) == (10, 6)
    roles = {one["role"]: (one["turns"], one["trained"], one["rows"]) for one in masks["roles"]}
    assert roles == {"system": (1, 0, 1), "user": (13, 0, 10), "assistant": (12, 11, 10), "tool": (1, 0, 1)}
    assert [masks[name]["rows"] for name in ("untrained", "empty", "strangers")] == [1, 1, 0]
    assert (
        next(one["kind"] for one in masks["illegal"] if "user: two\nuser: four" in facts["rows"][one["row"]]["prompt"])
        == "two questions in a row"
    )


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        (("s a", "u b", "a c"), []),
        (("u a", "a b", "t c", "t d", "a e"), []),
        (("u a", "s b", "a c"), ["a system turn that is not the first", "an answer before any question"]),
        (("s a", "s b", "u c", "a d"), ["a system turn that is not the first"]),
        (("u a", "a b", "a c"), ["two answers in a row"]),
        (("u a", "a b", "t c", "u d", "a e"), ["a question where a tool's turn waits for an answer"]),
        (("s a", "t b", "a c"), ["a tool's turn that follows no answer"]),
    ],
)
def test_each_order_is_judged_by_itself(make: Callable[..., Path], said: tuple[str, ...], kinds: list[str]) -> None:
    masks = quality.facts(make("plain", "long", extra=talk(*said)))["masks"]
    assert [one["kind"] for one in masks["illegal"]] == kinds
    assert masks["legal"] == (2 if kinds else 3)


def test_tokens_are_summed_over_the_kept_rows(facts: dict[str, Any]) -> None:
    tokens = facts["masks"]["tokens"]
    assert (tokens["total"], tokens["trained"], tokens["without"]) == (TOTAL, TRAINED, 1)
    assert tokens["trained_share"] == TRAINED / TOTAL
    assert (tokens["name"], tokens["vocabulary"], tokens["marker"]) == ("model", 18, "<|end|>")
    assert (tokens["rows"], tokens["unknown"], tokens["causes"]) == (10, 0, [])


def test_a_window_keeps_rows_tokens_and_trained_tokens(facts: dict[str, Any]) -> None:
    lengths = facts["lengths"]
    windows = {one["tokens"]: one for one in lengths["windows"]}
    assert lengths["counted"] and lengths["unknown"] == 0
    small, large = windows[2048], windows[4096]
    assert (small["fits"], small["longer"], small["lost"]) == (9, 1, 1)
    assert small["token_share"] == (TOTAL - 3007 + 2048) / TOTAL
    assert small["trained_share"] == (TRAINED - 2) / TRAINED
    assert (large["fits"], large["lost"], large["trained_share"]) == (10, 0, 1.0)
    assert lengths["lost"]["rows"] == 1 and facts["rows"][lengths["lost"]["row"]]["response"] == "two"
    shares = [[point[name] for point in lengths["curve"]] for name in ("share", "token_share", "trained_share")]
    assert all(line == sorted(line) and line[-1] == 1.0 for line in shares)
    assert {one["turns"]: one["rows"] for one in lengths["turns"]} == {"0": 1, "1": 7, "2": 2}
    assert lengths["sources"][0]["over_share"] == 0.1 and lengths["sources"][0]["most"] == 3007


def test_what_a_window_leaves_of_a_row_with_one_trained_turn_is_exact(make: Callable[..., Path]) -> None:
    # 203 tokens of context and start, then 200 words and the end marker: a window of 256 holds 256 - 205 of them
    view = quality.facts(make("plain", long=talk("u " + "hello " * 200, "a " + "two " * 200)))
    window = next(one for one in view["lengths"]["windows"] if one["tokens"] == 256)
    assert window["trained_share"] == pytest.approx((3 + 256 - 205) / (3 + 201))


def test_alerts_name_what_teaches_nothing(facts: dict[str, Any]) -> None:
    texts = {one["text"]: one for one in facts["alerts"] if one["section"] in ("masks", "lengths")}
    assert "1 kept row loses all its trained tokens in a window of 2,048." in texts
    assert "1 kept row has no turn that is trained on." in texts
    assert "Only 0.8 % of the tokens of the mix are trained on." in texts
    assert any(text.startswith("1 kept row breaks the order of turns: ") for text in texts)


def test_one_row_is_shown_token_by_token(make: Callable[..., Path]) -> None:
    facts = quality.facts(make("plain"))
    pieces = facts["masks"]["tokens"]["example"]["pieces"]
    assert [one["text"] for one in pieces if one["kind"] == "trained"] == ["four", "."]
    assert [one["text"] for one in pieces if one["kind"] == "special trained"] == ["<|end|>"]
    assert [one["kind"] for one in pieces[:3]] == ["special", "context", "gap"]
    page = html.render(facts)
    assert '<span class="piece special trained">&lt;|end|&gt;</span>' in page
    assert '<span class="piece trained">four</span>' in page


def test_a_row_with_personal_data_is_never_shown_token_by_token(make: Callable[..., Path]) -> None:
    personal = talk("u Write to maria.lopez@uni-lund.se", "a four")
    both = quality.facts(make("plain", personal=personal))
    assert both["masks"]["tokens"]["example"]["drawn"] == 1 and "maria" not in json.dumps(both)
    alone = quality.facts(make(personal=personal))
    assert alone["masks"]["tokens"]["example"] == {"skipped": "personal data was found in each of the rows drawn"}
    assert "maria" not in html.render(alone)
    unseen = quality.facts(
        make(personal=personal, recipe=RECIPE.replace('{ step = "pii", column = "rendered" }, ', ""))
    )
    assert unseen["masks"]["tokens"]["example"] == alone["masks"]["tokens"]["example"]


def test_rows_that_the_template_refuses_are_counted_with_the_cause(make: Callable[..., Path]) -> None:
    strict = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    strict += "{{ m.content }}<|end|>{% endfor %}"
    facts = quality.facts(make("plain", "system", template=strict))
    tokens = facts["masks"]["tokens"]
    assert (tokens["rows"], tokens["unknown"], tokens["of"]) == (1, 1, 2)
    assert [(one["cause"], one["rows"]) for one in tokens["causes"]] == [("the chat template fails: no system turn", 1)]
    assert facts["lengths"]["unknown"] == 1
    alert = next(one for one in facts["alerts"] if one["section"] == "masks")
    assert alert["text"] == "1 kept row cannot be tokenised: the chat template fails: no system turn."
    assert "no system turn" in html.render(facts)


def test_without_the_step_lengths_are_estimates_and_tokens_are_skipped(make: Callable[..., Path]) -> None:
    recipe = RECIPE.replace(', { step = "tokens", tokenizer = "model" }', "")
    run = make(recipe=recipe)
    facts = quality.facts(run)
    assert facts["masks"]["tokens"] == {"skipped": 'token figures skipped: add { step = "tokens", tokenizer = PATH }'}
    assert facts["masks"]["legal"] == 6
    lengths = facts["lengths"]
    assert not lengths["counted"] and lengths["lost"]["skipped"] and "estimate" in lengths["method"]
    assert all(one["trained_share"] is None and one["lost"] is None for one in lengths["windows"])
    assert turns.counted_by(open_view(run)) is None
    page = html.render(facts)
    assert "Token figures skipped: add { step = &#34;tokens&#34;" in page
    assert len(re.findall('class="chart"', page)) == page.count('<details class="table"')


def test_the_step_is_found_under_another_name(make: Callable[..., Path]) -> None:
    facts = quality.facts(make(recipe=RECIPE.replace('step = "tokens",', 'step = "tokens", as = "small",')))
    assert (facts["masks"]["tokens"]["step"], facts["masks"]["tokens"]["total"]) == ("small", TOTAL)


def test_no_text_of_the_data_becomes_markup(make: Callable[..., Path]) -> None:
    bad = talk("u <script>alert(1)</script>\u202e", "a </pre><img src=x onerror=alert(2)>\x1b")
    page = html.render(quality.facts(make("plain", bad=bad)))
    assert "<script>alert" not in page and "<img" not in page
    assert "\u202e" not in page and "\x1b" not in page
