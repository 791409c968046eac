"""Whether verdicts are right: `python bench/verdicts.py [--tier NAME] [--cells FILE] [--out FILE]`.

A seeded planter makes changes to mixes of ../shared/data (sentiment of film reviews, offence in tweets, intents),
harmful, harmless and helpful ones, and writes which is which to a key of its own. The analysis sees two sets of rows
under blind names, trains the tier on both and says its verdict. Only then the key is opened. What a change truly does
to this tier is measured apart, by trainings on seeds of their own: how many is said in `TRIALS`, for each tier. Where
trainings are dear it is measured for some changes alone, drawn by seed; of all is told whether the key has that sign.

A verdict of better or worse is right when the true difference has that sign and is not below half of the margin;
a false alarm is such a verdict on a change that the key calls harmless. `inconclusive` is true where the true
difference is below the margin and what the trial could detect, taken together.

Changes of a source begin with the same rows and are judged by the same items, so their verdicts are not quite apart.
Where both arms hold the same rows there is nothing to get wrong: false alarms are told without such changes too, and
as many more harmless ones are made as a narrow interval needs, of which what is true is not measured.

Beside these stand small trials, of few rows and seeds, of changes that such a trial mostly cannot see. Of those whose
true difference matters (the margin or more) and is below what their trial detects with 80 % power, it is told what was
said: `inconclusive` is the honest word, `equivalent` an error, better or worse luck where the sign is right.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

# First of all: it sees to one thread, which numpy reads when it is imported.
from changes import DATA, FORM, INTENTS, SEED, changed, frame, sources, worded  # noqa: E402, I001
import numpy as np  # noqa: E402
import orjson  # noqa: E402
import polars as pl  # noqa: E402
import reading  # noqa: E402
from hits import counted  # noqa: E402

from curate import chance  # noqa: E402
from curate.precision import precision  # noqa: E402
from curate.rundir import write_json  # noqa: E402
from curate.schema import digest  # noqa: E402
from tune import draw, statistics  # noqa: E402
from tune.tiers import TIERS, Budget  # noqa: E402
from tune.tuning import Tuning  # noqa: E402

RESULTS = ROOT / "bench" / "results"
MARGIN = 0.01
# Kinds of change, from gross to barely there, so that some lie on the edge of what can be told; the sign is the
# planter's word.
KINDS: Mapping[str, Sequence[str]] = {
    "harmful": ("noise 0.3", "noise 0.06", "noise 0.03", "drop 0.4", "empty 0.3", "foreign 0.1", "copies 0.95"),
    "helpful": ("mend 0.3", "mend 0.06", "mend 0.03", "mend empty", "more rows"),
    "harmless": ("same", "order", "drop 0.03", "copies 0.03", "noise 0.005"),
}
# Where four trainings decide only gross ones can be told; none of the harmless ones leaves the rows as they are.
GROSS: Mapping[str, Sequence[str]] = {
    "harmful": ("noise 0.5", "noise 0.3", "foreign 0.5", "empty 0.5", "copies 0.95"),
    "helpful": ("mend 0.5", "mend 0.3", "mend empty", "more rows"),
    "harmless": ("drop 0.03", "copies 0.03", "noise 0.01"),
}
# Harmless ones that change rows: as many more of them as bring the interval of no false alarm at all below 5 %.
HARMLESS = ("drop 0.03", "drop 0.01", "copies 0.03", "noise 0.005")
SMALL = ("noise 0.1", "noise 0.2", "mend 0.1", "mend 0.2", "drop 0.2", "foreign 0.1")
# Of a small trial: rows, items that judge, seeds, and trainings that tell the truth: its seeds scatter more.
SMALL_ROWS, SMALL_ITEMS, SMALL_SEEDS, SMALL_TRUTH = 80, 80, 3, 60
# Seeds of the trainings that tell the truth begin here.
APART = 10_000


@dataclass(frozen=True)
class Trial:
    """What is tried at a tier.

    Args:
        rows: of the source as it is.
        items: that judge.
        seeds: of a verdict.
        truth: trainings apart, of each arm.
        changes: a third each harmful, helpful and harmless.
        measured: of them, those whose truth is measured.
        harmless: more harmless ones.
        small: small trials.
        kinds: of change, by sign.
        sources: whose rows are changed.
        intents: of the source with intents.
        pools: parts of a source with which changes begin.
    """

    rows: int = 600
    items: int = 400
    seeds: int = 20
    truth: int = 40
    changes: int = 45
    measured: int = 45
    harmless: int = 80
    small: int = 30
    kinds: Mapping[str, Sequence[str]] = field(default_factory=lambda: KINDS)
    sources: Sequence[str] = ("sst2", "tweets", "intents")
    intents: int = INTENTS
    pools: int = 1


# A training takes 0.03, 0.25 and 8 seconds of a core: these sizes fit into half an hour of one. In the 24 steps of the
# last, SmolLM2 learns intents and hardly what a film review says.
TRIALS = {
    "probe": Trial(),
    "trunk-head": Trial(truth=20, harmless=60),
    "lora": Trial(
        rows=96, items=32, seeds=4, truth=4, changes=42, measured=12, harmless=0, small=0, kinds=GROSS,
        sources=("intents",), intents=6, pools=3,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Cells:
    """Trainings of a tier, each done once: changes of a source share the rows that they begin with.

    Args:
        tier: name of it.
        cache: folder for what does not depend on the arm.
        file: where finished ones are kept, so that a run goes on where it was broken off; None where they are cheap.
        done: means of the primary metric by all that they depend on.
    """

    tier: str
    cache: Path
    file: Path | None = None
    done: dict[str, float] = field(default_factory=dict)

    def mean(self, train: pl.DataFrame, judged: pl.DataFrame, *, seed: int) -> float:
        """Return the mean of the primary metric after a training."""
        shown = (train.select("id", "slots", "times"), judged.select("id", "slots"))
        key = digest(self.tier, str(seed), *(rows.write_csv() for rows in shown))
        if key not in self.done:
            budget = Budget(int(train["times"].sum()), self.cache)
            scores = TIERS[self.tier].run_cell()(train, judged, seed=seed, budget=budget)
            own = scores.filter(pl.col("metric") == TIERS[self.tier].metric)
            self.done[key] = float(own["value"].to_numpy().mean())
            if self.file:
                write_json(self.file, self.done)
        return self.done[key]


def differences(
    cells: Cells, pair: Sequence[pl.DataFrame], judged: pl.DataFrame, seeds: Sequence[int]
) -> np.ndarray[Any, Any]:
    """Return the differences of the primary metric, one for each seed."""
    tier, tuning, found = TIERS[cells.tier], Tuning(), []
    share, passes = tier.share(max(rows.height for rows in pair), tuning), tuning.epochs if tier.tuned else 1
    specs = [{"name": str(place)} for place in range(2)]
    for seed in seeds:
        pools = {str(place): rows for place, rows in enumerate(pair)}
        examples = draw.examples(pools, specs, share=share, seed=seed)
        means = []
        for name, rows in pools.items():
            seen = {source: passes * count for source, count in examples[name].items()}
            train = draw.repeated(draw.drawn(rows, share=share, seed=seed), examples=seen)
            means.append(cells.mean(train, judged, seed=seed))
        found.append(means[1] - means[0])
    return np.array(found)


def plant(tier: str, trial: Trial, folder: Path) -> list[str]:
    """Write pairs of mixes under blind names, and the key beside them; return the names, those of small trials last."""
    known, names, key = sources(trial.intents), [], {}
    large = trial.changes + trial.harmless
    for number in range(large + trial.small):
        sign, kinds = _wanted(trial, number)
        kind = kinds[chance.pick(SEED, str(number), "kind", size=len(kinds))]
        source = trial.sources[chance.pick(SEED, str(number), "source", size=len(trial.sources))]
        small = number - large
        rows, items = (trial.rows, trial.items) if small < 0 else (SMALL_ROWS, SMALL_ITEMS)
        pool = chance.pick(SEED, str(number), "pool", size=trial.pools)
        start = trial.items + (pool * rows if small < 0 else small * rows % (trial.rows - rows))
        name = f"change{number:03}" if small < 0 else f"small{small:02}"
        before, after = changed(kind, known[source][start : start + rows], seed=number)
        for side, part in (("before", before), ("after", after), ("judged", known[source][:items])):
            made = worded(part, only=FORM) if TIERS[tier].tuned else frame(part)
            made.write_parquet(folder / f"{name}.{side}.parquet")
        key[name] = {"sign": sign, "kind": kind, "source": source}
        names.append(name)
    (folder / "key").mkdir()
    (folder / "key" / "key.json").write_bytes(orjson.dumps(key))
    return names


def _wanted(trial: Trial, number: int) -> tuple[str, Sequence[str]]:
    """Return the sign of a change, and the kinds from which it is drawn."""
    if number < trial.changes:
        sign = ("harmful", "helpful", "harmless")[number % 3]
        return sign, trial.kinds[sign]
    return ("harmless", HARMLESS) if number < trial.changes + trial.harmless else ("small", SMALL)


def read(folder: Path, name: str) -> tuple[list[pl.DataFrame], pl.DataFrame]:
    """Return both mixes of a change and what judges them."""
    parts = [pl.read_parquet(folder / f"{name}.{side}.parquet") for side in ("before", "after", "judged")]
    return parts[:2], parts[2]


def judge(cells: Cells, folder: Path, names: Sequence[str], seeds: int) -> dict[str, dict[str, Any]]:
    """Return the verdict on each change, from its rows alone."""
    found = {}
    for name in names:
        pair, judged = read(folder, name)
        own = range(SMALL_SEEDS if name.startswith("small") else seeds)
        test = statistics.paired(differences(cells, pair, judged, own))
        verdict = statistics.verdict(test, adjusted=test.p, margin=MARGIN)
        found[name] = {"verdict": verdict, "mean": round(test.mean, 4), "detectable": round(detectable(test), 4)}
        print(name, found[name], flush=True)
    return found


def detectable(test: statistics.Paired) -> float:
    """Return the smallest difference that such a trial finds."""
    return statistics.detectable(test.sd, test.seeds) if test.sd else 0.0


def truth(cells: Cells, pair: Sequence[pl.DataFrame], judged: pl.DataFrame, trainings: int) -> dict[str, float]:
    """Return what a change truly does, and the standard error of that."""
    apart = statistics.paired(differences(cells, pair, judged, range(APART, APART + trainings)))
    return {"true": round(apart.mean, 4), "error": round(float(apart.sd / np.sqrt(trainings)), 4)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=list(TRIALS), default="probe")
    parser.add_argument("--cells", type=Path, help="a file of finished trainings: broken off, the bench goes on")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    given = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there")
        return 0
    trial = TRIALS[given.tier]
    found = tried(given.tier, trial, given.cells)
    plan = {"tier": given.tier, "seed": SEED, "margin": MARGIN, "trial": asdict(trial)}
    plan |= {"small_trial": {"rows": SMALL_ROWS, "items": SMALL_ITEMS, "seeds": SMALL_SEEDS, "truth": SMALL_TRUTH}}
    reading.write(given.out or RESULTS / f"verdicts_{given.tier.replace('-', '_')}.json", **plan, **found)
    print(
        orjson.dumps({name: found[name] for name in ("figures", "small_trials")}, option=orjson.OPT_INDENT_2).decode()
    )
    return 0


def tried(tier: str, trial: Trial, kept: Path | None) -> dict[str, Any]:
    """Return the verdicts on all changes of a trial, what they truly do, and how often the verdicts are right."""
    started = time.process_time()
    facts: dict[str, Any] = {}
    if TIERS[tier].tuned:
        facts |= {"dtype": precision(), "torch": importlib.metadata.version("torch")}
    print(tier, trial, facts, flush=True)
    with tempfile.TemporaryDirectory(prefix="curate-verdicts-") as place:
        folder = Path(place)
        done = orjson.loads(kept.read_bytes()) if kept and kept.is_file() else {}
        cells = Cells(tier, folder / "cache", kept, done)
        names = plant(tier, trial, folder)
        told = judge(cells, folder, names, trial.seeds)
        judged_in = time.process_time() - started
        key = orjson.loads((folder / "key" / "key.json").read_bytes())
        known = sorted(names[: trial.changes], key=lambda name: chance.uniform(SEED, name, "measured"))[
            : trial.measured
        ]
        for name in names:
            pair, judged = read(folder, name)
            told[name] |= {**key[name], "rows_differ": not pair[0].equals(pair[1])}
            if name in known or name.startswith("small"):
                trainings = SMALL_TRUTH if name.startswith("small") else trial.truth
                told[name] |= truth(cells, pair, judged, trainings)
            print(name, told[name], flush=True)
    parts = {"figures": [one for one in told.values() if one["sign"] != "small"]}
    parts["small_trials"] = [one for one in told.values() if one["sign"] == "small"]
    seconds = {"verdicts": round(judged_in, 1), "all": round(time.process_time() - started, 1)}
    facts |= {"trainings": len(cells.done), "cpu_seconds": seconds}
    return facts | {name: counted(some, margin=MARGIN) for name, some in parts.items()} | {"list": told}


if __name__ == "__main__":
    sys.exit(main())
