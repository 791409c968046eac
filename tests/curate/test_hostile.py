"""What a careless or hostile user does: every case ends in a result, a reject or an error that says what to do."""

from __future__ import annotations

import errno
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from projects import lay_out, questions

import curate
from curate import audit, check, engine, export, ingest, read, recipe, rundir, shingles
from curate.cli.main import main
from curate.errors import INPUT, UserError, of_system

BASE = """
name = "t"
[[sources]]
name = "s"
path = "qa0.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "pii" }]
keep = [{ signal = "length.words", min = 1, why = "x" }]
"""


def project(folder: Path, text: str = BASE, records: list[dict[str, Any]] | None = None) -> Path:
    return lay_out(folder, questions(20) if records is None else records, recipe=text)


def run(path: Path, **options: Any) -> curate.Run:
    return curate.run(curate.load_recipe(path), out=path.parent / "runs" / "r", **options)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["curate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("min = 1", "min = nan", "keep 1, min: nan is no number"),
        ("min = 1", "max = inf", "inf is no number"),
        ("min = 1", "is = 1" + "0" * 30, "64 bits"),
        ("min = 1", "min = 1" + "0" * 5000, "cannot be read as TOML"),
        ("min = 1", "min = true", "should be a valid number"),
        ("min = 1", "min = '1'", "should be a valid number"),
        ("min = 1", "any_of = []", "names nothing"),
        ("min = 1", "any_of = [1, 'a']", "'a' is not"),
        ("min = 1", "min = 1, flag = 'yes'", "valid boolean"),
        ("min = 1", "min = 1, where = { source = [] }", "would cover no row"),
        ("min = 1", "min = 1, where = { source = 3 }", "'source' is str, 3 is not"),
        ("min = 1", "min = 1, where = { source = { a = 1 } }", "a list of these"),
        ("min = 1", "min = 1, where = { 'length.words' = 'x' }", "'length.words' is u32"),
        ("min = 1", "min = 1, where = { 'pii.kinds' = 'email' }", "is a list"),
        ("keep = [", "keep = [{ signal = 'length.words', min = 1, why = 'y' }, ", "more than once"),
        ('name = "t"', 'name = "t"\nseed = true', "seed: should be a valid integer"),
        ('name = "t"', 'name = "' + "t" * 300 + '"', "at most 100"),
        ('name = "t"', "name = 't'\nx = " + "[" * 5000, "nested too deep"),
        ("qa0.jsonl", "qa0\\u0000.jsonl", "a NUL character"),
        ("qa0.jsonl", "~nosuchuser/x.jsonl", "cannot be a path"),
        ("qa0.jsonl", "d" * 5000 + ".jsonl", "cannot be a path"),
        ('step = "pii"', 'step = "table", path = "."', "is no file"),
        ('step = "pii"', 'step = "leak", n = 0', "n = 0 is not positive"),
        ('step = "pii"', 'step = "toxicity", lexicon = "qa0.jsonl"', "is not TOML"),
        ('task = "qa_open"', 'task = "qa_open"\nlimit = 0', "source 's', limit: should be greater"),
        ('task = "qa_open"', 'task = "qa_open"\nkey = "qestion"', "did you mean 'question'"),
    ],
)
def test_each_mistake_in_a_recipe_is_one_clear_error(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = project(tmp_path, BASE.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        run(path)
    assert said in str(caught.value)
    assert "mistakes" not in str(caught.value)
    assert not (tmp_path / "runs" / "r").exists()


def test_a_recipe_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = project(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert curate.load_recipe(path).name == "t"


def test_a_table_made_elsewhere_is_known_by_its_columns(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a"], "score": [0.5]}).write_parquet(tmp_path / "t.parquet")
    text = BASE.replace('step = "pii"', 'step = "table", path = "t.parquet"').replace("length.words", "table.scoer")
    found = [str(one) for one in check.problems(curate.load_recipe(project(tmp_path, text)))]
    assert found == [
        "stage 'checks': no signal 'table.scoer' is measured up to this stage; did you mean 'table.score'?"
    ]


@pytest.mark.parametrize("form", ["any_of = [-1, 1.5, 4]", "none_of = [-1, 1.5]", "is = 4", "min = -9e18"])
def test_counts_may_be_compared_with_any_number(tmp_path: Path, form: str) -> None:
    done = run(project(tmp_path, BASE.replace("min = 1", form)))
    words = done.rows["length.words"]
    assert done.rows["kept"].to_list() == [form[0] in "nm" or count == 4 for count in words]


def test_bounds_that_differ_in_the_tenth_digit_have_two_ids() -> None:
    ids = {recipe.Keep(signal="a.b", max=bound, why="x").rule_id("s") for bound in (1000000, 1000001, 1000000.5)}
    assert ids == {"s/a.b max 1000000", "s/a.b max 1000001", "s/a.b max 1000000.5"}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "said"), [(fifo, "not a regular file"), (loop, "leads nowhere"), (dangling, "leads nowhere")]
)
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path, make: Any, said: str) -> None:
    path = project(tmp_path)
    (tmp_path / "qa0.jsonl").unlink()
    make(tmp_path / "qa0.jsonl")
    with pytest.raises(UserError, match=said) as caught:
        run(path)
    assert caught.value.code == INPUT


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    monkeypatch.setattr("builtins.open", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "denied")))
    with pytest.raises(UserError, match="may not be read"):
        read.require_readable(tmp_path / "a.jsonl")


