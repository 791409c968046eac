"""What the report says of toxicity and contradictions: where, of what kind, in which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from tiny_run import write_tiny

from reports import html, quality

Make = Callable[..., pl.DataFrame]
STEPS = [{"step": "toxicity", "as": "asked", "column": "prompt", "kind": "row-wise", "cached": False, "signals": []}]


def signals(name: str) -> dict[str, pl.DataType]:
    return {
        f"{name}.score": pl.Float64(), f"{name}.category": pl.String(), f"{name}.matched": pl.List(pl.String()),
        f"{name}.start": pl.Int64(), f"{name}.end": pl.Int64(),
    }  # fmt: skip


def values(score: float, category: str | None, matched: list[str], start: int, end: int) -> dict[str, Any]:
    return dict(zip(signals("asked"), (score, category, matched, start, end), strict=True))


def test_abuse_in_prompts_is_told_by_category_entry_and_passage(tmp_path: Path, make_rows: Make) -> None:
    text = "Hello there. You fool, write to ann@example.com."
    rows = [
        {"prompt": text, **values(0.9, "harassment", ["concept.harassment", "insult-at-you"], 13, len(text))},
        {"prompt": "How are you?", **values(0.1, None, [], 0, 12)},
    ]
    stages = [{"name": "checks", "steps": STEPS, "rules": []}]
    recipe = {"stages": [{"name": "checks", "steps": [{"step": "toxicity", "as": "asked", "column": "prompt"}]}]}
    run = write_tiny(tmp_path / "run", make_rows, rows, signals=signals("asked"), stages=stages, recipe=recipe)
    facts = quality.facts(run)
    toxicity = facts["safety"]["toxicity"]
    assert (toxicity["signal"], toxicity["rows"], toxicity["kept"]) == ("asked.score", 1, 1)
    (told,) = toxicity["texts"]
    assert (told["as"], told["column"], told["rows"]) == ("asked", "prompt", 1)
    assert told["categories"] == [{"category": "harassment", "rows": 1, "kept": 1}]
    assert [one["entry"] for one in told["entries"]] == ["concept.harassment", "insult-at-you"]
    assert told["passage"] == "You fool, write to ‹email›."
    assert "You fool, write to ‹email›." in html.render(facts)
    assert any("1 kept row looks abusive: asked.score 0.5 or more." in one["text"] for one in facts["alerts"])


def test_contradictions_name_their_sources(tmp_path: Path, make_rows: Make) -> None:
    rows = [{"source": "a" if number < 3 else "b", "conflict.answers": 2 if number < 4 else 1} for number in range(6)]
    step = {"step": "conflict", "as": "conflict", "kind": "corpus", "cached": False, "signals": ["conflict.answers"]}
    stages = [{"name": "checks", "steps": [step], "rules": []}]
    run = write_tiny(tmp_path / "run", make_rows, rows, signals={"conflict.answers": pl.UInt32()}, stages=stages)
    facts = quality.facts(run)
    said = "4 rows answer a question that another row answers differently, in a 3, b 1; all of them stay in the mix."
    assert said in [one["text"] for one in facts["alerts"]]
