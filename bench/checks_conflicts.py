"""Contradictions planted in public labels: `python bench/checks.py --topics conflicts`.

Records of SST-2 and CLINC150 (2,000 each), every one worded twice by our templates, through a run. Of some hundred of
each a second record asks the same and answers otherwise: the same text, the text in capitals with other blanks, the
same in another source, and nearly the same (a word more at its end, one word changed). As instruction data, a fixed
wording that is asked in two sources. The rows for which nothing was planted ask nothing twice with two labels.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plants
import polars as pl
from goals import Figure, share

import curate
from curate import chance, text

SOURCES = (
    plants.Source("sst2", "sst2_train.tsv", "classification", {}, 2000),
    plants.Source("clinc150", "clinc150.json", "classification", {}, 2000),
)
# Records planted of each kind and source.
COUNT = 100
# From so many words on one more at the end leaves nine shingles in ten (see `curate steps conflict`).
WORDS = 12
WORD = "please"
KINDS = ("same", "capitals", "another source", "word more", "word changed", "instruction")
# The signal that must tell each kind. One word changed of 15 leaves some six shingles in ten.
SIGNALS = {"another source": "across.answers", "word more": "near.near", "word changed": "nearer.near"}
RECIPE = """
name = "conflicts"
[templates]
per_record = 2
{sources}
[[stages]]
name = "conflicts"
steps = [
    {{ step = "conflict" }},
    {{ step = "conflict", as = "across", across = true }},
    {{ step = "conflict", as = "near", near = 0.9 }},
    {{ step = "conflict", as = "nearer", near = 0.5 }},
]
"""
TABLE = '[[sources]]\nname = "{0}"\npath = "{0}.jsonl"\n{1}\nlang = "en"\n'
Rows = list[dict[str, str]]


def figures() -> dict[str, Any]:
    """Return recall by kind, and what is flagged of rows as they are."""
    if not plants.DATA.is_dir():
        return {"figures": [], "failures": [], "notes": [f"skipped: no data at {plants.DATA}"]}
    found: list[Figure] = []
    failures: list[str] = []
    for source in SOURCES:
        data = [{"text": one.slots["text"], "label": str(one.slots["label"])} for one in plants.records(source)]
        files, kinds = planted(data, source.name)
        rows = run(files).with_columns(kind=_asked().replace_strict(kinds, default="", return_dtype=pl.String))
        found += _recall(rows, source.name, failures)
        found += _as_they_are(rows, source.name, failures)
    notes = [
        "a word changed is looked for at half of the shingles (`near = 0.5`): no rule does so, it shows the limit",
        "a contradiction between two wordings of one text is seen in rendered rows, not in instruction data",
    ]
    return {"figures": found, "failures": failures, "notes": notes}


def planted(data: Rows, name: str) -> tuple[dict[str, Rows], dict[str, str]]:
    """Return the files of all sources, and the kind of contradiction by text that is one side of it."""
    labels = sorted({one["label"] for one in data})
    once = list({text.normalise(one["text"]): one for one in data}.values())
    long = [one for one in once if len(one["text"].split()) >= WORDS and one["text"].split()[-1] != WORD]
    files: dict[str, Rows] = {"main": list(data), "other": [], "asked": [], "told": []}
    kinds: dict[str, str] = {}
    for kind in KINDS:
        pool = [one for one in (long if kind.startswith("word") else once) if one["text"] not in kinds]
        for one in pool[:COUNT]:
            other = labels[(labels.index(one["label"]) + 1) % len(labels)]
            said = _changed(one["text"], kind)
            kinds |= {one["text"]: kind, said: kind}
            if kind == "instruction":
                asked = f"What is this about? {said}"
                files["asked"].append({"prompt": asked, "completion": one["label"]})
                files["told"].append({"prompt": asked, "completion": other})
                kinds[asked] = kind
            else:
                files["other" if kind == "another source" else "main"].append({"text": said, "label": other})
    return {f"{name}_{key}": rows for key, rows in files.items()}, kinds


def _changed(said: str, kind: str) -> str:
    """Return the text of the record that contradicts."""
    words = said.split()
    if kind == "capitals":
        return "  ".join(words).upper()
    if kind == "word more":
        return f"{said} {WORD}"
    if kind == "word changed":
        words[1 + chance.pick(plants.SEED, said, "word", size=len(words) - 2)] = WORD
        return " ".join(words)
    return said


def run(files: dict[str, Rows]) -> pl.DataFrame:
    """Return all rows of a run over the files with what the step says of them."""
    with tempfile.TemporaryDirectory(prefix="curate-conflicts-") as name:
        folder = Path(name)
        sources = []
        for key, rows in files.items():
            (folder / f"{key}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
            form = 'task = "classification"' if "text" in rows[0] else 'format = "prompt_completion"'
            sources.append(TABLE.format(key, form))
        (folder / "recipe.toml").write_text(RECIPE.format(sources="".join(sources)), encoding="utf-8")
        return curate.run(curate.load_recipe(folder / "recipe.toml"), out=folder / "run").rows


def _asked() -> pl.Expr:
    """Return what a row asks about: its text, of instruction data its prompt."""
    return pl.coalesce(pl.col("slots").str.json_path_match("$.text"), pl.col("prompt"))


def _recall(rows: pl.DataFrame, name: str, failures: list[str]) -> Iterator[Figure]:
    for kind in KINDS:
        signal = SIGNALS.get(kind, "conflict.answers")
        least = 1 if signal.endswith(".near") else 2
        # In the text's own source stands an instruction's text alone, and answers nothing otherwise.
        some = rows.filter(pl.col("kind") == kind, ~(pl.lit(kind == "instruction") & pl.col("task").is_not_null()))
        hit = pl.col(signal).fill_null(0) >= least
        goal = None if kind == "word changed" else ">= 0.98"
        yield share(f"{name}, planted, {kind}: rows found", some.filter(hit).height, some.height, goal)
        missed = some.filter(~hit)["prompt"].head(3)
        failures += [f"{name}, {kind}, missed: {prompt[-70:]!r}" for prompt in missed]


def _as_they_are(rows: pl.DataFrame, name: str, failures: list[str]) -> Iterator[Figure]:
    """Yield what is flagged of rows that nothing was planted for."""
    clean = rows.filter(pl.col("kind") == "")
    for signal, least, goal in (
        ("conflict.answers", 2, "<= 0"),
        ("near.near", 1, "<= 0.005"),
        ("nearer.near", 1, None),
    ):
        hit = clean.filter(pl.col(signal).fill_null(0) >= least)
        yield share(f"{name}, as it is: {signal} {least} or more", hit.height, clean.height, goal)
        failures += [f"{name}, as it is, {signal}: {prompt[-70:]!r}" for prompt in hit["prompt"].head(3)]
