from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import write_model

from curate import lm
from tune import generation
from tune.ranking import alone, likelihoods, opening, prompt, texts
from tune.trees import Text

torch = pytest.importorskip("torch")
TURNS = [{"role": "user", "content": "what is two and two ?"}, {"role": "assistant", "content": "four"}]


def by_hand(model: lm.LanguageModel, text: Text) -> float:
    """Return the sum of the log of each scored token's probability, from the logits of the whole text."""
    with torch.inference_mode():
        logits = model.model(torch.tensor([text.ids])).logits[0]
    return sum(
        float(logits[place - 1, text.ids[place]] - logits[place - 1].logsumexp(0))
        for place in range(text.start, len(text.ids))
    )


def test_only_the_answers_own_tokens_are_scored(model: lm.LanguageModel) -> None:
    [one, other] = texts(model, TURNS, ["four", "two and two"])
    assert (one.scored, other.scored) == (1, 3)
    assert one.ids[: one.start] == other.ids[: other.start] == tuple(prompt(model, TURNS))
    assert opening(model.coder, TURNS) == "<|start|>user\nwhat is two and two ?<|end|>\n<|start|>assistant\n"


@settings(max_examples=20)  # each runs the model
@given(answers=st.lists(st.lists(st.sampled_from(["two", "four", "and", "hello"]), max_size=5), min_size=1, max_size=6))
def test_options_that_share_a_prompt_score_as_by_hand(model: lm.LanguageModel, answers: list[list[str]]) -> None:
    group = texts(model, TURNS, [" ".join(words) for words in answers])
    [found] = likelihoods(model, [group])
    assert found == pytest.approx([by_hand(model, one) for one in group], abs=1e-4)


def test_many_options_and_many_groups_come_back_in_their_order(model: lm.LanguageModel) -> None:
    words = ["two", "four", "and", "is", "hello"]
    many = texts(model, TURNS, [f"{one} {other} {last}" for one in words for other in words for last in words])
    few = texts(model, TURNS, ["four", "two"])
    single = [[alone(model, "hello there .")], [alone(model, "what")], []]
    found = likelihoods(model, [few, many, *single])
    assert [len(one) for one in found] == [2, 125, 1, 1, 0]
    assert found[0] == pytest.approx([by_hand(model, one) for one in few], abs=1e-4)
    assert found[1] == pytest.approx([by_hand(model, one) for one in many], abs=1e-4)
    assert found[2] == pytest.approx([by_hand(model, single[0][0])], abs=1e-4)


def test_a_model_that_knows_nothing_gives_each_token_the_same(tmp_path: Path) -> None:
    knowing = lm.load(str(write_model(tmp_path)), dtype="fp32")
    with torch.no_grad():
        knowing.model.get_output_embeddings().weight.zero_()
    [found] = likelihoods(knowing, [texts(knowing, TURNS, ["four", "two and two"])])
    assert found == pytest.approx([-math.log(18), -3 * math.log(18)], abs=1e-5)


def test_an_empty_answer_has_nothing_to_score(model: lm.LanguageModel) -> None:
    assert likelihoods(model, [texts(model, TURNS, ["", "four"])])[0][0] == 0
    assert likelihoods(model, [texts(model, TURNS, [""])]) == [[0.0]]


def test_beyond_the_window_the_beginning_is_lost_by_all_options_alike(model: lm.LanguageModel) -> None:
    long = [{"role": "user", "content": "hello " * 300}, TURNS[1]]
    one, other = texts(model, long, ["four", "two and two"])
    assert len(other.ids) == model.window == 128
    assert len(one.ids) == 126
    [found] = likelihoods(model, [[one, other]])
    assert found == pytest.approx([by_hand(model, one), by_hand(model, other)], abs=1e-4)


def test_a_sentence_alone_is_scored_from_its_first_token(model: lm.LanguageModel) -> None:
    text = alone(model, "hello there")
    assert (text.ids[0], text.start, text.scored) == (1, 1, 2)  # <s> before it


def test_written_answers_are_the_likeliest_tokens_whatever_is_answered_beside(model: lm.LanguageModel) -> None:
    prompts = [prompt(model, [{"role": "user", "content": text}, TURNS[1]]) for text in ("hello", "what is two ? " * 9)]
    together = generation.write(model, prompts, [6, 6])
    assert together == [generation.write(model, [one], [6])[0] for one in prompts]
    ids = list(prompts[0])
    stops, said = set(generation.ends(model)), list[int]()
    with torch.inference_mode():
        while len(said) < 6 and (token := int(model.model(torch.tensor([ids])).logits[0, -1].argmax())) not in stops:
            said.append(token)
            ids.append(token)
    assert together[0].text == model.tokenizer.decode(said, skip_special_tokens=True).strip()
    assert together[0].ended == (len(said) < 6)


def test_progress_reaches_all_texts(model: lm.LanguageModel) -> None:
    told: list[tuple[int, int]] = []
    groups = [texts(model, TURNS, ["four", "two"]), texts(model, TURNS, ["and"])]
    likelihoods(model, groups, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3, 3)
