"""Records of public data as the experiments of `proof.py` draw them, and what a probe makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import plants
import polars as pl
from checks_labels import CACHE
from verdicts import frame

from curate import chance, embed
from curate.steps import label_noise
from tune import draw, probe
from tune.tiers import Budget

# Of 150 intents, so that a thousand rows hold some of each.
INTENTS = 40
_SOURCES = (
    plants.Source("sst2", "sst2_train.tsv", "classification", {}, 3000),
    plants.Source("tweets", "hate_offensive_tweets.csv", "classification", {"text": "tweet", "label": "class"}, 3000),
    plants.Source("intents", "clinc150.json", "classification", {}, 20_000),
)
Records = list[dict[str, Any]]
Scores = dict[str, float]


@lru_cache(maxsize=1)
def sources() -> Mapping[str, Records]:
    """Return the records of three sets with labels: source, task, record, slots; texts distinct."""
    found = {}
    for source in _SOURCES:
        texts: dict[str, dict[str, Any]] = {}
        for one in plants.records(source):
            known = {"source": source.name, "task": "classification", "record": f"{source.name}{one.name}"}
            texts.setdefault(one.slots["text"], {**known, "slots": one.slots})
        found[source.name] = list(texts.values())
    names = sorted({one["slots"]["label"] for one in found["intents"]})[:INTENTS]
    found["intents"] = [one for one in found["intents"] if one["slots"]["label"] in names]
    return found


def ordered(records: Sequence[dict[str, Any]], seed: int, purpose: str) -> Records:
    """Return records in an order by hash."""
    return sorted(records, key=lambda one: chance.uniform(seed, one["record"], purpose))


def skewed(
    records: Records, *, seed: int, frequent: tuple[int, int], rare: int, judged: int
) -> tuple[Records, Records]:
    """Return a pool in which few labels have most of the rows, and records of all labels alike that judge it.

    Args:
        records: of one source.
        seed: decides which labels are frequent, and which records stand for them.
        frequent: how many labels, and rows of each.
        rare: rows of each other label.
        judged: rows of each label.
    """
    labels = sorted({one["slots"]["label"] for one in records}, key=lambda name: chance.uniform(seed, name, "frequent"))
    sizes = {name: frequent[1] if place < frequent[0] else rare for place, name in enumerate(labels)}
    pool, held = [], []
    seen: Counter[str] = Counter()
    for one in ordered(records, seed, "skewed"):
        label = one["slots"]["label"]
        seen[label] += 1
        if seen[label] <= judged:
            held.append(one)
        elif seen[label] <= judged + sizes[label]:
            pool.append(one)
    return pool, held


def rows(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return records as the steps read them."""
    found = [
        {"id": one["record"], "record": one["record"], "source": one["source"], "task": one["task"],
         "template": "bench", "lang": "en", "slots": orjson.dumps(one["slots"]).decode(),
         "content": one["slots"]["text"], "prompt": one["slots"]["text"], "response": one["slots"]["label"]}
        for one in records
    ]  # fmt: skip
    return pl.DataFrame(found)


def vectors(texts: Sequence[str]) -> Any:
    """Return sentence vectors, (n, d) float32; kept on disk."""
    return embed.load().encode(texts, cache=CACHE)


def suspects(records: Sequence[dict[str, Any]], *, seed: int) -> tuple[list[bool], float | None]:
    """Return which labels our step takes for wrong, and how many in all it thinks are."""
    known = rows(records)
    state = label_noise.state(known, vectors=vectors, seed=seed)
    columns = known.select("id", "record", "source", "task", "template", "lang")
    found = label_noise.decide(columns.hstack(state), vectors=vectors)
    return found.signals["suspect"].fill_null(value=False).to_list(), found.tables["sources"]["noise"][0]


def probed(train: Sequence[dict[str, Any]], judged: Sequence[dict[str, Any]], *, seed: int, examples: int) -> Scores:
    """Return what the probe of n-grams makes of records at so many examples seen, and with each label counting alike.

    Args:
        train: of one source.
        judged: of the same.
        seed: of the order.
        examples: how many are seen in all; records are seen again until it is reached (equal steps).
    """
    drawn = draw.drawn(frame(train), share=1.0, seed=seed)
    given = draw.repeated(drawn, examples={judged[0]["source"]: examples})
    scores = probe.tfidf(given, frame(judged), seed=seed, budget=Budget(examples, Path()))
    labels = pl.DataFrame({"id": [one["record"] for one in judged], "label": [one["slots"]["label"] for one in judged]})
    by_label = scores.join(labels, on="id").group_by("metric", "label").agg(pl.col("value").mean())
    plain = dict(scores.group_by("metric").agg(pl.col("value").mean()).iter_rows())
    alike = dict(by_label.group_by("metric").agg(pl.col("value").mean()).iter_rows())
    return plain | {f"{name}_by_label": value for name, value in alike.items()}


def over(parts: Mapping[str, Mapping[str, Scores]]) -> dict[str, Scores]:
    """Return the mean over sources of every metric of every arm; each source counts alike.

    Args:
        parts: scores by source and arm.
    """
    arms = next(iter(parts.values()))
    return {
        arm: {metric: sum(one[arm][metric] for one in parts.values()) / len(parts) for metric in scores}
        for arm, scores in arms.items()
    }


def taken_out(records: Records, count: int, *, seed: int, purpose: str) -> Records:
    """Return records without so many drawn by chance."""
    gone = {one["record"] for one in ordered(records, seed, purpose)[:count]}
    return [one for one in records if one["record"] not in gone]
