from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate import text
from curate.errors import UserError
from curate.steps import leak

Rows = Callable[..., pl.DataFrame]
WORDS = [f"w{number}" for number in range(40)]
LONG = " ".join(WORDS[:20])


def held(*contents: str | None) -> pl.DataFrame:
    ids = [f"held{number}" for number in range(len(contents))]
    return pl.DataFrame({"id": ids, "content": contents}, schema={"id": pl.String, "content": pl.String})


def measured(
    content: str | None, *heldout: str | None, **arguments: int
) -> tuple[float | None, str | None, int | None]:
    rows = pl.DataFrame({"content": [content]}, schema={"content": pl.String})
    found = leak.leak(rows, heldout=held(*heldout), **arguments)
    assert found.schema == {"overlap": pl.Float64, "match": pl.String, "words": pl.UInt32}
    return found.row(0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (LONG, (1.0, "held0", 20)),
        (LONG.upper().replace(" ", ", ") + "!", (1.0, "held0", 20)),
        (f"Here is something else before {LONG} and after", (1.0, "held0", 20)),
        (" ".join(WORDS[:10]), (0.5, "held0", 10)),
        (" ".join([*WORDS[:8], "gap", *WORDS[12:20]]), (0.8, "held0", 16)),
        (" ".join(WORDS[:7]), (0.0, None, 0)),
        (" ".join(reversed(WORDS[:20])), (0.0, None, 0)),
        ("", (0.0, None, 0)),
        (None, (None, None, None)),
    ],
)
def test_overlap_is_the_share_of_the_item_in_shared_ngrams(
    content: str | None, expected: tuple[float | None, str | None, int | None]
) -> None:
    assert measured(content, LONG) == expected


def test_the_single_best_item_counts() -> None:
    half, most = " ".join(WORDS[:16]), " ".join(WORDS[:10])
    assert measured(" ".join(WORDS[:8]), half, most) == (0.8, "held1", 8)
    # Two halves in two items are no whole.
    assert measured(LONG, " ".join(WORDS[:10] + ["x"] * 10), " ".join(["y"] * 10 + WORDS[10:20]))[0] == 0.5
    # Equal texts: the lowest id.
    assert measured(LONG, LONG, LONG.upper()) == (1.0, "held0", 20)


@pytest.mark.parametrize(
    ("content", "item", "overlap"),
    [
        ("what is the capital of france paris", "What is the capital of France? Paris", 1.0),
        ("tell me: is a lamborghini fast yes", "Is a Lamborghini fast? Yes", 1.0),
        ("is a lamborghini yes", "Is a Lamborghini fast? Yes", 0.0),
        ("yes", "Yes.", 1.0),
        ("yes indeed", "Yes.", 0.0),
        ("?", "?", 0.0),
    ],
)
def test_short_items_match_whole_or_not_at_all(content: str, item: str, overlap: float) -> None:
    assert measured(content, item)[0] == overlap


def test_without_heldout_items_nothing_overlaps() -> None:
    assert measured("anything") == (0.0, None, 0)
    assert measured("anything", None, "") == (0.0, None, 0)


def slow(content: str, items: list[str], n: int) -> float:
    best = 0.0
    words = text.words(content)
    grams = set(text.ngrams(words, n))
    for item in items:
        own = text.words(item)
        if len(own) < n:
            whole = tuple(own) in set(text.ngrams(words, max(1, len(own)))) if len(own) >= 2 else own == words
            best = max(best, float(bool(own) and whole))
            continue
        covered = {
            start + place for start, gram in enumerate(text.ngrams(own, n)) if gram in grams for place in range(n)
        }
        best = max(best, len(covered) / len(own))
    return best


TEXTS = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, max_size=5))
def test_overlap_equals_the_plain_definition(contents: list[str], items: list[str]) -> None:
    rows = pl.DataFrame({"content": contents}, schema={"content": pl.String})
    found = leak.leak(rows, heldout=held(*items), n=3, whole=2)
    assert found["overlap"].to_list() == [slow(content, items, 3) for content in contents]


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"content": [" ".join(WORDS[start : start + 15]) for start in range(20)]})
    heldout = held(*(" ".join(WORDS[start : start + 12]) for start in range(25)))
    whole = leak.leak(rows, heldout=heldout)
    monkeypatch.setattr(leak, "_BLOCK", 7)
    assert leak.leak(rows, heldout=heldout).equals(whole)


def test_the_template_hides_nothing(make_rows: Rows) -> None:
    rows = make_rows({"content": LONG, "prompt": "Another wording entirely", "response": "w1"})
    assert leak.leak(rows, heldout=make_rows({"content": LONG}))["overlap"].to_list() == [1.0]
    with pytest.raises(UserError, match="did you mean 'content'"):
        leak.leak(rows, heldout=rows, column="contents")
