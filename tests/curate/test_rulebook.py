"""The rule files are read strictly, and every mistake is named with its place and the near match."""

from pathlib import Path

import pytest

from curate import rulebook
from curate.concepts import ConceptFile
from curate.errors import UserError
from curate.evidence import Evidence
from tune.character import pairs
from tune.plan import load_plan

FAMILY = """
family = "ranking"
why = "to order things"
target = "order"
example = { items = ["a", "b"], order = "b, a" }

[slots]
items = "list"
order = "text"

[optional]
hint = "text"

[[templates]]
id = "ranking.sort"
kind = "zero_shot"
prompt = "Sort: {{ items | commas }}"
response = "{{ order }}"
"""
MORE = """
family = "qa_open"
why = "our house style"

[[templates]]
id = "qa_open.ours"
kind = "zero_shot"
prompt = "Please: {{ question }}"
response = "{{ answer }}"
"""
PATTERNS = """
why = "to find shouts"

[[patterns]]
id = "shout.one"
kind = "shout"
regex = '\\b[A-Z]{5,}\\b'
hits = ["HELLO there"]
misses = ["Hello there"]
"""
LEXICON = """
why = "to find fruit"
language = "en"

[[entries]]
category = "fruit"
terms = ["apple", "pear"]
hits = ["an apple a day"]
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, name: str = "own.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_patterns_are_compiled_in_the_order_of_the_file(written):
    second = PATTERNS[PATTERNS.index("[[") :].replace("shout.one", "shout.two")
    found = rulebook.patterns(written(PATTERNS + second))
    assert [pattern.id for pattern in found] == ["shout.one", "shout.two"]
    assert found[0].regex.search("HELLO there")
    assert found[0].validator is None
    assert found[0].misses == ("Hello there",)


def test_lexicon_entries_count_in_full_by_default(written):
    found = rulebook.lexicon(written(LEXICON))
    assert (found.language, found.entries[0].terms, found.entries[0].weight) == ("en", ("apple", "pear"), 1.0)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (PATTERNS.replace("{5,}", "{5,}("), r"patterns\[0\].regex: is not a regular expression"),
        (PATTERNS.replace("regex", "regx"), r"regx: unknown key; did you mean 'regex'\?"),
        (PATTERNS.replace('kind = "shout"', ""), r"patterns\[0\].kind: missing"),
        (PATTERNS + PATTERNS[PATTERNS.index("[[") :], "id used more than once: shout.one"),
        (PATTERNS.replace('["HELLO there"]', '"HELLO there"'), r"patterns\[0\].hits"),
        ('why = "x"\npatterns = []', "patterns: .*at least 1"),
        ("why = ", "is not TOML"),
    ],
)
def test_broken_pattern_files_name_the_mistake(written, broken, said):
    with pytest.raises(UserError, match=said) as caught:
        rulebook.patterns(written(broken))
    assert caught.value.where.endswith("own.toml")


@pytest.mark.parametrize("weight", ["1.5", "-0.1", '"1"', "true"])
def test_lexicon_weights_are_numbers_from_0_to_1(written, weight):
    with pytest.raises(UserError, match=r"entries\[0\].weight"):
        rulebook.lexicon(written(LEXICON + f"weight = {weight}\n"))


@pytest.mark.parametrize("term", [r"rain\w*", r"\bdamn", "rain.*", "shut.+up", "[a-z]ool"])
def test_a_term_that_is_meant_as_a_regular_expression_is_a_mistake(written, term):
    text = f"why = 'x'\nlanguage = 'en'\n[[entries]]\ncategory = 'hate'\nterms = ['fine', '{term}']\n"
    with pytest.raises(UserError, match="a term is looked for as it is written") as caught:
        rulebook.lexicon(written(text))
    assert "entries[0].terms[1]" in str(caught.value) and repr(term) in str(caught.value)


def test_signs_in_words_are_none_of_a_regular_expression(written):
    terms = ["c++", "f**k", "a.b", "u.s.", "...", "what?", "[sic]", "(see below)", "a|b", "$$", "<3", "^_^", "and/or"]
    listed = ", ".join(f"'{term}'" for term in terms)
    text = f"why = 'x'\nlanguage = 'en'\n[[entries]]\ncategory = 'hate'\nterms = [{listed}]\n"
    assert list(rulebook.lexicon(written(text)).entries[0].terms) == terms


def test_all_mistakes_of_a_file_are_told_at_once(written):
    broken = LEXICON.replace("terms", "termz").replace("category", "kategory")
    with pytest.raises(UserError, match="4 mistakes") as caught:
        rulebook.lexicon(written(broken))
    assert "at least 1 item" not in str(caught.value)


def test_a_name_that_is_not_bundled_is_an_error():
    with pytest.raises(UserError, match=r"no file '\.\./secrets\.toml'"):
        rulebook.lexicon("../secrets")


def test_a_changed_file_is_read_again(written):
    path = written(LEXICON)
    assert rulebook.lexicon(path).entries[0].terms == ("apple", "pear")
    assert rulebook.lexicon(path) is rulebook.lexicon(path)
    written(LEXICON.replace('"pear"', '"fig", "plum"'))
    assert rulebook.lexicon(path).entries[0].terms == ("apple", "fig", "plum")


def test_the_bundled_families_have_the_promised_slots():
    found = {name: (list(f.slots), list(f.optional), f.target) for name, f in rulebook.families().items()}
    assert found == {
        "classification": (["text", "label"], [], ("label",)),
        "nli": (["premise", "hypothesis", "label"], [], ("label",)),
        "paraphrase": (["text1", "text2", "label"], [], ("label",)),
        "qa_closed": (["context", "question", "answer"], [], ("answer",)),
        "qa_open": (["question", "answer"], [], ("answer",)),
        "multiple_choice": (["question", "choices", "answer"], ["context"], ("answer",)),
        "summarization": (["document", "summary"], [], ("summary",)),
        "translation": (["source", "target"], ["source_lang", "target_lang"], ("target",)),
        "generation": (["input", "target"], [], ("target",)),
        "math": (["question", "answer"], ["rationale"], ("answer", "rationale")),
        "dialogue": ([], ["messages", "context", "response"], ("response",)),
        "rewriting": (["source", "target"], [], ("target",)),
        "extraction": (["text", "target"], [], ("target",)),
    }


def test_a_folder_of_ones_own_adds_families_and_templates(written):
    written(FAMILY)
    folder = written(MORE, "more.toml").parent
    found = rulebook.families(folder)
    assert found["ranking"].types == {"items": ("list",), "order": ("text",), "hint": ("text",)}
    assert found["ranking"].inputs == ("items", "hint")
    assert found["qa_open"].templates[-1].id == "qa_open.ours"
    assert found["qa_open"].templates[:-1] == rulebook.families()["qa_open"].templates


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (FAMILY.replace('"ranking"', '"math"'), "family 'math' is taken"),
        (FAMILY.replace('target = "order"', 'target = "ordr"'), "target: 'ordr' is not a slot; did you mean 'order'"),
        (FAMILY.replace('"text"\n\n[opt', '"string"\n\n[opt'), "slots.order"),
        (FAMILY.replace("ranking.sort", "rank.sort"), "the id must begin with 'ranking.'"),
        (FAMILY.replace("zero_shot", "few_shot"), r"templates\[0\].kind"),
        (FAMILY.replace('kind = "zero_shot"', 'kind = "zero_shot"\nneeds = ["hnt"]'), "did you mean 'hint'"),
        (FAMILY.replace('"{{ order }}"', '" "'), "the prompt or the response is blank"),
        (FAMILY.replace("hint =", "options ="), "slot 'options' has the name of a derived value"),
        (FAMILY.replace("hint =", "items ="), "slot 'items' is both required and optional"),
        (FAMILY + FAMILY[FAMILY.index("[[") :], "id 'ranking.sort' is used more than once"),
        (FAMILY.replace("prompt =", "turns ="), "is not a slot of type messages"),
        (MORE.replace('"qa_open"', '"qa_opn"'), "unknown family 'qa_opn'; did you mean 'qa_open'"),
        (MORE.replace("qa_open.ours", "qa_open.bare"), "id 'qa_open.bare' is used more than once"),
    ],
)
def test_broken_template_files_name_the_mistake(written, broken, said):
    with pytest.raises(UserError, match=said):
        rulebook.families(written(broken).parent)


def test_an_empty_template_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.toml file"):
        rulebook.families(tmp_path)


def test_the_examples_of_the_readme_are_legal(written):
    readme = (rulebook.RULES / "README.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in readme.split("```toml\n")[1:]]
    template, lexicon, patterns, ideas, minimal, _, known, trial = blocks
    own = written(template.replace("classification", "own_labels"), "own_labels.toml").parent
    assert rulebook.families(own)["own_labels"].example_labels == ("calm", "angry")
    assert rulebook.lexicon(written(lexicon)).entries[0].weight == 0.5
    assert rulebook.patterns(written(patterns))[0].validator == "luhn"
    assert rulebook.load(written('why = "a test"\n' + known), Evidence).reviewed[0].right == 46
    assert rulebook.load(written(ideas), ConceptFile).concepts
    assert pairs(written(minimal)).pairs
    assert load_plan(written(trial)).name == "near copies"
