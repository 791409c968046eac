"""Answers that can be verified, measured: `python bench/checks.py --topics answers`.

Code: the answers of `bench/data/code.jsonl`, written for this and labelled before they were measured, functions of
Python's own library as they are and with one sign taken out, and records of SciQ as JSON likewise. Calls of tools:
those of `bench/data/calls.jsonl`, each as OpenAI messages, in tags and as ShareGPT, read by a run. Maths: the final
answers of GSM8K as they are, and changed while the working stays. What reads the public data says so where it is
absent.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import io
import json
import random
import tempfile
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
from checks_rows import DATA, SEED, add, lines, rows_of
from goals import Figure, share
from reading import ROOT

import curate
from curate.steps.verify import verify

CODE = ROOT / "bench" / "data" / "code.jsonl"
CALLS = ROOT / "bench" / "data" / "calls.jsonl"
# Modules whose functions are taken: long-lived, of different authors, some 300 functions together.
MODULES = (argparse, csv, inspect, json, random, tempfile, textwrap, tokenize)
SHOWN = 30
# Records of GSM8K, once in each way: 20 seconds.
SOLVED = 2000
# Ways to tell a final answer.
ENDINGS = {
    "#### N": "#### {}",
    "The answer is N.": "The answer is {}.",
    "Answer: N": "Answer: {}",
    "in bold": "**Answer:** {}",
    "boxed": "The answer is $\\boxed{{{}}}$.",
    "So the final answer is N": "So the final answer is {}",
}
RUN = """
name = "calls"
[[stages]]
name = "checks"
steps = [{ step = "verify" }]
"""
SOURCE = '[[sources]]\nname = "{0}"\npath = "{0}.jsonl"\nformat = "{1}"\n'


def figures() -> dict[str, Any]:
    """Return figures, failures and notes; parts whose data is absent are named in the notes."""
    found: dict[str, Any] = {"figures": [], "failures": [], "notes": []}
    for part in (_code, _library, _calls):
        add(found, part, most=SHOWN)
    if not DATA.is_dir():
        found["notes"].append("shared data absent: JSON and final answers were not measured")
        return found
    for part in (_json, _finals):
        add(found, part, most=SHOWN)
    found["notes"].append("code and calls were written by the project: recall on them is an upper bound")
    return found


def _code(failures: list[str]) -> Iterator[Figure]:
    labelled = [json.loads(line) for line in CODE.read_text(encoding="utf-8").splitlines()]
    signals = verify(rows_of([{"prompt": "Show me.", "response": one["response"]} for one in labelled])).signals
    # None where there is no claim, True where one is wrong: as the labels.
    said = [None if wrong is None else wrong > 0 for wrong in signals["wrong"]]
    pairs = list(zip(labelled, said, strict=True))
    for kind in ("python", "json", "toml"):
        some = [(one["broken"], got) for one, got in pairs if one["kind"] == kind]
        bad, good = ([got for broken, got in some if broken is which] for which in (True, False))
        yield share(f"{kind}, broken: found", sum(got is True for got in bad), len(bad), ">= 0.95")
        yield share(f"{kind}, whole: flagged", sum(got is True for got in good), len(good), "<= 0.05")
        yield share(f"{kind}, whole: checked", sum(got is not None for got in good), len(good), ">= 0.9")
    none = [got for one, got in pairs if one["broken"] is None]
    yield share("no code that must parse: flagged", sum(got is True for got in none), len(none), "<= 0")
    failures += [f"{one['kind']}, {one['form']}: {_told(got)}" for one, got in pairs if got is not one["broken"]]


def _told(got: bool | None) -> str:
    return {None: "not checked", True: "said to be broken", False: "said to be whole"}[got]


def _library(failures: list[str]) -> Iterator[Figure]:
    """Functions as they are, and each without one of its brackets or colons of a heading."""
    chance = random.Random(SEED)
    members = [one for module in MODULES for _, one in inspect.getmembers(module, inspect.isfunction)
               if one.__module__ == module.__name__]  # fmt: skip
    texts = [textwrap.dedent(inspect.getsource(one)) for one in members]
    spoilt = [_without_sign(text, chance) for text in texts]
    yield from _planted("Python's library", "python", texts, spoilt, failures)


def _without_sign(text: str, chance: random.Random) -> str:
    """Return code without one bracket, or without the colon that ends a line: what is left never parses."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    places = [one.start for one, after in pairwise(tokens)
              if one.string in tuple("()[]{}") or (one.string == ":" and after.type == tokenize.NEWLINE)]  # fmt: skip
    row, column = chance.choice(places)
    rows = text.split("\n")
    rows[row - 1] = rows[row - 1][:column] + rows[row - 1][column + 1 :]
    return "\n".join(rows)


def _json(failures: list[str]) -> Iterator[Figure]:
    chance = random.Random(SEED)
    texts = [json.dumps(one, ensure_ascii=False, indent=2) for one in lines("sciq.jsonl")]
    spoilt = []
    for text in texts:
        inside, places = False, []
        for place, sign in enumerate(text):
            quote = sign == '"' and text[place - 1] != "\\"
            if quote or (not inside and sign in "{}[]:,"):
                places.append(place)
            inside ^= quote
        place = chance.choice(places)
        spoilt.append(text[:place] + text[place + 1 :])
    yield from _planted("SciQ as JSON", "json", texts, spoilt, failures)


