"""Mistakes of form in a recipe or a plan, said in its own terms."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from curate.errors import UserError, suggest

# pydantic names the member of a union it tried; one mistake is then told once per member.
_UNION_MEMBERS = ("str", "bool", "int", "float")
# pydantic's words for what TOML calls otherwise.
_WORDS = {
    "tuple_type": "should be a list",
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "model_attributes_type": "should be a table",
    "too_short": "names nothing",
}
# TOML promises integers of 64 bits, and no file that we write holds larger ones.
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1


def read_toml(path: Path, *, kind: str, missing: str, folder: str = "") -> dict[str, Any]:
    """Return the data of a TOML file that the user wrote.

    Args:
        path: the file.
        kind: what it should be, such as "recipe".
        missing: what to do when there is no such file.
        folder: what to do when it is a directory.

    Raises:
        UserError: when it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(str(path), f"no such {kind}", missing) from None
    except IsADirectoryError:
        raise UserError(str(path), f"is a directory, not a {kind} file", folder) from None
    except RecursionError:
        raise UserError(str(path), "cannot be read as TOML: nested too deep") from None
    except UnicodeDecodeError as error:
        raise UserError(str(path), f"is not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    except (ValueError, OSError) as error:
        raise UserError(str(path), f"cannot be read as TOML: {error}") from None


def of_form(error: ValidationError, data: Any, *, models: Mapping[str, type[BaseModel]]) -> list[str]:
    """Return every mistake that pydantic found, each with its place and the near match.

    Args:
        error: what validating the data raised.
        data: the recipe as parsed.
        models: by the key that leads to it; the recipe itself by "".
    """
    told: dict[str, str] = {}
    for item in error.errors():
        if item["type"] == "too_short" and item["input"]:
            continue  # a list whose members are all wrong; they are told one by one
        where = place(item["loc"], data)
        tried = [key for key in item["loc"] if _is_member(key)]
        text = _mistake(item, models) if not tried else "should be a text, a number, true or false, or a list of these"
        told.setdefault(where if tried else f"{where}\0{text}", f"{where}: {text}")
    return list(told.values())


def _mistake(item: Any, models: Mapping[str, type[BaseModel]]) -> str:
    """Say one error, without its place."""
    key = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] == "extra_forbidden":
        named = [models[part] for part in item["loc"][:-1] if isinstance(part, str) and part in models]
        return f"unknown key '{key}'; {suggest(key, keys(named[-1] if named else models['']))}"
    if item["type"] == "missing":
        return f"`{key}` is required"
    message: str = _WORDS.get(item["type"], item["msg"].removeprefix("Value error, ").removeprefix("Input "))
    return message + (f" (found {item['input']!r:.60})" if "Value error" not in item["msg"] else "")


def unfit(data: Any, location: Sequence[str | int] = ()) -> Iterator[tuple[Sequence[str | int], str]]:
    """Yield place and text for every value that cannot be compared or stored, at any depth.

    These are numbers that are none (nan), have no end (inf) or more than 64 bits, and texts with a NUL or with halves
    of characters, which come from arguments that are not UTF-8.
    """
    if isinstance(data, Mapping | list):
        for key, item in data.items() if isinstance(data, Mapping) else enumerate(data):
            yield from unfit(item, [*location, key])
    elif isinstance(data, str) and "\0" in data:
        yield location, "a NUL character"
    elif isinstance(data, str) and any("\ud800" <= letter <= "\udfff" for letter in data):
        yield location, "is not UTF-8 text"
    elif isinstance(data, float) and not math.isfinite(data):
        yield location, f"{data} is no number to compare with"
    elif isinstance(data, int) and not _LEAST <= data <= _GREATEST:
        yield location, "the number does not fit in 64 bits"


def place(location: Sequence[str | int], data: Any) -> str:
    """Return a readable place, such as `stage 'checks', keep 2, min`."""
    parts: list[str] = []
    for key in location:
        if isinstance(data, list):
            data = data[key] if isinstance(key, int) and key < len(data) else None
        else:
            data = data.get(key) if isinstance(data, Mapping) else None
        if isinstance(key, int) and parts:
            name = data.get("name") if isinstance(data, Mapping) else None
            parts[-1] = parts[-1].removesuffix("s") + (f" '{name}'" if name else f" {key + 1}")
        elif not _is_member(key):
            parts.append(str(key))
    return ", ".join(parts) or "recipe"


def _is_member(key: str | int) -> bool:
    return isinstance(key, str) and (key in _UNION_MEMBERS or key.startswith("tuple["))


def keys(model: type[BaseModel]) -> list[str]:
    """Return the names that a model's table may hold."""
    return [field.alias or name for name, field in model.model_fields.items() if not field.exclude]
