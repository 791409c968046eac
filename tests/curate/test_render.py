"""Slots become rows: templates chosen by hash, with examples that are not the question."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import rulebook
from curate.render import Exemplar, Plan, Pool, Rendered, renderer, slots_of
from curate.schema import digest

FAMILIES = rulebook.families()
ALL_KINDS = ("zero_shot", "few_shot", "inverted")
NEWS = {"text": "They won.", "label": "sports"}
LABELS = ("business", "science", "sports")
QUIZ = {"question": "What barks?", "choices": ["cat", "dog", "hen"], "answer": "dog"}


def taken(task, data, *, fields=None, labels=None):
    return slots_of(data, family=FAMILIES[task], fields=fields or {}, labels=labels or {})


def rows(task, slots, *, record=None, pool=None, per_record=1, kinds=("zero_shot",), seed=3) -> list[Rendered]:
    plan = Plan(per_record=per_record, kinds=kinds, seed=seed)
    record = record or digest("record")
    return renderer(family=FAMILIES[task], pool=pool or Pool(labels=(), exemplars=()), plan=plan)(record, slots)


def pool_of(*texts, label="sports"):
    slots = [{"text": text, "label": label} for text in texts]
    return Pool(labels=LABELS, exemplars=tuple(Exemplar(digest("e", s["text"]), s) for s in slots))


def seen(task, kind="zero_shot", *, without=()):
    """Return the templates that training may draw, but for those that need one of some names."""
    found = [one for one in FAMILIES[task].templates if one.kind == kind and not one.unseen]
    return {one.id for one in found if not set(without) & set(one.needs)}


# --- rendering


@pytest.mark.parametrize(("kind", "shown"), [("chain_of_thought", True), ("zero_shot", False)])
def test_a_rationale_is_shown_by_the_kind_that_asks_for_it_alone(kind, shown):
    slots = {"question": "What is 6 times 12?", "answer": "72", "rationale": "Ten 6s are 60, two more make 72."}
    found = rows("math", slots, per_record=99, kinds=(kind,))
    assert {one.template for one in found} == seen("math", kind)
    assert {slots["rationale"] in one.response for one in found} == {shown}


def test_there_is_no_chain_of_thought_without_a_rationale():
    with pytest.raises(ValueError, match="no template of family 'math' fits"):
        rows("math", {"question": "6 * 12?", "answer": "72"}, kinds=("chain_of_thought",))


def test_a_row_is_one_user_turn_and_one_trained_answer():
    (one,) = rows("qa_open", {"question": "Who?", "answer": " Me\n"})
    assert one.template.startswith("qa_open.")
    assert "Who?" in one.prompt
    assert one.response == " Me\n"
    assert one.parents == []
    assert one.messages == [
        {"role": "user", "content": one.prompt, "train": False},
        {"role": "assistant", "content": " Me\n", "train": True},
    ]


def test_renderings_of_a_record_have_different_templates():
    found = rows("classification", NEWS, pool=pool_of("a", "b"), per_record=99, kinds=ALL_KINDS)
    names = [one.template for one in found]
    zero_shot = seen("classification")
    examples = {f"{name}:few_shot" for name in zero_shot}
    assert sorted(names) == sorted(zero_shot | examples | seen("classification", "inverted"))


def test_templates_kept_from_training_are_drawn_only_where_asked():
    plan = Plan(per_record=99, unseen=True, seed=3)
    found = renderer(family=FAMILIES["classification"], pool=Pool(LABELS, ()), plan=plan)(digest("record"), NEWS)
    names = {one.template for one in found}
    assert names - seen("classification") == {"classification.annotator", "classification.what_is_it"}
    for one in rows("classification", NEWS, pool=pool_of("a", "b"), per_record=99, kinds=ALL_KINDS):
        assert one.template.split(":")[0] not in names - seen("classification")


def test_an_empty_answer_is_not_dressed_up():
    for answer in ("", " Me\n"):
        found = rows("qa_open", {"question": "Who?", "answer": answer}, per_record=99)
        assert ({one.response for one in found} == {answer}) == (answer == "")


def test_options_need_a_small_known_label_set():
    few = {one.template for one in rows("classification", NEWS, pool=Pool(LABELS, ()), per_record=99)}
    assert few == seen("classification")
    many = tuple(sorted({"sports", *map(str, range(20))}))
    for labels in ((), ("sports",), ("business", "science"), many):
        none = {one.template for one in rows("classification", NEWS, pool=Pool(labels, ()), per_record=99)}
        assert none == seen("classification", without=["options"])
        assert "classification.which_category" not in none


def test_options_are_shuffled_by_record_and_the_letter_follows():
    orders, letters = Counter(), Counter()
    for number in range(300):
        for one in rows("multiple_choice", QUIZ, record=digest(str(number)), per_record=99):
            if one.template == "multiple_choice.letter_and_text":
                options = [line for line in one.prompt.split("\n") if line.startswith("(")]
                assert one.response in options
                orders[tuple(line[4:] for line in options)] += 1
                letters[one.response[1]] += 1
    assert len(orders) == 6
    # 300 draws of 3: 100 each, with a standard deviation of 8.2.
    assert all(60 < count < 140 for count in letters.values())


def test_choices_that_point_at_each_other_keep_their_order():
    quiz = {"question": "q", "choices": ["cat", "dog", "all of the above"], "answer": "dog"}
    for number in range(20):
        for one in rows("multiple_choice", quiz, record=digest(str(number)), per_record=99):
            assert one.prompt.index("cat") < one.prompt.index("dog") < one.prompt.index("all of the above")


def test_equal_choices_are_legal():
    quiz = taken("multiple_choice", {"question": "q", "choices": ["x", "x", "y"], "answer": 1})
    found = {one.template for one in rows("multiple_choice", quiz, per_record=99)}
    assert found == seen("multiple_choice", without=["context"])


def test_a_context_is_never_left_out_of_a_choice():
    slots = taken("multiple_choice", {**QUIZ, "context": "On the farm."})
    found = rows("multiple_choice", slots, per_record=99, kinds=("zero_shot", "inverted"))
    assert len(found) == 6
    assert all("On the farm." in one.prompt for one in found)


def test_a_known_target_language_is_always_named():
    slots = {"source": "Hi", "target": "Hallo", "target_lang": "German"}
    assert all("German" in one.prompt for one in rows("translation", slots, per_record=99))
    plain = rows("translation", {"source": "Hi", "target": "Hallo"}, per_record=99)
    assert len(plain) == 4


def test_kinds_and_templates_are_drawn_evenly():
    pool = pool_of("a", "b", "c")
    kinds, templates = Counter(), Counter()
    for number in range(1500):
        (one,) = rows("classification", NEWS, record=digest(str(number)), pool=pool, kinds=ALL_KINDS)
        kind = "few_shot" if one.parents else "inverted" if one.response == NEWS["text"] else "zero_shot"
        kinds[kind] += 1
        templates[one.template] += kind == "zero_shot"
    # 500 each with a standard deviation of 18; of these 45 per zero-shot template with one of 7.
    assert all(410 < count < 590 for count in kinds.values())
    assert all(15 < count < 80 for count in (+templates).values())
    assert set(+templates) == seen("classification")


def test_chance_depends_on_seed_and_record_alone():
    pool = pool_of(*map(str, range(10)))
    again = [rows("classification", NEWS, pool=pool, per_record=3, kinds=ALL_KINDS) for _ in range(2)]
    assert again[0] == again[1]
    seeds = {
        tuple(one.prompt for one in rows("classification", NEWS, pool=pool, per_record=3, kinds=ALL_KINDS, seed=seed))
        for seed in range(20)
    }
    assert len(seeds) > 15


# --- few-shot


def test_examples_come_before_the_question_in_the_same_wording():
    pool = pool_of("The match was long.")
    for one in rows("classification", NEWS, pool=pool, per_record=99, kinds=("few_shot",)):
        template = one.template.removesuffix(":few_shot")
        assert one.template == f"{template}:few_shot"
        plain = {p.template: p for p in rows("classification", NEWS, pool=pool, per_record=99)}[template]
        assert one.prompt.endswith("\n\n" + plain.prompt)
        assert "The match was long." in one.prompt.removesuffix(plain.prompt)
        assert one.response == plain.response
        assert one.parents == [pool.exemplars[0].record]


def test_examples_and_answers_are_parted_as_documented():
    exemplar = Exemplar(digest("e"), {"question": "One?", "answer": "1"})
    found = rows(
        "qa_open", {"question": "Two?", "answer": "2"}, pool=Pool((), (exemplar,)), per_record=9, kinds=("few_shot",)
    )
    assert {one.prompt for one in found if one.template == "qa_open.bare:few_shot"} == {"One?\n1\n\nTwo?"}


def test_one_to_three_different_examples_are_drawn():
    pool = pool_of(*(f"text {number}" for number in range(8)))
    counts = Counter()
    for number in range(300):
        (one,) = rows("classification", NEWS, record=digest(str(number)), pool=pool, kinds=("few_shot",))
        assert len(set(one.parents)) == len(one.parents)
        counts[len(one.parents)] += 1
    assert set(counts) == {1, 2, 3}
    assert all(60 < count < 140 for count in counts.values())


def test_neither_the_record_nor_an_equal_input_is_an_example():
    own = Exemplar(digest("record"), {"text": "own", "label": "sports"})
    equal = Exemplar(digest("equal"), dict(NEWS))
    conflict = Exemplar(digest("conflict"), {**NEWS, "label": "science"})
    usable = Exemplar(digest("usable"), {"text": "other", "label": "science"})
    pool = Pool(LABELS, (own, equal, conflict, usable))
    for one in rows("classification", NEWS, pool=pool, per_record=99, kinds=("few_shot",)):
        assert one.parents == [usable.record]


def test_a_passage_stands_in_no_prompt_twice():
    passage = "The lighthouse was built in 1871 and has no keeper."
    same = Exemplar(digest("same"), {"context": passage, "question": "Since when?", "answer": "1985"})
    other = Exemplar(digest("other"), {"context": "Cork grows back.", "question": "When built?", "answer": "never"})
    slots = {"context": passage, "question": "When built?", "answer": "1871"}
    for kind in ("few_shot", "multi_turn"):
        for one in rows("qa_closed", slots, pool=Pool((), (same, other)), per_record=99, kinds=(kind,)):
            assert one.parents == [other.record]


def test_long_examples_are_passed_over():
    pool = pool_of("long " * 400, "short")
    for one in rows("classification", NEWS, pool=pool, per_record=99, kinds=("few_shot",)):
        assert one.parents == [pool.exemplars[1].record]


def test_without_a_usable_example_other_kinds_are_taken():
    pool = pool_of("long " * 400)
    found = rows("classification", NEWS, pool=pool, per_record=99, kinds=("few_shot", "inverted"))
    assert {one.template for one in found} == seen("classification", "inverted")
    with pytest.raises(ValueError, match=r"no template of family 'classification' fits: .*no usable exemplar"):
        rows("classification", NEWS, pool=pool, kinds=("few_shot",))


def test_examples_must_have_what_the_template_needs():
    bare = Exemplar(digest("bare"), {"question": "1+1?", "answer": "2"})
    full = Exemplar(digest("full"), {"question": "1+2?", "answer": "3", "rationale": "1 and 2 make 3."})
    slots = {"question": "2+2?", "answer": "4", "rationale": "2 and 2 make 4."}
    for one in rows("math", slots, pool=Pool((), (bare, full)), per_record=99, kinds=("few_shot",)):
        if "2 and 2 make 4." in one.response:
            assert one.parents == [full.record]
        else:
            assert "make" not in one.prompt


# --- dialogues about several records


def test_a_dialogue_asks_about_other_records_first_and_trains_the_last_answer_alone():
    pool = pool_of("The match was long.")
    for one in rows("classification", NEWS, pool=pool, per_record=99, kinds=("multi_turn",)):
        name = one.template.removesuffix(":multi_turn")
        assert one.template == f"{name}:multi_turn"
        first, answer, again, last = one.messages
        plain = {p.template: p for p in rows("classification", NEWS, pool=pool, per_record=99)}[name]
        assert [turn["train"] for turn in one.messages] == [False, False, False, True]
        assert "The match was long." in first["content"]
        assert "They won." not in first["content"]
        assert "They won." in again["content"]
        assert (last["content"], one.response) == (plain.response, plain.response)
        assert one.parents == [pool.exemplars[0].record]
        assert one.prompt == f"user: {first['content']}\nassistant: {answer['content']}\nuser: {again['content']}"


def test_later_turns_say_again_where_the_template_has_words_for_it():
    pool = Pool((), (Exemplar(digest("e"), {"question": "One?", "answer": "1"}),))
    found = rows("qa_open", {"question": "Two?", "answer": "2"}, pool=pool, per_record=99, kinds=("multi_turn",))
    asked = {one.template: [turn["content"] for turn in one.messages[::2]] for one in found}
    assert asked["qa_open.casual:multi_turn"] == ["Quick one for you: One?", "Here is another: Two?"]
    assert asked["qa_open.form:multi_turn"] == ["Question: One?\nAnswer:", "Question: Two?\nAnswer:"]


def test_dialogues_have_two_to_four_exchanges_about_different_records():
    pool = pool_of(*(f"text {number}" for number in range(8)))
    counts = Counter()
    for number in range(300):
        (one,) = rows("classification", NEWS, record=digest(str(number)), pool=pool, kinds=("multi_turn",))
        assert len(set(one.parents)) == len(one.parents) == len(one.messages) / 2 - 1
        counts[len(one.messages)] += 1
    assert set(counts) == {4, 6, 8}
    assert all(60 < count < 140 for count in counts.values())


def test_a_record_without_an_answer_is_nobodys_example():
    blank = Exemplar(digest("blank"), {"question": "Three?", "answer": " "})
    for kind in ("few_shot", "multi_turn"):
        with pytest.raises(ValueError, match="no usable exemplar"):
            rows("qa_open", {"question": "Two?", "answer": "2"}, pool=Pool((), (blank,)), kinds=(kind,))


# --- conversations and misfits


def test_a_conversation_is_the_row():
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    turns += [{"role": "assistant", "content": "hello"}]
    (one,) = rows("dialogue", taken("dialogue", {"messages": turns}), per_record=5, kinds=ALL_KINDS)
    assert one.template == "dialogue.as_is"
    assert [turn["train"] for turn in one.messages] == [False, False, True]
    assert [(turn["role"], turn["content"]) for turn in one.messages] == [(t["role"], t["content"]) for t in turns]
    assert (one.prompt, one.response) == ("system: Be kind.\nuser: hi", "hello")


def test_a_conversation_without_an_answer_is_a_cause():
    with pytest.raises(ValueError, match="no assistant turn"):
        rows("dialogue", taken("dialogue", {"messages": ["hi"]}))


def test_a_blank_prompt_is_a_cause():
    with pytest.raises(ValueError, match=r"the prompt that template 'dialogue\.as_is' gives is blank"):
        rows("dialogue", taken("dialogue", {"messages": [{"role": "assistant", "content": "hello"}]}))


def test_a_record_that_no_template_fits_says_what_was_missing():
    slots = taken("dialogue", {"messages": ["hi", "hello"]})
    with pytest.raises(ValueError, match="no template of family 'dialogue' fits: it has messages; kinds inverted"):
        rows("dialogue", slots, kinds=("inverted",))


@given(text=st.text(min_size=1), label=st.sampled_from(LABELS), record=st.text(min_size=1))
def test_every_text_is_rendered_and_comes_out_whole(text, label, record):
    for one in rows(
        "classification", {"text": text, "label": label}, record=record, pool=Pool(LABELS, ()), per_record=99
    ):
        assert text in one.prompt
        assert label in one.response or one.response in {"A", "B", "C", "1", "2", "3"}
