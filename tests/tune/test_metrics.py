from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.metrics import WRITTEN, brier, calibration, corpus, macro_f1


@pytest.mark.parametrize(
    ("metric", "said", "wanted", "value"),
    [
        ("exact_match", "The Eiffel Tower!", "eiffel tower", 1.0),
        ("exact_match", "Eiffel", "Eiffel Tower", 0.0),
        ("token_f1", "the red car", "a red red bus", 2 / 5),  # of two and three words one is shared
        ("token_f1", "", "", 1.0),
        ("token_f1", "", "x", 0.0),
        ("token_f1", "東京都", "東京", 4 / 5),
        ("numeric_match", "6 * 12 = 72, so 72.0 eggs", "72", 1.0),
        ("numeric_match", "#### 1,250", "$1250", 1.0),
        ("numeric_match", "The answer is 5. I used 3 steps.", "5", 1.0),
        ("numeric_match", "5 and then 6", "5", 0.0),
        ("numeric_match", "no number", "5", 0.0),
        ("numeric_match", "-3", "3", 0.0),
        ("rouge1", "a b c", "a b d", 2 / 3),
        ("rougeL", "c b a", "a b c", 1 / 3),
        ("rougeL", "кот спит", "кот спит", 1.0),
        ("bleu", "The dog bit the man today.", "The dog bit the man today.", 1.0),
        ("chrf", "abc", "abc", 1.0),
        ("chrf", "abc", "xyz", 0.0),
    ],
)
def test_measures_of_written_answers(metric: str, said: str, wanted: str, value: float) -> None:
    assert WRITTEN[metric](said, wanted) == pytest.approx(value)


def test_the_published_example_of_sacrebleu_comes_out() -> None:
    found = corpus(["The dog bit the man."], ["The dog had bit the man."])
    assert found["bleu"]["value"] == pytest.approx(0.5115, abs=1e-4)
    assert found["chrf"]["value"] == pytest.approx(0.6765, abs=1e-4)
    assert "version:" in found["bleu"]["signature"]


@given(said=st.text(max_size=20), wanted=st.text(max_size=20))
def test_written_answers_are_worth_something_from_0_to_1(said: str, wanted: str) -> None:
    for name in ("exact_match", "token_f1", "numeric_match"):
        assert 0 <= WRITTEN[name](said, wanted) <= 1
    assert WRITTEN["token_f1"](said, said) == 1


def test_macro_f1_counts_each_label_alike() -> None:
    # a: 2 of 2 wanted found, said three times: F1 0.8; b: never said: 0
    assert macro_f1(["a", "a", "b"], ["a", "a", "a"]) == pytest.approx(0.4)


def test_brier_is_0_for_the_truth_and_2_for_certain_error() -> None:
    assert brier([1.0, 0.0], 0) == 0
    assert brier([0.0, 1.0], 0) == 2
    assert brier([0.5, 0.5], 0) == 0.5


def test_calibration_error_is_the_gap_of_each_bin() -> None:
    found = calibration([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1], bins=2)
    assert found["ece"] == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)
    assert [one["n"] for one in found["bins"]] == [2, 2]
    assert calibration([], [])["ece"] is None
    assert len(calibration([0.5], [1])["bins"]) == 1
