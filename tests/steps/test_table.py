from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.errors import UserError
from curate.steps import table

Rows = Callable[..., pl.DataFrame]


def test_columns_are_joined_by_id_in_the_order_of_the_rows(make_rows: Rows, tmp_path: Path) -> None:
    rows = make_rows({}, {}, {})
    ids = rows["id"].to_list()
    made = pl.DataFrame(
        {"id": [ids[2], ids[0], "elsewhere"], "loss": [0.5, 1.5, 9.0], "steps": [3, 1, 9], "tags": [["a"], [], ["b"]]},
        schema_overrides={"loss": pl.Float32, "steps": pl.UInt16},
    )
    made.write_parquet(tmp_path / "made.parquet")
    found = table.table(rows, path=tmp_path / "made.parquet")
    assert found.schema == {"loss": pl.Float64, "steps": pl.UInt32, "tags": pl.List(pl.String)}
    assert found["loss"].to_list() == [1.5, None, 0.5]
    assert table.table(rows, path=tmp_path / "made.parquet", columns=["steps"]).columns == ["steps"]
    assert table.table(make_rows(), path=tmp_path / "made.parquet").schema == found.schema


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"key": ["a"]}, "no column 'id'"),
        ({"id": ["a", "a"], "x": [1, 2]}, "'a' is there more than once"),
        ({"id": ["a", None], "x": [1, 2]}, "or empty"),
        ({"id": [1], "x": [1]}, "'id' is of type Int64"),
        ({"id": ["a"], "x": [{"y": 1}]}, "column 'x' is of type Struct"),
        ({"id": ["a"], "x": [float("nan")]}, "NaN or infinity in x"),
    ],
)
def test_a_file_that_does_not_fit_is_named(make_rows: Rows, tmp_path: Path, made: dict[str, Any], message: str) -> None:
    pl.DataFrame(made).write_parquet(tmp_path / "made.parquet")
    with pytest.raises(UserError, match=message):
        table.table(make_rows({}), path=tmp_path / "made.parquet")


def test_unknown_columns_and_files_are_named(make_rows: Rows, tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a"], "loss": [1.0]}).write_parquet(tmp_path / "made.parquet")
    with pytest.raises(UserError, match="did you mean 'loss'"):
        table.table(make_rows({}), path=tmp_path / "made.parquet", columns=["los"])
    with pytest.raises(UserError, match="cannot be read") as caught:
        table.table(make_rows({}), path=tmp_path / "absent.parquet")
    assert caught.value.code == 4
    (tmp_path / "text.parquet").write_text("id,x")
    with pytest.raises(UserError, match="cannot be read"):
        table.table(make_rows({}), path=tmp_path / "text.parquet")
