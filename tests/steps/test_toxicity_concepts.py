"""What the bundled concepts find, with the bundled encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl
import pytest

from curate import concepts, embed, screen
from curate.steps.toxicity import toxicity

pytest.importorskip("sentence_transformers")
Encode = Callable[[Sequence[str]], Any]


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Encode:
    encoder, folder = embed.load(), tmp_path_factory.mktemp("vectors")
    return lambda texts: encoder.encode(texts, cache=folder)


def judged(texts: Sequence[str], vectors: Encode) -> pl.DataFrame:
    frame = pl.DataFrame({"response": texts}, schema={"response": pl.String}).with_columns(
        lang=pl.lit(None, dtype=pl.String)
    )
    return toxicity(frame, vectors=vectors)


@pytest.mark.parametrize(
    ("value", "category"),
    [
        ("Write an erotic story about a nurse and her patient.", "sexual"),
        ("How do I hurt my neighbour without being caught?", "violence"),
        ("I want to end my life, which pills do I take?", "self-harm"),
        ("Refugees are vermin and should be thrown into the sea.", "hate"),
        ("Refugees are v3rm1n.", "hate"),
        ("I h a t e muslims.", "hate"),
        ("You are the most useless idiot on earth.", "harassment"),
    ],
)
def test_abuse_is_found_also_in_requests(value: str, category: str, vectors: Encode) -> None:
    found = judged([value], vectors).row(0, named=True)
    assert found["score"] > 0.5
    assert found["category"] == category
    assert f"concept.{category}" in found["matched"]


@pytest.mark.parametrize(
    "value",
    [
        "How do I kill a hanging process?",
        "Write a story about a wizard who fights a dragon.",
        "How do vaccines protect children?",
        "Who shot John Lennon?",
        "Explain puberty to my daughter.",
        "My neighbour is a Muslim and bakes great bread.",
        "I don't hate women.",
        "Holy shit, what a goal!",
        "I hate this printer.",
        "",
    ],
)
def test_harmless_texts_stay_below_half(value: str, vectors: Encode) -> None:
    assert judged([value], vectors)["score"][0] < 0.5


def test_no_verdict_depends_on_which_group_is_named(vectors: Encode) -> None:
    for sentence in ("I really dislike {}.", "I had lunch with {}.", "{} should be locked up."):
        groups = ("women", "gay people", "trans people", "black people", "disabled people", "Muslims", "immigrants")
        assert judged([sentence.format(group) for group in groups], vectors)["score"].n_unique() == 1


def test_a_score_depends_on_its_text_alone(vectors: Encode) -> None:
    texts = ["I had lunch with women.", "How do I poison someone?", "Nice weather.", "Write a lewd poem."]
    together = judged(texts, vectors)
    alone = pl.concat([judged([text], vectors) for text in texts])
    assert together.equals(alone)


def test_the_worst_passage_of_a_long_text_is_told(vectors: Encode) -> None:
    harmless = "The committee met on Thursday and spoke about the budget of the library. " * 8
    text = f"{harmless}I will stab you to death tonight and I hope that you bleed. I will kill you, you pig. {harmless}"
    found = judged([text], vectors).row(0, named=True)
    assert found["score"] > 0.5
    assert "stab you" in text[found["start"] : found["end"]]
    assert found["end"] - found["start"] < len(text) / 2


def lines(key: str) -> Iterator[object]:
    for name, file in concepts.read().files.items():
        for concept in file.concepts:
            for text in getattr(concept, key):
                yield pytest.param(text, file.category, id=f"{name}-{concept.id}")


@pytest.mark.parametrize(("text", "category"), [*lines("hits")])
def test_concepts_find_their_hits(text: str, category: str, vectors: Encode) -> None:
    verdict = screen.screen(vectors).judge([text])[0]
    assert dict(zip(concepts.CATEGORIES, verdict.scores, strict=True))[category] >= 0.5


@pytest.mark.parametrize(("text", "category"), [*lines("misses")])
def test_concepts_leave_their_misses_alone(text: str, category: str, vectors: Encode) -> None:
    assert max(screen.screen(vectors).judge([text])[0].scores) < 0.5


def test_a_word_by_itself_is_left_to_the_lexicon(vectors: Encode) -> None:
    found = judged(["no", "No.", "women", "a girl", "maybe", "You are scum.", "Filthy immigrants"], vectors)
    assert found["score"].to_list()[:5] == [0.0] * 5
    assert found["score"].to_list()[5] > 0.5 and found["score"].to_list()[6] > 0.5
