from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tiny_tokenizer import CHATML, WORDS, write_tokenizer

import curate
from curate.check import problems
from curate.errors import UserError
from curate.schema import Measured
from curate.steps.tokens import tokens

Rows = Callable[..., pl.DataFrame]
Turn = dict[str, Any]


def turn(role: str, content: str, train: bool | None = None) -> Turn:
    return {"role": role, "content": content, "train": role == "assistant" if train is None else train}


TALK = [turn("user", "what is two ?"), turn("assistant", "two is two ."), turn("user", "and four ?"),
        turn("assistant", "four .")]  # fmt: skip


@pytest.fixture
def measure(make_rows: Rows, tmp_path: Path) -> Callable[..., Measured]:
    """Give the step over conversations, with a template."""

    def measured(*talks: list[Turn], template: str | None = CHATML) -> Measured:
        folder = write_tokenizer(tmp_path / str(len(list(tmp_path.iterdir()))), template)
        return tokens(make_rows(*({"messages": talk} for talk in talks)), tokenizer=folder, seed=1)

    return measured


def pieces(measured: Measured, **wanted: bool) -> str:
    """Return the text of the example's pieces that are so."""
    table = measured.tables["example"].sort("id", "place")
    return "".join(table.filter(**wanted)["text"]) if wanted else "".join(table["text"])


def test_the_chat_template_is_counted_and_the_turns_trained_on_with_their_end_marker(
    measure: Callable[..., Measured],
) -> None:
    found = measure([turn("user", "what is two ?"), turn("assistant", "four .")])
    # <|start|> user what is two ? <|end|>  <|start|> assistant four . <|end|>
    assert found.signals.row(0) == (12, 3, 0.25, 9)
    assert pieces(found) == "<|start|>user\nwhat is two ?<|end|>\n<|start|>assistant\nfour .<|end|>\n"
    assert pieces(found, trained=True) == "four .<|end|>"
    assert pieces(found, special=True) == "<|start|><|end|><|start|><|end|>"
    assert pieces(found, token=False) == "\n   \n\n \n"
    made = found.tables["made"].row(0, named=True)
    assert (made["marker"], made["vocabulary"], len(made["template_sha256"])) == ("<|end|>", 18, 64)


def test_without_a_chat_template_the_turns_stand_plainly(measure: Callable[..., Measured]) -> None:
    found = measure([turn("user", "what is two ?"), turn("assistant", "four .")], template=None)
    assert found.signals.row(0) == (6, 2, 2 / 6, 4)
    assert pieces(found) == "what is two ?\nfour ."
    assert pieces(found, trained=True) == "four ."
    assert found.tables["made"].row(0)[3:] == (None, None)
    longer = measure(TALK, template=None)
    assert pieces(longer).startswith("user: what is two ?\nassistant: two is two .\nuser: and")
    assert pieces(longer, trained=True) == "two is two .four ."


def test_turns_that_are_not_trained_are_context(measure: Callable[..., Measured]) -> None:
    muted = [{**one, "train": False} if number == 1 else one for number, one in enumerate(TALK)]
    found = measure(TALK, muted, [{**one, "train": False} for one in TALK])
    # turns of 7, 7, 6 and 5 tokens; 2 before the text of each, so 5 + 3 of the answers with their markers
    counted = {trained: (total, first) for total, trained, _, first in found.signals.iter_rows()}
    assert counted == {8: (25, 9), 3: (25, 22), 0: (25, None)}
    assert sorted(found.signals["trained_share"]) == [0.0, 3 / 25, 8 / 25]


def test_a_row_without_turns_or_answer_has_no_count(measure: Callable[..., Measured]) -> None:
    found = measure([], [turn("user", ""), turn("assistant", "")])
    assert found.signals.row(0) == (None, None, None, None)
    assert found.signals.row(1) == (6, 1, 1 / 6, 5)  # the end marker alone is to be learned


