"""Whether verdicts are right: `python bench/verdicts.py [--changes N] [--seeds N] [--out FILE]`.

A seeded planter makes changes to mixes of ../shared/data (sentiment of film reviews, offence in tweets, intents),
harmful, harmless and helpful ones, and writes which is which to a key of its own. The analysis sees two sets of rows
under blind names, trains the probe tier on both and says its verdict. Only then the key is opened. What a change
truly does to this tier is measured apart, by twice as many trainings on seeds of their own.

A verdict of better or worse is right when the true difference has that sign and is not below half of the margin;
a false alarm is such a verdict on a change that the key calls harmless. `inconclusive` is true where the true
difference is below the margin and what the trial could detect, taken together.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from curate import chance  # noqa: E402
from curate.intervals import wilson  # noqa: E402
from tune import draw, statistics  # noqa: E402
from tune.plant import plant  # noqa: E402
from tune.probe import tfidf  # noqa: E402
from tune.tiers import TIERS, Budget  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "raw"
OUT = ROOT / "bench" / "results" / "verdicts.json"
ROWS, ITEMS, MARGIN, SEED = 600, 400, 0.01, 13
# Kinds of change, from gross to barely there, so that some lie on the edge of what can be told; the sign is the
# planter's word.
KINDS = {
    "harmful": ("noise 0.3", "noise 0.06", "noise 0.03", "drop 0.4", "empty 0.3", "foreign 0.1", "copies 0.95"),
    "helpful": ("mend 0.3", "mend 0.06", "mend 0.03", "mend empty", "more rows"),
    "harmless": ("same", "order", "drop 0.03", "copies 0.03", "noise 0.005"),
}


def sources() -> dict[str, list[dict[str, Any]]]:
    """Return records of three public sets, each in an order by hash."""
    with (DATA / "sst2_train.tsv").open(encoding="utf-8", newline="") as file:
        found = {"sst2": [line.rstrip("\n").split("\t") for line in file]}
    with (DATA / "hate_offensive_tweets.csv").open(encoding="utf-8", newline="") as file:
        found["tweets"] = [[row["tweet"], row["class"]] for row in csv.DictReader(file)]
    intents = json.loads((DATA / "clinc150.json").read_text(encoding="utf-8"))["train"]
    few = sorted({label for _, label in intents})[:12]
    found["intents"] = [pair for pair in intents if pair[1] in few]
    made = {}
    for name, pairs in found.items():
        order = sorted(range(len(pairs)), key=lambda place: chance.uniform(SEED, f"{name}{place}", "order"))
        made[name] = [
            {"source": name, "task": "classification", "record": f"{name}{place}",
             "slots": {"text": pairs[place][0], "label": pairs[place][1]}}
            for place in order
        ]  # fmt: skip
    return made


def changed(kind: str, records: Sequence[dict[str, Any]], *, seed: int) -> Any:
    """Return records before and after a change."""
    defects = {
        "noise": "label_noise",
        "empty": "empty_answers",
        "foreign": "wrong_task_answers",
        "copies": "duplicates",
    }
    clean, (what, _, much) = list(records), kind.partition(" ")

    def spoil(defect: str, share: float) -> list[dict[str, Any]]:
        return plant(records, [], defect=defect, share=share, seed=seed)[0]

    if what in defects:
        return clean, spoil(defects[what], float(much))
    if what == "mend":
        return spoil(
            "empty_answers" if much == "empty" else "label_noise", 0.3 if much == "empty" else float(much)
        ), clean
    if what == "drop":
        order = sorted(records, key=lambda one: chance.uniform(seed, one["record"], "drop"))
        return clean, order[round(float(much) * len(order)) :]
    if what == "more":
        return clean[: ROWS // 6], clean
    return clean, clean[::-1] if what == "order" else clean


def frame(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return records as rows of a mix."""
    rows = [
        {"record": one["record"], "id": one["record"], "source": one["source"], "like": one["source"],
         "task": one["task"], "slots": json.dumps(one["slots"]), "copies": 1}
        for one in records
    ]  # fmt: skip
    return pl.DataFrame(rows).sort("id")


