"""Template texts compile once in a sandbox, values come out literally, and the bundled templates are clean."""

from collections import Counter
from functools import cache

import pytest
import renderings
from hypothesis import given
from hypothesis import strategies as st

from curate import render, rulebook, templates
from curate.errors import UserError

FAMILIES = rulebook.families()


@pytest.mark.parametrize("text", ["{{ body }}", "{% for x in [body] %}{{ x }}{% endfor %}"], ids=["joined", "jinja"])
@given(body=st.text(min_size=1))
def test_values_come_out_exactly_as_they_are(text, body):
    assert templates.program(text)({"body": body}) == body


@cache
def both(family):
    """Return the fast program, or None, and Jinja's of each text of a family."""
    texts = [one.strip() for each in FAMILIES[family].templates for one in (each.prompt, each.response) if one]
    return [(templates._joined(one), templates._jinja(one)) for one in texts]


@pytest.mark.parametrize("family", FAMILIES)
@given(text=st.text(), items=st.lists(st.text(), max_size=4))
def test_the_fast_path_says_what_jinja_says(family, text, items):
    values = {slot: items if kinds == ("list",) else text for slot, kinds in FAMILIES[family].types.items()}
    values |= {"options": items, "letter": "A", "number": "1"}
    fast = [(joined, jinja) for joined, jinja in both(family) if joined]
    assert len(fast) == len(both(family))
    assert [joined(values) for joined, _ in fast] == [jinja(values) for _, jinja in fast]


CHOICES = (
    "{{ body | trim }}",
    "{% if other %}{{ body }}{% endif %}",
    "Say:\n{% if other %}\n  {{ body | trim }} and {{ other }}\n{% else %}\nonly {{ body }}\n{% endif %}\nend",
    "{% if body %}{% if other %}both{% else %}{{ items | lettered }}{% endif %}{% endif %}{{ number }}",
)


@pytest.mark.parametrize("text", CHOICES)
@given(
    body=st.text() | st.sampled_from([" x ", "\u2003x\n"]), other=st.text() | st.none() | st.just([]) | st.integers(),
    items=st.lists(st.text(), max_size=3), number=st.integers() | st.floats(allow_nan=False),
)  # fmt: skip
def test_choices_and_trims_on_the_fast_path_say_what_jinja_says(text, body, other, items, number):
    values = {"body": body, "other": other, "items": items, "number": number}

    def said(program):
        try:
            return program(values)
        except UserError as error:
            return error.what

    joined = templates._joined(text)
    assert joined is not None
    assert said(joined) == said(templates._jinja(text))


@pytest.mark.parametrize(
    "text", ["{% if a and b %}x{% endif %}", "{% if a %}x{% elif b %}y{% endif %}", "{{ a | upper }}"]
)
def test_what_does_more_is_left_to_jinja(text):
    assert templates._joined(text) is None


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
    with pytest.raises(UserError, match=r"gone|functions|random"):
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
        ("{{ items | json }}", '["a", "b", "c"]'),
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
def test_bundled_families_are_broad(family):
    templates.check(family)
    drawn = [one for one in family.templates if not one.unseen]
    assert len(drawn) >= 8
    assert len(family.templates) - len(drawn) >= 2
    assert 1 <= sum(one.kind == "inverted" for one in family.templates) <= 3
    assert all(one.style for one in family.templates)
    assert family.metrics
    assert len(family.example) >= 2


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_previews_show_every_template_of_a_family(family):
    shown = {one.template for number in range(len(family.example)) for one in render.preview(family, example=number)}
    assert shown == {template.id for template in family.templates}


def test_golden_renderings_are_what_the_templates_say():
    assert renderings.FILE.read_text(encoding="utf-8") == renderings.text(), "run `make fix` and look at the difference"
    assert Counter(name.partition(".")[0] for name in renderings.fresh()) == dict.fromkeys(FAMILIES, 3)


@pytest.mark.parametrize("text", ["{{ text * 200000000 }}", "{{ 9**9**8 }}", "{{ '%999999999d' % 5 }}"])
def test_operators_without_end_are_refused(text):
    with pytest.raises(UserError, match="may have no end"):
        templates.program(text)({"text": "a"})


def test_numbers_may_be_multiplied():
    assert templates.program("{{ 3 * 4 }} {{ 7 % 2 }}")({}) == "12 1"


@pytest.mark.parametrize(
    ("text", "filled"), [('{{ many | join(", ") }}', "1, x"), ('{{ body | replace("a", "bb") }}', "bbx")]
)
def test_texts_in_quotes_are_put_between_and_in_place(text, filled):
    assert templates.program(text)({"many": ["1", "x"], "body": "ax"}) == filled


@pytest.mark.parametrize("text", ['{{ many | join("xx") | join("yy") }}', "{{ many | join(body) }}"])
def test_what_is_put_between_is_bounded(text):
    with pytest.raises(UserError, match="takes texts in quotes, once"):
        templates.program(text)
