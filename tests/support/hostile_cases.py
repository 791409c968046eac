"""Hostile inputs and what must become of each: one table, made by code, run through the real command.

`READ`: data files of one run that allows any share of rejects: how many records each gives, how many rejects, and words
of a cause. `REFUSED`: projects whose run, check or other command must end with a status and say some words.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

Q = {"question": "Where does the river end?", "answer": "In the sea."}
BOMB = 1 << 30  # bytes that the bombs unfold to
MARK = "pwned"  # a file that whatever is executed would leave behind
DEEP = 100_000
ESCAPES = "red\x1b[31m\x1b]8;;http://hostile.invalid\x07x\x1b]8;;\x07\x1b[2J\x07"
BIDI = "user\u202egnp.exe\u2066\u2069\u200b\u200d\ufeff\U000e0041 end"
SCRIPT = "<script>window.x=1</script><img src=x onerror=alert(1)>"
FORMULAS = ("=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1:A9)", '=HYPERLINK("http://hostile.invalid")')
JINJA = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for i in range(10**9) %}x{% endfor %}{# #}"


def line(**changes: Any) -> bytes:
    """Return a record as a line of JSON."""
    return json.dumps({**Q, **changes}).encode() + b"\n"


@dataclass(frozen=True)
class Read:
    """A data file, and what reading it gives."""

    file: str
    content: Callable[[], bytes]
    records: int
    rejects: int = 0
    cause: str = ""


def parquet(**columns: Any) -> bytes:
    """Return a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def table(*rows: str) -> bytes:
    """Return a CSV file."""
    return ("question,answer\n" + "".join(row + "\n" for row in rows)).encode()


def long_line() -> bytes:
    """Return a record before and after one line of a gigabyte, packed in frames of 16 MB."""
    pack = zstandard.ZstdCompressor().compress
    frames = pack(b"a" * (1 << 24)) * (BOMB >> 24)
    return pack(line() + b'{"question": "') + frames + pack(b'"}\n' + line())


def bomb_gz() -> bytes:
    """Return a gigabyte of letters in a megabyte, then a record."""
    return gzip.compress(b"a" * (1 << 24)) * (BOMB >> 24) + gzip.compress(b"\n" + line())


def bomb_lines() -> bytes:
    """Return sixteen million empty lines in some hundred bytes."""
    frame = zstandard.ZstdCompressor().compress(b"\n" * (1 << 24))
    return frame + zstandard.ZstdCompressor().compress(line())


def nested(depth: int, inner: str = "1") -> str:
    """Return a list in a list in a list."""
    return "[" * depth + inner + "]" * depth


