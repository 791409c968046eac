"""How fast records are put into words: `python bench/templates.py [--records N] [--out FILE]`.

Renders seeded records of 700 characters on one core with all templates of a family in turn, prompt and response, four
ways in the same run: our compiled programs; Jinja's own templates compiled once, in the same sandbox; Jinja compiled
for each row; and `curate.render`, which also draws the template and makes the messages. `simple` is a text of slots,
a trim, and if and else, which none of our own has, by our program and by Jinja. Time is that of the process alone, the
best of several repeats, since whatever else the machine does only adds.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reading import ROOT, write

from curate import render, rulebook, templates
from curate.rulebook import Family
from curate.schema import digest

OUT = ROOT / "bench" / "results" / "templates.json"
SEED = 13
CHARACTERS = 700
REPEATS = 5
SIMPLE = (
    "{% if context %}{{ context | trim }}\n\n{% endif %}{{ question }}{% if hint %} {{ hint }}{% else %}?{% endif %}"
)
# Ten times what Jinja compiled once was measured at.
GOAL_SIMPLE = 900_000
GOAL = 90_000  # rows per second of one core, drawn, filled and made messages of
# Compiling for each row is two hundred times slower: so many fewer records take as long.
SLOWER = 200
FAMILIES = ("classification", "nli", "qa_closed", "summarization")
LABELS = ("business", "science", "sports", "world")
Row = tuple[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes")
    given = parser.parse_args()
    known = rulebook.families()
    results = {name: measure(known[name], given.records) for name in FAMILIES}
    simple = measure_simple(given.records)
    told = "met" if simple["ours"] >= GOAL_SIMPLE else "MISSED"
    print(f"goal {GOAL_SIMPLE:,} rows/s of the simple text, {simple['ours']:,} (jinja2 {simple['jinja2']:,}): {told}")
    slowest = min(one["render"] for one in results.values())
    print(f"goal {GOAL:,} rows/s, slowest family {slowest:,}: {'met' if slowest >= GOAL else 'MISSED'}")
    write(given.out, n=given.records, seed=SEED, characters=CHARACTERS, goal=GOAL, met=slowest >= GOAL, results=results,
          simple={"goal": GOAL_SIMPLE, "met": simple["ours"] >= GOAL_SIMPLE, **simple})  # fmt: skip
    return 0


def records(family: Family, count: int) -> list[dict[str, Any]]:
    """Return seeded records of `CHARACTERS` characters over all slots, with options."""
    drawn = random.Random(SEED)
    texts = [slot for slot in family.slots if slot not in family.target]
    found = []
    for _ in range(count):
        values: dict[str, Any] = {}
        for slot in texts:
            values[slot] = " ".join("".join(drawn.choices("aeinorst", k=6)) for _ in range(CHARACTERS))
            values[slot] = values[slot][: (CHARACTERS - 20) // len(texts)]
        answer = drawn.choice(LABELS)
        values |= dict.fromkeys(family.target, answer)
        values |= {"options": list(LABELS), "letter": "ABCD"[LABELS.index(answer)], "number": "1"}
        found.append(values)
    return found


def measure(family: Family, count: int) -> dict[str, int]:
    """Print and return rows per second by way, for one family."""
    texts = [(one.prompt, one.response) for one in family.templates if one.turns is None]
    few = records(family, 500)  # looked at again and again: what is measured is rendering, not memory
    ours = [(templates.program(prompt), templates.program(response)) for prompt, response in texts]
    jinja = [(templates._jinja(prompt.strip()), templates._jinja(response.strip())) for prompt, response in texts]
    assert [pair(few[0]) for pair in map(_both, ours)] == [pair(few[0]) for pair in map(_both, jinja)]

    def anew(number: int, values: Mapping[str, Any]) -> Row:
        prompt, response = texts[number % len(texts)]
        return templates._jinja(prompt.strip())(values), templates._jinja(response.strip())(values)

    found = {
        "compiled once, ours": speed(_turns(ours), few, count),
        "compiled once, jinja2": speed(_turns(jinja), few, count // 2),
        "compiled per row, jinja2": speed(anew, few, max(len(texts), count // SLOWER)),
        "render": speed(_whole(family), [{slot: one[slot] for slot in family.slots} for one in few], count // 4),
    }
    print(f"{family.family:<15} " + "  ".join(f"{name} {one:,}" for name, one in found.items()))
    return found


def measure_simple(count: int) -> dict[str, int]:
    """Return rows per second of the simple text, half of them with a context, a third with a hint."""
    long = "aeinorst " * (CHARACTERS // 9)
    few = [{"question": f"{long[:300]}{n}", "context": long[:400] if n % 2 else "", "hint": "" if n % 3 else "so"}
           for n in range(500)]  # fmt: skip
    ours, jinja = templates.program(SIMPLE), templates._jinja(SIMPLE)
    assert all(ours(one) == jinja(one) for one in few)
    return {
        "ours": speed(lambda number, values: ours(values), few, count),
        "jinja2": speed(lambda number, values: jinja(values), few, count // 2),
    }


def _both(pair: tuple[templates.Program, templates.Program]) -> Callable[[Mapping[str, Any]], Row]:
    return lambda values: (pair[0](values), pair[1](values))


def _turns(pairs: Sequence[tuple[templates.Program, templates.Program]]) -> Callable[[int, Mapping[str, Any]], Row]:
    """Return the rendering by all templates in turn."""
    size = len(pairs)

    def one(number: int, values: Mapping[str, Any]) -> Row:
        prompt, response = pairs[number % size]
        return prompt(values), response(values)

    return one


def _whole(family: Family) -> Callable[[int, Mapping[str, Any]], Any]:
    """Return what a run does for a record whose slots are known."""
    names = [digest(str(number)) for number in range(1000)]
    plan, pool = render.Plan(seed=SEED), render.Pool(labels=LABELS if "label" in family.slots else ())
    rendered = render.renderer(family=family, pool=pool, plan=plan)
    return lambda number, slots: rendered(names[number % len(names)], slots)


def speed(way: Callable[[int, Mapping[str, Any]], Any], few: Sequence[Mapping[str, Any]], count: int) -> int:
    """Return rows per second of processor time, the best of `REPEATS`."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        for number in range(count):
            way(number, few[number % len(few)])
        best = min(best, time.process_time() - started)
    return round(count / best)


if __name__ == "__main__":
    sys.exit(main())
