"""Near copies shared out to other processes: signals and tables of one process, whatever the parts are."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from curate import banded, schema, shuffle, similar
from curate.parts import Parts
from curate.schema import Measured
from curate.steps import minhash


class Away:
    """Hands that see nothing but what is sent to them, and send back what can be sent."""

    def __init__(self) -> None:
        self.works: list[str] = []

    def map(self, work: Callable[..., Any], tasks: Iterable[Any], /) -> Iterator[Any]:
        for task in tasks:
            self.works.append(work.__name__)
            sent, given = pickle.loads(pickle.dumps((work, task)))
            yield pickle.loads(pickle.dumps(sent(given)))


class Read:
    """Gives one part."""

    def __init__(self, part: pl.DataFrame) -> None:
        self.part = part

    def __call__(self) -> pl.DataFrame:
        return self.part


def rows(count: int, *, renderings: int = 1) -> pl.DataFrame:
    """Return texts of which many are edits of one before, some equal, and some without words."""
    draw = random.Random(5)
    words = [f"w{number}" for number in range(300)]
    texts: list[list[str]] = []
    for number in range(count):
        kind = draw.random()
        text = draw.choices(words, k=30) if number == 0 or kind < 0.5 else list(texts[draw.randrange(number)])
        if 0.5 <= kind < 0.8:
            text[draw.randrange(len(text)) if text else 0 :][:1] = [draw.choice(words)]
            text = [*text, draw.choice(words)]
        texts.append([] if kind > 0.97 else text)
    lines = []
    for number, text in enumerate(texts):
        record = schema.digest(str(number))
        for rendering in range(renderings):
            one = {"id": schema.row_id(record, "t", rendering), "record": record, "content": " ".join(text)}
            lines.append({**one, "prompt": " ".join(text[:15]), "response": " ".join(text[15:])})
    return pl.DataFrame(lines).sort("id")


def decided(table: pl.DataFrame, hands: Any, cuts: list[int], **settings: Any) -> Measured:
    on = {"on": settings["on"]} if "on" in settings else {}
    state = minhash.state(table, **on)
    flat = [name for name, kind in state.schema.items() if not kind.is_nested()]
    edges = [0, *cuts, table.height]
    frames = [state[start:stop] for start, stop in pairwise(edges)]
    parts = Parts(tuple(Read(one) for one in frames), tuple(one.height for one in frames), hands)
    whole = table.select("id", "record").hstack(state.select(flat))
    return minhash.decide(whole, shards=parts, **settings)


@pytest.mark.parametrize(
    ("settings", "renderings"),
    [
        ({"threshold": 0.5}, 1),
        ({"threshold": 0.7, "sweep": False}, 1),
        ({"threshold": 0.6, "bands": 16, "permutations": 64}, 3),  # a record speaks through one of three rows
        ({"threshold": 0.4, "on": ["prompt", "response"]}, 1),
        ({"threshold": 1.0}, 1),
    ],
)
def test_what_is_shared_out_comes_out_as_in_one_process(settings: dict[str, Any], renderings: int) -> None:
    table = rows(600, renderings=renderings)
    alone = decided(table, None, [], **settings)
    assert (alone.signals["rank"] > 0).sum() > 50
    for cuts in ([], [7, 7, 300, 599]):
        away = Away()
        found = decided(table, away, cuts, **settings)
        assert found.signals.equals(alone.signals)
        assert found.tables["pairs"].sort(pl.all()).equals(alone.tables["pairs"].sort(pl.all()))
        assert found.tables["join"].equals(alone.tables["join"])
        of = settings.get("bands", 32) // shuffle.BANDS
        assert away.works == ["sketched"] * (len(cuts) + 1) + ["_verified"] * of


def test_more_pairs_than_are_kept_are_left_to_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "PAIRS", 1)
    table = rows(300)
    alone, found = (decided(table, hands, [100], threshold=0.3) for hands in (None, Away()))
    assert not alone.tables["join"]["complete"][0]
    assert found.signals.equals(alone.signals)
    assert found.tables["pairs"].sort(pl.all()).equals(alone.tables["pairs"].sort(pl.all()))
    assert found.tables["join"].equals(alone.tables["join"])


@pytest.mark.parametrize("contents", [[], [""], ["one two three four"]])
def test_little_and_nothing_is_shared_out_too(contents: list[str]) -> None:
    records = [schema.digest(str(number)) for number in range(len(contents))]
    table = pl.DataFrame({"id": records, "record": records, "content": contents}, schema_overrides={"id": pl.String})
    table = table.cast({"record": pl.String, "content": pl.String})
    alone, found = (decided(table, hands, [], threshold=0.8) for hands in (None, Away()))
    assert found.signals.equals(alone.signals)
    assert found.tables["join"].equals(alone.tables["join"])


def test_a_sketch_without_parts_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    none = minhash.np.zeros(0, int)
    monkeypatch.setattr(banded, "joined", lambda sketch, **given: asked.append("here") or (None,) * 4)
    shuffle.joined(
        banded.Sketch(lambda: iter([]), none, none.reshape(0, 2).astype(minhash.np.uint64), 1, minhash.permuted(8), 2),
        order=none, threshold=0.5, every=True, seed=0,
    )  # fmt: skip
    assert asked == ["here"]
