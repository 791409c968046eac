"""Bias and fairness measured: intervals and false alarms simulated, balance and swaps of Winogender, gaps, speed."""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from goals import Figure, figure, share

from curate import catalog, chance, embed, parity, rulebook, schema, swaps
from curate.steps.association import association
from curate.steps.bias import bias
from curate.steps.dialect import dialect
from curate.steps.swap import swap
from reports import associations, npmi
from reports.swaps import _step

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "raw"
SEED = 20
CACHE = Path.home() / ".cache" / "curatune" / "bench"
Random = np.random.Generator


def figures() -> dict[str, Any]:
    """Measure everything; the same figures each time but for seconds."""
    failures: list[str] = []
    found = [*_parity(failures), *_npmi(failures)]
    notes = ["simulations by curate.chance with seed 20; a table is 40 groups under one rule of 4,000 rows"]
    if not DATA.is_dir():
        return {"figures": found, "failures": failures, "notes": [*notes, "../shared/data is absent: no real texts"]}
    found += [*_winogender(failures), *_gaps(), *_speed()]
    return {"figures": found, "failures": failures[:40], "notes": notes}


def _table(
    random: Random, planted: dict[int, float], longer: float
) -> Iterator[tuple[int, float, parity.Parity, float]]:
    """Yield number, true ratio, comparison at equal length and raw ratio of 40 groups under one rule.

    The rule fails a tenth of the rows, long ones more often; every fourth group has texts `longer` times as long.
    """
    rows = 4000
    for number in range(40):
        mine = random.random(rows) < random.uniform(0.02, 0.2)
        stretch = longer if number % 4 == 0 else 1.0
        lengths = np.exp(random.normal(5, 1, rows) + math.log(stretch) * mine).astype(np.int64)
        rate = np.clip(0.1 * (lengths / math.exp(5)) ** 0.7, 0, 0.5)
        own = np.where(mine, np.clip(rate * planted.get(number, 1.0), 0, 1), rate)
        failed = random.random(rows) < own
        classes = parity.octaves(lengths)
        size = int(classes.max()) + 1
        every = np.ones(rows, dtype=bool)
        part, whole = (
            (parity.by_class(mask & failed, classes, size=size), parity.by_class(mask, classes, size=size))
            for mask in (mine, every)
        )
        expected = [own[classes == one].mean() if (classes == one).any() else 0.0 for one in range(size)]
        truth = own[mine].sum() / float(part[1] @ np.array(expected))
        raw = parity.compare(parity.pooled(part), parity.pooled(whole)).ratio or 0.0
        yield number, float(truth), parity.compare(part, whole), raw


def _parity(failures: list[str]) -> list[Figure]:
    """Return coverage, false alarms and recall of the table of rules and groups."""
    random = chance.generator(SEED, "parity")
    covered = judged = alarms = tables = 0
    longer: list[tuple[float, float]] = []
    for _ in range(200):
        lines = [line for line in _table(random, {}, 1.6) if line[2].p is not None]
        q = parity.discoveries([float(line[2].p or 0) for line in lines])
        tables += 1
        alarms += any(value < parity.FALSE_SHARE for value in q)
        for number, truth, one, raw in lines:
            judged += 1
            covered += (one.low or 0) <= truth <= (one.high or 0)
            longer += [(one.ratio or 0.0, raw)] if number % 4 == 0 else []
    hit = of = false = named = 0
    for _ in range(30):
        planted = dict.fromkeys(range(1, 40, 8), 1.8)
        lines = [line for line in _table(random, planted, 1.6) if line[2].p is not None]
        q = parity.discoveries([float(line[2].p or 0) for line in lines])
        for (number, truth, one, _), value in zip(lines, q, strict=True):
            notable = value < parity.FALSE_SHARE and (one.ratio or 0) >= parity.RATIO
            named += notable
            false += notable and number not in planted
            of += number in planted
            hit += notable and number in planted
            if number in planted and not notable:
                failures.append(f"disparity {truth:.2f} of {one.rows} rows missed: {one.ratio:.2f}, q {value:.2f}")
    means = np.array(longer).mean(axis=0)
    return [
        share("parity: 95 % intervals that hold the true ratio", covered, judged, ">= 0.93"),
        share("parity: tables of no disparity with any alarm", alarms, tables, "<= 0.08"),
        share("parity: planted ratio 1.8 found", hit, of, ">= 0.8"),
        share("parity: false among those found", false, named, "<= 0.05"),
        figure("parity: mean ratio of groups 1.6 times as long, no disparity, equal length", means[0], len(longer),
               goal="<= 1.05"),
        figure("parity: the same as it stands", means[1], len(longer)),
    ]  # fmt: skip


