"""The linter sees the faults that public collections of templates have, says where, and finds none in ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from curate import lint, load_recipe, rulebook
from curate.check import problems
from curate.render import Plan, Pool, renderer

FAMILIES = rulebook.families()
# A bundled template with one fault put in, and the line (counted from its id) and the words by which it is told.
PLANTED = {
    "a letter after a slot": ("nli.does_it_follow", "{{ premise }}\n", "{{ premise }}s\n", 3, "glued to a slot"),
    "a heading glued to the text": ("nli.relation", "{{ premise }}\nHyp", "{{ premise }}Hyp", 4, "glued to a slot"),
    "a slot glued to its heading": ("qa_open.form", "Question: {{", "Question:{{", 3, "glued to a slot"),
    "options that are not listed": ("nli.support", "Decide how", "Options below. Decide how", 3, "not listed"),
    "a letter without letters": ("nli.letter", "| lettered", "| bullets", 0, "the prompt shows none"),
    "the same pattern twice": ("qa_open.casual", "Quick one for you: {{ question }}", "Answer this question from what"
                               " you know.\n\n{{ question }}", 0, "reads like that of 'qa_open.answer_this'"),
    "a leading blank line": ("qa_open.casual", "prompt = '''\n", "prompt = '''\n\n", 0, "begins with an empty line"),
    "a slot that is left out": ("nli.support", "Second text: {{ hypothesis }}", "", 0, "'hypothesis' is not used"),
    "an answer in the prompt": ("qa_open.form", "Answer:", "Answer: {{ answer }}", 0,
                                "holds 'answer', which is the answer"),
    "a target in an inverted prompt": ("summarization.expand", "{{ summary }}", "{{ summary }} {{ document }}", 0,
                                       "holds 'document', which is the answer"),
    "doubled blanks": ("qa_open.form", "Question: ", "Question:  ", 0, "doubled or misplaced blanks"),
    "another system's slot": ("qa_open.casual", "Quick one for", "Quick {one} for", 4, "a stray marker '{one}'"),
    "another system's border": ("qa_open.casual", "Quick one", "||| Quick one", 4, "a stray marker '|||'"),
    "a prompt that is mostly its own": ("qa_open.casual", "Quick", "Quick " * 90, 0, "words of its own"),
    "a next turn without its record": ("nli.support", "Second text: {{ hypothesis }}\n'''\nresponse",
                                       "And now?\n'''\nresponse", 0, "`again` does not show 'hypothesis'"),
    "a next turn with its answer": ("qa_open.casual", "Here is another:", "Here is {{ answer }}, another:", 0,
                                    "holds 'answer', which is the answer"),
    "a next turn without letters": ("classification.letter", "{{ text }}\n\n{{ options | lettered }}\n'''\nresponse",
                                    "{{ text }} {{ options | inline }}\n'''\nresponse", 0, "the `again` shows none"),
    "a word said twice": ("nli.support", "Decide how far", "Decide how how far", 3, "'how how' says a word twice"),
    "an open quotation": ("nli.does_it_follow", '{{ hypothesis }}"', "{{ hypothesis }}", 0, "does not close it"),
    "headings that are swapped": ("nli.relation", "Hypothesis: {{ hypothesis }}", "Hypothesis: {{ premise }}"
                                  " {{ hypothesis }}", 4, "'Hypothesis:' stands before the slot 'premise'"),
    "a text that is printed twice": ("nli.support", "First text: {{ premise }}", "First text: {{ premise }}"
                                     " {{ premise }}", 0, "'premise' is printed twice"),
    "options that are no labels": ("nli.support", "Decide how", "Say yes or no. Decide how", 3,
                                   "'yes or no' need not be the labels"),
    "an empty space before a mark": ("qa_open.casual", "for you:", "for you , yes:", 0, "blanks or marks"),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_bundled_templates_have_no_fault(family):
    path = rulebook.RULES / "templates" / f"{family.family}.toml"
    assert [str(fault) for fault in lint.faults(family, path)] == []
    assert [*lint.examples(family)] == []


@pytest.mark.parametrize(("name", "before", "after", "below", "said"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_told_with_its_line(tmp_path: Path, name, before, after, below, said):
    family = name.split(".")[0]
    text = (rulebook.RULES / "templates" / f"{family}.toml").read_text(encoding="utf-8")
    at = text.index(f'id = "{name}"')
    assert before in text[at:]
    text = text[:at] + text[at:].replace(before, after, 1)
    path = tmp_path / f"{family}.toml"
    path.write_text(text, encoding="utf-8")
    found = lint.faults(rulebook.load(path, rulebook.Family), path)
    assert {fault.template for fault in found} == {name}
    assert any(said in fault.what for fault in found), [str(fault) for fault in found]
    first = text[:at].count("\n") + 1
    if below:
        assert any(fault.line > first for fault in found)
    assert all(fault.fix and str(path) in str(fault) for fault in found)


def test_an_answer_that_is_no_option_is_told():
    family = FAMILIES["multiple_choice"]
    wrong = family.model_copy(update={"example": ({**family.example[0], "answer": "a hammer"},)})
    assert "answer 'a hammer' is not among the choices" in " ".join(lint.examples(wrong))
    labels = FAMILIES["nli"].model_copy(update={"example_labels": ("yes", "no")})
    assert "the label is none of `example_labels`" in " ".join(lint.examples(labels))


def test_check_lists_the_faults_of_own_templates(tmp_path: Path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "more.toml").write_text(
        'family = "qa_open"\nwhy = "ours"\n\n[[templates]]\nid = "qa_open.ours"\nkind = "zero_shot"\n'
        'prompt = "Say:{{ question }}"\nresponse = "{{ answer }}"\n',
        encoding="utf-8",
    )
    (tmp_path / "data.jsonl").write_text('{"question": "Who?", "answer": "Me"}\n', encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(
        'name = "own"\n[[sources]]\nname = "a"\npath = "data.jsonl"\ntask = "qa_open"\n[templates]\npath = "own"\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "curate", "check", "recipe.toml"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "more.toml:7: template 'qa_open.ours': ':{{': text is glued to a slot" in " ".join(found.stderr.split())


def test_a_family_whose_templates_are_all_kept_from_training_is_a_mistake_but_of_held_out_sources(tmp_path: Path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ours.toml").write_text(
        'family = "ours"\nwhy = "ours"\ntarget = "answer"\n[slots]\nquestion = "text"\nanswer = "text"\n'
        '[[example]]\nquestion = "Who?"\nanswer = "Me"\n'
        '[[templates]]\nid = "ours.a"\nkind = "zero_shot"\nunseen = true\n'
        'prompt = "{{ question }}"\nresponse = "{{ answer }}"\n',
        encoding="utf-8",
    )
    (tmp_path / "data.jsonl").write_text('{"question": "Why?", "answer": "So"}\n', encoding="utf-8")
    source = '[[sources]]\nname = "{}"\npath = "data.jsonl"\ntask = "ours"\nsplit = "{}"\n'
    text = 'name = "own"\n' + source.format("a", "train") + source.format("b", "heldout")
    (tmp_path / "recipe.toml").write_text(text + '[templates]\npath = "own"\n', encoding="utf-8")
    assert list(problems(load_recipe(tmp_path / "recipe.toml"))) == [
        "source 'a': family 'ours': all templates of kind zero_shot, chain_of_thought are `unseen`, kept from training"
    ]


def test_a_record_rejected_for_want_of_templates_is_told_that_they_are_kept_from_training():
    family = rulebook.families()["qa_open"]
    kept = tuple(one.model_copy(update={"unseen": True}) for one in family.templates)
    slots = {"question": "Who?", "answer": "Me"}
    with pytest.raises(ValueError, match="all templates of these kinds are `unseen`, kept from training"):
        renderer(family=family.model_copy(update={"templates": kept}), pool=Pool(), plan=Plan(seed=1))("r", slots)
