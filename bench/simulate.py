"""Whether the statistics keep their promises: `python bench/simulate.py [--experiments N] [--out FILE]`.

Simulates ablations of seven arms, so six contrasts against one reference, paired by seed: scores of items are a sum of
the item's own, the seed's, the arm's true effect, the spread of this seed in this arm, and noise. Counts false
positives of each contrast before Holm and of any after it, how often the intervals hold the truth, and the verdicts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tune import statistics  # noqa: E402

OUT = ROOT / "bench" / "results" / "simulate.json"
SEED = 13
CONTRASTS, ITEMS = 6, 200
# Spread of seeds, shared and of single arms, and of items: those of small language models on closed questions.
SHARED, OWN, ITEM, NOISE = 0.03, 0.02, 0.2, 0.2
EFFECT, MARGIN = 0.03, 0.01


def simulate(experiments: int, *, seeds: int, seed: int = SEED, draws: int = 0) -> dict[str, Any]:
    """Return what was counted; half of the contrasts have no effect, the others one of `EFFECT`.

    Args:
        experiments: how many.
        seeds: trainings per arm.
        seed: of the simulation.
        draws: of the two-level bootstrap; none leaves it out.
    """
    random = np.random.default_rng(seed)
    truth = np.array([0.0, EFFECT] * (CONTRASTS // 2))
    null = truth == 0
    wrong, any_wrong, held, two_level, said = [], [], [], [], {}
    for _ in range(experiments):
        item = random.normal(0.6, ITEM, size=(1, 1, ITEMS)) + random.normal(0, SHARED, size=(1, seeds, 1))
        own = random.normal(0, OWN, size=(CONTRASTS + 1, seeds, 1))
        scores = item + own + random.normal(0, NOISE, size=(CONTRASTS + 1, seeds, ITEMS))
        apart = scores[1:] + truth[:, None, None] - scores[:1]
        tests = [statistics.paired(one.mean(axis=1)) for one in apart]
        adjusted = statistics.holm([one.p for one in tests])
        wrong.append([one.p < statistics.ALPHA for one in tests])
        any_wrong.append(any(p < statistics.ALPHA for p, none in zip(adjusted, null, strict=True) if none))
        held.append([one.low <= effect <= one.high for one, effect in zip(tests, truth, strict=True)])
        for test, p, effect in zip(tests, adjusted, truth, strict=True):
            verdict = statistics.verdict(test, adjusted=p, margin=MARGIN)
            key = f"{'no effect' if effect == 0 else 'effect'}: {verdict}"
            said[key] = said.get(key, 0) + 1
        if draws:
            low, high = statistics.two_level(apart[0], range(ITEMS), seed=0, draws=draws)
            two_level.append(low <= 0 <= high)
    return {
        "experiments": experiments,
        "seeds": seeds,
        "false_positives": np.mean(wrong, axis=0)[null].round(4).tolist(),
        "family_after_holm": round(float(np.mean(any_wrong)), 4),
        "power_before_holm": round(float(np.mean(np.array(wrong)[:, ~null])), 4),
        "coverage": np.mean(held, axis=0).round(4).tolist(),
        "two_level_false_positives": round(1 - float(np.mean(two_level)), 4) if two_level else None,
        "verdicts": dict(sorted(said.items())),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    results = [simulate(given.experiments, seeds=seeds, draws=500 if seeds == 5 else 0) for seeds in (3, 5, 10, 20)]
    for found in results:
        print(orjson.dumps(found).decode())
    given.out.write_bytes(orjson.dumps({"seed": SEED, "results": results}, option=orjson.OPT_INDENT_2) + b"\n")
    fair = all(0.03 <= one <= 0.07 for found in results for one in found["false_positives"])
    return 0 if fair and all(0.93 <= one <= 0.97 for found in results for one in found["coverage"]) else 1


if __name__ == "__main__":
    sys.exit(main())
