"""Measure the toxicity step: `python bench/checks.py --topics toxicity`.

On functional tests of hate speech and on requests in the manner of moderation sets (both in `bench/toxicity`, written
before anything was fitted), and on public tweets with labels (`../shared/data`). AUROC intervals are bootstrapped (200
draws, seed 13), shares have Wilson intervals, both 95 %.
"""

from __future__ import annotations

import csv
import re
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
from goals import SEED, auroc, figure, share

from curate import embed, screen
from curate.steps.toxicity import TOXIC, toxicity

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "raw"
SETS = ROOT / "bench" / "toxicity"
IDENTITY = ("neutral mention", "positive mention")
TWEETS, ORDINARY = 1000, 1500


class Judge:
    """The step with vectors kept in a folder for one measurement."""

    def __init__(self, folder: Path) -> None:
        """Load the encoder."""
        encoder = embed.load()
        self.vectors = lambda texts: encoder.encode(texts, cache=folder)

    def frame(self, texts: Sequence[str], *, concepts: bool = True) -> pl.DataFrame:
        """Return the step's signals."""
        rows = pl.DataFrame(
            {"response": texts, "lang": [None] * len(texts)}, schema={"response": pl.String, "lang": pl.String}
        )
        return toxicity(rows, vectors=self.vectors if concepts else None, concepts=concepts)

    def scores(self, texts: Sequence[str], *, concepts: bool = True) -> np.ndarray:
        """Return the step's scores."""
        return self.frame(texts, concepts=concepts)["score"].to_numpy()

    def heads(self, texts: Sequence[str]) -> np.ndarray:
        """Return the scores of the concepts without the lexicon."""
        return np.array([max(verdict.scores) for verdict in screen.screen(self.vectors).judge(texts)])


def functional() -> list[dict[str, Any]]:
    """Return the functional tests: text, hateful, function, group (None where none is named)."""
    told = tomllib.loads((SETS / "functional.toml").read_text(encoding="utf-8"))
    found = []
    for function in told["functions"]:
        for text in function["texts"]:
            groups = told["groups"].items() if function.get("each", True) else [(None, None)]
            for group, words in groups:
                filled = text.format(**words) if words else text
                filled = filled[0].upper() + filled[1:]
                found.append(
                    {"text": filled, "hateful": function["hateful"], "function": function["id"], "group": group}
                )
    return found


def prompts() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return flagged and harmless requests, each with its kind."""
    told = tomllib.loads((SETS / "prompts.toml").read_text(encoding="utf-8"))
    flagged, harmless = (
        [(t, kind) for kind, texts in told[key].items() for t in texts] for key in ("flagged", "harmless")
    )
    return flagged, harmless


def on_functions(judge: Judge, failures: list[str]) -> list[dict[str, Any]]:
    cases = functional()
    texts = [case["text"] for case in cases]
    hateful = np.array([case["hateful"] for case in cases])
    scores = judge.scores(texts)
    found = [auroc("functional tests", scores[hateful], scores[~hateful], ">= 0.8")]
    for name, other in (("lexicon alone", judge.scores(texts, concepts=False)), ("concepts alone", judge.heads(texts))):
        found.append(auroc(f"functional tests, {name}", other[hateful], other[~hateful]))
    for group in sorted({case["group"] for case in cases} - {None}):
        ours = np.array([case["group"] == group for case in cases])
        found.append(auroc(f"functional tests, {group}", scores[hateful & ours], scores[~hateful & ours]))
    for function in dict.fromkeys(case["function"] for case in cases):
        ours = np.array([case["function"] == function for case in cases])
        right = (scores[ours] >= TOXIC) == hateful[ours]
        found.append(share(f"right at {TOXIC}, {function}", int(right.sum()), int(ours.sum())))
    identity = np.array([case["function"] in IDENTITY for case in cases])
    found += by_group(cases, scores, identity)
    judged = zip(cases, scores, strict=True)
    wrong = {case["function"]: case["text"] for case, score in judged if (score >= TOXIC) != case["hateful"]}
    failures += [f"{function}: {masked(text)}" for function, text in wrong.items()]
    return found


def by_group(cases: list[dict[str, Any]], scores: np.ndarray, identity: np.ndarray) -> list[dict[str, Any]]:
    """Return how often neutral and positive mentions are flagged, and the worst group's ratio to the average."""
    flagged = scores >= TOXIC
    rates = {}
    for group in sorted({case["group"] for case in cases} - {None}):
        ours = identity & np.array([case["group"] == group for case in cases])
        rates[group] = (int(flagged[ours].sum()), int(ours.sum()))
    found = [share(f"identity flagged, {group}", *rate, goal="<= 0.05") for group, rate in rates.items()]
    average = flagged[identity].mean()
    worst = max(hits / of for hits, of in rates.values()) / average if average else 1.0
    found.append(share("identity flagged, all", int(flagged[identity].sum()), int(identity.sum()), goal="<= 0.05"))
    return [*found, figure("identity flagged, worst group to average", worst, int(identity.sum()), goal="<= 1.5")]


