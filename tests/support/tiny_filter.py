"""A quality filter trained on a few made-up texts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from curate import fit, trained

SUBJECTS = [
    "river", "stone", "lamp", "garden", "copper", "window", "bridge", "winter", "orange", "paper", "silver", "forest",
    "engine", "market", "harbour", "meadow", "kettle", "violin", "basket", "candle", "pepper", "ladder", "anchor",
    "button", "carpet",
]  # fmt: skip
GOOD = [f"The {one} is described with care, and every claim about {one}s is explained." for one in SUBJECTS]
BAD = [f"lol {one} idk whatever, {one} stuff blah blah ok" for one in SUBJECTS]


def write_texts(path: Path, texts: Sequence[Any], column: str = "text") -> Path:
    """Write texts as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({column: text}) + "\n" for text in texts), encoding="utf-8")
    return path


def write_filter(folder: Path, encode: Callable[[Sequence[str]], Any], *, precision: float = 0.8) -> trained.Filter:
    """Train a filter on the texts above and save it."""
    good, bad = write_texts(folder / "good.jsonl", GOOD), write_texts(folder / "bad.jsonl", BAD)
    known = fit.examples(good, bad)
    found = fit.fit(known, name="tiny", encoder="none", encode=encode, precision=precision, share=0.5)
    (folder / "filter").mkdir()
    trained.save(folder / "filter", found)
    return found


@cache
def tiny_filter(encode: Callable[[Sequence[str]], Any]) -> Path:
    """Return the folder of such a filter, made once."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-filter-"))
    write_filter(folder, encode)
    return folder / "filter"
