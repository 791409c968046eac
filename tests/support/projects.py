"""Small projects on disk: data files and a recipe over them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = ["river", "stone", "lamp", "garden", "copper", "window", "bridge", "winter", "orange", "paper", "silver"]
WORDS += ["forest", "engine", "market", "harbour"]


def questions(count: int) -> list[dict[str, Any]]:
    """Return distinct question records; every tenth answer is empty, every seventh question comes twice."""
    records = []
    for i in range(count):
        first, second, third = WORDS[i % 15], WORDS[(i // 15) % 15], WORDS[(i * 7 + i // 225) % 15]
        question = f"Which {first} stands beside the {second} and the {third} in story number {i - (i % 7 == 6)}?"
        records.append({"question": question, "answer": "" if i % 10 == 9 else f"The {first} of {second}."})
    for i in range(6, count, 7):  # an exact copy of the record before it
        records[i] = dict(records[i - 1])
    return records


RECIPE = """
name = "small"
seed = 3
[[sources]]
name = "qa"
path = "qa*.jsonl"
task = "qa_open"
[templates]
per_record = 2
kinds = ["zero_shot", "chain_of_thought", "few_shot", "inverted"]
[[stages]]
name = "checks"
steps = [{ step = "length" }, { step = "repetition" }]
keep = [{ signal = "length.words", min = 1, why = "an empty answer teaches nothing" }]
[[stages]]
name = "copies"
steps = [{ step = "exact" }]
keep = [{ signal = "exact.rank", max = 0, why = "one copy" }]
[[stages]]
name = "near copies"
steps = [{ step = "near", threshold = 0.8 }]
keep = [{ signal = "near.rank", max = 0, why = "one of each cluster" }]
[[stages]]
name = "balance"
steps = [{ step = "balance", by = "template" }]
keep = [{ signal = "balance.rank", max = 99, why = "no template rules the mix" }]
"""


def lay_out(folder: Path, records: Sequence[Any], *, files: int = 1, recipe: str = RECIPE) -> Path:
    """Write records over some files, and the recipe; return the recipe's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        lines = [json.dumps(record) + "\n" for record in records[number::files]]
        (folder / f"qa{number}.jsonl").write_text("".join(lines), encoding="utf-8")
    path = folder / "recipe.toml"
    path.write_text(recipe, encoding="utf-8")
    return path
