"""Changes of a recipe whose effect is known beforehand, made by a seeded planter to records of ../shared/data."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"  # trainings of milliseconds: threads would wait for each other

import polars as pl  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from curate import chance, render, rulebook  # noqa: E402
from tune.plant import plant  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "raw"
SEED = 13
# Of 150: so few that some hundred rows hold many of each.
INTENTS = 12
# The one wording where all records have the same.
FORM = "classification.form"
# What a label stands for: a language model knows words, not numbers.
FILMS = {"0": "negative", "1": "positive"}
TWEETS = {"0": "hate speech", "1": "offensive", "2": "neither"}
_DEFECTS = {"noise": "label_noise", "empty": "empty_answers", "foreign": "wrong_task_answers", "copies": "duplicates"}
# Share of answers that are empty before they are mended, and the part of the records that there is before `more rows`.
_EMPTY, _PART = 0.3, 6


def sources(intents: int = INTENTS) -> dict[str, list[dict[str, Any]]]:
    """Return records of three public sets, each in an order by hash.

    Args:
        intents: how many, of the first by name; of each there are a hundred requests.
    """
    with (DATA / "sst2_train.tsv").open(encoding="utf-8", newline="") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    found = {"sst2": [[text, FILMS[label]] for text, label in lines]}
    with (DATA / "hate_offensive_tweets.csv").open(encoding="utf-8", newline="") as file:
        found["tweets"] = [[row["tweet"], TWEETS[row["class"]]] for row in csv.DictReader(file)]
    requests = json.loads((DATA / "clinc150.json").read_text(encoding="utf-8"))["train"]
    few = sorted({label for _, label in requests})[:INTENTS]
    found["intents"] = [[text, label.replace("_", " ")] for text, label in requests if label in few]
    wanted = [label.replace("_", " ") for label in few[:intents]]
    made = {}
    for name, pairs in found.items():
        order = sorted(range(len(pairs)), key=lambda place: chance.uniform(SEED, f"{name}{place}", "order"))
        made[name] = [
            {"source": name, "task": "classification", "record": f"{name}{place}",
             "slots": {"text": pairs[place][0], "label": pairs[place][1]}}
            for place in order if name != "intents" or pairs[place][1] in wanted
        ]  # fmt: skip
    return made


def changed(kind: str, records: Sequence[dict[str, Any]], *, seed: int) -> tuple[list[Any], list[Any]]:
    """Return records before and after a change.

    Args:
        kind: what is done and to which share of the records, such as `noise 0.3`.
        records: clean ones.
        seed: decides which of them.
    """
    clean, (what, _, much) = list(records), kind.partition(" ")

    def spoil(defect: str, share: float) -> list[dict[str, Any]]:
        return plant(records, [], defect=defect, share=share, seed=seed)[0]

    if what in _DEFECTS:
        return clean, spoil(_DEFECTS[what], float(much))
    if kind == "mend empty":
        return spoil("empty_answers", _EMPTY), clean
    if what == "mend":
        return spoil("label_noise", float(much)), clean
    if what == "drop":
        order = sorted(records, key=lambda one: chance.uniform(seed, one["record"], "drop"))
        return clean, order[round(float(much) * len(order)) :]
    if what == "more":
        return clean[: len(clean) // _PART], clean
    return clean, clean[::-1] if what == "order" else clean


def frame(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return records as rows of a mix."""
    rows = [
        {"record": one["record"], "id": one["record"], "source": one["source"], "like": one["source"],
         "task": one["task"], "slots": json.dumps(one["slots"]), "copies": 1}
        for one in records
    ]  # fmt: skip
    return pl.DataFrame(rows).sort("id")


def worded(records: Sequence[dict[str, Any]], *, only: str | None = None) -> pl.DataFrame:
    """Return records as rows of a mix; an answer is the label, whatever it is.

    Args:
        records: of classification.
        only: the template of all; when left out each has one drawn by hash.
    """
    family = rulebook.families(None)["classification"]
    found = []
    for one in records:
        every = render.every(one["record"], {**one["slots"], "label": "x"}, family=family, pool=render.Pool())
        plain = [each for each in every if each.messages[-1]["content"] == "x" and only in (None, each.template)]
        chosen = plain[chance.pick(SEED, one["record"], "wording", size=len(plain))]
        answer = str(one["slots"]["label"])
        turns = [*chosen.messages[:-1], {**chosen.messages[-1], "content": answer}]
        row = {"id": one["record"], "template": chosen.template, "prompt": chosen.prompt, "response": answer}
        found.append({**row, "messages": turns})
    return frame(records).join(pl.DataFrame(found), on="id").sort("id")
