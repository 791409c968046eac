"""Records become slots: found, typed, verbalised, or refused with a cause that names slot, column and type."""

import json

import pytest

from curate import rulebook
from curate.errors import UserError
from curate.render import content_of, meta_of, slots_of

FAMILIES = rulebook.families()
NEWS = {"text": "They won.", "label": "sports"}
QUIZ = {"question": "What barks?", "choices": ["cat", "dog", "hen"], "answer": "dog"}


def taken(task, data, *, fields=None, labels=None):
    return slots_of(data, family=FAMILIES[task], fields=fields or {}, labels=labels or {})


@pytest.mark.parametrize(
    ("raw", "value"),
    [("yes", "yes"), (1, "1"), (1.0, "1"), (0.25, "0.25"), (True, "true"), (False, "false"), (-1, "-1"), ("", "")],
)
def test_values_have_one_plain_wording(raw, value):
    assert taken("qa_open", {"question": "q", "answer": raw}) == {"question": "q", "answer": value}


def test_slots_are_taken_from_named_columns_nested_columns_and_columns_of_their_name():
    data = {"body": "b", "qas": {"items": [{"q": "first"}]}, "answer": "a"}
    fields = {"context": "body", "question": "qas.items.0.q"}
    slots = taken("qa_closed", data, fields=fields)
    assert list(slots.items()) == [("context", "b"), ("question", "first"), ("answer", "a")]


@pytest.mark.parametrize(
    ("task", "data", "said"),
    [
        (
            "qa_open",
            {"question": 5, "answer": "a"},
            r"slot 'question' \(column 'question'\): expected text, found a numb",
        ),
        ("qa_open", {"question": "q", "answer": ["a"]}, "expected text, a number or true/false, found a list"),
        ("qa_open", {"question": "q", "answer": None}, "slot 'answer' .*found null"),
        ("qa_open", {"question": "q", "answer": float("nan")}, "slot 'answer' .*found null"),
        ("qa_open", {"question": "q", "answr": "a"}, "found no 'answer'; did you mean 'answr'"),
        ("qa_open", "just text", "slot 'question' .*found text without columns"),
        ("multiple_choice", {**QUIZ, "choices": "cat, dog"}, "slot 'choices' .*expected a list, found text"),
        ("multiple_choice", {**QUIZ, "choices": ["cat", None]}, "slot 'choices' .*item 2: expected .*found null"),
        ("multiple_choice", {**QUIZ, "choices": ["cat", {"a": 1}]}, "item 2: expected .*found a table"),
        ("generation", {"input": 3, "target": "t"}, "expected text or a list, found a number"),
        ("dialogue", {"context": "hi"}, "needs the slots 'messages', or 'context' and 'response'; found context"),
        ("dialogue", {"messages": "hi"}, "slot 'messages' .*expected a list of turns, found text"),
        ("dialogue", {"messages": [{"role": "user", "content": None}]}, "turn 1: expected text as content, found null"),
        (
            "dialogue",
            {"messages": [{"role": "usr", "content": "x"}]},
            "turn 1: unknown role 'usr'; did you mean 'user'",
        ),
        ("dialogue", {"messages": ["hi", 4]}, "turn 2: expected text or a table, found a number"),
    ],
)
def test_what_cannot_be_used_has_a_cause(task, data, said):
    with pytest.raises(ValueError, match=said):
        taken(task, data)


def test_a_cause_names_the_column_of_the_recipe():
    with pytest.raises(ValueError, match=r"slot 'text' \(column 'a\.b'\): expected text, found no 'b'; known: c"):
        taken("classification", {"a": {"c": 1}, "label": 1}, fields={"text": "a.b"})


def test_a_field_that_is_no_slot_is_a_mistake_of_the_recipe():
    with pytest.raises(UserError, match="no slot 'txt'; did you mean 'text'"):
        taken("classification", NEWS, fields={"txt": "text"})


@pytest.mark.parametrize("absent", [{}, {"context": None}, {"context": ""}])
def test_optional_slots_may_be_missing_null_or_empty(absent):
    assert "context" not in taken("multiple_choice", {**QUIZ, **absent})


def test_an_optional_column_of_another_type_is_no_slot_unless_the_recipe_names_it():
    data = {**QUIZ, "context": {"page": 4}}
    assert "context" not in taken("multiple_choice", data)
    assert meta_of(data, family=FAMILIES["multiple_choice"], fields={}) == {"context": {"page": 4}}
    with pytest.raises(ValueError, match=r"slot 'context' .*expected text, found a table"):
        taken("multiple_choice", data, fields={"context": "context"})


