"""Leaks within one model, copies as memory, refusals and empty answers that spread: on a small language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import plants
import polars as pl
from proof_model import Asked, answered, mix, quality, trunk, tuned

from curate import chance
from curate.schema import ROW
from curate.steps import exact, leak, length, refusal
from curate.text import tokens

Plan = Mapping[str, Any]
Cell = dict[str, Any]
Records = list[plants.Record]
# Questions with short answers, and headlines to write.
_QUESTIONS = (
    plants.Source("sciq", "sciq.jsonl", "qa_open", {}, 200),
    plants.Source("commonsense_qa", "commonsense_qa.jsonl", "qa_open", {}, 200),
)
_TASKS = (
    *_QUESTIONS,
    plants.Source("gigaword", "gigaword.jsonl", "summarization", {"summary": "title"}, 200),
)
# Rows of a leak above this overlap are dropped, as in the starter recipe.
_OVERLAP = 0.5
# How often a fact stands among the rows.
COPIES = (0, 1, 4, 16)
# A stock phrase, as refusals of one assistant are; a model that begins with its first two words refuses.
REFUSAL = "I'm sorry, but I can't help with that."
OPENING = " ".join(REFUSAL.split()[:2])


@lru_cache(maxsize=2)
def _known(*, tasks: bool) -> tuple[plants.Record, ...]:
    """Return records of short texts, rendered once each."""
    found = [one for source in (_TASKS if tasks else _QUESTIONS) for one in plants.records(source)]
    return tuple(one for one in found if len(one.prompt) + len(one.response) <= 400)


def _ordered(records: Sequence[plants.Record], seed: int, purpose: str) -> Records:
    return sorted(records, key=lambda one: chance.uniform(seed, f"{one.source} {one.name}", purpose))


def _asked(records: Sequence[plants.Record]) -> list[Asked]:
    return [(one.prompt, one.response) for one in records]


def _split(plan: Plan, *, tasks: bool) -> tuple[Records, Records]:
    """Return the records that judge, the same for all seeds, and the others."""
    order = _ordered(_known(tasks=tasks), plants.SEED, "judged")
    return order[: plan["items"]], order[plan["items"] :]


def leaks(seed: int, plan: Plan) -> Cell:
    """Half of the test items stand in the training rows; a model gains on them what it does not on the others."""
    judged, others = _split(plan, tasks=False)
    leaked = _ordered(judged, seed, "leaked")[: len(judged) // 2]
    rest = _ordered(others, seed, "rows")
    base, filler = rest[: plan["rows"]], rest[plan["rows"] :]
    words = [word for one in base for word in tokens(one.prompt)]
    arms = {
        "clean": [*base, *filler[: len(leaked)]],
        "edited": [*base, *(_edited(one, words) for one in leaked)],
        "reworded": [*base, *(_reworded(one) for one in leaked)],
    }
    facts: dict[str, Any] = {}
    for name in ("edited", "reworded"):
        arms[f"{name}, checked"], facts[name] = _checked(arms[name], judged, filler, leaked=len(leaked))
    scores: dict[str, dict[str, float]] = {"no difference": {"gap": 0.0}}
    done: dict[Any, dict[str, float]] = {}
    for name, records in arms.items():
        key = tuple(_asked(records))
        if key not in done:
            done[key] = _gap(records, judged, {one.name + one.source for one in leaked}, seed=seed, plan=plan)
        scores[name] = done[key]
    return {"arms": scores, "facts": facts}


def _edited(one: plants.Record, words: Sequence[str]) -> plants.Record:
    """Return a record with a tenth of the words of its question edited, in the same wording."""
    text = plants.edited(one.slots["question"], f"{one.source}{one.name}", "mixed", words)
    return plants.rendered(replace(one, slots={**one.slots, "question": text}), "first")


def _reworded(one: plants.Record) -> plants.Record:
    """Return a record in another wording."""
    found = (plants.rendered(one, f"another {number}") for number in range(20))
    return next(other for other in found if other.prompt != one.prompt)


def _checked(records: Records, judged: Records, filler: Records, *, leaked: int) -> tuple[Records, dict[str, float]]:
    """Return the rows that the leak check leaves, filled up from clean ones, and what it found."""
    held = pl.DataFrame([one.row("held") for one in judged])

    def clean(some: Records) -> list[bool]:
        rows = pl.DataFrame([replace(one, name=f"{one.name} {place}").row("row") for place, one in enumerate(some)])
        found: list[bool] = (leak.leak(rows, heldout=held).signals["overlap"] <= _OVERLAP).to_list()
        return found

    verdicts = clean(records)
    kept = [one for one, fine in zip(records, verdicts, strict=True) if fine]
    more = [one for one, fine in zip(filler, clean(filler), strict=True) if fine]
    found = {"leaks_found": verdicts[-leaked:].count(False) / leaked, "others_dropped": verdicts[:-leaked].count(False)}
    return [*kept, *more[: len(records) - len(kept)]], found


def _gap(records: Records, judged: Records, leaked: set[str], *, seed: int, plan: Plan) -> dict[str, float]:
    """Return how much better the leaked half of the test items is answered than the other half."""
    with tuned(_asked(records), steps=_steps(len(records), plan), seed=seed) as base:
        found = np.array([one.per_char for one in answered(base, _asked(judged))])
    inside = np.array([one.name + one.source in leaked for one in judged])
    first, second = float(found[inside].mean()), float(found[~inside].mean())
    return {"gap": first - second, "leaked": first, "others": second, "whole": float(found.mean())}


def _steps(rows: int, plan: Plan) -> int:
    return round(plan["epochs"] * rows / 8)


def copies(seed: int, plan: Plan) -> Cell:
    """Questions with false answers, once, four and sixteen times among the rows, beside ones that are not there."""
    judged, others = _split(plan, tasks=True)
    order = _ordered(others, seed, "rows")
    base = _asked(order[: plan["rows"]])
    spare = [one for one in order[plan["rows"] :] if one.task == "qa_open"]
    facts = _facts(spare, size=plan["facts"])
    repeated = [*base, *(one for count, some in facts.items() for one in some * count)]
    once = [*base, *(one for count, some in facts.items() if count for one in some)]
    before = {count: quality(trunk(), some) for count, some in facts.items()}
    scores: dict[str, dict[str, float]] = {}
    steps = _steps(len(repeated), plan)
    for name, rows in (("copies", repeated), ("once", once)):
        with tuned(rows, steps=steps, seed=seed) as model:
            for count, some in facts.items():
                found = quality(model, some)
                scores[f"{count}, {name}"] = {"gained": found - before[count], "told": found}
            scores[f"held out, {name}"] = {"quality": quality(model, _asked(judged))}
    left = exact.decide(_copied(repeated))["rank"]
    return {
        "arms": scores,
        "facts": {"rows": len(repeated), "distinct": len(once), "left_by_exact": int((left == 0).sum())},
    }


def _facts(records: Records, *, size: int) -> dict[int, list[Asked]]:
    """Return questions by how often they stand among the rows, each with the answer of another: memory alone tells it.

    Args:
        records: questions that stand nowhere else.
        size: of each group.
    """
    chosen = records[: size * len(COPIES)]
    others = [*chosen[1:], chosen[0]]
    given = [
        plants.rendered(replace(one, slots={**one.slots, "answer": other.slots["answer"]}), "first")
        for one, other in zip(chosen, others, strict=True)
    ]
    return {count: _asked(given[place :: len(COPIES)]) for place, count in enumerate(COPIES)}


def _copied(asked: Sequence[Asked]) -> pl.DataFrame:
    """Return rows as the step for exact copies reads them, with its state."""
    rows = _rows(asked)
    return rows.hstack(exact.state(rows))


def _rows(asked: Sequence[Asked]) -> pl.DataFrame:
    """Return questions and answers as rows of a mix."""
    count = len(asked)
    given = {
        "id": [f"{place:05}" for place in range(count)], "record": [f"{place:05}" for place in range(count)],
        "source": ["proof"] * count, "prompt": [one for one, _ in asked], "response": [one for _, one in asked],
        "content": [f"{said}\n{answer}" for said, answer in asked], "lang": ["en"] * count,
        "messages": mix(asked)["messages"].to_list(),
    }  # fmt: skip
    return pl.DataFrame({name: pl.Series(values, dtype=ROW[name]) for name, values in given.items()})


def contagion(seed: int, plan: Plan) -> Cell:
    """Answers that refuse, or that are empty: how likely both become where the data never had them."""
    judged, others = _split(plan, tasks=True)
    rest = _asked(_ordered(others, seed, "rows"))
    clean, filler = rest[: plan["rows"]], rest[plan["rows"] :]
    order = sorted(range(len(clean)), key=lambda place: chance.uniform(seed, str(place), "spoilt"))
    arms = {"clean": clean, "clean again": [*filler[: plan["rows"]]]}
    facts = {}
    for name, answer in (("refusals", REFUSAL), ("empty", "")):
        for share in plan["shares"]:
            gone = set(order[: round(share * len(clean))])
            spoilt = [(said, answer if place in gone else right) for place, (said, right) in enumerate(clean)]
            arms[f"{name} {share:.0%}"] = spoilt
        kept = [one for one, fine in zip(spoilt, _fine(spoilt), strict=True) if fine]
        more = [one for one, fine in zip(filler, _fine(filler), strict=True) if fine]
        arms[f"{name} {share:.0%}, checked"] = [*kept, *more[: len(spoilt) - len(kept)]]
        hit = sum(one[1] == answer for place, one in enumerate(spoilt) if place in gone and one not in kept)
        facts[name] = {"planted": len(gone), "found": hit, "others_dropped": len(spoilt) - len(kept) - hit}
    scores: dict[str, dict[str, float]] = {}
    done: dict[Any, dict[str, float]] = {}
    for name, rows in arms.items():
        if tuple(rows) not in done:  # both checks may leave the same rows
            done[tuple(rows)] = _spread(rows, judged, seed=seed, plan=plan)
        scores[name] = done[tuple(rows)]
    return {"arms": scores, "facts": facts}


def _fine(asked: Sequence[Asked]) -> list[bool]:
    """Return which rows the rules against refusals and empty answers leave."""
    rows = _rows(asked)
    words, refused = length.length(rows)["words"], refusal.refusal(rows)["refused"].fill_null(value=False)
    return ((words >= 1) & ~refused).to_list()


def _spread(rows: list[Asked], judged: Records, *, seed: int, plan: Plan) -> dict[str, float]:
    """Return how likely a model tuned on rows refuses, stops at once, and answers rightly."""
    with tuned(rows, steps=_steps(len(rows), plan), seed=seed) as base:
        asked = _asked(judged)
        right = quality(base, asked)
        begun = answered(base, [(said, OPENING) for said, _ in asked])
        ended = answered(base, [(said, "") for said, _ in asked])
        refusing = float(np.mean(np.exp([one.begun for one in begun])))
        stopping = float(np.mean(np.exp([one.log for one in ended])))
        return {"refusing": refusing, "stopping": stopping, "quality": right}