READ = (
    Read("line_of_a_gigabyte.jsonl.zst", long_line, 2, 1, "longer than 10 MB"),
    Read("bomb.jsonl.gz", bomb_gz, 1, 1, "longer than 10 MB"),
    Read("bomb_of_empty_lines.jsonl.zst", bomb_lines, 1),
    Read("nested_list.jsonl", lambda: line() + f'{{"question": {nested(DEEP)}}}\n'.encode(), 1, 1, "nested deeper"),
    Read("nested_object.jsonl", lambda: line() + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n", 1, 1, "nested deeper"),
    Read("nested_unclosed.jsonl", lambda: line() + b"[" * DEEP + b"\n", 1, 1, "nested deeper"),
    Read("nested_in_meta.jsonl", lambda: line(x=json.loads(nested(90))) + line(x=json.loads(nested(200))), 1, 1, "nested"),
    Read("lone_surrogate.jsonl", lambda: line() + b'{"question": "\\ud800", "answer": "a"}\n', 1, 1, "surrogate"),
    Read("surrogate_in_key.jsonl", lambda: line() + b'{"\\udfff": 1, "question": "q", "answer": "a"}\n', 1, 1, "surrogate"),
    Read("surrogate_pair.jsonl", lambda: b'{"question": "\\ud83d\\ude00?", "answer": "a"}\n', 1),
    Read("nul.jsonl", lambda: line() + b'{"question": "a\\u0000b", "answer": "a"}\n', 1, 1, "NUL"),
    Read("nul_byte.jsonl", lambda: line() + b'{"question": "a\0b", "answer": "a"}\n', 1, 1, "NUL"),
    Read("huge_integer.jsonl", lambda: line(n=1) + b'{"question": "q", "answer": 1' + b"0" * 30 + b"}\n", 2),
    Read("digits_without_end.jsonl", lambda: b'{"question": "q", "answer": "a", "n": ' + b"9" * 100_000 + b"}\n", 1),
    Read("huge_exponent.jsonl", lambda: b'{"question": "q", "answer": "a", "n": 1e999999, "m": -1e-999999}\n', 1),
    Read("nan.jsonl", lambda: b'{"question": "q", "answer": "a", "n": NaN, "m": -Infinity}\n', 1),
    Read("nan_answer.jsonl", lambda: line() + b'{"question": "q", "answer": NaN}\n', 1, 1, "answer"),
    Read("duplicate_keys.jsonl", lambda: b'{"question": "one?", "question": "two?", "answer": "a"}\n', 1),
    Read("not_json.jsonl", lambda: line() + b"import os; os.system('x')\n" + b"'single'\n" + b"{,}\n", 1, 3, "not JSON"),
    Read("scalars.jsonl", lambda: line() + b'1\n"text"\nnull\ntrue\n', 1, 4, "not an object"),
    Read("latin_1.jsonl", lambda: line() + '{"question": "café", "answer": "a"}\n'.encode("latin-1"), 1, 1, "not UTF-8"),
    Read("overlong_utf8.jsonl", lambda: line() + b'{"question": "\xc0\xaf", "answer": "a"}\n', 1, 1, "not UTF-8"),
    Read("cut_utf8.jsonl", lambda: line() + b'{"question": "\xe2\x82', 1, 1, "not UTF-8"),
    Read("terminal_escapes.jsonl", lambda: line(question=ESCAPES), 1),
    Read("bidi_and_zero_width.jsonl", lambda: line(question=BIDI, answer=BIDI), 1),
    Read("html_and_script.jsonl", lambda: line(question=SCRIPT, answer=SCRIPT, **{SCRIPT: SCRIPT}), 1),
    Read("jinja_in_the_data.jsonl", lambda: line(question=JINJA, answer=JINJA), 1),
    Read("rich_markup.jsonl", lambda: line(question="[bold]x[/] [/] [link=http://hostile.invalid]y", answer="[/bold]"), 1),
    Read("line_separators.jsonl", lambda: line(question="a\u2028b\u2029c\x85d\x0ce"), 1),
    Read("combining.jsonl", lambda: line(question="e" + "\u0301" * 5000), 1),
    Read("a_word_of_a_megabyte.jsonl", lambda: line(answer="w" * (1 << 20)), 1),
    Read("empty_answers.jsonl", lambda: line() + line(answer="") + line(answer=None), 2, 1, "answer"),
    Read("proto_keys.jsonl", lambda: line(__proto__={"x": 1}, constructor={"prototype": 1}, __class__="y"), 1),
    Read("many_keys.jsonl", lambda: line(**{f"k{i}": i for i in range(20_000)}), 1),
    Read("entities.json", lambda: json.dumps([{"question": "&lol9; &#x0;", "answer": "<!ENTITY lol 'lol'>"}]).encode(), 1),
    Read("formulas.csv", lambda: table(*(f'"{one.replace(chr(34), chr(34) * 2)}","{one.split("(")[0]}"' for one in FORMULAS)), 5),
    Read("open_quote.csv", lambda: table("a,b", '"c,d', "e,f"), 2, 1, "never closed"),
    Read("ragged.csv", lambda: table("a,b", "a", "a,b,c", "d,e"), 2, 2, "fields where"),
    Read("nul.csv", lambda: table("a,b", "c\0d,e"), 1, 1, "NUL"),
    Read("line_of_quotes.csv", lambda: table("a,b", '"' * 1_000_001, "c,d"), 2, 1, ""),
    Read("bytes.parquet", lambda: parquet(question=["q", "r"], answer=[b"a", b"\xff\xfe"]), 1, 1, "no text"),
    Read("floats.parquet", lambda: parquet(question=["q", "r"], answer=[1.5, float("nan")]), 1, 1, "answer"),
    Read("html.parquet", lambda: parquet(question=[SCRIPT], answer=[ESCAPES], **{SCRIPT: [1]}), 1),
    Read("surrogates.tsv", lambda: b"question\tanswer\n" + b"a\tb\n" + b"\xed\xa0\x80\tb\n", 1, 1, "not UTF-8"),
)  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """A project and a command over it, the status it must end with, and words it must say."""

    name: str
    lay: Callable[[Path], None]
    status: int
    said: str
    command: tuple[str, ...] = ("run", "recipe.toml", "--out", "runs/r")


RECIPE = """name = "t"
[[sources]]
name = "s"
path = "data.jsonl"
task = "qa_open"
[[stages]]
name = "checks"
steps = [{ step = "length" }]
keep = [{ signal = "length.words", min = 1, why = "x" }]
"""


def data(name: str, content: bytes) -> Callable[[Path], None]:
    """Return how to lay out a project over one data file."""

    def lay(folder: Path) -> None:
        (folder / name).write_bytes(content)
        (folder / "recipe.toml").write_text(RECIPE.replace("data.jsonl", name), encoding="utf-8")

    return lay


def recipe(old: str = "", new: str = "", *, code: str = "") -> Callable[[Path], None]:
    """Return how to lay out a sound file under a recipe with something changed; `code`: a module beside it."""

    def lay(folder: Path) -> None:
        (folder / "data.jsonl").write_bytes(line() * 3)
        (folder / "recipe.toml").write_text(RECIPE.replace(old, new, 1) if old else new, encoding="utf-8")
        if code:
            (folder / "evil.py").write_text(code, encoding="utf-8")

    return lay


def binary(folder: Path) -> None:
    """Lay out a recipe that is no UTF-8."""
    (folder / "recipe.toml").write_bytes(b"name = '\xff'")


def template(text: str, *, response: str = "{{ label }}") -> Callable[[Path], None]:
    """Return how to lay out a recipe with a template of its own."""
    family = f"""family = "wild"
why = "x"
target = "label"
[slots]
text = "text"
label = "value"
[example]
text = "A."
label = "b"
[[templates]]
id = "wild.one"
kind = "zero_shot"
prompt = '''{text} {{{{ text }}}}'''
response = '''{response}'''
"""

    def lay(folder: Path) -> None:
        (folder / "data.jsonl").write_bytes(b'{"text": "A long text.", "label": "b"}\n' * 3)
        (folder / "own").mkdir()
        (folder / "own" / "wild.toml").write_text(family, encoding="utf-8")
        changed = RECIPE.replace('"qa_open"', '"wild"').replace(
            "[[stages]]", '[templates]\npath = "own"\n[[stages]]', 1
        )
        (folder / "recipe.toml").write_text(changed, encoding="utf-8")

    return lay


def archive(kind: str) -> bytes:
    """Return an archive with a member that would be written outside."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"../../{MARK}", "x" * 10_000_000)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as packed_tar:
            entry = tarfile.TarInfo(f"../../{MARK}")
            entry.size = 4
            packed_tar.addfile(entry, io.BytesIO(b"text"))
    return buffer.getvalue()


class Executes:
    """What a pickle of this does when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {MARK}",)


def pickled() -> bytes:
    """Return a pickle that runs a command."""
    return pickle.dumps(Executes())


def model(kind: str) -> Callable[[Path], None]:
    """Return how to lay out a folder of a model whose weights are a pickle."""

    def lay(folder: Path) -> None:
        (folder / "model").mkdir()
        for name in ("pytorch_model.bin", "model.pt", "model.pkl"):
            (folder / "model" / name).write_bytes(pickled())
        (folder / "model" / "config.json").write_text('{"auto_map": {"AutoModel": "evil.Evil"}, "model_type": "bert"}')
        (folder / "model" / "evil.py").write_text(f"open('{MARK}', 'w')")
        (folder / "model" / "tokenizer.json").write_text("{}")
        (folder / "data.jsonl").write_bytes(line() * 3)
        if kind == "classifier":
            changed = RECIPE.replace('step = "length"', 'step = "toxicity", classifier = "model"')
            changed = changed.replace("length.words", "toxicity.score")
        else:
            changed = RECIPE.replace('step = "length"', 'step = "map"') + '[embedding]\nmodel = "model"\n'
            changed = changed.replace('keep = [{ signal = "length.words", min = 1, why = "x" }]', "")
        (folder / "recipe.toml").write_text(changed, encoding="utf-8")

    return lay


def saved(files: list[str], *, splits: list[str] | None = None, link: bool = False) -> Callable[[Path], None]:
    """Return how to lay out a folder of `datasets` that names files outside of it."""

    def lay(folder: Path) -> None:
        (folder / "outside").mkdir()
        (folder / "saved").mkdir()
        secret = pa.table({"question": ["a secret?"], "answer": ["yes"]})
        with (
            pa.OSFile(str(folder / "outside" / "x.arrow"), "wb") as file,
            pa.ipc.new_stream(file, secret.schema) as out,
        ):
            out.write_table(secret)
        state = json.dumps({"_data_files": [{"filename": name} for name in files]})
        for place in ("saved", "outside"):
            (folder / place / "state.json").write_text(state)
        if splits is not None:
            (folder / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
        if link:
            (folder / "saved" / "link.arrow").symlink_to("../outside/x.arrow")
        (folder / "recipe.toml").write_text(RECIPE.replace("data.jsonl", "saved"), encoding="utf-8")

    return lay


def links(target: str) -> Callable[[Path], None]:
    """Return how to lay out a run directory that is, or holds, a link to somebody else's folder."""

    def lay(folder: Path) -> None:
        recipe()(folder)
        (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        (folder / "theirs").mkdir()
        (folder / "theirs" / "thesis.txt").write_text("years of work")
        (folder / "runs").mkdir()
        (folder / "runs" / target).symlink_to("../theirs")

    return lay


def special(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return how to lay out a project whose data file is something else."""

    def lay(folder: Path) -> None:
        make(folder / "data.jsonl")
        (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")

    return lay


def imported(text: str) -> Callable[[Path], None]:
    """Return how to lay out a promptsource file."""

    def lay(folder: Path) -> None:
        (folder / "evil.yaml").write_text(text, encoding="utf-8")

    return lay


IMPORT = ("templates", "qa_open", "--import", "evil.yaml", "--out", "own.toml")
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CODE = f"open('{MARK}', 'w')\ndef step(rows):\n    return rows\n"
STEP = 'step = "length"'
REFUSED = (
    Refused("zip", data("data.jsonl", archive("zip")), 4, "is a zip archive"),
    Refused("tar", data("data.tar.gz", archive("tar")), 4, "is not known"),
    Refused("tar_called_jsonl", data("data.jsonl.gz", archive("tar")), 4, "can be used"),
    Refused("gzip_in_disguise", data("data.jsonl", gzip.compress(line())), 4, "compressed with gzip"),
    Refused("nothing", data("data.jsonl", b""), 4, "the file is empty"),
    Refused("blanks", data("data.jsonl", b"\n \n\t\n"), 4, "the file is empty"),
    Refused("gzip_cut_off", data("data.jsonl.gz", gzip.compress(line() * 1000)[:-20]), 4, "breaks off"),
    Refused("gzip_of_garbage", data("data.jsonl.gz", b"\x1f\x8b" + b"\xff" * 100), 4, "cannot be read"),
    Refused("zst_of_garbage", data("data.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 100), 4, "cannot be read"),
    Refused("parquet_of_garbage", data("data.parquet", b"PAR1" + b"\xff" * 1000 + b"PAR1"), 4, "cannot be read"),
    Refused("parquet_cut_off", data("data.parquet", parquet(question=["q"] * 99, answer=["a"] * 99)[:-40]), 4, "cannot be read"),
    Refused("arrow_of_garbage", data("data.arrow", b"ARROW1\0\0" + b"\xff" * 1000), 4, "cannot be read"),
    Refused("pickle", data("data.pkl", pickled()), 4, "is not known"),
    Refused("pickle_called_jsonl", data("data.jsonl", pickled()), 4, "can be used"),
    Refused("utf_16", data("data.jsonl", line().decode().encode("utf-16")), 4, "UTF-16"),
    Refused("json_of_nothing_but_brackets", data("data.json", b"[" * DEEP), 4, ""),
    Refused("json_document_cut_off", data("data.json", b'[{"question": "q", "answer": "a"}, {"quest'), 4, ""),
    Refused("csv_with_names_twice", data("data.csv", b"question,question,answer\na,b,c\n"), 4, "more than once"),
    Refused("fifo", special(os.mkfifo), 4, "not a regular file"),
    Refused("link_to_itself", special(lambda path: path.symlink_to(path.name)), 4, "leads nowhere"),
    Refused("endless_device", special(lambda path: path.symlink_to("/dev/zero")), 4, "not a regular file"),
    Refused("dataset_that_climbs", saved(["../outside/x.arrow"]), 4, "outside of it"),
    Refused("dataset_with_absolute_file", saved(["/etc/passwd"]), 4, "outside of it"),
    Refused("dataset_with_link_out", saved(["link.arrow"], link=True), 4, "outside of it"),
    Refused("dataset_with_split_outside", saved(["x.arrow"], splits=["../outside"]), 4, "outside of it"),
    Refused("function_without_leave", recipe(STEP, 'step = "evil:step"', code=CODE), 2, "add --allow-code"),
    Refused("function_checked", recipe(STEP, 'step = "evil:step"', code=CODE), 2, "add --allow-code", ("check", "recipe.toml")),
    Refused("system_function", recipe(STEP, 'step = "os:system"'), 2, "add --allow-code"),
    Refused("path_as_step", recipe(STEP, 'step = "../evil"', code=CODE), 2, "unknown step"),
    Refused("dunder_as_step", recipe(STEP, 'step = "__init__"'), 2, "unknown step"),
    Refused("leave_in_the_recipe", recipe('name = "t"', 'name = "t"\ncode = true'), 2, "unknown key 'code'"),
    Refused("leave_by_set", recipe(), 2, "unknown key 'code'", ("run", "recipe.toml", "--set", "code=true")),
    Refused("name_that_climbs", recipe('name = "t"', 'name = "../../t"'), 2, "name"),
    Refused("stage_that_climbs", recipe('"checks"', '"../checks"'), 2, "name"),
    Refused("signals_that_climb", recipe(STEP, 'step = "length", as = "../x"'), 2, "as"),
    Refused("duplicate_keys", recipe('name = "t"', 'name = "t"\nname = "u"'), 2, "cannot be read as TOML"),
    Refused("nan_bound", recipe("min = 1", "min = nan"), 2, "nan is no number"),
    Refused("number_without_end", recipe("min = 1", "min = " + "9" * 5000), 2, "cannot be read as TOML"),
    Refused("recipe_of_brackets", recipe("", "x = " + "[" * DEEP), 2, "nested too deep"),
    Refused("recipe_not_utf8", binary, 2, "not UTF-8"),
    Refused("recipe_with_escapes", recipe('name = "t"', f'name = "{ESCAPES}"'.replace("\x1b", "\\u001b").replace("\x07", "\\u0007")), 2, "name"),
    Refused("pattern_that_never_ends", recipe("data.jsonl", "**/" * 500 + "x"), 4, ""),
    Refused("run_over_a_link", links("r"), 2, "not a run directory"),
    Refused("classifier_of_pickles", model("classifier"), 5, "model.safetensors"),
    Refused("encoder_of_pickles", model("encoder"), 5, "model.safetensors"),
    Refused("template_laughs", template("{{ 'ha' * 1000000000 }}"), 2, "takes two numbers"),
    Refused("template_power", template("{{ 9 ** 9 ** 9 }}"), 2, "powers"),
    Refused("template_range", template("{% for i in range(1000000000) %}ha{% endfor %}"), 2, "not called"),
    Refused("template_padding", template("{{ '%1000000000s' % 'x' }}"), 2, "takes two numbers"),
    Refused("template_format", template("{{ '{:1000000000}'.format(text) }}"), 2, "not called"),
    Refused("template_center", template("{{ text | center(1000000000) }}"), 2, "no filter 'center'"),
    Refused("template_indent", template("{{ text | indent(1000000000) }}"), 2, "no filter 'indent'"),
    Refused("template_doubling", template("{% set x = text ~ text %}{% set x = x ~ x %}" * 60 + "{{ x }}"), 2, "variables"),
    Refused("template_replace", template("{{ text | replace('', text) | replace('', text) }}"), 2, "texts in quotes, once"),
    Refused("template_nested_loops", template("{% for a in text %}" * 12 + "x" + "{% endfor %}" * 12), 2, "loop in a loop"),
    Refused("template_recursion", template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), 2, "not called"),
    Refused("template_classes", template("{{ text.__class__.__mro__[1].__subclasses__() }}"), 2, "not called"),
    Refused("template_attr", template("{{ text | attr('__class__') }}"), 2, "no filter 'attr'"),
    Refused("template_globals", template("{{ cycler.__init__.__globals__.os.system('touch pwned') }}"), 2, "not called"),
    Refused("template_include", template("{% include '/etc/passwd' %}"), 2, "one text is one template"),
    Refused("template_import", template("{% import 'os' as os %}"), 2, "one text is one template"),
    Refused("template_map", template("{{ [text] | map(attribute='__class__') | list | string }}"), 2, "no filter 'map'"),
    Refused("template_syntax", template("{{ text"), 2, "line 1"),
    Refused("yaml_laughs", imported(LAUGHS),  4, "no map of", IMPORT),
    Refused("yaml_that_calls", imported(f"!!python/object/apply:os.system ['touch {MARK}']"),  4, "no plain YAML", IMPORT),
    Refused("explain_with_escapes", recipe(), 4, "no such run", ("explain", ESCAPES, "x")),
)  # fmt: skip