@pytest.mark.parametrize(("raw", "label"), [(0, "bad"), ("0", "bad"), (1.0, "good"), ("good", "good"), (True, "yes")])
def test_labels_are_verbalised(raw, label):
    labels = {"0": "bad", "1": "good", "true": "yes"}
    assert taken("classification", {"text": "t", "label": raw}, labels=labels)["label"] == label


def test_each_item_of_a_list_answer_is_verbalised():
    labels = {"PER": "person", "LOC": "place"}
    assert taken("extraction", {"text": "t", "target": ["LOC", "PER"]}, labels=labels)["target"] == ["place", "person"]


def test_an_unknown_label_is_a_cause():
    with pytest.raises(ValueError, match=r"slot 'label' .*label '7' is neither a key nor a value of `labels`"):
        taken("classification", {"text": "t", "label": 7}, labels={"0": "bad"})


@pytest.mark.parametrize("answer", ["dog", "B", "b", 1, "1", 1.0])
def test_choices_are_named_by_text_letter_or_index(answer):
    assert taken("multiple_choice", {**QUIZ, "answer": answer})["answer"] == "dog"


def test_the_text_of_a_choice_goes_before_its_index():
    assert taken("multiple_choice", {**QUIZ, "choices": [2, 1, 0], "answer": 0})["answer"] == "0"


@pytest.mark.parametrize("answer", ["D", "cow", 3, -1, "", "AB", "²"])
def test_an_answer_that_is_no_choice_is_a_cause(answer):
    with pytest.raises(ValueError, match="is not among the choices"):
        taken("multiple_choice", {**QUIZ, "answer": answer})


GSM = "Six boxes of 12 hold 6*12=<<6*12=72>>72 eggs.\nThat is all.\n#### 72"


@pytest.mark.parametrize(
    ("data", "answer", "rationale"),
    [
        ({"answer": GSM}, "72", "Six boxes of 12 hold 6*12=72 eggs.\nThat is all."),
        ({"answer": "#### 1,000"}, "1,000", None),
        ({"answer": GSM, "rationale": "own"}, GSM, "own"),
        ({"answer": "see #### 72"}, "see #### 72", None),
        ({"answer": "#### 72\nand more"}, "#### 72\nand more", None),
        ({"answer": "text\n####"}, "text\n####", None),
        ({"answer": 72}, "72", None),
    ],
)
def test_math_answers_part_from_their_rationale(data, answer, rationale):
    slots = taken("math", {"question": "q", **data})
    assert (slots["answer"], slots.get("rationale")) == (answer, rationale)


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}],
        [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}],
        ["hi", "hello"],
    ],
)
def test_conversations_come_in_three_forms(turns):
    wanted = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    assert taken("dialogue", {"messages": turns})["messages"] == wanted


def test_content_holds_the_slot_values_and_no_template_word():
    assert (
        content_of(taken("multiple_choice", QUIZ), family=FAMILIES["multiple_choice"])
        == "What barks?\ncat\ndog\nhen\ndog"
    )


def test_content_of_a_conversation_is_what_user_and_assistant_say():
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]
    turns += [{"role": "assistant", "content": "hello"}]
    assert content_of(taken("dialogue", {"messages": turns}), family=FAMILIES["dialogue"]) == "hi\nhello"


def test_meta_is_what_the_slots_left():
    data = {"q": {"text": "x", "lang": "en"}, "a": {"text": "y"}, "id": 7, "none": None}
    fields = {"question": "q.text", "answer": "a.text"}
    before = json.dumps(data)
    assert meta_of(data, family=FAMILIES["qa_open"], fields=fields) == {"q": {"lang": "en"}, "id": 7, "none": None}
    assert json.dumps(data) == before


def test_meta_keeps_lists_whole_and_knows_names_with_dots():
    data = {"a.b": "x", "list": ["y", "z"]}
    fields = {"question": "a.b", "answer": "list.0"}
    assert taken("qa_open", data, fields=fields) == {"question": "x", "answer": "y"}
    assert meta_of(data, family=FAMILIES["qa_open"], fields=fields) == {"list": ["y", "z"]}


def test_records_that_are_lists_have_numbers_for_columns():
    fields = {"question": "0", "answer": "2"}
    assert taken("qa_open", ["q", "x", "a"], fields=fields) == {"question": "q", "answer": "a"}
    assert meta_of(["q", "x", "a"], family=FAMILIES["qa_open"], fields=fields) == {"1": "x"}
