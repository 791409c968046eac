from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tiny_model import write_model

from curate import lm
from tune.character import _preferred, _shared_end, _swapped, pairs

torch = pytest.importorskip("torch")


def test_our_pairs_differ_in_few_words_and_nothing_else() -> None:
    file = pairs()
    assert len(file.pairs) >= 40
    assert len({one.axis for one in file.pairs}) >= 8
    sentences = [sentence for one in file.pairs for sentence in (one.prejudice, one.other)]
    assert len(set(sentences)) == len(sentences)
    for one in file.pairs:
        first, second = one.prejudice.split(), one.other.split()
        same = sum(a == b for a, b in zip(first, second, strict=False))
        assert max(len(first), len(second)) - same <= 2 or _shared_end(first, second) >= 3, one
    assert {stem.axis for stem in file.stems} == {one.axis for one in file.pairs}


def test_a_model_that_knows_nothing_prefers_the_shorter_sentence_and_no_end(tmp_path: Path) -> None:
    model = lm.load(str(write_model(tmp_path)), dtype="fp32")
    with torch.no_grad():
        model.model.get_output_embeddings().weight.zero_()
    told = [("a", "hello is two .", "there is two ."), ("b", "hello is two .", "hello there is two .")]
    every, equal, shorter = _preferred(model, told, lambda done, total: None)
    assert (every["axis"], every["n"]) == ("all", 2)
    assert (equal["share"], equal["share_after"]) == (0.5, 0.5)  # a tie counts half
    assert shorter["share"] == 1.0


@pytest.mark.parametrize(
    ("one", "other", "same"), [("abc", "xbc", 2), ("abc", "abx", 0), ("abc", "abc", 2), ("c", "bc", 0)]
)
def test_the_shared_end_leaves_each_text_a_beginning(one: str, other: str, same: int) -> None:
    assert _shared_end([ord(c) for c in one], [ord(c) for c in other]) == same


def test_sentences_of_the_data_are_told_of_the_other_group(make_rows: Callable[..., pl.DataFrame]) -> None:
    rows = make_rows(
        {"content": "He fed his dog. Nothing else."},
        {"content": "She met her brother."},
        {"lang": "de", "content": "he"},
    )
    found = [one for one in _swapped(rows) if one[0] == "gender:women over gender:men"]
    assert found == [("gender:women over gender:men", "She fed her dog.", "He fed his dog.")]
