"""A small run directory whose every number can be counted by hand.

train rows 60 = news 20 + reviews 20 + notes 10 + chat 10; kept 39
  checks   15: notes 40–49 (fewer than 5 words), 30–33 (toxic), 56 (empty and toxic)
  copies    5: 21–24 are copies of 20, 58 of 0
  near      1: 26 is a near copy of 25
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from curate import rundir

SCRIPT = "<script>alert(1)</script>"
HOSTILE = {
    50: SCRIPT,
    51: "</script><img src=x onerror=alert(2)><!-- ]]> {{ 7*7 }}",
    52: "user\u202egnp.exe\u2066 \u200bhidden",
    53: "null\x00byte\x1b[31mred",
    54: "w" * 5000,
    55: "Write to jane.doe@example.org or jane.doe@example.org again",
    57: "[bold red]markup[/bold red] [/]",
}
WORDS_1, TOXIC = "checks/length.words min 1", "checks/toxicity.score max 0.5"
WORDS_5 = "checks/length.words min 5 where task=summarization"
LONG = "checks/length.words max 50"
EXACT, NEAR = "copies/exact.rank max 0", "near/near.rank max 0"


def _text(number: int) -> dict[str, Any]:
    """Return what is written in a row."""
    source = "news" if number < 20 else "reviews" if number < 40 else "notes" if number < 50 else "chat"
    task = {"news": "classification", "reviews": "classification", "notes": "summarization"}.get(source, "dialogue")
    label = {"news": "world", "reviews": "good" if number < 30 else "bad"}.get(source)
    response = HOSTILE.get(number, "" if number == 56 else label or f"Answer number {number}")
    return {
        "source": source,
        "task": task,
        "template": f"{source}.plain",
        "license": {"news": "MIT", "reviews": "CC-BY-4.0"}.get(source),
        "lang": "en",
        "prompt": f"Question {number} {HOSTILE.get(number, '')}",
        "response": response,
        "slots": json.dumps({"label": label} if label else {}),
        "meta": json.dumps({"number": number}),
    }


def _verdict(number: int) -> tuple[str | None, list[str]]:
    """Return where and why a row is dropped."""
    if number == 56:
        return "checks", [WORDS_1, TOXIC]
    if 40 <= number < 50:
        return "checks", [WORDS_5]
    if 30 <= number < 34:
        return "checks", [TOXIC]
    if number in (21, 22, 23, 24, 58):
        return "copies", [EXACT]
    return ("near", [NEAR]) if number == 26 else (None, [])


def _signals(number: int, ids: dict[int, str]) -> dict[str, Any]:
    """Return what the steps measured; steps over the corpus saw the rows alive only."""
    words = 0 if number == 56 else 80 if number == 59 else 3 if 40 <= number < 50 else 10
    toxic = None if 50 <= number < 53 else 0.8 if number == 56 else 0.01 * number
    if 30 <= number < 34:
        toxic = 0.6 + (number - 30) / 10
    elif toxic is not None and number != 56:
        toxic = min(toxic, 0.45)
    stage, _ = _verdict(number)
    exact = {21: 20, 22: 20, 23: 20, 24: 20, 58: 0}.get(number)
    alive, living = stage != "checks", stage not in ("checks", "copies")
    return {
        "length.words": words,
        "toxicity.score": toxic,
        "pii.kinds": ["email"] if number == 55 else [],
        "exact.rank": (number - 20 if exact == 20 else 1 if exact == 0 else 0) if alive else None,
        "exact.keeper": ids[exact] if exact is not None else None,
        "near.rank": (1 if number == 26 else 0) if living else None,
        "near.cluster": (ids[25] if number == 26 else ids[number]) if living else None,
        "near.keeper": ids[25] if number == 26 else None,
        "near.similarity": 0.83 if number == 26 else None,
    }


SIGNALS = {
    "length.words": pl.UInt32,
    "toxicity.score": pl.Float64,
    "pii.kinds": pl.List(pl.String),
    "exact.rank": pl.UInt32,
    "exact.keeper": pl.String,
    "near.rank": pl.UInt32,
    "near.cluster": pl.String,
    "near.keeper": pl.String,
    "near.similarity": pl.Float64,
}


def _rule(name: str, why: str, bound: dict[str, Any], counts: tuple[int, ...]) -> dict[str, Any]:
    """Return a rule's entry in the manifest; counts are evaluated, failed, first, unique, unknown."""
    signal, form = name.split("/")[1].split(" where ")[0].split(" ", 1)
    numbers = dict(zip(("evaluated", "failed", "first", "unique", "unknown"), counts, strict=True))
    return {"id": name, "signal": signal, "form": form, "why": why, "where": {}, "flag": False, **bound, **numbers}


def _stage(name: str, counts: tuple[int, int], steps: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, Any]:
    uses = [
        {"as": step, "step": step, "kind": kind, "seconds": 0.5, "cached": False,
         "signals": [signal for signal in SIGNALS if signal.startswith(f"{step}.")]}
        for step, kind in steps.items()
    ]  # fmt: skip
    measured = {"name": name, "rows_in": counts[0], "rows_out": counts[1], "seconds": 1.0, "peak_memory_mib": 100.0}
    return {**measured, "steps": uses, "rules": rules}


RECIPE = {
    "name": "demo",
    "seed": 13,
    "sources": [{"name": "news", "path": "news.jsonl", "task": "classification", "fields": {"text": 'a "b"'}}],
    "stages": [{"name": "checks", "steps": [{"step": "length"}], "keep": []}],
    "gates": {"min_kept": 30},
}


