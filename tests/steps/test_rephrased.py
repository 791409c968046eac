import numpy as np
import polars as pl
import pytest

from curate.errors import UserError
from curate.steps.rephrased import rephrased

# A world of three subjects: an encoder that counts the words of each.
SUBJECTS = ({"dog", "hound", "puppy"}, {"boat", "ship"}, {"plum", "peach"})


def encode(texts):
    counts = np.array([[sum(word in group for word in text.split()) for group in SUBJECTS] for text in texts], float)
    counts += 1e-3
    return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


def frame(**contents):
    return pl.DataFrame(
        {"id": list(contents), "content": list(contents.values())}, schema_overrides={"content": pl.String}
    )


HELD = frame(h1="a dog", h2="the ship", h3="the ship")


def test_the_nearest_item_is_named_whatever_its_words():
    found = rephrased(frame(a="my hound", b="a boat", c="plum"), heldout=HELD, vectors=encode)
    assert found["match"].to_list()[:2] == ["h1", "h2"]
    assert found["similarity"].to_list()[:2] == pytest.approx([1, 1], abs=1e-4)
    assert found["similarity"][2] < 0.1


def test_of_equal_items_the_lowest_id_is_named_in_any_order():
    found = rephrased(frame(a="boat"), heldout=HELD.reverse(), vectors=encode)
    assert found["match"].to_list() == ["h2"]


def test_a_text_without_words_has_no_verdict():
    found = rephrased(frame(a="…", b=None, c="dog"), heldout=HELD, vectors=encode)
    assert found["match"].to_list() == [None, None, "h1"]
    assert found["similarity"].null_count() == 2


def test_without_held_out_items_nothing_is_said():
    found = rephrased(frame(a="dog", b="boat"), heldout=HELD.head(0), vectors=encode)
    assert found.rows() == [(None, None), (None, None)]


def test_a_column_that_held_out_rows_lack_is_refused():
    with pytest.raises(UserError, match="not in held-out rows"):
        rephrased(frame(a="dog"), heldout=HELD, vectors=encode, column="leak.match")