TEMPLATES = {
    "trims": "{% for m in messages %}[{{ m['role'] }}]\n{{ m['content'] | trim }}<|end|>{% endfor %}",
    "spaced": "<s>{% for m in messages %}{% if m.role == 'user' %} Q {{ m.content }} A{% else %} {{ m.content }} "
    "{{ eos_token }}{% endif %}{% endfor %}",
    "thinks": "{% for m in messages %}<|start|>{{ m.role }}\n{% if loop.last and m.role == 'assistant' %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content.split('</think>')[-1] }}<|end|>\n{% endfor %}",
    "generation": "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{%- generation -%}\n "
    "{{ m.content }}<|end|>{%- endgeneration -%}{% else %}{{ m.content }}{% endif %}\n{% endfor %}",
    "dated": "{{ strftime_now('%d %b %Y') }}{% for m in messages %}{% if not m.content %}{% continue %}{% endif %}\n"
    "{{ m.role }} {{ m.content }}<|end|>{% endfor %}",
    "none": "{% for m in messages %}## {{ m.role }}\n{{ m.content }}\n\n{% endfor %}",
}
MARKERS = {"spaced": " <|end|>", "none": ""}
CONTENTS = st.lists(
    st.sampled_from([*WORDS, "assistant\n", " ", "\n", "<|end|>", "né", "日本"]), min_size=1, max_size=5
)


@pytest.mark.parametrize("name", TEMPLATES)
@given(contents=st.lists(CONTENTS.map(" ".join).filter(str.strip), min_size=2, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_trained_pieces_are_the_trained_turns_and_their_markers(
    measure: Callable[..., Measured], name: str, contents: list[str]
) -> None:
    talk = [turn(("user", "assistant")[number % 2], content) for number, content in enumerate(contents)]
    found = measure(talk, template=TEMPLATES[name])
    said = [one["content"].strip() if name == "trims" else one["content"] for one in talk if one["train"]]
    marker = MARKERS.get(name, "<|end|>")
    # blanks at the end of a turn belong to it, blanks between marker and turn to nothing that is a token
    assert pieces(found, trained=True) == "".join(text + marker for text in said)
    table = found.tables["example"]
    assert table.filter("token", "trained").height == found.signals["trained"][0]
    assert table.filter("token").height == found.signals["total"][0]


def test_a_template_that_fails_on_a_row_leaves_it_without_a_count(measure: Callable[..., Measured]) -> None:
    strict = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}"
    )
    fine = [turn("user", "hello"), turn("assistant", "there")]
    system = [turn("system", "two"), *fine]
    thought = [turn("user", "hello"), turn("assistant", "<think>four</think>there")]
    found = measure(fine, system, system, thought, template=strict)
    assert sorted(found.signals["total"].to_list(), key=str) == [4, None, None, None]
    causes = {cause: rows for cause, _, rows in found.tables["failed"].iter_rows()}
    assert causes == {
        "the chat template fails: no system turn": 2,
        "the chat template leaves out or repeats a trained turn": 1,
    }


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{{ messages[0].content }}", "leaves out or repeats"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "leaves out or repeats"),
        ("{% for m in messages %}{{ m.content | length }} {{ m.content }}{% endfor %}", "rewrites"),
        ("{{ messages.append(1) }}", "fails"),
        ("{{ messages.__class__.__mro__ }}", "fails"),
    ],
)
def test_a_template_that_hides_or_changes_what_is_trained_is_not_trusted(
    measure: Callable[..., Measured], template: str, cause: str
) -> None:
    found = measure([turn("user", "hello"), turn("assistant", "there")], template=template)
    assert found.signals.row(0) == (None, None, None, None)
    assert cause in found.tables["failed"]["cause"][0]


def test_examples_are_few_and_do_not_depend_on_order(make_rows: Rows, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "tokenizer")
    rows = make_rows(*({"prompt": f"hello {n}", "response": "two " * (n + 1)} for n in range(30)))
    found = tokens(rows, tokenizer=folder, seed=1).tables["example"]
    again = tokens(rows.reverse(), tokenizer=folder, seed=1).tables["example"]
    assert found["id"].n_unique() == 4
    assert_frame_equal(found.sort("id", "place"), again.sort("id", "place"))
    other = tokens(rows, tokenizer=folder, seed=2).tables["example"]
    assert set(other["id"]) != set(found["id"])


