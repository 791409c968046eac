"""A file of `rules/`, or the user's own of the same form: found, read strictly, and what speaks for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curate.errors import UserError, several, suggest

RULES: Path = Path(__file__).parent.parent / "rules"
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)

# Far more files than are bundled, so that steps that see many batches find theirs parsed.
_CACHED_FILES = 256
_Model = TypeVar("_Model", bound=BaseModel)


class Measurement(BaseModel):
    """How often a file was right on texts that somebody labelled.

    `precision` is right finds ÷ finds and `recall` right finds ÷ all there is to find, both in [0, 1], as counted over
    `texts` texts of `data`. Only a recall that cannot be known is left out, and then `note` says why.
    """

    model_config = STRICT
    data: str = Field(min_length=1)
    texts: int = Field(ge=1)
    precision: float = Field(ge=0, le=1)
    recall: float | None = Field(default=None, ge=0, le=1)
    date: date
    note: str = ""

    @model_validator(mode="after")
    def _recall_or_reason(self) -> Self:
        if self.recall is None and not self.note.strip():
            raise ValueError("give `recall`, or say in `note` why it cannot be known")
        return self


class Header(BaseModel):
    """What every file of rules says first: what it is for, whose it is, and how often it was right.

    All but `why` may be missing; such a file is unproven, see `curate.proof`.
    """

    model_config = STRICT
    why: str = Field(min_length=1)
    owner: str | None = Field(default=None, min_length=1)
    version: str | None = Field(default=None, min_length=1)
    measured: tuple[Measurement, ...] = ()


def rule_file(folder: str, name: str | Path) -> Path:
    """Return the path of a file in a folder of `rules` by its name without suffix; a `Path` (the user's own) as it is.

    Raises:
        UserError: when no such file is bundled.
    """
    if isinstance(name, Path):
        return name
    found = {path.stem: path for path in (RULES / folder).glob("*.toml")}
    if name not in found:
        raise UserError(f"rules/{folder}", f"no file '{name}.toml'", suggest(name, found))
    return found[name]


def load(path: Path, model: type[_Model]) -> _Model:
    """Read a TOML file into a model; parsed files are remembered until the file changes."""
    found: _Model = _parse(path, model, stamp(path))
    return found


def stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file does: its time in nanoseconds and its size in bytes."""
    try:
        now = path.stat()
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "check the path") from error
    return now.st_mtime_ns, now.st_size


@lru_cache(maxsize=_CACHED_FILES)
def _parse(path: Path, model: type[Any], at: tuple[int, int]) -> Any:
    try:
        # Through JSON, because only there strict validation takes a list for a tuple and a string for an expression.
        return model.model_validate_json(orjson.dumps(table(path), default=str))
    except ValidationError as error:
        raise several(str(path), _mistakes(error, model)) from error


def table(path: Path) -> dict[str, Any]:
    """Return a TOML file as plain data."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(str(path), f"is not TOML in UTF-8: {error}", "mend the line named") from error


def _mistakes(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Put pydantic's errors into plain words, with the near match for an unknown key."""
    items = error.errors()
    # A list with a broken member also counts as too short: only the member is worth telling.
    inner = {item["loc"][:depth] for item in items for depth in range(1, len(item["loc"]))}
    return [_plain(item, model) for item in items if item["type"] != "too_short" or item["loc"] not in inner]


def _plain(item: Mapping[str, Any], model: type[BaseModel]) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown key; {suggest(str(item['loc'][-1]), _keys(model))}"
    if item["type"] == "missing":
        return f"{place}: missing; add this key"
    return f"{place}: {item['msg'].removeprefix('Value error, ')} (found {item['input']!r})"


def _keys(model: type[BaseModel]) -> set[str]:
    """Return all key names that may occur anywhere in a file of this model."""
    schema = model.model_json_schema()
    tables = [schema, *schema.get("$defs", {}).values()]
    return {name for table in tables for name in table.get("properties", {})}
