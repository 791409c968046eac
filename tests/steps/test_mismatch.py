from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from curate.errors import UserError
from curate.steps.mismatch import mismatch
from curate.steps.mojibake import mojibake
from curate.steps.refusal import refusal
from curate.steps.relevance import relevance

Rows = Callable[..., pl.DataFrame]
ENGLISH = "Describe in a few words what the people in the photograph are doing."
FRENCH = "Deux jeunes hommes sont assis sur un banc et regardent les enfants qui jouent dans le parc."


@pytest.mark.parametrize(
    ("prompt", "response", "task", "other"),
    [
        (ENGLISH, FRENCH, None, True),
        (ENGLISH, "Two young men are sitting on a bench and watching the children play.", None, False),
        (ENGLISH, FRENCH, "translation", None),
        (f"{ENGLISH} Write it in French.", FRENCH, None, None),
        (f"{ENGLISH}\n\n{FRENCH}", FRENCH, None, False),
        (ENGLISH, "oui", None, None),
        (ENGLISH, "def main():\n    return {'a': 1};", None, None),
        ("?", FRENCH, None, None),
    ],
)
def test_tells_an_answer_in_another_language(
    make_rows: Rows, prompt: str, response: str, task: str | None, other: bool | None
) -> None:
    assert mismatch(make_rows({"prompt": prompt, "response": response, "task": task}))["other"][0] is other


def test_mojibake_is_counted_and_foreign_letters_are_not(make_rows: Rows) -> None:
    rows = make_rows(*({"response": text} for text in ("donâ€™t, cafÃ©", "l\ufffdst", "café “naïve” 你好", "plain")))
    found = dict(zip(rows["response"], mojibake(rows, column="response").rows(), strict=True))
    assert found["donâ€™t, cafÃ©"] == (2, 0)
    assert found["l\ufffdst"][1] == 1
    assert found["café “naïve” 你好"] == (0, 0)
    assert found["plain"] == (0, 0)


def test_refusals_of_other_languages_have_no_verdict(make_rows: Rows) -> None:
    rows = make_rows(
        {"response": FRENCH},
        {"response": "Je ne peux pas.", "lang": "fr"},
        {"response": "I can't help with that.", "lang": "fr"},
        {"response": "Fine.", "lang": "en"},
    )
    found = dict(zip(rows["response"], refusal(rows)["refused"], strict=True))
    assert found == {FRENCH: None, "Je ne peux pas.": None, "I can't help with that.": True, "Fine.": False}


def test_relevance_is_the_cosine_and_short_answers_have_none(make_rows: Rows) -> None:
    import numpy as np

    def vectors(texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0] if "bench" in text else [0.6, 0.8] for text in texts], dtype=np.float32)

    rows = make_rows(
        {"prompt": "Who sits on the bench today?", "response": "The two men sit on the bench.", "lang": "en"},
        {"prompt": "Who sits on the bench?", "response": "The price of tea rose again.", "lang": "en"},
        {"prompt": "Who sits on the bench now?", "response": "two men", "lang": "en"},
        {"prompt": "Wer sitzt auf der Bank?", "response": "Zwei Männer sitzen auf der Bank.", "lang": "de"},
    )
    found = dict(zip(rows["response"], relevance(rows, vectors=vectors)["similarity"], strict=True))
    assert found["The two men sit on the bench."] == pytest.approx(1)
    assert found["The price of tea rose again."] == pytest.approx(0.6)
    assert found["two men"] is None and found["Zwei Männer sitzen auf der Bank."] is None


def test_values_that_mean_nothing_are_refused(make_rows: Rows) -> None:
    rows = make_rows({"prompt": ENGLISH, "response": FRENCH})
    with pytest.raises(UserError, match="score = 7 is no certainty"):
        mismatch(rows, score=7)
    with pytest.raises(UserError, match="words = -3 is no number of words"):
        relevance(rows, vectors=lambda texts: np.zeros((len(texts), 1), dtype=np.float32), words=-3)
