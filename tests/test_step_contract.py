"""The contract of steps, applied to every file in curate/steps."""

from __future__ import annotations

import atexit
import hashlib
import inspect
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from stub_judge import lasting
from tiny_filter import tiny_filter
from tiny_model import write_model
from tiny_tokenizer import write_tokenizer

from curate import catalog, schema

NAMES = catalog.names()
ROW_WISE = [name for name in NAMES if catalog.describe(name).kind == "row-wise"]
CORPUS = [name for name in NAMES if catalog.describe(name).kind == "corpus"]
KEEPERS = [name for name in CORPUS if catalog.describe(name).names_keepers]
TYPES: dict[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "u32": pl.UInt32(),
    "i64": pl.Int64(),
    "f64": pl.Float64(),
    "str": pl.String(),
    "list[str]": pl.List(pl.String),
}
STATE = ["id", "record", "source", "task", "template", "lang"]
Builder = Callable[..., pl.DataFrame]

ODD = [
    "",
    " ",
    "\n\n",
    "a",
    "The cat sat on the mat and looked at the quiet garden.",
    "The cat sat on the mat and looked at the quiet garden.",
    "the cat sat on the mat, and looked at the quiet garden",
    "😀 👩‍👩‍👧‍👦 🇫🇷 ❤️",
    "مرحبا بالعالم، هذا نص عربي طويل بما يكفي",
    "שלום עולם",
    "今天天气很好,我们去公园散步吧。今天天气很好。",
    "ภาษาไทยไม่มีช่องว่าง",
    "e\u0301 \u200b\u200d\ufeff \u2028 \u2029 \x85 \x1c \x1f",
    "\x00\x01\x02 control\x07 characters\x7f",
    "ﬁne ①② Ⅷ ﷺ K Å ſ İ",
    "line\nline\nline\r\nline\ttab",
    "3.14 2024-01-15 +49 30 8412776 maria.lopez@uni-lund.se",
    "\U0010ffff\ue000",
    "x" * 3000,
]


def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Stand in for the encoder: equal texts get equal vectors of unit length."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    drawn = np.array([np.random.Generator(np.random.PCG64(seed)).normal(size=16) for seed in seeds]).reshape(-1, 16)
    unit: npt.NDArray[np.float32] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return unit