def _sentences(random: Random, lift: float) -> tuple[pl.DataFrame, pl.DataFrame, float]:
    """Return units and pairs of 1,500 rows with 20 words, the first five with a lift, and the true nPMI of those."""
    rows = 1500
    counts = random.integers(1, 9, rows)
    row = np.repeat(np.arange(rows), counts)
    rates = np.clip(random.gamma(1.0, 0.1, rows), 0, 0.9)[row]  # rows differ in how much they tell of the group
    group = random.random(len(row)) < rates
    words = [random.random(len(row)) < np.where(group, 0.04 * (lift if one < 5 else 1.0), 0.04) for one in range(20)]
    lists = [[f"w{one:02}" for one in range(20) if words[one][place]] for place in range(len(row))]
    pairs = pl.DataFrame({"row": row, "groups": [["g"] if one else [] for one in group], "words": lists})
    share, joint = 0.1, 0.1 * 0.04 * lift
    truth = math.log(joint / (share * (joint + 0.9 * 0.04))) / -math.log(joint)
    return pl.DataFrame({"row": np.arange(rows), "n": counts}), pairs, truth


def _npmi(failures: list[str]) -> list[Figure]:
    """Return coverage, false alarms and recall of associations."""
    random = chance.generator(SEED, "npmi")
    covered = judged = alarms = hit = of = false = named = 0
    for lift in (1.0, 3.0):
        for _ in range(40):
            units, pairs, truth = _sentences(random, lift)
            found = npmi.associations(units, pairs)
            q = parity.discoveries([one.p for one in found] + [1.0] * (20 - len(found)))
            low = [value < parity.FALSE_SHARE for value in q[: len(found)]]
            alarms += lift == 1.0 and any(low)
            for one, beyond in zip(found, low, strict=True):
                planted = lift > 1 and one.word < "w05"
                judged += 1
                covered += one.low <= (truth if planted else 0.0) <= one.high
                named += lift > 1 and beyond
                false += lift > 1 and beyond and not planted
                hit += planted and beyond
            of += 5 * (lift > 1)
    if of - hit:
        failures.append(f"associations of lift 3 missed: {of - hit} of {of}")
    return [
        share("nPMI: 95 % intervals that hold the true value", covered, judged, ">= 0.93"),
        share("nPMI: tables of no association with any alarm", alarms, 40, "<= 0.1"),
        share("nPMI: planted lift of 3 found", hit, of, ">= 0.9"),
        share("nPMI: false among those found", false, named, "<= 0.07"),
    ]


def rows_of(texts: list[str]) -> pl.DataFrame:
    """Return rows whose responses are the texts."""
    frame = pl.DataFrame({"response": texts}).with_columns(
        id=pl.format("{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(32)), prompt=pl.lit(""),
        content=pl.col("response"), lang=pl.lit("en"),
    )  # fmt: skip
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.ROW.items() if name not in frame.columns]
    return frame.with_columns(missing).select(list(schema.ROW))


def _balance(texts: list[str]) -> dict[str, Any]:
    """Return the balance of pronouns by occupation."""
    table = association(rows_of(texts), column="response").tables["sentences"]
    return associations._balance(table.with_columns(row="id", kept=pl.lit(True)))


