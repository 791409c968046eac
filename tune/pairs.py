"""Pairs of answers of which one is preferred: made from a run, written and read in TRL's format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from curate import chance, formats, read
from curate.errors import INPUT, UserError, suggest
from curate.lm import LanguageModel
from curate.rundir import RunDir
from curate.schema import MESSAGE, canonical, digest
from tune import answers, evaluation
from tune.scoring import Progress, answered

# TRL's conversational preference format, and beside it where a pair comes from.
PAIR = {
    "id": pl.String(),
    "kind": pl.String(),
    "source": pl.String(),
    "task": pl.String(),
    "prompt": pl.List(MESSAGE),
    "chosen": pl.List(MESSAGE),
    "rejected": pl.List(MESSAGE),
}
_KEYS = ("chosen", "rejected")
# Kinds that need no model.
PLAIN = ("options", "siblings")
# Records looked at to tell whether a file holds pairs.
_PROBE = 20


def pairs(
    run: str | Path,
    *,
    kinds: Sequence[str] = PLAIN,
    lm: LanguageModel | None = None,
    limit: int | None = None,
    progress: Progress = lambda label, done, total: None,
) -> pl.DataFrame:
    """Return pairs of a right and a wrong answer to the same question, sorted by id; columns as `PAIR`.

    `options`: the row's answer against another of its options, drawn by hash; for rows of the mix with closed answers.
    `siblings`: an answer that was kept against one to the very same prompt that a rule dropped for what it says; a row
    that stands back behind another (a rule on a `.rank`) is not worse than it, and makes no pair.
    `model`: the row's answer against what a model answers, where that is wrong.

    Args:
        run: a run directory.
        kinds: of `KINDS`, each at most once.
        lm: the model that answers.
        limit: at most so many records of each source of the mix.
        progress: told a label, what is done and the total.

    Raises:
        UserError: for an unknown kind, `model` without a model, or when there is no pair at all.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"kind '{kind}'", "is unknown", suggest(kind, KINDS))
    if "model" in kinds and lm is None:
        raise UserError("kind 'model'", "has no model that answers", "name one with --model")
    known = taught(Path(run))
    items = evaluation.asked(known, limit=limit)
    found = [line for kind in dict.fromkeys(kinds) for line in KINDS[kind](known, items, lm, progress)]
    if not found:
        fix = "`options` needs rows with closed answers, `siblings` dropped answers to a prompt that was kept too"
        raise UserError(str(run), "has no two answers to the same question", fix, code=INPUT)
    return pl.DataFrame(found, schema=PAIR).sort("id", "kind")


def taught(path: Path) -> evaluation.Data:
    """Return the mix of a run as what a model is asked.

    Raises:
        UserError: status 4 when the mix is empty.
    """
    run = RunDir.open(path)
    every = run.rows()
    kept = every.filter("kept")
    if not kept.height:
        raise UserError(str(path), "has no row in its mix", "see `curate report` for what dropped them", code=INPUT)
    return evaluation.Data(path, kept.with_columns(pl.col("task").fill_null("instructions")), every, run.manifest)


Items = Sequence[answers.Asked]


def _options(
    known: evaluation.Data, items: Items, lm: LanguageModel | None, progress: Progress
) -> list[dict[str, Any]]:
    found = []
    for item in items:
        if item.choice is None:
            continue
        wrong = [place for place in range(len(item.choice.answers)) if place != item.choice.right]
        drawn = wrong[chance.pick(known.seed, item.row["id"], "rejected option", size=len(wrong))]
        found.append(_pair("options", item.row, item.turns, item.choice.answers[drawn]))
    return found


def _siblings(
    known: evaluation.Data, items: Items, lm: LanguageModel | None, progress: Progress
) -> list[dict[str, Any]]:
    assert known.train is not None
    behind = pl.element().str.contains(r"/[^/ ]*\.rank\b")
    said = pl.col("dropped_by").list.eval(~behind).list.any()
    dropped = known.train.filter(~pl.col("kept") & said).sort("id").select("prompt", "response")
    others: dict[str, list[str]] = {}
    for prompt, response in dropped.iter_rows():
        if response.strip() and response not in others.setdefault(prompt, []):
            others[prompt].append(response)
    taken = {(item.row["prompt"], item.row["response"]) for item in items}
    found = []
    for item in items:
        for number, response in enumerate(others.get(item.row["prompt"], ())):
            if (item.row["prompt"], response) not in taken:
                found.append(_pair("siblings", item.row, item.turns, response, number))
    return found


