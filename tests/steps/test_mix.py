from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import UserError
from curate.schema import Measured
from curate.steps import mix

Rows = Callable[..., pl.DataFrame]


def measured(rows: pl.DataFrame, *, seed: int = 1, **arguments: object) -> Measured:
    return mix.decide(rows.hstack(mix.state(rows, seed=seed)), **arguments)  # type: ignore[arg-type]


def of(make_rows: Rows, **sizes: int) -> pl.DataFrame:
    return make_rows(*({"source": name} for name, size in sizes.items() for _ in range(size)))


def counted(rows: pl.DataFrame, **arguments: object) -> dict[str | None, int]:
    found = rows.hstack(measured(rows, **arguments).signals).group_by("source").agg(pl.col("copies").sum())
    return dict(found.iter_rows())


def test_proportional_caps_the_rate_and_repeats_nothing(make_rows: Rows) -> None:
    rows = of(make_rows, big=50, middle=20, small=5)
    assert counted(rows, cap=20) == {"big": 20, "middle": 20, "small": 5}
    assert counted(rows) == {"big": 50, "middle": 20, "small": 5}


def test_published_example_of_examples_proportional_mixing() -> None:
    """Sizes 500,000, 30,000, 2,500 and 250 with a cap of 3,000: shares .343, .343, .286, .029."""
    pools = [(str(size), size, [1] * size) for size in (500_000, 30_000, 2_500, 250)]
    rates = mix._rates(pools, rate="proportional", cap=3_000, temperature=1, weights=None)
    assert [round(float(rate / sum(rates)), 3) for rate in rates] == [0.343, 0.343, 0.286, 0.029]


def test_temperature_flattens_up_to_uniform(make_rows: Rows) -> None:
    rows = of(make_rows, big=64, small=4)
    assert counted(rows, rate="temperature", temperature=2.0, budget=20) == {"big": 16, "small": 4}
    assert counted(rows, rate="temperature", temperature=1.0, budget=17) == {"big": 16, "small": 1}
    assert counted(rows, rate="temperature", temperature=1e9, budget=8) == {"big": 4, "small": 4}


def test_weights_repeat_a_small_group_and_say_its_epochs(make_rows: Rows) -> None:
    rows = of(make_rows, big=30, small=4)
    found = measured(rows, rate="weights", weights={"big": 1, "small": 1}, budget=36)
    small = rows.hstack(found.signals).filter(pl.col("source") == "small").sort("rank")
    assert small["copies"].to_list() == [5, 5, 4, 4]
    assert small["epochs"].to_list() == [4.5] * 4
    big = rows.hstack(found.signals).filter(pl.col("source") == "big").sort("rank")
    assert big["copies"].to_list() == [1] * 18 + [0] * 12


def test_without_a_budget_the_table_says_which_group_set_the_size(make_rows: Rows) -> None:
    rows = of(make_rows, big=30, small=4)
    table = measured(rows, rate="weights", weights={"big": 2, "small": 1, "gone": 1}).tables["groups"].sort("group")
    assert table.select("group", "rows", "copies", "sets_size").rows() == [
        ("big", 30, 8, False), ("gone", 0, 0, False), ("small", 4, 4, True)
    ]  # fmt: skip


def test_most_limits_the_rows_that_may_be_taken(make_rows: Rows) -> None:
    rows = of(make_rows, big=30)
    found = rows.hstack(measured(rows, most=10, budget=25).signals).sort("rank")
    assert found["copies"].to_list() == [3] * 5 + [2] * 5 + [0] * 20


def test_tokens_stop_before_the_budget(make_rows: Rows) -> None:
    """A row of 8 bytes is 2 tokens, one of 40 bytes is 10."""
    rows = make_rows(
        *({"source": "short", "prompt": "word", "response": "word"} for _ in range(10)),
        *({"source": "long", "prompt": "x" * 20, "response": "y" * 20} for _ in range(10)),
    )
    table = measured(rows, rate="tokens", weights={"short": 1, "long": 1}, budget=50).tables["groups"].sort("group")
    assert table.select("group", "copies", "tokens", "target").rows() == [("long", 2, 20, 25), ("short", 12, 24, 25)]


def test_each_record_speaks_once_before_any_speaks_twice(make_rows: Rows) -> None:
    rows = make_rows(*({"record": f"{number % 5:032d}", "id": f"{number:032d}"} for number in range(15)))
    first = rows.hstack(measured(rows, budget=5).signals).filter(pl.col("copies") > 0)
    assert first["record"].n_unique() == 5


def test_order_depends_on_seed_and_ids_alone(make_rows: Rows) -> None:
    rows = of(make_rows, one=40)
    assert measured(rows).signals.equals(measured(rows).signals)
    assert not measured(rows).signals.equals(measured(rows, seed=2).signals)


def test_a_smaller_budget_is_the_start_of_a_larger_one(make_rows: Rows) -> None:
    rows = of(make_rows, a=17, b=5, c=1, d=9)
    for rate in ("proportional", "temperature", "tokens"):
        before = pl.Series([0] * rows.height, dtype=pl.UInt32)
        for budget in range(1, 90):
            copies = measured(rows, rate=rate, budget=budget).signals["copies"]
            assert (copies >= before).all()
            if rate != "tokens":
                assert copies.sum() == budget
            before = copies


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any), st.integers(1, 400))
def test_whole_numbers_sum_to_the_total_and_never_fall(weights: list[int], total: int) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    less, more = mix._shared_out(shares, total), mix._shared_out(shares, total + 1)
    assert sum(less) == total
    assert all(after >= before for before, after in zip(less, more, strict=True))
    assert all(number == 0 for share, number in zip(shares, less, strict=True) if not share)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": "sauce"}, "by = 'sauce'"),
        ({"by": "draw"}, "by = 'draw'"),
        ({"rate": "weights"}, "weights is missing"),
        ({"weights": {"test": 1.0}}, "weights has no use"),
        ({"rate": "weights", "weights": {"other": 1.0}}, "none for test"),
        ({"rate": "weights", "weights": {"test": -1.0}}, "test = -1"),
        ({"rate": "weights", "weights": {"test": float("nan")}}, "test = nan"),
        ({"rate": "weights", "weights": {"test": 0.0}}, "none is above 0"),
        ({"rate": "weights", "weights": {"x": 1.0}, "by": "lang"}, "without a value"),
        ({"budget": 0}, "budget = 0"),
        ({"most": 0}, "most = 0"),
        ({"cap": 0}, "cap = 0"),
        ({"rate": "temperature", "temperature": 0.0}, "temperature = 0"),
    ],
)
def test_arguments_without_meaning_are_refused(make_rows: Rows, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=f"mix: .*{said}"):
        measured(make_rows({}), **arguments)