@lru_cache(maxsize=1)
def language_model() -> Path:
    """Stand in for a language model of a hundred million weights: one of a few hundred."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return write_model(folder)


@pytest.fixture
def odd_rows(make_rows: Builder) -> pl.DataFrame:
    return make_rows(*({"prompt": f"question {number % 5}", "response": text} for number, text in enumerate(ODD)))


class Step:
    """A step with everything that the engine would hand it."""

    def __init__(self, name: str, *, rows: pl.DataFrame, folder: Path) -> None:
        self.info, self.module = catalog.describe(name), catalog.load(name)
        self.texts = rows
        table = folder / "table.parquet"
        rows.select("id", mark=pl.int_range(pl.len()).cast(pl.Int64)).write_parquet(table)
        self.given: dict[str, Any] = {
            "seed": 13,
            "heldout": rows.head(3),
            "vectors": vectors,
            "texts": lambda ids: pl.DataFrame({"id": list(ids)}, schema={"id": pl.String}).join(
                rows, on="id", how="left", maintain_order="left"
            ),
            "rescore": partial(catalog.rescore, vectors=vectors),
            "path": table,
            "folder": tiny_filter(vectors) if "folder" in self.info.parameters else None,
            "url": lasting() if "url" in self.info.parameters else None,
            "model": language_model() if self.info.name == "likelihood" else "stub",
            "network": folder / "answers",
            "tokenizer": write_tokenizer(folder / "tokenizer"),
        }

    def call(self, function: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Call a function of the step; of required parameters it can have what `given` names, and a small model."""
        found = getattr(self.module, function)
        taken = {
            name: self.given[name]
            for name, parameter in inspect.signature(found).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and (parameter.default is parameter.empty or name == "model")
        }
        result = found(frame, **taken)
        signals = result.signals if isinstance(result, schema.Measured) else result
        assert isinstance(signals, pl.DataFrame)
        return signals

    def rowwise(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Measure row by row: the step itself, or its state."""
        return self.call(self.info.name if self.info.kind == "row-wise" else "state", rows)

    def signals(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Measure as the engine does."""
        first = self.rowwise(rows)
        return first if self.info.kind == "row-wise" else self.call("decide", rows.select(STATE).hstack(first))


def check_shape(step: Step, signals: pl.DataFrame, height: int) -> None:
    """Compare a frame with the docstring, and look for numbers that are none."""
    assert signals.height == height
    if "*" not in step.info.signals:
        assert dict(signals.schema) == {name: TYPES[kind] for name, kind in step.info.signals.items()}
    for column in signals.iter_columns():
        if column.dtype.is_float():
            assert column.drop_nulls().is_finite().all(), column.name
        if column.name.endswith("_share") and signals.height:
            assert column.drop_nulls().is_between(0, 1).all(), column.name


@pytest.mark.parametrize("name", NAMES)
def test_documents_every_signal_and_parameter(name: str) -> None:
    info = catalog.describe(name)
    assert info.summary
    assert info.signals
    assert all(info.meanings.values())
    assert [parameter for parameter, said in info.parameters.items() if not said.text] == []


@pytest.mark.parametrize("name", NAMES)
def test_returns_the_signals_it_documents(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    check_shape(step, step.signals(odd_rows), odd_rows.height)


@pytest.mark.parametrize("name", NAMES)
def test_takes_an_empty_frame(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    check_shape(step, step.signals(odd_rows.clear()), 0)


@pytest.mark.parametrize("name", NAMES)
def test_takes_a_single_row(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    check_shape(step, step.signals(odd_rows.head(1)), 1)


@pytest.mark.parametrize("name", NAMES)
def test_null_texts_have_no_verdict(name: str, make_rows: Builder, tmp_path: Path) -> None:
    nothing = {"prompt": None, "response": None, "content": None, "messages": []}
    rows = make_rows(nothing, nothing, {"response": "a word"}, {"response": "more words than before"})
    step = Step(name, rows=rows, folder=tmp_path)
    signals = step.signals(rows)
    check_shape(step, signals, 4)
    if step.info.kind == "row-wise" and "path" not in step.info.parameters:
        unknown = signals.filter(rows["response"].is_null())
        assert unknown.null_count().row(0) == (2,) * unknown.width


@pytest.mark.parametrize("name", NAMES)
def test_takes_a_frame_of_nulls_alone(name: str, make_rows: Builder, tmp_path: Path) -> None:
    nothing = {"prompt": None, "response": None, "content": None, "messages": []}
    rows = make_rows(nothing, nothing)
    step = Step(name, rows=rows, folder=tmp_path)
    check_shape(step, step.signals(rows), 2)


@pytest.mark.parametrize("name", NAMES)
def test_measures_the_same_twice(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    assert_frame_equal(step.signals(odd_rows), step.signals(odd_rows), check_exact=True)


@pytest.mark.parametrize("name", NAMES)
def test_leaves_its_rows_as_they_were(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    before = odd_rows.clone()
    Step(name, rows=odd_rows, folder=tmp_path).signals(odd_rows)
    assert_frame_equal(odd_rows, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_measured_without_its_neighbours(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    """The state of a slice is the slice of the state; so neither order nor shards can show in a result."""
    step = Step(name, rows=odd_rows, folder=tmp_path)
    whole = step.rowwise(odd_rows)
    for start, size in ((0, 1), (3, 5), (7, 12)):
        assert_frame_equal(step.rowwise(odd_rows.slice(start, size)), whole.slice(start, size), check_exact=True)
    order = np.random.Generator(np.random.PCG64(13)).permutation(odd_rows.height)
    assert_frame_equal(step.rowwise(odd_rows[order]), whole[order], check_exact=True)


@pytest.mark.parametrize("name", CORPUS)
def test_a_corpus_step_does_not_depend_on_the_order_of_reading(
    name: str, odd_rows: pl.DataFrame, tmp_path: Path
) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    order = np.random.Generator(np.random.PCG64(7)).permutation(odd_rows.height)
    shuffled = odd_rows[order]
    state = shuffled.select(STATE).hstack(step.rowwise(shuffled)).sort("id")
    assert_frame_equal(step.call("decide", state), step.signals(odd_rows), check_exact=True)


@pytest.mark.parametrize("name", KEEPERS)
def test_a_step_that_names_keepers_names_rows_that_stay(name: str, odd_rows: pl.DataFrame, tmp_path: Path) -> None:
    step = Step(name, rows=odd_rows, folder=tmp_path)
    judged = odd_rows.select("id").hstack(step.signals(odd_rows)).filter(pl.col("rank").is_not_null())
    staying = set(judged.filter(pl.col("rank") == 0)["id"])
    assert (judged["keeper"].is_null() == (judged["rank"] == 0)).all()
    assert set(judged["keeper"].drop_nulls()) <= staying


@pytest.mark.parametrize("name", ROW_WISE)
@given(texts=st.lists(st.text(max_size=60), max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_keeps_the_contract(name: str, make_rows: Builder, tmp_path: Path, texts: list[str]) -> None:
    rows = make_rows(*({"prompt": text[::-1], "response": text} for text in texts))
    step = Step(name, rows=rows, folder=tmp_path)
    check_shape(step, step.signals(rows), len(texts))


@pytest.mark.parametrize("text", ["a@" * 50_000, "1234567890" * 10_000, "a " * 50_000, "a\n" * 50_000, "你" * 100_000])
@pytest.mark.parametrize("name", ROW_WISE)
def test_hostile_texts_take_no_more_than_linear_time(name: str, make_rows: Builder, tmp_path: Path, text: str) -> None:
    """Backtracking, or comparing all pairs, would take minutes; seconds leave room for a busy machine."""
    rows = make_rows({"prompt": text, "response": text})
    step = Step(name, rows=rows, folder=tmp_path)
    started = time.process_time()
    step.signals(rows)
    assert time.process_time() - started < 10
