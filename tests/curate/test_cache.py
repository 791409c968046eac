"""The store of finished results."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curate.cache import Store, code_digest, folder_digest, key, sources
from curate.schema import Measured

RESULT = Measured(pl.DataFrame({"words": [1, 2]}), {"pairs": pl.DataFrame({"id": ["a"]})})


def test_results_come_back_with_their_tables(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get("abcd") is None
    store.put("abcd", RESULT)
    found = store.get("abcd")
    assert found is not None
    assert found.signals.equals(RESULT.signals)
    assert found.tables["pairs"].equals(RESULT.tables["pairs"])


def test_what_is_there_is_not_made_again_unless_fresh(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Measured:
        made.append(1)
        return RESULT

    assert [Store(tmp_path).get_or("k1", make)[1] for _ in range(2)] == [False, True]
    assert Store(tmp_path, fresh=True).get_or("k1", make)[1] is False
    assert len(made) == 2


def test_a_remade_result_leaves_no_table_of_the_old_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("abcd", RESULT)
    store.put("abcd", Measured(RESULT.signals))
    found = store.get("abcd")
    assert found is not None
    assert found.tables == {}


def test_keys_tell_arguments_files_and_code_apart(tmp_path: Path) -> None:
    assert key("a", {"x": 1, "y": 2}) == key("a", {"y": 2, "x": 1})
    assert len({key("a", {"x": 1}), key("a", {"x": 2}), key("b", {"x": 1}), key("a", {"x": "1"})}) == 4
    (tmp_path / "a.toml").write_text("x = 1")
    before = folder_digest(tmp_path)
    (tmp_path / "a.toml").write_text("x = 2")
    assert folder_digest(tmp_path) != before
    assert code_digest("curate.text") != code_digest("curate.schema")


def test_the_code_of_a_step_is_all_that_it_imports_at_any_depth() -> None:
    found = sources("curate.steps.near")
    # The step imports `copies`, that `wordsets`, and that the compiled loops within a function.
    assert {"curate.steps.near", "curate.copies", "curate.wordsets", "curate.kernels"} <= set(found)
    assert not {"curate.measure", "curate.engine", "curate.personal"} & set(found)