# One row breaks two rules: number 56.
USE = {
    "rules": [
        {"id": name, "hit": hit, "alone": alone}
        for name, hit, alone in (
            (WORDS_1, 1, 0), (TOXIC, 5, 4), (WORDS_5, 10, 10), (LONG, 1, 0), (EXACT, 5, 5), (NEAR, 1, 1)
        )
    ],
    "both": [[0, 1, 1]],
}  # fmt: skip


def manifest() -> dict[str, Any]:
    """Return the manifest of the run."""
    checks = [
        _rule(WORDS_1, "an empty answer teaches nothing", {"min": 1.0}, (60, 1, 1, 0, 0)),
        _rule(TOXIC, "a model repeats what it reads", {"max": 0.5}, (60, 5, 4, 4, 3)),
        _rule(
            WORDS_5, "one word is no summary", {"min": 5.0, "where": {"task": ["summarization"]}}, (10, 10, 10, 10, 0)
        ),
        _rule(LONG, "long answers are worth a look", {"max": 50.0, "flag": True}, (60, 1, 0, 0, 0)),
    ]
    row_wise = dict.fromkeys(("length", "toxicity", "pii"), "row-wise")
    read = {"news": (20, 0), "reviews": (21, 1), "notes": (10, 0), "chat": (10, 0)}
    task = {"news": "classification", "reviews": "classification", "notes": "summarization", "chat": None}
    return {
        "format": 1,
        "name": "demo",
        "started": "2024-05-01T10:00:00+00:00",
        "recipe": RECIPE,
        "recipe_sha256": "ab" * 32,
        "seed": 13,
        "workers": 1,
        "versions": {"curatune": "0.1.0", "polars": "2.1.0"},
        "embedding": None,
        "inputs": [{"source": "news", "path": "data/news.jsonl", "sha256": "cd" * 32, "bytes": 1234}],
        "sources": [
            {"name": name, "task": task[name], "format": None if task[name] else "messages", "detected": None,
             "split": "train", "license": None, "lang": "en", "records_read": records, "rejects": rejects,
             "left_out": 0, "rows": records - rejects, "repairs": {"mojibake": 3} if name == "chat" else {}}
            for name, (records, rejects) in read.items()
        ],
        "stages": [
            _stage("checks", (60, 45), row_wise, checks),
            _stage("copies", (45, 40), {"exact": "corpus"}, [_rule(EXACT, "one copy", {"max": 0.0}, (45, 5, 5, 5, 0))]),
            _stage("near", (40, 39), {"near": "corpus"}, [_rule(NEAR, "one", {"max": 0.0}, (40, 1, 1, 1, 0))]),
        ],
        "totals": {"records_read": 61, "rejects": 1, "train_rows": 60, "heldout_rows": 0, "kept": 39, "dropped": 21},
        "use": USE,
        "gates": [{"name": "min_kept", "bound": 30, "value": 39, "passed": True}],
        "seconds": 3.5,
        "peak_memory_mib": 120.0,
    }  # fmt: skip


def write_run(path: Path, make_rows: Callable[..., pl.DataFrame], **changes: Any) -> Path:
    """Write the run directory; `changes` replace parts of its manifest."""
    rows = make_rows(*(_text(number) for number in range(60)))
    numbers = rows["meta"].str.json_path_match("$.number").cast(pl.Int64).to_list()
    ids = dict(zip(numbers, rows["id"].to_list(), strict=True))
    signals = pl.DataFrame([_signals(number, ids) for number in numbers], schema=SIGNALS)
    verdicts = [_verdict(number) for number in numbers]
    flags = [[LONG] if number == 59 else [] for number in numbers]
    lists = pl.List(pl.String)
    ends = pl.DataFrame(
        {
            "kept": [stage is None for stage, _ in verdicts],
            "dropped_at": pl.Series([stage for stage, _ in verdicts], dtype=pl.String),
            "dropped_by": pl.Series([rules for _, rules in verdicts], dtype=lists),
            "flagged_by": pl.Series(flags, dtype=lists),
        }
    )
    (path / "tables").mkdir(parents=True)
    full = rows.hstack(signals).hstack(ends)
    rundir.write_frame(path / "rows.parquet", full)
    mix = full.filter("kept").select(rows.columns).with_columns(copies=pl.lit(1, dtype=pl.Int64))
    rundir.write_frame(path / "mix.parquet", mix)
    rundir.write_frame(path / "heldout.parquet", rows.clear())
    origins = rows.select("record", "source", file=pl.lit("data.jsonl"), line=pl.int_range(pl.len()))
    rundir.write_frame(path / "origins.parquet", origins)
    rundir.write_frame(path / "tables" / "pii.spans.parquet", _spans(rows, ids[55]))
    reject = {"source": "reviews", "file": "data/reviews.jsonl", "line": 7, "cause": "not JSON", "excerpt": SCRIPT}
    rundir.write_text(path / "rejects.jsonl", json.dumps(reject) + "\n")
    rundir.write_json(path / "manifest.json", manifest() | changes)
    return path


def _spans(rows: pl.DataFrame, row: str) -> pl.DataFrame:
    """Return one span of the row with an address: its second occurrence in the rendered text."""
    prompt, response = rows.filter(pl.col("id") == row).select("prompt", "response").row(0)
    start = f"{prompt}\n{response}".rindex("jane.doe@example.org")
    return pl.DataFrame([{"id": row, "column": "rendered", "kind": "email", "start": start, "end": start + 20}])
