"""Three wordings of each task family on its first example: `tests/data/renderings.json`.

`make fix` writes the file, a test compares it, so that a change of template, filter or engine that alters what rows say
is seen for what it does: the first template of a family, most often with options, its last, most often inverted, and a
dialogue whose first turns are the second example.
"""

from __future__ import annotations

import json
from pathlib import Path

from curate import render, rulebook
from curate.rundir import write_text

FILE = Path(__file__).resolve().parent.parent / "data" / "renderings.json"


def fresh() -> dict[str, dict[str, str]]:
    """Return prompt and response by template."""
    found: dict[str, dict[str, str]] = {}
    for family in rulebook.families().values():
        shown = render.preview(family)
        first, second = (render.slots_of(one, family=family, fields={}, labels={}) for one in family.example[:2])
        pool = render.Pool(tuple(sorted(family.example_labels)), (render.Exemplar("second", second),))
        dialogues = [
            one for one in render.every("first", first, family=family, pool=pool) if "multi_turn" in one.template
        ]
        for one in (shown[0], shown[-1], *dialogues):
            found[one.template] = {"prompt": one.prompt, "response": one.response}
    return found


def text() -> str:
    """Return the file's text."""
    return json.dumps(fresh(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    write_text(FILE, text())