def _winogender(failures: list[str]) -> list[Figure]:
    """Return what the balance says of minimal pairs and of a skewed copy, and whether swaps are the other member."""
    with (DATA / "winogender_sentences.tsv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    by_key = {tuple(line["sentid"].removesuffix(".txt").rsplit(".", 1)): line["sentence"] for line in lines}
    even = _balance([*by_key.values()] * 5)
    occupations = sorted({key[0].split(".")[0] for key in by_key})
    jobs = [one for one in occupations if _named(one)]
    failures += [f"occupation not in the lexicon: {one}" for one in occupations if not _named(one)]
    wanted = {name for place, name in enumerate(sorted({str(_named(one)) for one in jobs})) if place % 5 == 0}
    skewed = [
        text for copy in range(5) for key, text in by_key.items()
        if not (copy and key[1] == "male" and _named(key[0].split(".")[0]) in wanted)
    ]  # fmt: skip
    found = {one["occupation"] for one in _balance(skewed)["list"] if one["q"] < parity.FALSE_SHARE}
    return [
        share("Winogender: its occupations that the lexicon knows", len(jobs), len(occupations), ">= 0.95"),
        share("Winogender, five copies: occupations out of balance", even["found"], even["tested"], "<= 0"),
        share("skewed copy: planted occupations found", len(found & wanted), len(wanted), ">= 1"),
        share("skewed copy: false among those found", len(found - wanted), len(found), "<= 0.05"),
        *(_pairs(by_key, first, second, failures) for first, second in
          (("male", "female"), ("female", "male"), ("male", "neutral"), ("female", "neutral"))),
    ]  # fmt: skip


@cache
def _named(occupation: str) -> str | None:
    """Return the entry of the lexicon that an occupation belongs to."""
    words = rulebook.lexicon("associations")
    entries = [one for one in words.entries if one.category == "occupation"]
    return next((str(one.id) for one in entries for term in one.terms
                 if re.fullmatch(re.sub(r"(\w)\?", r"\1?", term), occupation)), None)  # fmt: skip


def _pairs(by_key: dict[Any, str], first: str, second: str, failures: list[str]) -> Figure:
    """Return how often the swapped sentence is the other member of the minimal pair, to the letter."""
    groups = {"male": "gender:men", "female": "gender:women", "neutral": "gender:they"}
    pair = next(one for one in swaps.pairs(rulebook.lexicon("swaps"))["gender"]
                if {one.first, one.second} == {groups[first], groups[second]})  # fmt: skip
    keys = [key[0] for key in by_key if key[1] == first]
    right = 0
    for key in keys:
        made, wanted = pair.swap(by_key[key, first]), by_key[key, second]
        right += made == wanted
        if made != wanted and len(failures) < 36:
            failures.append(f"{first} to {second}: {made!r:.110}, wanted {wanted!r:.110}")
    return share(f"Winogender: {first} to {second} is the other member", right, len(keys), ">= 0.9")


def _rescore() -> Callable[..., Any]:
    """Return what runs a step on rows of a step's own making, with the encoder, as the engine does."""
    return partial(catalog.rescore, vectors=partial(embed.load().encode, cache=CACHE))


def _gaps() -> list[Figure]:
    """Return gaps of the toxicity step by group on tweets, many of them abusive."""
    with (DATA / "hate_offensive_tweets.csv").open(encoding="utf-8") as file:
        texts = [line["tweet"] for line in csv.DictReader(file)]
    order = chance.shuffled(SEED, "", "tweets", size=len(texts))[:4000]
    measured = swap(rows_of([texts[place] for place in order]), rescore=_rescore())
    step = _step("swap", measured.tables["pairs"])
    found = [share("swap: tweets whose toxicity crosses 0.5 with the group", step["flipped"], step["rows"])]
    found.append(share("swap: tweets whose toxicity moves at all", step["moved"], step["rows"]))
    for line in step["groups"]:
        if line["q"] is not None:
            name = f"swap: mean signed gap of toxicity, {line['group']}"
            found.append(figure(name, line["gap"], line["rows"], (line["low"], line["high"])))
    return found


def _speed() -> list[Figure]:
    """Return seconds for 1,000 rows of Alpaca."""
    records = json.loads((DATA / "alpaca_sample.json").read_text(encoding="utf-8"))[:1000]
    rows = rows_of([f"{one['instruction']}\n{one['output']}" for one in records])
    rescore = _rescore()
    steps: dict[str, Callable[[], Any]] = {
        "bias": lambda: bias(rows),
        "dialect": lambda: dialect(rows),
        "association": lambda: association(rows),
        "swap (toxicity)": lambda: swap(rows, rescore=rescore),
    }
    found = []
    for name, call in steps.items():
        started = time.perf_counter()
        call()
        found.append(figure(f"seconds per 1,000 rows: {name}", time.perf_counter() - started, rows.height))
    return found
