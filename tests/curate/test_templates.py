"""Template texts compile once in a sandbox, values come out literally, and the bundled templates are clean."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import render, rulebook, templates
from curate.errors import UserError

FAMILIES = rulebook.families()
BUNDLED = [
    pytest.param(family, template, id=template.id) for family in FAMILIES.values() for template in family.templates
]
WORDED = [parameter for parameter in BUNDLED if parameter.values[1].turns is None]


def values_of(family, template):
    """Return one unlikely word per slot, so that one that slips into the wrong text is seen, and derived values."""
    values = {
        slot: [f"zq{slot}1", f"zq{slot}2"] if types == ("list",) else f"zq{slot}q"
        for slot, types in family.types.items()
        if slot not in template.without
    }
    answer = values.get("label", values.get("answer"))
    return {**values, "options": ["zqother", answer], "letter": "B"}


def filled(family, template):
    values = values_of(family, template)
    return templates.program(template.prompt)(values), templates.program(template.response)(values)


@pytest.mark.parametrize("text", ["{{ body }}", "{% if body %}{{ body }}{% endif %}"], ids=["joined", "jinja"])
@given(body=st.text(min_size=1))
def test_values_come_out_exactly_as_they_are(text, body):
    assert templates.program(text)({"body": body}) == body


@pytest.mark.parametrize("text", ["a {{ body }} z", "{% for x in [body] %}a {{ x }} z{% endfor %}"])
def test_a_record_that_looks_like_a_template_is_not_run(text):
    body = "{{ 7 * 7 }} {% for x in y %} {# no #}"
    assert templates.program(text)({"body": body}) == f"a {body} z"


def test_only_blanks_of_the_file_are_cut():
    assert templates.program("\n  Say {{ body }}\n\n")({"body": " x \n"}) == "Say  x \n"


def test_a_line_with_only_a_block_leaves_no_line():
    text = "first\n{% if body %}\n{{ body }}\n{% endif %}\nlast"
    assert templates.program(text)({"body": "middle"}) == "first\nmiddle\nlast"


@pytest.mark.parametrize(
    "text", ["{{ gone }}", "{% if gone %}x{% endif %}", "{{ range(3) }}", "{{ lipsum() }}", "{{ [1] | random }}"]
)
def test_a_name_without_value_is_an_error(text):
    with pytest.raises(UserError, match=r"gone|range|lipsum|random"):
        templates.program(text)({"body": "x"})


@pytest.mark.parametrize(
    "text",
    ["{{ body.__class__.__mro__ }}", "{{ items.append('x') }}", "{% include 'x' %}", "{{ items }}", "{{ body == '' }}"],
)
def test_the_sandbox_refuses(text):
    items = ["a"]
    with pytest.raises(UserError):
        templates.program(text)({"body": "x", "items": items})
    assert items == ["a"]


def test_a_syntax_error_names_its_line():
    with pytest.raises(UserError, match="line 2"):
        templates.program("fine\n{% if %}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ items | bullets }}", "- a\n- b\n- c"),
        ("{{ items | lettered }}", "(A) a\n(B) b\n(C) c"),
        ("{{ items | numbered }}", "1. a\n2. b\n3. c"),
        ("{{ items | inline }}", "a, b or c"),
        ("{{ items[:2] | inline }}", "a or b"),
        ("{{ items[:1] | inline }}", "a"),
        ("{{ items[:0] | inline }}", ""),
        ("{{ items | commas }}", "a, b, c"),
        ("{{ items | lines }}", "a\nb\nc"),
        ("{{ 'one text' | commas }}", "one text"),
    ],
)
def test_filters_list_items(text, shown):
    assert templates.program(text)({"items": ["a", "b", "c"]}) == shown


@pytest.mark.parametrize(("index", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")])
def test_letters_go_on_after_z(index, name):
    assert templates.letter_name(index) == name


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{{ txt }}", "'txt' is no slot; did you mean 'text'"),
        ("{{ options | inline }} {{ text }}", "'options' may be absent; add it to `needs`"),
        ("{{ text | bulets }}", "bulets"),
        ("{{ text", "line 1"),
    ],
)
def test_check_names_what_a_template_gets_wrong(prompt, said):
    family = FAMILIES["classification"]
    wrong = rulebook.Template(id="classification.wrong", kind="zero_shot", prompt=prompt, response="{{ label }}")
    with pytest.raises(UserError, match=f"'classification.wrong': .*{said}"):
        templates.check(family.model_copy(update={"templates": (wrong,)}))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_bundled_families_pass_the_check(family):
    templates.check(family)
    assert sum(template.kind == "zero_shot" for template in family.templates) >= 4


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_previews_show_every_template_of_a_family(family):
    shown = render.preview(family)
    assert [one.template for one in shown] == [template.id for template in family.templates]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_no_two_templates_of_a_family_read_the_same(family):
    worded = [one for one in render.preview(family) if one.template != "dialogue.as_is"]
    prompts = {re.sub(r"\W+", " ", one.prompt).casefold() for one in worded}
    assert len(prompts) == len(worded)


@pytest.mark.parametrize(("family", "template"), WORDED)
def test_templates_use_every_slot_they_should(family, template):
    used = templates.names_in(template.prompt) | templates.names_in(template.response)
    implied = {"choices"} if "options" in used else set()
    implied |= {"answer", "label"} if "letter" in used else set()
    missing = set(family.slots) - used - implied
    assert missing == set()
    assert set(template.needs) <= used


@pytest.mark.parametrize(("family", "template"), WORDED)
def test_prompts_do_not_give_the_answer_away(family, template):
    prompt, _ = filled(family, template)
    listed = {"answer", "label"} if "options" in template.needs else set()
    hidden = set(family.target) if template.kind == "zero_shot" else templates.names_in(template.response)
    for slot in hidden - listed - {"letter"}:
        assert f"zq{slot}q" not in prompt
    if template.kind == "zero_shot":
        assert not templates.names_in(template.prompt) & set(family.target)


@pytest.mark.parametrize(("family", "template"), WORDED)
def test_inverted_templates_answer_with_an_input(family, template):
    answered = templates.names_in(template.response) - {"letter"}
    wanted = set(family.inputs) if template.kind == "inverted" else set(family.target)
    assert answered <= wanted


@pytest.mark.parametrize(("family", "template"), WORDED)
def test_texts_are_tidy(family, template):
    for source, text in zip((template.prompt, template.response), filled(family, template), strict=True):
        assert not re.search(r"\w\{\{|\}\}\w", source), "a letter is glued to a slot"
        assert "  " not in text
        assert "\n\n\n" not in text
        assert text == text.strip()
        assert not re.search(r"[^\S\n]\n|\n[^\S\n]", text), "a line begins or ends with a blank"
        assert not re.search(r"\s[,.?!]|[?!.]{2}", text)
