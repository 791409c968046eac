"""All figures of the checks in one table: `python bench/checks.py [--topics NAME…] [--out FILE] [--failures FILE]`.

Each topic is a file `checks_<topic>.py` with its own sets, planted faults and real data; this runs them one after
another, prints every figure beside its goal and what was got wrong, and writes the figures of all topics to
`results/checks.json`. Of some topics they are written only where `--out` says, so that a part never stands for the
whole. Texts that were got wrong come from data that is not the project's to pass on: they are printed, and written only
where asked.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from reading import ROOT, write

OUT = ROOT / "bench" / "results" / "checks.json"
TOPICS = ("toxicity", "bias", "rows", "answers", "conflicts", "licences", "leaks", "labels", "rules")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", nargs="+", default=list(TOPICS), choices=TOPICS)
    parser.add_argument("--out", type=Path, help=f"where the figures go; of all topics {OUT.name}, else nowhere")
    parser.add_argument("--failures", type=Path, help="write what was got wrong here")
    given = parser.parse_args()
    results, wrong = [], []
    for topic in given.topics:
        started = time.perf_counter()
        found: dict[str, Any] = import_module(f"checks_{topic}").figures()
        seconds = round(time.perf_counter() - started, 1)
        figures = [{key: _short(value) for key, value in one.items()} for one in found["figures"]]
        results.append({"topic": topic, "seconds": seconds, "figures": figures, "notes": found.get("notes", [])})
        wrong += [f"{topic}: {text}" for text in found["failures"]]
        _show(topic, seconds, figures)
    print("\ngot wrong:", *wrong, sep="\n  ")
    if given.failures:
        given.failures.write_text("\n".join(wrong) + "\n", encoding="utf-8")
    missed = [f"{one['topic']}: {each['name']}" for one in results for each in one["figures"] if each["met"] is False]
    out = given.out or (OUT if set(given.topics) == set(TOPICS) else None)
    if out:
        write(out, missed=missed, results=results)
    else:
        print("\nnot written: these are some topics of all, and no --out says where to")
    return 0


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _show(topic: str, seconds: float, figures: list[dict[str, Any]]) -> None:
    """Print the figures of a topic, a line each."""
    print(f"\n{topic} ({seconds:,} s)")
    for one in figures:
        ends = "" if one.get("low") is None else f"[{one['low']}, {one['high']}]"
        verdict = "" if one["met"] is None else "met" if one["met"] else "MISSED"
        goal = one.get("goal") or ""
        print(f"  {one['name']:<72} {one['value']!s:>10} {ends:<20} n {one.get('n')!s:>7}  {goal:<10} {verdict}")


if __name__ == "__main__":
    sys.exit(main())