def test_of_a_long_row_the_beginning_of_what_is_trained_is_shown(make_rows: Rows, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "tokenizer")
    rows = make_rows({"prompt": "hello " * 900, "response": "two " * 900})
    found = tokens(rows, tokenizer=folder, seed=1).tables["example"]
    assert found.height == 300 and found["place"].is_sorted()
    assert found.filter("trained")["text"][0] == "two" and not found["trained"][0]


def test_the_file_alone_is_as_good_as_its_folder(make_rows: Rows, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "mine")
    rows = make_rows({}, {"prompt": "hello ?"})
    by_folder, by_file = (tokens(rows, tokenizer=path, seed=1) for path in (folder, folder / "tokenizer.json"))
    assert_frame_equal(by_folder.signals, by_file.signals)
    assert by_folder.tables["made"].row(0) == by_file.tables["made"].row(0)
    assert by_folder.tables["made"]["name"][0] == "mine"


def test_a_file_of_its_own_goes_before_the_template_in_the_configuration(make_rows: Rows, tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path / "tokenizer")
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }} {% endfor %}")
    assert tokens(make_rows({}), tokenizer=folder, seed=1).signals["total"].to_list() == [2]
    (folder / "chat_template.jinja").unlink()
    several = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHATML}]
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}))
    assert tokens(make_rows({}), tokenizer=folder, seed=1).signals["total"].to_list() == [8]


@pytest.mark.parametrize(
    ("name", "text", "message", "code"),
    [
        ("tokenizer.json", "not json", "is no tokenizer", 4),
        ("tokenizer.json", '{"a": 1}', "is no tokenizer", 4),
        ("tokenizer_config.json", "[1]", "is no JSON object", 4),
        ("tokenizer_config.json", '{"chat_template": 3}', "`chat_template` is no text", 4),
        ("chat_template.jinja", "{% for m in messages %}\n{{ m.content }", "chat template line 2", 4),
        ("chat_template.jinja", "{% nothing %}", "unknown tag", 4),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    make_rows: Rows, tmp_path: Path, name: str, text: str, message: str, code: int
) -> None:
    folder = write_tokenizer(tmp_path / "tokenizer")
    (folder / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        tokens(make_rows({}), tokenizer=folder, seed=1)
    assert caught.value.code == code and caught.value.fix


def test_a_folder_without_a_tokenizer_is_named(make_rows: Rows, tmp_path: Path) -> None:
    for path, message in ((tmp_path, r"holds no tokenizer\.json"), (tmp_path / "absent", "no such file or folder")):
        with pytest.raises(UserError, match=message) as caught:
            tokens(make_rows(), tokenizer=path, seed=1)
        assert caught.value.code == 5 and "save_pretrained" in caught.value.fix


def test_a_missing_library_is_named_with_its_extra(
    make_rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tokenizer(tmp_path / "tokenizer")
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"not installed; pip install 'curatune\[tune\]'") as caught:
        tokens(make_rows(), tokenizer=folder, seed=1)
    assert caught.value.code == 5


def test_the_choice_of_the_user_about_threads_stays(
    make_rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "0")
    tokens(make_rows({}), tokenizer=write_tokenizer(tmp_path / "tokenizer"), seed=1)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "0"


RECIPE = """
name = "small"
[[sources]]
name = "talk"
path = "talk.jsonl"
format = "messages"
[[stages]]
name = "count"
steps = [{ step = "tokens", tokenizer = "model" }]
"""


def test_a_recipe_names_a_folder_and_a_changed_template_counts_again(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "talk.jsonl").write_text(json.dumps({"messages": TALK}) + "\n")
    recipe = curate.load_recipe(tmp_path / "recipe.toml")
    assert any("model does not exist" in str(one) for one in problems(recipe))
    (tmp_path / "model").mkdir()
    assert any("holds no tokenizer.json" in str(one) for one in problems(recipe))
    folder = write_tokenizer(tmp_path / "model")
    assert list(problems(recipe)) == []
    assert curate.run(recipe, out=tmp_path / "out").rows["tokens.total"].to_list() == [25]
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }} {% endfor %}")
    assert curate.run(recipe, out=tmp_path / "out").rows["tokens.total"].to_list() == [13]
    assert pl.read_parquet(tmp_path / "out" / "tables" / "tokens.made.parquet")["marker"].to_list() == [""]
