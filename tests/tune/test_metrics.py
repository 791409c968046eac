import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune import metrics


@pytest.mark.parametrize(
    ("said", "wanted", "value"),
    [("The Eiffel Tower.", "eiffel tower", 1), ("a tower", "tower", 1), ("two towers", "tower", 0), ("", "x", 0)],
)
def test_an_exact_match_ignores_case_articles_and_punctuation(said: str, wanted: str, value: float) -> None:
    assert metrics.exact_match(said, wanted) == value


def test_token_f1_counts_shared_words() -> None:
    # Two of three words said are wanted, two of two wanted are said: 2 · 2 / (3 + 2).
    assert metrics.token_f1("red blue green", "blue red") == pytest.approx(0.8)
    assert metrics.token_f1("red red", "red") == pytest.approx(2 / 3)
    assert metrics.token_f1("", "") == 1
    assert metrics.token_f1("", "red") == 0


@pytest.mark.parametrize(
    ("said", "wanted", "value"),
    [
        ("We get 3 + 4 = 7.0. The answer is 7.", "#### 7", 1),
        ("1,200 apples", "1200", 1),
        ("#### 8 and 7", "7", 0),
        ("no number", "7", 0),
        ("no number", "none either", 0),
    ],
)
def test_the_final_number_decides(said: str, wanted: str, value: float) -> None:
    assert metrics.numeric_match(said, wanted) == value


def test_macro_f1_is_the_mean_over_wanted_labels() -> None:
    # a: precision 1, recall 1/2, F1 2/3; b: precision 1/2, recall 1, F1 2/3.
    assert metrics.macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx(2 / 3)
    assert metrics.macro_f1(["a", "b"], ["a", "a"]) == pytest.approx((2 / 3 + 0) / 2)


def test_brier_is_the_squared_distance_to_the_truth() -> None:
    assert metrics.brier([0.5, 0.5], 0) == pytest.approx(0.5)
    assert metrics.brier([0.0, 1.0], 1) == 0
    assert metrics.brier([1.0, 0.0], 1) == 2


def test_calibration_compares_confidence_with_success_in_bins_of_equal_mass() -> None:
    found = metrics.calibration([0.6, 0.6, 0.9, 0.9], [1, 0, 1, 1], bins=2)
    # 0.6 against half right, 0.9 against all right: half of 0.1 and half of 0.1.
    assert found["ece"] == pytest.approx(0.1)
    assert [one["n"] for one in found["bins"]] == [2, 2]
    assert metrics.calibration([], [])["ece"] is None


@given(st.text(max_size=30))
def test_each_measure_is_best_for_the_wanted_answer_itself(answer: str) -> None:
    assert metrics.exact_match(answer, answer) == 1
    assert metrics.token_f1(answer, answer) == 1


def test_overlap_of_letters_and_of_sequences() -> None:
    assert metrics.chrf("the same words", "the same words") == pytest.approx(1)
    assert metrics.chrf("xyz", "abc") == 0
    # The longest common subsequence is two of three words on either side.
    assert metrics.rouge("rougeL")("red green blue", "red blue white") == pytest.approx(2 / 3)
    assert metrics.rouge("rouge1")("blue red", "red blue") == pytest.approx(1)
