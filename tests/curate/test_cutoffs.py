from __future__ import annotations

import numpy as np
import pytest

from curate import cutoffs
from curate.intervals import wilson

SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
FAULTY = np.array([True, True, True, False, True, False, False, False])


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    # Of 16 pairs of sound and faulty, one (0.4 under 0.6) is the wrong way round.
    assert cutoffs.area(SCORES, ~FAULTY)[0] == pytest.approx(15 / 16, abs=1e-4)
    assert cutoffs.area(np.full(8, 0.5), ~FAULTY)[0] == 0.5
    found, low, high = cutoffs.area(SCORES, ~FAULTY)
    assert low < found < high <= 1


def test_a_cut_counts_what_scores_less_than_its_bound() -> None:
    cut = cutoffs.below(SCORES, FAULTY, at=0.6, share=0.5)
    assert (cut.right, cut.wrong, cut.precision, cut.recall[0]) == (3, 1, 0.75, 0.75)
    assert cut.recall[1:] == tuple(round(one, 4) for one in wilson(3, 4))
    nothing = cutoffs.below(SCORES, FAULTY, at=0.1, share=0.5)
    assert (nothing.right, nothing.wrong, nothing.precision) == (0, 0, None)


def test_where_less_is_faulty_the_same_bound_is_right_less_often() -> None:
    half, tenth = (cutoffs.below(SCORES, FAULTY, at=0.6, share=share) for share in (0.5, 0.1))
    # 0.1 · 3/4 ÷ (0.1 · 3/4 + 0.9 · 1/4)
    assert tenth.precision == 0.25
    assert half.precision == 0.75


def test_no_sound_text_removed_does_not_pass_for_never() -> None:
    scores, faulty = np.arange(100) / 100, np.arange(100) < 50
    rare = cutoffs.below(scores, faulty, at=0.5, share=0.01)
    assert rare.precision == 1
    assert rare.low is not None
    assert rare.low < 0.2  # up to 7 % of the sound texts may look like this, and they are 99 times as many


def test_the_highest_bound_with_the_precision_is_found() -> None:
    scores = np.round(np.arange(400) / 400, 4)
    faulty = (np.arange(400) < 200) ^ (np.arange(400) % 10 == 9)  # one in ten is mislabelled
    best = cutoffs.reached(scores, faulty, precision=0.8, share=0.5)
    assert best is not None
    assert best == cutoffs.below(scores, faulty, at=best.at, share=0.5)
    for at in scores[scores > best.at]:
        higher = cutoffs.below(scores, faulty, at=float(at), share=0.5)
        assert higher.low is not None
        assert higher.low < 0.8
    assert cutoffs.reached(scores, faulty, precision=0.95, share=0.5) is None


def test_few_texts_prove_nothing() -> None:
    assert cutoffs.reached(SCORES, FAULTY, precision=0.9, share=0.5) is None
    assert cutoffs.reached(np.full(8, 0.5), FAULTY, precision=0.5, share=0.5) is None
