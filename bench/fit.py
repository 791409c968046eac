"""Does a trained filter keep its promise? `python bench/fit.py [--folder DIR] [--out FILE]`.

Filters are fitted on examples of public sets in `../shared/data`, of 100, 300 and 1,000 texts of each kind, and asked
to be right in 90 % of what they remove. Then the bound that was reached in cross-validation judges 500 texts of each
kind that no filter was shown: told are the precision promised and kept, and the area in cross-validation and on them.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curate import cache, chance, cutoffs, embed, fit

ROOT = Path(__file__).resolve().parent.parent
RAW = ROOT.parent / "shared" / "data" / "raw"
OUT = ROOT / "bench" / "results" / "fit.json"
SIZES, SEEDS, HELD, PRECISION = (100, 300, 1_000), (1, 2, 3), 500, 0.9


def tweets() -> tuple[list[str], list[str]]:
    """Return tweets that are neither hateful nor offensive, and those that are."""
    with (RAW / "hate_offensive_tweets.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["class"] == "2", row["tweet"]) for row in csv.DictReader(file)]
    return [text for good, text in rows if good], [text for good, text in rows if not good]


def reviews() -> tuple[list[str], list[str]]:
    """Return sentences of praise and of blame."""
    lines = [line.split("\t") for line in (RAW / "sst2_train.tsv").read_text(encoding="utf-8").splitlines()]
    return [text for text, label in lines if label == "1"], [text for text, label in lines if label == "0"]


def drawn(texts: list[str], *, seed: int, size: int) -> list[str]:
    """Return distinct texts in an order drawn by chance."""
    distinct = sorted(set(texts))
    return [distinct[place] for place in chance.shuffled(seed, "fit", "bench", size=len(distinct))[:size]]


def trial(name: str, sides: Sequence[list[str]], *, size: int, encoder: embed.Encoder, store: Path) -> dict[str, Any]:
    """Fit on the first texts of each side, and judge the last."""

    def encode(texts: Any) -> Any:
        return encoder.encode(texts, cache=store)

    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place) / f"{side}.jsonl" for side in ("positive", "negative")]
        for path, texts in zip(paths, sides, strict=True):
            path.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in texts[:size]))
        known = fit.examples(*paths)
    found = fit.fit(known, name=name, encoder=encoder.model, encode=encode, precision=PRECISION, share=0.5)
    held = [text for side in sides for text in side[-HELD:]]
    wanted = np.arange(2 * HELD) < HELD
    scores = np.array(found.scores(held, encode))
    facts = found.facts
    told: dict[str, Any] = {
        "set": name,
        "examples": size,
        "auroc": facts["auroc"],
        "auroc_held": cutoffs.area(scores, wanted),
    }
    told["bound"] = facts["below"]
    if facts["below"]:
        told["held"] = cutoffs.below(scores, ~wanted, at=facts["below"]["at"], share=0.5).plain()
    return told


def main() -> int:
    """Fit all filters and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "bench-fit", help="embeddings")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    encoder = embed.load()
    trials = []
    for name, read in (("tweets", tweets), ("reviews", reviews)):
        pool = [drawn(side, seed=0, size=max(SIZES) + HELD) for side in read()]
        for seed in SEEDS:
            # The texts held are the same for all seeds; the examples are another part of the rest.
            first, last = zip(*((side[:-HELD], side[-HELD:]) for side in pool), strict=True)
            sides = tuple(drawn(part, seed=seed, size=len(part)) + rest for part, rest in zip(first, last, strict=True))
            for size in SIZES:
                trials.append({"seed": seed, **trial(name, sides, size=size, encoder=encoder, store=given.folder)})
                print(orjson.dumps(trials[-1]).decode(), flush=True)
    reached = [one for one in trials if one["bound"]]
    kept = [one for one in reached if one["held"]["precision"] is None or one["held"]["precision"] >= PRECISION]
    failures = [
        f"{one['set']}, {one['examples']} examples, seed {one['seed']}: {one['held']['precision']} held out"
        for one in reached
        if one not in kept
    ]
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    facts = {"command": "python bench/fit.py", "commit": commit, "seed": list(SEEDS), "n": 2 * HELD}
    facts |= {"precision": PRECISION, "trials": trials, "reached": len(reached), "kept": len(kept)}
    facts |= {"failures": failures, "versions": cache.versions()}
    given.out.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
