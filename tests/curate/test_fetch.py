"""Sources that lie elsewhere: fetched only where the user allows it, once, and again when they have changed."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import RECIPE, lay_out, questions

import curate
from curate import fetch
from curate.cli import work
from curate.recipe import Recipe

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'curatune[remote]'")


@pytest.fixture
def bucket() -> Iterator[str]:
    """Give an empty place of fsspec's own storage in memory."""
    system = fsspec.filesystem("memory")
    system.makedirs("/bucket", exist_ok=True)
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def put(address: str, count: int) -> None:
    with fsspec.open(address, "wt") as file:
        file.write("".join(json.dumps(record) + "\n" for record in questions(count)))


def recipe(folder: Path, address: str) -> Recipe:
    return curate.load_recipe(lay_out(folder, [], recipe=RECIPE.replace("qa*.jsonl", address)))


def test_an_address_is_refused_without_leave(tmp_path: Path, bucket: str) -> None:
    put(f"{bucket}/qa.jsonl", 30)
    with pytest.raises(curate.UserError, match=r"is not on this machine; .*--allow-download"):
        curate.run(recipe(tmp_path, f"{bucket}/qa.jsonl"), out=tmp_path / "runs" / "r")


def test_a_fetched_source_gives_the_bytes_of_a_local_one(tmp_path: Path, bucket: str) -> None:
    for number in range(2):
        put(f"{bucket}/{number}/qa.jsonl", 30 + number)
    recipe(tmp_path, f"{bucket}/*/qa.jsonl")
    out = tmp_path / "runs" / "r"
    work.run(tmp_path / "recipe.toml", out=out, allow_download=True, quiet=True, workers=1)
    here = tmp_path / "here"
    here.mkdir()
    for number in range(2):
        text = "".join(json.dumps(record) + "\n" for record in questions(30 + number))
        (here / f"qa{number}.jsonl").write_text(text, encoding="utf-8")
    (here / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    local = curate.run(curate.load_recipe(here / "recipe.toml"), out=here / "r")
    for name in ("rows.parquet", "mix.parquet"):
        assert (out / name).read_bytes() == (local.path / name).read_bytes()


def test_it_is_fetched_once_and_again_when_it_has_changed(tmp_path: Path, bucket: str) -> None:
    address = f"{bucket}/qa.jsonl"
    put(address, 30)
    found = recipe(tmp_path, address)
    first = fetch.local(found, store=tmp_path / "cache").sources[0].path
    (copy,) = Path(first).parent.iterdir()
    changed = copy.stat().st_mtime_ns
    assert fetch.local(found, store=tmp_path / "cache").sources[0].path == first
    assert copy.stat().st_mtime_ns == changed
    put(address, 31)
    second = fetch.local(found, store=tmp_path / "cache").sources[0].path
    assert second != first
    assert next(Path(second).parent.iterdir()).read_text().count("\n") == 31


@pytest.mark.parametrize(
    ("address", "said", "code"),
    [
        ("memory://bucket/none.jsonl", "cannot be fetched", 4),
        ("memory://bucket/*.jsonl", "no file matches", 4),
        ("nowhere://bucket/qa.jsonl", "cannot be fetched", 4),
    ],
)
def test_what_cannot_be_had_is_told(tmp_path: Path, bucket: str, address: str, said: str, code: int) -> None:
    with pytest.raises(curate.UserError, match=said) as raised:
        fetch.local(recipe(tmp_path, address), store=tmp_path / "cache")
    assert raised.value.code == code


def test_a_server_is_asked(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'curatune[remote]'")
    (tmp_path / "site").mkdir()
    lay_out(tmp_path / "site", questions(20))
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=str(tmp_path / "site"))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = recipe(tmp_path, f"http://127.0.0.1:{server.server_port}/qa0.jsonl")
        copied = fetch.local(found, store=tmp_path / "cache").sources[0].path
        server.shutdown()
    (copy,) = Path(copied).parent.iterdir()
    assert copy.read_bytes() == (tmp_path / "site" / "qa0.jsonl").read_bytes()


@pytest.mark.filterwarnings("default")  # of the libraries of others
def test_a_source_in_a_bucket_is_fetched_as_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs", reason="pip install s3fs 'moto[server]'")
    moto = pytest.importorskip("moto.server", reason="pip install s3fs 'moto[server]'")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of this test alone")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        put("s3://bucket/qa.jsonl", 30)
        given = recipe(tmp_path, "s3://bucket/*.jsonl")
        first = fetch.local(given, store=tmp_path / "store")
        assert first == fetch.local(given, store=tmp_path / "store")
        with pytest.raises(curate.UserError, match=r"cannot be fetched|no file matches"):
            fetch.local(recipe(tmp_path, "s3://no-such-bucket/qa.jsonl"), store=tmp_path / "store")
    finally:
        server.stop()
    (fetched,) = (tmp_path / "store").rglob("*qa.jsonl")
    assert [json.loads(line) for line in fetched.read_text().splitlines()] == questions(30)