def _answers(
    known: evaluation.Data, items: Items, lm: LanguageModel | None, progress: Progress
) -> list[dict[str, Any]]:
    assert lm is not None
    _, predictions = answered(lm, items, progress=progress)
    wrong = predictions.filter((pl.col("outcome") != "right") & (pl.col("answer").str.strip_chars() != ""))
    said = dict(wrong.select("id", "answer").iter_rows())
    return [_pair("model", item.row, item.turns, said[item.row["id"]]) for item in items if item.row["id"] in said]


KINDS: dict[str, Callable[[evaluation.Data, Items, LanguageModel | None, Progress], list[dict[str, Any]]]] = {
    "options": _options,
    "siblings": _siblings,
    "model": _answers,
}


def _pair(kind: str, row: Any, turns: Sequence[Any], rejected: str, number: int = 0) -> dict[str, Any]:
    """Return one pair, under the row's id with its kind and number."""
    name = digest(row["id"], kind, str(number))
    told = {"id": name, "kind": kind, "source": row["source"], "task": row["task"]}
    bad = {"role": "assistant", "content": rejected, "train": True}
    return {**told, "prompt": list(turns[:-1]), "chosen": [turns[-1]], "rejected": [bad]}


def holds(source: object) -> bool:
    """Tell whether a file holds pairs: both `chosen` and `rejected` in its first records."""
    path = source if isinstance(source, Path) else Path(source) if isinstance(source, str) else None
    if path is None or not path.is_file():
        return False
    first = [one.data for one in islice(read.read(path), _PROBE) if isinstance(one, read.Record)]
    return bool(first) and all(isinstance(one, dict) and set(_KEYS) <= one.keys() for one in first)


def load(path: Path) -> pl.DataFrame:
    """Return the pairs of a file: id, `messages` that end in the preferred answer, `rejected` that end in the other.

    Args:
        path: prompt, chosen and rejected, each a text or a list of messages; without a prompt, whole conversations.

    Raises:
        UserError: for a record that is no pair, or whose two answers are the same.
    """
    found: dict[str, tuple[str, Any, Any]] = {}
    for item in read.read(path):
        try:
            if isinstance(item, read.Reject):
                raise ValueError(item.cause)
            good, bad = (_conversation(item.data, key) for key in _KEYS)
            if good == bad:
                raise ValueError("both answers are the same")
        except ValueError as error:
            fix = "give prompt, chosen and rejected, as TRL has them"
            raise UserError(f"{path}, line {item.line}", str(error), fix, code=INPUT) from error
        name = digest(canonical(good), canonical(bad))
        found.setdefault(name, (name, good, bad))
    schema = {"id": pl.String(), "messages": pl.List(MESSAGE), "rejected": pl.List(MESSAGE)}
    return pl.DataFrame(list(found.values()), schema=schema, orient="row")


def _conversation(data: Any, key: str) -> list[dict[str, Any]]:
    """Return the turns that end in one of the two answers; only that answer is trained on."""
    if "prompt" in data:
        try:
            return formats.conversation(data, format="prompt_completion", fields={"completion": key})[0]
        except ValueError as error:
            raise ValueError(str(error).replace("`completion`", f"`{key}`")) from None
    turns = formats.conversation(data, format="messages", fields={"messages": key})[0]
    return [{**turn, "train": turn["train"] and place == len(turns) - 1} for place, turn in enumerate(turns)]


def unpaired(found: pl.DataFrame) -> pl.DataFrame:
    """Return both conversations of each pair as rows of their own, the preferred one first."""
    good = found.select("id", "messages")
    bad = found.select(pl.col("id") + "-", messages="rejected")
    return pl.concat([good.with_row_index("at"), bad.with_row_index("at")]).sort("at", maintain_order=True).drop("at")
