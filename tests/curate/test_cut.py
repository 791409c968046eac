"""Spans of an earlier run cut out at ingest: what goes, what stays, what is missed, and both runs together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import api, check, cut, recurrence
from curate.cut import Cuts
from curate.errors import UserError
from curate.recipe import load_recipe, parse

NOTICE = "All rights reserved by the makers of this fine text"


def name(span: str) -> str:
    return recurrence.name(span.lower().encode().split())


def cut_out(data: Any, *places: tuple[int, int, str, bool], by: str = "", keep_first: bool = False) -> tuple[Any, Any]:
    counts: dict[str, int] = {}
    cuts = Cuts({"r": places}, by=by, keep_first=keep_first)
    return cut.cut(data, "r", cuts=cuts, counts=counts), counts


def turns(*contents: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": text, "train": False} for number, text in enumerate(contents)]


def test_a_span_is_replaced_where_it_stands() -> None:
    data = {"question": "Who? Read me now.", "answer": "me"}
    place = (5, 12, name("read me"), False)
    assert cut_out(data, place) == ({"question": "Who?  now.", "answer": "me"}, {"cut": 1})
    assert cut_out(data, place, by="[…]") == ({"question": "Who? […] now.", "answer": "me"}, {"cut": 1})


def test_a_span_across_slots_is_cut_in_each() -> None:
    data = {"question": "a b", "choices": ["c d", "e"], "answer": "f"}
    assert cut_out(data, (2, 9, name("b c d e"), False), by="_") == (
        {"question": "a _", "choices": ["_", "_"], "answer": "f"},
        {"cut": 3},
    )


def test_turns_that_are_no_content_are_passed_over_and_empty_slots_count_as_lines() -> None:
    spoken = [{"role": "system", "content": "a b", "train": False}, *turns("x a b", "c")]
    found, counts = cut_out(spoken, (2, 5, name("a b"), False))
    assert [turn["content"] for turn in found] == ["a b", "x ", "c"]
    assert counts == {"cut": 1}
    assert cut_out({"a": "x", "b": [], "c": "y z"}, (3, 6, name("y z"), False))[0] == {"a": "x", "b": [], "c": ""}


def test_the_first_record_of_a_span_can_be_spared_also_under_another_span() -> None:
    data = {"text": "a b c d"}
    places = ((0, 5, name("a b c"), False), (4, 7, name("c d"), True))
    assert cut_out(data, *places, keep_first=True) == ({"text": "c d"}, {"cut": 1})
    assert cut_out(data, *places) == ({"text": ""}, {"cut": 1})


@pytest.mark.parametrize("place", [(0, 3, name("other words"), False), (90, 99, name("a b"), False)])
def test_a_text_that_has_changed_since_stays_and_is_counted(place: tuple[int, int, str, bool]) -> None:
    assert cut_out({"text": "a b c"}, place) == ({"text": "a b c"}, {"cut_missed": 1})


@given(st.lists(st.text(alphabet="ab é\n", max_size=6), min_size=1, max_size=4), st.data())
def test_nothing_but_what_is_placed_goes(contents: list[str], data: st.DataObject) -> None:
    whole = "\n".join(contents)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    found, _ = cut_out(turns(*contents), (start, end, name(" ".join(whole[start:end].split())), False))
    left = "".join(turn["content"] for turn in found)
    kept = [sign for at, sign in enumerate(whole) if not start <= at < end and at not in breaks(contents)]
    assert left == "".join(kept)


def breaks(contents: list[str]) -> set[int]:
    """Return where the joined contents have a line break between two of them."""
    ends, at = set(), -1
    for content in contents[:-1]:
        at += len(content) + 1
        ends.add(at)
    return ends


def project(folder: Path) -> Path:
    """Write two conversations with the same notice and one without, and return the recipe."""
    pairs = [(f"First one. {NOTICE}.", "yes"), (f"{NOTICE}. Another?", "no"), ("Nothing of the kind", "well")]
    lines = [json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in pairs]
    (folder / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recipe = folder / "recipe.toml"
    recipe.write_text(
        'name = "notices"\n[[sources]]\nname = "chat"\npath = "data.jsonl"\n'
        'format = "prompt_completion"\ninfer_template = false\n'
        '[[stages]]\nname = "spans"\nsteps = [{ step = "substring", words = 5 }]\n',
        encoding="utf-8",
    )
    return recipe


def run(recipe: Path, out: Path, **cutting: Any) -> api.Run:
    loaded = load_recipe(recipe)
    if cutting:
        changed = {"sources": [{**loaded.plain()["sources"][0], "cut": cutting}]}
        loaded = parse({**loaded.plain(), **changed}, file=str(recipe), base=recipe.parent)
    return api.run(loaded, out=out)


def test_the_second_run_cuts_what_the_first_one_found(tmp_path: Path) -> None:
    recipe = project(tmp_path)
    first = run(recipe, tmp_path / "first")
    table = tmp_path / "first" / "tables" / "substring.matches.parquet"
    assert first.rows["substring.longest"].sort().to_list() == [0, 10, 10]
    second = run(recipe, tmp_path / "second", spans=str(table), by="…")
    assert sorted(second.rows["prompt"]) == ["First one. ….", "Nothing of the kind", "…. Another?"]
    assert sorted(second.rows["id"]) == sorted(first.rows["id"])
    assert second.rows["substring.longest"].to_list() == [0, 0, 0]
    manifest: Mapping[str, Any] = json.loads((tmp_path / "second" / "manifest.json").read_text())
    assert (manifest["sources"][0]["repairs"], manifest["sources"][0]["cut_missed"]) == ({"cut": 2}, 0)
    assert [Path(one["path"]).name for one in manifest["inputs"]] == ["data.jsonl", "substring.matches.parquet"]
    third = run(recipe, tmp_path / "third", spans=str(table), keep_first=True)
    kept = pl.read_parquet(table).filter("first")["id"].item()
    assert NOTICE in third.rows.filter(pl.col("id") == kept)["prompt"].item()
    assert sum(NOTICE in prompt for prompt in third.rows["prompt"]) == 1


def test_a_text_changed_between_the_runs_is_left_and_said(tmp_path: Path) -> None:
    recipe = project(tmp_path)
    recipe.write_text(recipe.read_text().replace("[[stages]]", 'key = "completion"\n[[stages]]'))
    run(recipe, tmp_path / "first")
    data = tmp_path / "data.jsonl"
    data.write_text(data.read_text().replace("First one.", "The very first one."))
    table = tmp_path / "first" / "tables" / "substring.matches.parquet"
    run(recipe, tmp_path / "second", spans=str(table))
    manifest = json.loads((tmp_path / "second" / "manifest.json").read_text())
    assert (manifest["sources"][0]["repairs"], manifest["sources"][0]["cut_missed"]) == ({"cut": 1}, 1)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (None, "cannot be read as Parquet"),
        ({"record": ["r"]}, "has no column 'column'"),
        ({"record": ["r"], "column": ["response"], "start": [0], "end": [1], "span": ["s"], "first": [True]},
         "has places in 'response'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_of_matches_is_refused(
    tmp_path: Path, table: dict[str, list[Any]] | None, told: str
) -> None:
    path = tmp_path / "matches.parquet"
    if table is not None:
        pl.DataFrame(table).write_parquet(path)
    with pytest.raises(UserError, match=told):
        cut.load(path, by="", keep_first=False)


def test_a_recipe_that_names_no_table_is_refused_before_it_runs(tmp_path: Path) -> None:
    recipe = project(tmp_path)
    loaded = load_recipe(recipe, overrides=["sources.chat.cut.spans=nowhere.parquet"])
    told = [str(problem) for problem in check.problems(loaded)]
    assert len(told) == 1
    assert "source 'chat'" in told[0]
    assert "nowhere.parquet: cannot be read as Parquet" in told[0]
    with pytest.raises(UserError, match=r"unknown key 'span'; did you mean 'spans'"):
        load_recipe(recipe, overrides=["sources.chat.cut.span=x.parquet"])


def test_contents_without_their_template_have_no_places_to_cut(tmp_path: Path) -> None:
    pl.DataFrame(schema=dict.fromkeys(cut.COLUMNS, pl.String)).write_parquet(tmp_path / "m.parquet")
    (tmp_path / "data.jsonl").write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    source = {"name": "s", "path": "data.jsonl", "format": "prompt_completion", "cut": {"spans": "m.parquet"}}
    recipe = parse({"name": "r", "sources": [source]}, file="r.toml", base=tmp_path)
    assert any("infer_template = false" in str(mistake) for mistake in check.problems(recipe))
    whole = {**source, "infer_template": False}
    recipe = parse({"name": "r", "sources": [whole]}, file="r.toml", base=tmp_path)
    assert list(check.problems(recipe)) == []