def differences(pair: Sequence[pl.DataFrame], judged: pl.DataFrame, seeds: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the differences of the primary metric, one for each seed."""
    tier, found = TIERS["probe"], []
    specs = [{"name": str(place)} for place in range(2)]
    for seed in seeds:
        pools = {str(place): rows for place, rows in enumerate(pair)}
        examples = draw.examples(pools, specs, share=tier.draw, seed=seed)
        means = []
        for name, rows in pools.items():
            train = draw.repeated(draw.drawn(rows, share=tier.draw, seed=seed), examples=examples[name])
            scores = tfidf(train, judged, seed=seed, budget=Budget(train["times"].sum(), Path()))
            means.append(scores.filter(pl.col("metric") == tier.metric)["value"].mean())
        found.append(means[1] - means[0])
    return np.array(found)


def plan(count: int, folder: Path) -> list[str]:
    """Write pairs of mixes under blind names, and the key beside them; return the names."""
    known, names, key = sources(), [], {}
    for number in range(count):
        sign = ("harmful", "helpful", "harmless")[number % 3]
        kind = KINDS[sign][chance.pick(SEED, str(number), "kind", size=len(KINDS[sign]))]
        source = list(known)[chance.pick(SEED, str(number), "source", size=3)]
        records = known[source][ITEMS : ITEMS + ROWS]
        name = f"change{number:02}"
        before, after = changed(kind, records, seed=number)
        for side, part in (("before", before), ("after", after)):
            frame(part).write_parquet(folder / f"{name}.{side}.parquet")
        frame(known[source][:ITEMS]).write_parquet(folder / f"{name}.judged.parquet")
        key[name] = {"sign": sign, "kind": kind, "source": source}
        names.append(name)
    (folder / "key").mkdir()
    (folder / "key" / "key.json").write_bytes(orjson.dumps(key))
    return names


def read(folder: Path, name: str) -> Any:
    """Return both mixes of a change and what judges them."""
    parts = [pl.read_parquet(folder / f"{name}.{side}.parquet") for side in ("before", "after", "judged")]
    return parts[:2], parts[2]


def judge(folder: Path, names: Sequence[str], seeds: int) -> dict[str, dict[str, Any]]:
    """Return the verdict on each change, from its rows alone."""
    found = {}
    for name in names:
        pair, judged = read(folder, name)
        test = statistics.paired(differences(pair, judged, range(seeds)))
        verdict = statistics.verdict(test, adjusted=test.p, margin=MARGIN)
        found[name] = {"verdict": verdict, "mean": round(test.mean, 4), "detectable": round(detectable(test), 4)}
    return found


def detectable(test: statistics.Paired) -> float:
    """Return the smallest difference that such a trial finds."""
    return statistics.detectable(test.sd, test.seeds) if test.sd else 0.0


def counted(told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how often the verdicts are right."""
    decided = [one for one in told.values() if one["verdict"] in ("better", "worse")]
    right = [one for one in decided if (one["true"] if one["verdict"] == "better" else -one["true"]) >= MARGIN / 2]
    harmless = [one for one in told.values() if one["sign"] == "harmless"]
    alarms = [one for one in harmless if one["verdict"] in ("better", "worse")]
    open_ones = [one for one in told.values() if one["verdict"] == "inconclusive"]
    unsure = [one for one in open_ones if abs(one["true"]) < MARGIN + one["detectable"]]
    equal = [one for one in told.values() if one["verdict"] == "equivalent"]
    inside = [one for one in equal if abs(one["true"]) < MARGIN]
    groups = {
        "better_or_worse_right": (right, decided), "false_alarms": (alarms, harmless),
        "inconclusive_where_true": (unsure, open_ones), "equivalent_right": (inside, equal),
        "real_changes_decided": ([one for one in decided if one["sign"] != "harmless"],
                                 [one for one in told.values() if one["sign"] != "harmless"]),
    }  # fmt: skip
    return {
        name: {"hits": len(hits), "of": len(whole), "share": len(hits) / len(whole) if whole else None,
               "interval": wilson(len(hits), len(whole)) if whole else None}
        for name, (hits, whole) in groups.items()
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=45)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="curate-verdicts-") as place:
        folder = Path(place)
        names = plan(given.changes, folder)
        told = judge(folder, names, given.seeds)
        judged_in = time.process_time() - started
        key = orjson.loads((folder / "key" / "key.json").read_bytes())
        for name in names:
            pair, judged = read(folder, name)
            apart = differences(pair, judged, range(10_000, 10_000 + 2 * given.seeds))
            told[name] |= {**key[name], "true": round(float(apart.mean()), 4)}
            print(name, told[name])
    results = {"tier": "probe", "seed": SEED, "changes": given.changes, "seeds": given.seeds, "margin": MARGIN,
               "cpu_seconds_of_verdicts": round(judged_in, 1), "figures": counted(told), "list": told}  # fmt: skip
    given.out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    print(orjson.dumps(results["figures"]).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
