"""Templates of the promptsource form: what means the same here is carried over, all else is refused with its reason."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curate import promptsource, render, rulebook, templates
from curate.errors import UserError
from curate.rewording import BORDER, Writer

FAMILIES = rulebook.families()
NLI = FAMILIES["nli"]
YES = "Yes ||| Maybe ||| No"


def file_of(folder: Path, **texts: Any) -> Path:
    """Write a file as promptsource does, a template per name: its text, or text and answer choices."""
    path = folder / "templates.yaml"
    pairs = {name: text if isinstance(text, tuple) else (text, None) for name, text in texts.items()}
    whole = "dataset: some\ntemplates:\n"
    for number, (name, (text, choices)) in enumerate(pairs.items()):
        whole += f"  id-{number}: !Template\n    answer_choices: {json.dumps(choices)}\n    jinja: {json.dumps(text)}\n"
        whole += f"    metadata: !TemplateMetadata\n      metrics: [Accuracy]\n    name: {json.dumps(name)}\n"
    path.write_text(whole, encoding="utf-8")
    return path


def one(text: str, *, family: str = "nli", choices: Any = None, renames: dict[str, str] | None = None) -> Writer:
    return Writer({"jinja": text, "answer_choices": choices}, FAMILIES[family], renames or {})


@pytest.mark.parametrize(
    ("text", "choices", "prompt", "response"),
    [
        ("{{premise}} So {{ hypothesis }}? ||| {{answer_choices[label]}}", YES,
         "{{ premise }} So {{ hypothesis }}?", "{{ label }}"),
        ('Is it {{"true"}} or {{ answer_choices [2] }}? {{premise}}||| {{ answer_choices [label] }}', YES,
         "Is it true or No? {{ premise }}", "{{ label }}"),
        ("{{premise}} {{answer_choices | join(', ')}}|||{{label}}", YES, "{{ premise }} {{ options | commas }}",
         "{{ label }}"),
        ("{{premise}} {{answer_choices | join(' or ')}}|||{{label}}", "A|||B", "{{ premise }} {{ options | inline }}",
         "{{ label }}"),
        ("{{premise}}\n- {{answer_choices | join('\\n- ')}}|||{{label}}", YES, "{{ premise }}\n{{ options | bullets }}",
         "{{ label }}"),
        ("{{premise}} {{answer_choices | join(' / ')}}|||{{label}}", YES, '{{ premise }} {{ options | join(" / ") }}',
         "{{ label }}"),
        ("{{premise}} \n\nTrue? |||\n{{label}} ", None, "{{ premise }}\n\nTrue?", "{{ label }}"),
        ("{# note #}{{premise | trim}}|||{{label | lower}}", None, "{{ premise | trim }}", "{{ label | lower }}"),
    ],
)  # fmt: skip
def test_what_means_the_same_is_written_down_anew(text: str, choices: str, prompt: str, response: str) -> None:
    found = one(text, choices=choices)
    assert (found.prompt, found.response, found.kind) == (prompt, response, "zero_shot")


def test_a_question_for_an_input_is_inverted() -> None:
    assert one("A premise for {{label}}: ||| {{premise}}", choices=YES).kind == "inverted"


def test_choices_of_the_record_are_options_and_its_columns_paths() -> None:
    found = one(
        "{{question}} {{answer_choices | join(', ')}} ||| {{answer_choices[key]}}",
        family="multiple_choice",
        choices='{{ choices.text | join("|||") }}',
        renames={"choices.text": "choices", "key": "answer"},
    )
    assert (found.prompt, found.response) == ("{{ question }} {{ options | commas }}", "{{ answer }}")
    assert found.columns == {"choices": "choices.text", "question": "question", "answer": "key"}
    assert not found.worded
    assert found.template("multiple_choice.x").needs == ("options",)


@pytest.mark.parametrize(
    ("text", "choices", "reason"),
    [
        ("{{premise}}", None, "has 0 borders"),
        ("{{premise}} ||| {{label}} ||| x", None, "has 2 borders"),
        ("{{premise}} |||", None, "blank"),
        ("{{premise}} ||| yes", None, "the same words for every record"),
        ("{{premise}} ||| {{hypothesis}} {{label}}", None, "answers with hypothesis, label"),
        ("{{sentence}} ||| {{label}}", None, "--field sentence=SLOT"),
        ("{{ choice(['a']) }} {{premise}} ||| {{label}}", None, "calls choice()"),
        ("{{ premise.split() }} ||| {{label}}", None, "calls split()"),
        ("{{ [1, 2] | random }} ||| {{label}}", None, "the filter 'random'"),
        ("{% for x in choices %}{{ x }}{% endfor %} ||| {{label}}", None, "has a loop"),
        ("{% if premise %}a{% endif %} ||| {{label}}", None, "has an if-block"),
        ("{% set x = premise %}{{ x }} ||| {{label}}", None, "has a variable"),
        ("{% include 'x' %} ||| {{label}}", None, "has a block (include)"),
        ("{{premise}} ||| {{ answer_choices[1 - label] }}", YES, "holds an expression (sub)"),
        ("{{premise}} ||| {{ answer_choices[label] }}", None, "points at answer choices and has none"),
        ("{{premise}} ||| {{ answer_choices[premise] }}", YES, "'premise', which is not the answer"),
        ("{{premise}} {{answer_choices}} ||| {{label}}", YES, "prints the answer choices as they are"),
        ("{{premise}} {{answer_choices[3]}} ||| {{label}}", YES, "there is no answer choice 3"),
        ("{{premise | join(', ')}} ||| {{label}}", None, "joins 'premise', which is no list"),
        ("{{premise}} ||| {{answer_choices[label]}}", [True, False], "quote words such as yes and no"),
        ("{{premise}} ||| {{answer_choices[label]}}", "{{ a }}|||{{ b }}", "worked out by an expression"),
        ("{{premise}} {{ ''.__class__ }} ||| {{label}}", None, "holds an expression (const)"),
        ("{{ '{{ 7 * 7 }}' }} {{premise}} ||| {{label}}", None, "its words hold {{"),
        ("{ {{- premise }} ||| {{label}}", None, "a brace stands before a field"),
        ("{{premise ||| {{label}}", None, "line 1 of its text"),
        ("{{" + "(" * 5000 + "premise" + ")" * 5000 + "}} ||| {{label}}", None, "nested too deeply"),
        ("x" * 20_001, None, "longer than 20,000 characters"),
        (7, None, "has no text"),
    ],
)
def test_what_cannot_be_carried_over_has_its_reason(text: Any, choices: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        one(text, choices=choices)


# Jinja itself makes one line break of "\r".
WORDS = st.one_of(
    st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["{", "}", "{{", "#}", "\n", "'''", "- ", "\x7f"]),
)


@given(st.lists(WORDS, max_size=5).map("".join))
def test_words_are_kept_exactly_and_never_become_code(words: str) -> None:
    literal = json.dumps(words, ensure_ascii=False)
    try:
        found = one("[{{ premise }}{{ " + literal + " }}] ||| {{ label }}").template("nli.x")
    except ValueError as refused:
        assert "{" in words or BORDER in words, refused
        return
    carried = promptsource.Carried((found,), (), (), {})
    (again,) = tomllib.loads(promptsource.written(carried, family="nli", why="w"))["templates"]
    assert templates.program(again["prompt"])({"premise": "P"}) == re.sub(r"[ \t]+\n", "\n", f"[P{words}]")


def test_an_import_loads_and_renders_and_tells_the_recipe(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        **{
            "Should assume?": ("Given {{first}} is {{hypothesis}} true? ||| {{answer_choices[label]}}", YES),
            "should assume": ("Assume {{first}} Then {{hypothesis}}? ||| {{ answer_choices[label] }}", YES),
            "other words": ("{{first}} {{hypothesis}} ||| {{answer_choices[label]}}", "Right|||Open|||Wrong"),
            "日本": ("{{first}} So: {{hypothesis}}s ||| {{answer_choices[label]}}", YES),
            "chance": "{{ choice([1]) }} ||| {{label}}",
        },
    )
    out = tmp_path / "own" / "more.toml"
    carried, faults = promptsource.adopt(path, out, family=NLI, renames={"first": "premise"})
    assert [one.id for one in carried.templates] == ["nli.should_assume", "nli.should_assume_2", "nli.imported"]
    assert [name for name, _ in carried.refused] == ["other words", "chance"]
    assert promptsource.told(carried) == {
        "fields": 'fields = { premise = "first" }',
        "labels": 'labels = { "0" = "Yes", "1" = "Maybe", "2" = "No" }',
    }
    assert len(faults) == 1
    assert f"{out}:" in faults[0]
    assert "glued to a slot" in faults[0]
    family = rulebook.families(out.parent)["nli"]
    labels = {"0": "Yes", "1": "Maybe", "2": "No"}
    slots = render.slots_of({"first": "A.", "hypothesis": "B", "label": 2}, family=family,
                            fields={"premise": "first"}, labels=labels)  # fmt: skip
    shown = {
        one.template: one for one in render.every("r", slots, family=family, pool=render.Pool(tuple(labels.values())))
    }
    assert shown["nli.should_assume"].prompt == "Given A. is B true?"
    assert shown["nli.should_assume"].response == "No"


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "curate", "templates", *map(str, arguments)]
    return subprocess.run(asked, capture_output=True, text=True, cwd=cwd, check=False)


def test_the_command_tells_all_and_overwrites_nothing(tmp_path: Path) -> None:
    file_of(tmp_path, **{"a\x1b[31m": "{{premise}} {{hypothesis}}! ||| {{label}}", "b": "{{premise}}"})
    asked = ("nli", "--import", "templates.yaml", "--out", "own.toml")
    done = command(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "1 of 2 templates carried over to own.toml\n  nli.a_31m (zero_shot)\nrefused 'b': has 0 borders" in done.stdout
    )
    assert "\x1b" not in done.stdout
    again = command(*asked, cwd=tmp_path)
    assert again.returncode == 2
    assert "exists" in again.stderr
    told = json.loads(command(*asked[:-1], "other.toml", "--json", cwd=tmp_path).stdout)
    assert told["templates"] == [{"id": "nli.a_31m", "kind": "zero_shot"}]
    assert told["recipe"] == {}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--import", "templates.yaml"), 2, "add --out"),
        (("--out", "own.toml"), 2, "goes with --import"),
        (("--import", "none.yaml", "--out", "own.toml"), 4, "cannot be read"),
        (("--import", "templates.yaml", "--out", "own.txt"), 2, "is not a .toml file"),
        (("--import", "templates.yaml", "--out", "own.toml", "--label", "a=b"), 2, "goes with --record"),
        (("--import", "templates.yaml", "--record", "a:1", "--out", "own.toml"), 2, "do not go together"),
        (("--import", "templates.yaml", "--out", "own.toml", "--field", "a=premis"), 2, "did you mean 'premise'?"),
        (("--import", "templates.yaml", "--out", "own.toml"), 2, "'b' has 0 borders"),
    ],
    ids=str,
)
def test_mistakes_say_what_to_do(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    file_of(tmp_path, b="{{premise}}")
    done = command("nli", *arguments, cwd=tmp_path)
    assert said in " ".join(done.stderr.split())
    assert done.returncode == code
    assert not (tmp_path / "own.toml").exists()


@pytest.mark.parametrize(
    "text",
    [
        "templates: !!python/object/apply:os.system ['true']",
        "templates: {a: !!python/name:os.system }",
        "templates: {a: !Other {jinja: x}}",
        "templates: {a: !Template [x]}",
        "a: &a {x: 1}\nb: &b {<<: [*a, *a]}\ntemplates: {c: {<<: [*b, *b]}}",
        "templates: []",
        "[" * 5000,
        "templates: {a: 2020-99-99}",
        "templates: {a: \x07}",
        "- just a list",
        "",
    ],
)
def test_files_of_other_forms_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError):
        promptsource.load(tmp_path / "a.yaml")


def test_a_file_that_is_no_utf8_or_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"templates: {a: \xff}")
    with pytest.raises(UserError, match="no plain YAML"):
        promptsource.load(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"#" * (promptsource.FILE_CAP + 1))
    with pytest.raises(UserError, match="larger than"):
        promptsource.load(tmp_path / "b.yaml")


def test_shared_lists_stay_shared(tmp_path: Path) -> None:
    layers = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    body = "\n".join([*layers, "templates: {t: !Template {name: t, jinja: '{{premise}}', answer_choices: *a11}}"])
    (tmp_path / "a.yaml").write_text(body, encoding="utf-8")
    assert list(promptsource.load(tmp_path / "a.yaml")) == ["t"]
    assert promptsource.carry(tmp_path / "a.yaml", family=NLI, renames={}).refused[0][1].startswith("an answer choice")


def test_the_loader_leaves_that_of_yaml_alone() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load("!Template {a: 1}")
