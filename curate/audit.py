"""The audit of any instruction file: its recipe, in which every check flags and nothing is dropped, and its export."""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from curate import api, catalog, embed, read
from curate.errors import INPUT, UserError
from curate.recipe import Embedding, Recipe, parse
from curate.rulebook import RULES
from curate.rundir import AUDIT, EXPORT

# Characters of a file's name that name its source and the run.
LONGEST = 60
# Half a surrogate pair stands for a byte of a file name that is not UTF-8; TOML cannot hold it.
_UNWRITABLE = re.compile("[\ud800-\udfff]")


def audit_recipe(files: Sequence[Path], *, seed: int, tokenizer: str | None = None) -> Recipe:
    """Return the bundled audit recipe over these files.

    Args:
        files: instruction data; each file, glob or folder becomes a source named after it, its format detected.
        seed: decides which examples the report shows.
        tokenizer: counts tokens and trained tokens with this one, by the step `tokens`.

    Raises:
        UserError: when the recipe cannot be parsed or a folder holds no data; missing files are found by the run's own
            check.
    """
    data = tomllib.loads((RULES / "recipes" / "audit.toml").read_text(encoding="utf-8"))
    paths = [(file, path) for file in files for path in _paths(file)]
    names: list[str] = []
    for file, _ in paths:
        stem = "".join(c if c.isalnum() or c in "_-" else "_" for c in _stem(file))[:LONGEST] or "data"
        copies = (f"{stem}_{number}" for number in count(2))
        names.append(stem if stem not in names else next(name for name in copies if name not in names))
    data["sources"] = [
        {"name": name, "path": path, "format": "auto", "clean": []}
        for name, (_, path) in zip(names, paths, strict=True)
    ]
    data["stages"] = [*_mapped(), *data["stages"]]
    if tokenizer is not None:
        data["stages"] = [*data["stages"], _counted(tokenizer)]
    data |= {"name": f"audit-{names[0]}", "seed": seed}
    return parse(data, file=AUDIT, base=Path.cwd())


def _stem(file: Path) -> str:
    """Return what names a source: a file without its endings, a folder, or the folder of a glob and its beginning."""
    if file.is_dir():
        return file.resolve().name
    name = file.name.split(".")[0]
    return f"{file.absolute().parent.name}_{name}" if glob.has_magic(str(file)) and not file.exists() else name


def _paths(file: Path) -> Iterator[str]:
    """Yield the paths of the sources for a file, a glob, or a folder: there one for each ending that is known.

    Raises:
        UserError: when a folder holds no file of a known form.
    """
    if file.is_dir() and not any((file / name).is_file() for name in ("state.json", "dataset_dict.json")):
        inside = [path.name for path in sorted(file.iterdir()) if path.is_file() and path.name[0] != "."]
        endings = [end for end in read.KNOWN_ENDINGS if any(name.endswith(end) for name in inside)]
        if not endings:
            known = ", ".join(read.KNOWN_ENDINGS)
            raise UserError(str(file), "is a folder without data files", f"it needs one of: {known}", code=INPUT)
        yield from (f"{glob.escape(_plain(file.absolute()))}/*{ending}" for ending in endings)
    elif file.exists() or not glob.has_magic(str(file)):
        whole = str(file.absolute())
        # Only what is looked for by its pattern may have characters left open.
        yield _UNWRITABLE.sub("?", glob.escape(whole)) if _UNWRITABLE.search(whole) else whole
    else:
        yield str(file) if file.is_absolute() else f"{glob.escape(str(Path.cwd()))}/{file}"


def _plain(path: Path) -> str:
    return _UNWRITABLE.sub("?", str(path))


def _mapped() -> list[dict[str, Any]]:
    """Return the stage that embeds a sample, where the encoder is there."""
    if "map" not in catalog.names():
        return []
    try:
        embed.load(Embedding().model)
    except UserError:
        return []  # the facts of the audit say so, and how to get it
    return [{"name": "map", "steps": [{"step": "map"}]}]


def _counted(tokenizer: str) -> dict[str, Any]:
    """Return the stage that counts tokens.

    Raises:
        UserError: when no step can.
    """
    if "tokens" not in catalog.names():
        raise UserError("--tokenizer", "this version has no step that counts tokens", "leave it out")
    path = Path(tokenizer).expanduser()
    steps = [{"step": "tokens", "tokenizer": str(path.absolute()) if path.exists() else tokenizer}]
    return {"name": "tokens", "steps": steps}


def take_away(run: Path) -> dict[str, Any]:
    """Write all rows of an audit as messages into its folder and return what was written, with its size in bytes."""
    out = run / EXPORT
    written = api.Run(run).export("messages", out)
    return {**written, "bytes": sum((out / file).stat().st_size for file in written["files"])}
