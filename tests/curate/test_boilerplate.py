"""Template text: what is inferred, what contents lose, and what they keep."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import lay_out

import curate
from curate import boilerplate, text
from curate.errors import UserError

TEMPLATES = (
    "Given the following passage, answer the question below.\n\n{}\n\nKeep the answer short, please.",
    "I want you to read this and tell me what it is about: {}",
    "{}\nWould you say that this is a good or a bad sign for them?",
)
# Other wordings around one record, each by itself too rare to be found.
WORDINGS = [f"Wording number {n} asks you to look at what stands here: {{}}\nThis was wording {n}." for n in range(14)]


def chat(prompt: str, answer: str = "yes") -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": prompt, "train": False},
        {"role": "assistant", "content": answer, "train": True},
    ]


def fact(number: int) -> str:
    """Return a sentence of eight words, none of which another record has."""
    words = ("Town", "built", "bridges,", "lamps", "and", "old", "harbours", "there.")
    return " ".join(re.sub(r"(\W?)$", rf"{number}\1", word, count=1) for word in words)


def found(*conversations: list[dict[str, Any]]) -> tuple[list[str | None], boilerplate.Boilerplate]:
    """Return the contents of a source of these conversations, and its template text."""
    data = pl.Series([json.dumps(one) for one in conversations], dtype=pl.String)
    template = boilerplate.infer(data)
    return boilerplate.contents(data, template=template), template


def rendered(*templates: str, records: int = 120) -> list[list[dict[str, Any]]]:
    return [chat(template.format(fact(number))) for number in range(records) for template in templates]


def test_what_many_records_share_is_left_out() -> None:
    contents, template = found(*rendered(TEMPLATES[0]))
    assert contents[3] == "Town3 built3 bridges3, lamps3 and3 old3 harbours3 there3\nyes"
    assert template.facts() == {
        "spans": 2,
        "rows": 120,
        "words_share": 0.590909,  # 13 of 22 words
        "most": [
            {"text": "given the following passage answer the question below", "times": 120},
            {"text": "keep the answer short please", "times": 120},
        ],
    }


def test_renderings_of_one_record_have_one_content() -> None:
    contents, _ = found(*rendered(*TEMPLATES))
    for number in range(120):
        assert len(set(contents[3 * number : 3 * number + 3])) == 1
    assert len(set(contents)) == 120


def test_a_record_under_many_wordings_is_no_template() -> None:
    contents, template = found(*(chat(wording.format(fact(0))) for wording in WORDINGS * 10))
    assert contents == [None] * 140
    assert template.facts() == {"spans": 0, "rows": 0, "words_share": 0.0, "most": []}


def test_a_passage_shared_by_twenty_questions_is_no_template() -> None:
    passage = "Lamps of copper hung over the harbour in winter, and the market under them sold paper and stone."
    asked = [f"Who bought article{number} there, and why?" for number in range(20)]
    contents, _ = found(*(chat(wording.format(f"{passage} {one}")) for wording in WORDINGS for one in asked))
    assert contents == [None] * 280


def test_a_few_records_are_no_ground_for_a_template() -> None:
    assert found(*rendered(TEMPLATES[0], records=99))[0] == [None] * 99


def test_in_a_large_source_a_hundred_records_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [chat(fact(number)) for number in range(200, 400)]
    assert found(*rendered(TEMPLATES[0]), *others)[1].rows == 120
    monkeypatch.setattr(boilerplate, "SHARE", 0.5)
    assert found(*rendered(TEMPLATES[0]), *others)[1].rows == 0


def test_phrases_of_four_words_stay() -> None:
    requests = [chat(f"Please{number} write a story about town{number}.") for number in range(300)]
    assert found(*requests)[0] == [None] * 300


def test_answers_keep_what_they_share() -> None:
    answer = "Thank you for asking, here is what I know about the bridge"
    contents, _ = found(*(chat(f"What of town{number} then?", answer) for number in range(120)))
    assert contents == [None] * 120


@pytest.mark.parametrize(
    ("answers", "expected"),
    [("the old keeper{} of bridges", "the old keeper7 of bridges"), ("keeper{}", None)],
)
def test_a_request_that_is_all_template_leaves_its_answer_unless_it_is_very_short(
    answers: str, expected: str | None
) -> None:
    contents, _ = found(*(chat("Name one of the people who live in our town.", answers.format(n)) for n in range(120)))
    assert contents[7] == expected


def test_words_of_any_script_are_found_where_they_stand() -> None:
    prompts = [
        f"Přečtěte si prosím následující odstavec： ﬁrma{n} à Łódź, №{n}… Díky moc za odpověď！" for n in range(120)
    ]
    contents, _ = found(*(chat(prompt, "ano") for prompt in prompts))
    assert contents[5] == "ﬁrma5 à Łódź, №5\nano"


WORD = st.sampled_from(["given", "the", "following", "text", "answer", "İstanbul", "½", "…", "\n", "水", "x1", "x2"])
TURN = st.lists(WORD, min_size=1, max_size=12).map(" ".join)


@settings(max_examples=60)
@given(st.lists(st.tuples(TURN, TURN), min_size=1, max_size=20))
def test_contents_lose_words_of_the_user_only_and_are_never_empty(pairs: list[tuple[str, str]]) -> None:
    common = [chat(f"given the following text answer {number}", "x1") for number in range(100)]
    conversations = common + [chat(f"given the following text answer {said}", answer) for said, answer in pairs]
    contents, _ = found(*conversations)
    assert contents[0] is not None
    for conversation, content in zip(conversations, contents, strict=True):
        if content is not None:
            spoken = iter(text.words(conversation[0]["content"]) + text.words(conversation[1]["content"]))
            assert text.words(content)
            assert all(word in spoken for word in text.words(content))  # in order
            assert content.endswith(conversation[1]["content"])


RECIPE = """
name = "mix"
[[sources]]
name = "mine"
path = "qa*.jsonl"
format = "prompt_completion"
[[stages]]
name = "near copies"
steps = [{ step = "minhash" }]
keep = [{ signal = "minhash.rank", max = 0, why = "one of each cluster" }]
"""
LONG = (
    "Here is something that somebody wrote down about one of the many towns along the river, and it may be right or "
    "wrong, so read it slowly before you answer: {} Tell us in one word whether you would believe the person who wrote "
    "that, and do not add a greeting, an apology or a reason for what you think about it."
)
RECORDS = [
    {"prompt": template.format(f"town{n}"), "completion": "yes" if n % 2 else "no"}
    for n in range(130)
    for template in (LONG, TEMPLATES[1])
]


def run(folder: Path, *, files: int = 1, overrides: tuple[str, ...] = (), limit: int | None = None) -> curate.Run:
    path = lay_out(folder, RECORDS, files=files, recipe=RECIPE)
    return curate.run(curate.load_recipe(path, overrides=overrides, limit=limit), out=folder / "runs" / "r")


def test_rows_that_share_a_template_alone_stay_and_renderings_of_one_record_merge(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert found.mix.height == 130
    assert found.rows.filter(pl.col("prompt").str.contains(r"town7\b"))["content"].to_list() == ["town7\nyes"] * 2
    told = found.manifest["sources"][0]["inferred_template"]
    assert (told["rows"], told["spans"], told["most"][0]["times"]) == (260, 3, 130)


def test_switched_off_contents_are_the_turns(tmp_path: Path) -> None:
    found = run(tmp_path, overrides=("sources.mine.infer_template=false",))
    assert found.rows["content"].to_list() == [
        f"{prompt}\n{response}" for prompt, response in found.rows.select("prompt", "response").iter_rows()
    ]
    assert found.manifest["sources"][0]["inferred_template"] is None
    assert found.mix.height == 131  # all the rows of the long template have become one


def test_contents_are_the_same_for_any_files_and_any_limit(tmp_path: Path) -> None:
    whole = run(tmp_path / "a").rows.select("id", "content")
    assert run(tmp_path / "b", files=3).rows.select("id", "content").equals(whole)
    part = run(tmp_path / "c", limit=40).rows.select("id", "content")
    assert part.height == 40
    assert part.equals(whole.filter(pl.col("id").is_in(part["id"].implode())))


def test_raw_data_has_templates_that_are_known(tmp_path: Path) -> None:
    recipe = RECIPE.replace('format = "prompt_completion"', 'task = "qa_open"\ninfer_template = true')
    with pytest.raises(UserError, match="goes with `format`"):
        curate.load_recipe(lay_out(tmp_path, RECORDS, recipe=recipe))


def test_a_text_that_comes_back_with_ever_other_words_replaced_is_no_template() -> None:
    words = [f"w{number}" for number in range(42)]
    prompts = [" ".join([*words[: n % 42], f"odd{n}", *words[n % 42 + 1 :]]) for n in range(400)]
    contents, template = found(*(chat(prompt, "Thanks") for prompt in prompts))
    assert contents == [None] * 400  # nothing is left out
    # A slot at one place is one, however much of the prompt stands around it.
    prompts = [" ".join([*words[:20], f"odd{n} even{n} more{n}", *words[20:]]) for n in range(400)]
    contents, template = found(*(chat(prompt, "Thanks") for prompt in prompts))
    assert contents[7] == "odd7 even7 more7\nThanks"
    assert template.facts()["spans"] == 2
