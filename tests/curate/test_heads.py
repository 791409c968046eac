from __future__ import annotations

import numpy as np

from curate import heads

TEXTS = ["cats purr softly", "dogs bark loudly", "cats sleep", "dogs run", "cats purr", "dogs bark"]
VECTORS = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
CAT = np.array([1, 0, 1, 0, 1, 0], dtype=np.int8)


def test_a_head_learns_its_class_and_scores_a_row_by_itself() -> None:
    fitted = heads.fit(TEXTS, VECTORS, {"cat": CAT, "dog": 1 - CAT})
    scores = fitted.scores(TEXTS, VECTORS)
    assert (scores[:, 0] > 0.5).tolist() == (CAT == 1).tolist()
    alone = np.vstack([fitted.scores([text], vector[None]) for text, vector in zip(TEXTS, VECTORS, strict=True)])
    assert (alone == scores).all()


def test_fitting_twice_gives_the_same_bits() -> None:
    one, two = (heads.fit(TEXTS, VECTORS, {"cat": CAT}) for _ in range(2))
    assert (one.dense == two.dense).all()
    assert (one.sparse == two.sparse).all()


def test_what_is_left_out_is_not_learned_from() -> None:
    told = CAT.copy()
    told[1] = -1
    with_it = heads.fit(TEXTS, VECTORS, {"cat": CAT})
    without = heads.fit(TEXTS, VECTORS, {"cat": told})
    assert (with_it.dense != without.dense).any()


def test_no_texts_have_no_scores() -> None:
    assert heads.fit(TEXTS, VECTORS, {"cat": CAT}).scores([], np.zeros((0, 2), dtype=np.float32)).shape == (0, 1)