@pytest.mark.parametrize("name", ["a [b] *? {c}", "line\nbreak", "日本 ü"])
def test_folders_may_have_any_name(tmp_path: Path, name: str) -> None:
    first = run(project(tmp_path / name)).rows
    assert run(project(tmp_path / name)).rows.equals(first)  # from the cache


def test_records_that_all_fall_at_rendering_leave_nothing(tmp_path: Path) -> None:
    text = "rejects = 1.0\n" + BASE + '[templates]\nkinds = ["inverted"]\n[[stages]]\nname = "m"\n'
    path = project(tmp_path, text + 'steps = [{ step = "minhash" }]\n', [{"question": "a?", "answer": ""}] * 9)
    failure = engine.execute(curate.load_recipe(path), out=tmp_path / "r")
    assert failure is not None
    assert (failure.code, failure.what) == (INPUT, "nothing is left: no record gave a row")


def test_the_share_of_rejects_is_compared_as_a_share(tmp_path: Path) -> None:
    records: list[Any] = [*questions(71), *[{}] * 29]  # 0.29 * 100 is less than 29
    assert run(project(tmp_path, "rejects = 0.29\n" + BASE, records)).mix.height


def test_slices_are_cut_by_size_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path)
    whole = run(path).rows
    monkeypatch.setattr(ingest, "SLICE_BYTES", 300)
    sliced = run(path, fresh=True)
    assert pq.ParquetFile(sliced.path / "rows.parquet").metadata.num_row_groups > 5
    assert sliced.rows.equals(whole)


def test_an_error_comes_whole_out_of_a_worker() -> None:
    error = pickle.loads(pickle.dumps(UserError("where", "what", "fix", code=5)))
    assert (error.where, error.what, error.fix, error.code) == ("where", "what", "fix", 5)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_is_no_bug(number: int) -> None:
    found = of_system(OSError(number, os.strerror(number), "/somewhere"))
    assert found is not None
    assert found.where == "/somewhere"
    assert of_system(FileNotFoundError(errno.ENOENT, "no such file", "x")) is None


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["rn"], 2),
        (["run"], 2),
        (["run", "r.toml", "--limit", "0"], 2),
        (["run", "nope.toml"], 2),
        (["explain", "nope", "x\udcff"], 4),
        (["steps", "nope"], 2),
        (["export", "nope", "--to", "alpaca", "--out", "x"], 4),
    ],
)
def test_json_is_one_document_also_for_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int
) -> None:
    assert command(monkeypatch, *arguments, "--json") == status
    found = json.loads(capsys.readouterr().out)
    assert found["error"]["code"] == status


def test_a_bug_is_told_as_json_and_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("curate.catalog.names", lambda: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["curate", "steps", "--json"])
    with pytest.raises(ZeroDivisionError):
        main()
    assert json.loads(capsys.readouterr().out)["error"]["code"] == 1


def test_a_reader_that_has_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(**options: object) -> None:
        try:
            raise BrokenPipeError
        except BrokenPipeError:
            raise SystemExit(1)  # what rich does  # noqa: B904

    monkeypatch.setattr("curate.cli.main.app", closed)
    assert command(monkeypatch, "steps") == 0


def test_files_of_one_name_get_sources_of_their_own() -> None:
    files = [Path("a_3.json"), Path("x/a.json"), Path("y/a.json"), Path("z/a.json"), Path("n" * 200 + ".json")]
    found = [source.name for source in audit.audit_recipe(files, seed=0).sources]
    assert found[:4] == ["a_3", "a", "a_2", "a_4"]
    assert len(set(found)) == 5


def test_a_file_without_any_record_says_why(tmp_path: Path) -> None:
    (tmp_path / "page.jsonl").write_text("<html>\n")
    with pytest.raises(UserError, match="not JSON"):
        curate.run(audit.audit_recipe([tmp_path / "page.jsonl"], seed=0), out=tmp_path / "r")


def test_tools_and_text_parts_of_later_rows_reach_the_parquet_export(tmp_path: Path) -> None:
    answer = {"role": "assistant", "content": "yes"}
    asked = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    records = [{"messages": [{"role": "user", "content": f"q{i}"}, answer]} for i in range(5)]
    records.append({"messages": [asked, answer], "tools": [{"name": "f"}]})  # type: ignore[dict-item]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    done = curate.run(audit.audit_recipe([tmp_path / "chat.jsonl"], seed=0), out=tmp_path / "r")
    export.export(rundir.RunDir.open(done.path), form="messages", out=tmp_path / "x")
    found = pq.read_table(tmp_path / "x" / "data" / "train-00000-of-00001.parquet").to_pylist()
    with_tools = [row for row in found if row["tools"]]
    assert [(row["tools"], row["messages"][0]["content"]) for row in with_tools] == [('[{"name":"f"}]', "a\nb")]


def test_shingles_wider_than_any_text_cost_nothing() -> None:
    words = shingles.word_hashes(["one two three", "one", None])
    wide, exact = shingles.windows(words, n=10**9), shingles.windows(words, n=3)
    assert wide.values.tolist() == exact.values.tolist()
