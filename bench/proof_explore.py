"""What is looked into without a claim: more task clusters, more wordings, mixtures found by small models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import plants
from proof_model import Asked, answered, quality, trunk, tuned
from sklearn.linear_model import Ridge

from curate import chance, render

Plan = Mapping[str, Any]
Cell = dict[str, Any]
Records = list[plants.Record]
_PAIR = {"text1": "question1", "text2": "question2"}
_FRENCH = {"source": "en", "target": "fr"}
_CLUSTERS = {
    "topics": (
        plants.Source("ag_news", "ag_news.jsonl", "classification", {}),
        plants.Source("dbpedia", "dbpedia.jsonl", "classification", {}),
    ),
    "intents": (plants.Source("clinc150", "clinc150.json", "classification", {}, 600),),
    "paraphrase": (plants.Source("qqp", "qqp.jsonl", "paraphrase", _PAIR),),
    "questions": (plants.Source("sciq", "sciq.jsonl", "qa_open", {}),),
    "headlines": (plants.Source("gigaword", "gigaword.jsonl", "summarization", {"summary": "title"}),),
    "translation": (plants.Source("multi30k", "multi30k_en_fr.csv.gz", "translation", _FRENCH, 600),),
}  # fmt: skip
# A cluster that no arm is taught.
_UNSEEN = plants.Source("commonsense_qa", "commonsense_qa.jsonl", "multiple_choice", {})
# Characters of a prompt and its answer: no text is cut off by the model's window here.
_SHORT = 400
# Of the regression from shares of a mixture to what it taught: weak, as six shares and a dozen mixtures are few.
_PENALTY = 0.01
# Mixtures among which the regression chooses.
_GUESSES = 2000


@lru_cache(maxsize=1)
def _known() -> dict[str, tuple[plants.Record, ...]]:
    """Return short records of each cluster, rendered once each."""
    return {name: _short(one for source in some for one in plants.records(source)) for name, some in _CLUSTERS.items()}


def _short(records: Any) -> tuple[plants.Record, ...]:
    return tuple(one for one in records if len(one.prompt) + len(one.response) <= _SHORT)


def _ordered(records: Sequence[plants.Record], seed: int, purpose: str) -> Records:
    return sorted(records, key=lambda one: chance.uniform(seed, f"{one.source} {one.name}", purpose))


def _asked(records: Sequence[plants.Record]) -> list[Asked]:
    return [(one.prompt, one.response) for one in records]


def _steps(rows: int, plan: Plan) -> int:
    return round(plan["epochs"] * rows / 8)


def clusters(seed: int, plan: Plan) -> Cell:
    """As many rows of one, two, four and six task clusters; judged on one that no arm has seen (Wei et al., 2022)."""
    items = _choices(plan["items"])
    known = _known()
    names = sorted(known, key=lambda name: chance.uniform(seed, name, "clusters"))
    scores = {"untaught": _chosen(trunk(), items)}
    for count in plan["clusters"]:
        share = plan["rows"] // count
        rows = [one for name in names[:count] for one in _ordered(known[name], seed, "rows")[:share]]
        with tuned(_asked(rows), steps=_steps(len(rows), plan), seed=seed) as model:
            scores[f"clusters {count}"] = _chosen(model, items)
    return {"arms": scores, "facts": {"order": names, "items": len(items)}}


@lru_cache(maxsize=1)
def _choices(count: int) -> list[tuple[int, list[Asked]]]:
    """Return questions of the unseen cluster: which option is right, and each option as the answer to one prompt."""
    found = []
    for one in _ordered(_short(plants.records(_UNSEEN)), plants.SEED, "judged"):
        options = list(one.slots["choices"])
        given = [plants.rendered(replace(one, slots={**one.slots, "answer": option}), "first") for option in options]
        asked = _asked(given)
        if len({prompt for prompt, _ in asked}) == 1 and len(set(asked)) == len(options):
            found.append((options.index(one.slots["answer"]), asked))
    return found[:count]


def _chosen(model: Any, items: Sequence[tuple[int, list[Asked]]]) -> dict[str, float]:
    """Return the share of right choices and the mean probability of the right option among the options."""
    told = iter(answered(model, [asked for _, options in items for asked in options]))
    right, share = [], []
    for answer, options in items:
        logs = np.array([next(told).log for _ in options])
        odds = np.exp(logs - logs.max())
        right.append(int(logs.argmax()) == answer)
        share.append(odds[answer] / odds.sum())
    return {"closed": float(np.mean(share)), "accuracy": float(np.mean(right))}


def wordings(seed: int, plan: Plan) -> Cell:
    """The same records in one wording of each source or in many; judged in wordings that are kept from training."""
    known = [one for name in plan["of"] for one in _known()[name]]
    order = _ordered(known, plants.SEED, "judged")
    judged, others = order[: plan["items"]], _ordered(order[plan["items"] :], seed, "rows")[: plan["rows"]]
    arms = {
        "one wording": [_worded(one, seed=seed, name="same") for one in others],
        "many wordings": [_worded(one, seed=seed) for one in others],
    }
    unseen = [_worded(one, seed=plants.SEED, unseen=True) for one in judged]
    usual = [_worded(one, seed=plants.SEED) for one in judged]
    scores = {"untaught": {"unseen": quality(trunk(), _asked(unseen)), "usual": quality(trunk(), _asked(usual))}}
    for name, rows in arms.items():
        with tuned(_asked(rows), steps=_steps(len(rows), plan), seed=seed) as model:
            scores[name] = {"unseen": quality(model, _asked(unseen)), "usual": quality(model, _asked(usual))}
    prompts = {arm: len({one.prompt[:20] for one in rows}) for arm, rows in arms.items()}
    return {"arms": scores, "facts": {"beginnings": prompts}}


def _worded(one: plants.Record, *, seed: int, name: str | None = None, unseen: bool = False) -> plants.Record:
    """Return a record by a template of its family; by name all records of a source are worded alike.

    Args:
        one: the record.
        seed: of the draw.
        name: stands for the record in the draw.
        unseen: whether the template is one of those kept from training, and no other.
    """
    family = plants.FAMILIES[one.task or ""]
    templates = tuple(template for template in family.templates if template.unseen == unseen)
    only = family.model_copy(update={"templates": templates})
    how = render.Plan(kinds=("zero_shot",), unseen=unseen, seed=seed)
    worded = render.renderer(family=only, pool=render.Pool(), plan=how)
    made = worded(name or one.name, one.slots)[0]
    return replace(one, prompt=made.prompt, response=made.response)


def regmix(seed: int, plan: Plan) -> Cell:
    """Shares of clusters chosen by a regression over short runs, tried at length (RegMix; Liu et al., 2025)."""
    known = {name: _ordered(some, plants.SEED, "judged") for name, some in _known().items()}
    judged = {name: _asked(some[: plan["items"]]) for name, some in known.items()}
    pools = {name: _ordered(some[plan["items"] :], seed, "rows") for name, some in known.items()}
    draw = chance.generator(seed, "mixtures")
    tried = draw.dirichlet(np.ones(len(known)), size=plan["mixtures"])
    told = np.array([_taught(_mixed(pools, one, plan["short"]), judged, seed=seed, plan=plan) for one in tried])
    fit = Ridge(alpha=_PENALTY).fit(tried, told)
    guesses = draw.dirichlet(np.ones(len(known)), size=_GUESSES)
    worth = fit.predict(guesses)
    chosen = {
        "best by regression": guesses[worth.argmax()], "worst by regression": guesses[worth.argmin()],
        "best short run": tried[told.argmax()], "equal shares": np.full(len(known), 1 / len(known)),
        "a random mixture": guesses[0],
    }  # fmt: skip
    scores = {
        name: {"quality": _taught(_mixed(pools, one, plan["rows"]), judged, seed=seed, plan=plan)}
        for name, one in chosen.items()
    }
    facts = {name: dict(zip(known, np.round(one, 3).tolist(), strict=True)) for name, one in chosen.items()}
    return {"arms": scores, "facts": {"shares": facts, "short_runs": told.tolist()}}


def _mixed(pools: Mapping[str, Records], shares: Any, rows: int) -> Records:
    """Return so many rows of each cluster as its share says, some more than once where a cluster has fewer."""
    found: Records = []
    for (_, pool), share in zip(pools.items(), shares, strict=True):
        count = round(float(share) * rows)
        found += [pool[place % len(pool)] for place in range(count)]
    return found


def _taught(rows: Records, judged: Mapping[str, list[Asked]], *, seed: int, plan: Plan) -> float:
    """Return the quality of the held-out answers, each cluster counting alike."""
    with tuned(_asked(rows), steps=_steps(len(rows), plan), seed=seed) as model:
        return float(np.mean([quality(model, asked) for asked in judged.values()]))
