"""Rejection sampling: what a model answers itself, where it can be checked that the answer is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from curate import chance
from curate.errors import INPUT, UserError
from curate.lm import LanguageModel
from curate.schema import MESSAGE, digest
from tune import generation, ranking
from tune.answers import Asked
from tune.metrics import exact_match, normalised, numeric_match
from tune.scoring import Progress, limits

# Few, as each costs an answer, and moderate, so that they differ: of 480 answers of SmolLM2-135M to sums 14 to 26 were
# right with these (bench/preference.py). Others are untried.
TRIES, TEMPERATURE = 4, 0.7


@dataclass(frozen=True)
class Sampled:
    """Right answers of a model.

    Args:
        rows: id, row (that asked), source, task and messages of each different right answer.
        asked: rows that can be checked.
        drawn: answers that were drawn.
        right: how many of them were right.
        solved: rows with at least one.
    """

    rows: pl.DataFrame
    asked: int
    drawn: int
    right: int
    solved: int


def sample(
    lm: LanguageModel,
    items: Sequence[Asked],
    *,
    tries: int = TRIES,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    progress: Progress = lambda label, done, total: None,
) -> Sampled:
    """Draw answers to each item that can be checked, and keep the different ones that are right (STaR, Zelikman 2022).

    Checked are closed answers, word by word once normalised, and those of maths, by their final number.

    Args:
        lm: the model.
        items: what is asked; what cannot be checked is left out.
        tries: answers drawn for each.
        temperature: of the draw.
        seed: of the draw.
        progress: told a label, what is done and the total.

    Raises:
        UserError: status 4 when nothing can be checked.
    """
    checked = [item for item in items if _checkable(item)]
    if not checked:
        fix = "only closed answers and those of maths can be checked"
        raise UserError("rows", "have no answer that can be checked", fix, code=INPUT)
    prompts, most = [ranking.prompt(lm, item.turns) for item in checked], limits(lm, checked)
    found: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    right = 0
    for number in range(tries):
        drawn = generation.write(
            lm, prompts, most, temperature=temperature,
            seed=chance.pick(seed, str(number), "tries", size=1 << 31),
            progress=partial(progress, f"answers, try {number + 1}"),
        )  # fmt: skip
        for item, written in zip(checked, drawn, strict=True):
            if written.ended and _right(item, written.text):
                right += 1
                key = (item.row["id"], normalised(written.text))
                if key not in seen:
                    seen.add(key)
                    found.append(_row(item, written.text))
    names = dict.fromkeys(("id", "row", "source", "task"), pl.String())
    rows = pl.DataFrame(found, schema={**names, "messages": pl.List(MESSAGE)})
    solved = len({name for name, _ in seen})
    return Sampled(rows.sort("id"), len(checked), tries * len(checked), right, solved)


def _checkable(item: Asked) -> bool:
    return item.choice is not None or "numeric_match" in item.metrics


def _right(item: Asked, said: str) -> bool:
    measure = exact_match if item.choice is not None else numeric_match
    wanted = item.wanted if item.choice is None else item.wanted[:1]
    return any(measure(said, one) == 1 for one in wanted)


def _row(item: Asked, said: str) -> dict[str, Any]:
    """Return an answer as a row of its own."""
    told = {"row": item.row["id"], "source": item.row["source"], "task": item.row["task"]}
    turns = [*item.turns[:-1], {"role": "assistant", "content": said, "train": True}]
    return {"id": digest(item.row["id"], said), **told, "messages": turns}
