"""Whether `curate worth` finds which groups helped: `python bench/worth.py [--rows N] [--seeds N] [--out FILE]`.

Three sources ask for one of six intents of ../shared/data: two with right answers, one with its answers dealt out anew.
A fourth, held out, judges. The two right ones can stand in for each other in part, so left out alone each may seem
worth less than its share of what both give: its Shapley value. The tiny model from scratch, all eight sets of groups.
Needs `pip install 'curatune[tune]'` and ../shared/data. One thread, CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import changes  # noqa: E402

import curate  # noqa: E402
import tune  # noqa: E402
from curate import chance  # noqa: E402

OUT = ROOT / "bench" / "results" / "worth.json"
SEED, INTENTS = 13, 6
RIGHT, WRONG, JUDGE = ("right a", "right b"), "dealt out anew", "judge"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100, help="of each source")
    parser.add_argument("--items", type=int, default=90, help="that judge")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    if not changes.DATA.is_dir():
        print(f"skipped: {changes.DATA} is not there")
        return 0
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="curate-worth-") as place:
        folder = Path(place)
        run = made(folder, given.rows, given.items)
        asked = tune.Groups(by="source", seeds=given.seeds, heldout=True)
        found = tune.worth(run, asked, progress=lambda *told: print(*told, file=sys.stderr, flush=True))
    del found["folder"]
    for one in found["groups"]:
        print(one["group"], *(f"{name} {_told(one[name])}" for name in ("left_out", "shapley")), sep="; ")
    write(given, found)
    return 0


def made(folder: Path, rows: int, items: int) -> Path:
    """Return a run over the three sources and the one that judges."""
    some = [(one["slots"]["text"], one["slots"]["label"]) for one in changes.sources(INTENTS)["intents"]]
    starts = {JUDGE: 0, RIGHT[0]: items, RIGHT[1]: items + rows, WRONG: items + 2 * rows}
    sources = []
    for name, start in starts.items():
        part = some[start : start + (items if name == JUDGE else rows)]
        labels = [label for _, label in part]
        if name == WRONG:
            labels = [labels[place] for place in chance.shuffled(SEED, "labels", WRONG, size=len(labels))]
        lines = [{"text": text, "label": label} for (text, _), label in zip(part, labels, strict=True)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        split = ', split = "heldout"' if name == JUDGE else ""
        sources.append(f'{{ name = "{name}", path = "{name}.jsonl", task = "classification"{split} }}')
    recipe = folder / "recipe.toml"
    recipe.write_text(f'name = "worth"\nseed = {SEED}\nsources = [{", ".join(sources)}]\n', encoding="utf-8")
    run = curate.run(curate.load_recipe(recipe), out=folder / "run")
    if dict(run.mix.group_by("source").len().iter_rows()) != dict.fromkeys((*RIGHT, WRONG), rows):
        raise AssertionError("the run has lost rows")
    return run.path


def _told(effect: dict[str, Any]) -> str:
    return f"{effect['mean']:+.3f} [{effect['low']:.3f}, {effect['high']:.3f}] {effect['verdict']}"


def write(given: argparse.Namespace, found: dict[str, Any]) -> None:
    """Write what was measured, on what."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=ROOT
    )
    about = {
        "command": f"python bench/worth.py --rows {given.rows} --items {given.items} --seeds {given.seeds}",
        "commit": commit.stdout.strip(), "seed": SEED, "polars": pl.__version__,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, shared with other work; one thread, CPU seconds",
    }  # fmt: skip
    given.out.write_bytes(orjson.dumps({**about, **found}, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
