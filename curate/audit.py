"""The recipe of an audit: any instruction file, every check, nothing dropped."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from curate.recipe import Recipe, parse
from curate.rulebook import RULES

# Characters of a file's name that name its source and the run.
LONGEST = 60


def audit_recipe(files: Sequence[Path], *, seed: int) -> Recipe:
    """Return the bundled audit recipe over these files.

    Args:
        files: instruction data; each file becomes a source named after it, its format detected.
        seed: decides which examples the report shows.

    Raises:
        UserError: when the recipe cannot be parsed; missing files are found by the run's own check.
    """
    data = tomllib.loads((RULES / "recipes" / "audit.toml").read_text(encoding="utf-8"))
    names: list[str] = []
    for file in files:
        stem = "".join(c if c.isalnum() or c in "_-" else "_" for c in file.name.split(".")[0])[:LONGEST] or "data"
        copies = (f"{stem}_{number}" for number in count(2))
        names.append(stem if stem not in names else next(name for name in copies if name not in names))
    data["sources"] = [
        {"name": name, "path": str(file.absolute()), "format": "auto"} for name, file in zip(names, files, strict=True)
    ]
    data |= {"name": f"audit-{names[0]}", "seed": seed}
    return parse(data, file="audit", base=Path.cwd())