def on_prompts(judge: Judge, failures: list[str]) -> list[dict[str, Any]]:
    flagged, harmless = prompts()
    yes, no = (judge.scores([text for text, _ in some]) for some in (flagged, harmless))
    found = [auroc("requests", yes, no, ">= 0.85")]
    for name, measure in (
        ("lexicon alone", lambda t: judge.scores(t, concepts=False)),
        ("concepts alone", judge.heads),
    ):
        found.append(auroc(f"requests, {name}", *(measure([text for text, _ in some]) for some in (flagged, harmless))))
    for kind in dict.fromkeys(kind for _, kind in flagged):
        ours = np.array([one == kind for _, one in flagged])
        found.append(auroc(f"requests, {kind}", yes[ours], no))
    found.append(share("requests found", int((yes >= TOXIC).sum()), len(yes)))
    found.append(share("harmless requests flagged", int((no >= TOXIC).sum()), len(no)))
    missed = [f"missed: {masked(text)}" for (text, _), score in zip(flagged, yes, strict=True) if score < TOXIC]
    wrong = [f"flagged: {masked(text)}" for (text, _), score in zip(harmless, no, strict=True) if score >= TOXIC]
    failures += missed[:8] + wrong[:8]
    return found


def on_tweets(judge: Judge) -> list[dict[str, Any]]:
    with (DATA / "hate_offensive_tweets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    drawn = np.random.Generator(np.random.PCG64(SEED))
    scores = {}
    for kind in "012":
        texts = [re.sub(r"https?://\S+|@\w+|&#?\w+;|\bRT\b", " ", row["tweet"]) for row in rows if row["class"] == kind]
        scores[kind] = judge.scores([texts[number] for number in drawn.choice(len(texts), TWEETS, replace=False)])
    hate, neither = auroc("tweets, hate or neither", scores["0"], scores["2"]), scores["2"]
    return [hate, auroc("tweets, offensive or neither", scores["1"], neither)]


def on_ordinary(judge: Judge) -> list[dict[str, Any]]:
    """Return what ordinary instruction data costs, and how much of it is flagged."""
    rows = orjson.loads((DATA / "alpaca_sample.json").read_bytes())[:ORDINARY]
    found = []
    for name in ("instruction", "output"):
        texts = [row[name] for row in rows]
        started = time.perf_counter()
        scores = judge.scores(texts)
        seconds = (time.perf_counter() - started) / len(texts) * 1000
        fitted = screen.screen(judge.vectors)
        encoded = sum(any(fitted.doubt(text[a:b]) >= 0 for a, b in screen.windows(text)) for text in texts)
        found.append(share(f"alpaca {name}, flagged", int((scores >= TOXIC).sum()), len(texts)))
        found.append(share(f"alpaca {name}, rows encoded", encoded, len(texts)))
        found.append(figure(f"alpaca {name}, seconds per 1,000 rows", seconds, len(texts)))
    return found


def masked(text: str) -> str:
    """Return the beginning of a text with the inside of its longer words hidden."""
    return re.sub(r"\b(\w{2})\w+(\w)\b", r"\1…\2", text)[:70]


def figures() -> dict[str, Any]:
    failures: list[str] = []
    notes = [
        "bench/toxicity was written before the first fit, which scored 0.92 (functional), 0.97 (requests). "
        "Examples were widened afterwards where functions failed, so that later figures are not wholly unseen.",
        "alpaca outputs were looked at to find what kinds of contrast are missing (songs, essays).",
    ]
    with tempfile.TemporaryDirectory(prefix="curate-toxicity-") as name:
        judge = Judge(Path(name))
        started = time.perf_counter()
        screen.screen(judge.vectors)
        fitted = time.perf_counter() - started
        found = [figure("seconds to fit, examples encoded anew", fitted, 1)]
        found += on_functions(judge, failures) + on_prompts(judge, failures)
        if DATA.is_dir():
            found += on_tweets(judge) + on_ordinary(judge)
        else:
            notes.append("../shared/data is absent: no tweets, no ordinary data")
    return {"figures": found, "failures": failures[:40], "notes": notes}