def _planted(name: str, tag: str, texts: list[str], spoilt: list[str], failures: list[str]) -> Iterator[Figure]:
    """Yield what is flagged of texts as they are, and of those spoilt."""
    for label, some, goal in (
        (f"{name}, as it is: flagged", texts, "<= 0.005"),
        (f"{name}, one sign missing: found", spoilt, ">= 0.98"),
    ):
        answers = [{"prompt": "Show me.", "response": f"Like this:\n\n```{tag}\n{text}\n```"} for text in some]
        wrong = verify(rows_of(answers)).signals["wrong"]
        yield share(label, int((wrong > 0).sum()), len(some), goal)
        failed = [text for text, count in zip(some, wrong, strict=True) if ((count or 0) > 0) is (some is texts)]
        failures += [f"{label}: {text[:60]!r}" for text in failed]


def _calls(failures: list[str]) -> Iterator[Figure]:
    first, *rest = (json.loads(line) for line in CALLS.read_text(encoding="utf-8").splitlines())
    tools = [{"type": "function", "function": {"name": name, "parameters": given}}
             for name, given in first["tools"].items()]  # fmt: skip
    formats = {"openai": "messages", "tags": "messages", "sharegpt": "sharegpt"}
    with tempfile.TemporaryDirectory(prefix="curate-calls-") as name:
        folder = Path(name)
        for way in formats:
            records = [{**_conversation(one, way, number), "tools": tools} for number, one in enumerate(rest)]
            (folder / f"{way}.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
        sources = "".join(SOURCE.format(way, form) for way, form in formats.items())
        (folder / "recipe.toml").write_text(RUN.replace("[[stages]]", f"{sources}[[stages]]"), encoding="utf-8")
        rows = curate.run(curate.load_recipe(folder / "recipe.toml"), out=folder / "run").rows
    asked = pl.col("prompt").str.extract(r"request (\d+)").cast(pl.Int64)
    for way in formats:
        some = rows.filter(pl.col("source") == way).select(asked, "verify.wrong").rows()
        said = {number: None if wrong is None else wrong > 0 for number, wrong in some}
        good, bad = ([n for n, one in enumerate(rest) if one["wrong"] is which] for which in (False, True))
        yield share(f"calls as {way}, wrong: found", sum(said.get(n) is True for n in bad), len(bad), ">= 0.95")
        yield share(f"calls as {way}, right: flagged", sum(said.get(n) is True for n in good), len(good), "<= 0")
        yield share(f"calls as {way}, right: checked", sum(said.get(n) is False for n in good), len(good), ">= 0.95")
        failures += [f"call as {way}, {one['form']}: {_told(said.get(n)).replace('broken', 'wrong')}"
                     for n, one in enumerate(rest) if said.get(n) is not one["wrong"]]  # fmt: skip


def _conversation(one: dict[str, Any], way: str, number: int) -> dict[str, Any]:
    """Return a request and its call in one of three ways in which data writes them."""
    asked, name, arguments = f"This is request {number}.", one["name"], one["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    written = json.dumps({"name": name, "arguments": arguments})
    if way == "sharegpt":
        return {"conversations": [{"from": "human", "value": asked}, {"from": "function_call", "value": written}]}
    said: dict[str, Any] = {"role": "assistant", "content": f"<tool_call>\n{written}\n</tool_call>"}
    if way == "openai":
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": text}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"messages": [{"role": "user", "content": asked}, said]}


def _finals(failures: list[str]) -> Iterator[Figure]:
    """GSM8K with its final answer told in several ways, right and changed; the working as it is."""
    chance = random.Random(SEED)
    data = [(one["question"], *one["answer"].rsplit("#### ", 1)) for one in lines("gsm8k_train.jsonl")[:SOLVED]]
    ways: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("as it is", lambda final: final),
        ("changed", lambda final: _other(final, chance)),
    )
    for name, ending in ENDINGS.items():
        for which, change in ways:
            records = [
                {"prompt": asked, "response": working + ending.format(change(final.strip())), "task": "math"}
                for asked, working, final in data
            ]
            found = verify(rows_of(records)).signals["failed"].list.contains("answer").fill_null(False)
            goal = "<= 0.005" if which == "as it is" else ">= 0.9"
            yield share(f"GSM8K, final answer {which}, {name}: flagged", int(found.sum()), len(data), goal)
            failed = pl.Series(found if which == "as it is" else ~found)
            failures += [f"final answer {which}, {name}: {one['response'][-70:]!r}"
                         for one, hit in zip(records, failed, strict=True) if hit][:2]  # fmt: skip


def _other(final: str, chance: random.Random) -> str:
    """Return another number: a little off, a digit too many, two digits swapped, or the sign turned."""
    value = int(final.replace(",", ""))
    digits = str(abs(value))
    swapped = int(digits[1] + digits[0] + digits[2:]) if len(digits) > 1 else value
    others = [value + chance.randrange(1, 10), value * 10 or 7, swapped, -value]
    return str(chance.choice([one for one in others if one != value]))
