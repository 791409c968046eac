"""Find the steps by file name and read what they measure from their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from curate.doubts import Doubt
from curate.errors import UserError, suggest
from curate.schema import Measured

STEPS = Path(__file__).parent / "steps"
# What the engine hands to a step that names it; a recipe cannot set these.
SUPPLIED = frozenset({"seed", "heldout", "vectors", "texts", "workers", "shards", "rescore", "network"})
_ENTRY = re.compile(r"^(\*|\w+)(?: \(([^)]+)\))?: (.*)$")


@dataclass(frozen=True)
class Parameter:
    """A value that a recipe may set: its annotation, default (None when required is true) and meaning."""

    annotation: Any
    default: Any
    required: bool
    text: str

    @property
    def type_name(self) -> str:
        """Return the annotation as written."""
        return self.annotation.__name__ if isinstance(self.annotation, type) else str(self.annotation)


@dataclass(frozen=True)
class StepInfo:
    """What a step is, from its file alone.

    Args:
        name: file name without its ending.
        kind: `row-wise` or `corpus`.
        summary: first line of the docstring.
        signals: type by signal name; `*` for a step whose signals depend on a file.
        meanings: text by signal name.
        parameters: what a recipe may set.
        tables: description by side table.
        needs: what the engine supplies, see `SUPPLIED`.
        path: its file.
        rules: the bundled rule files it reads, as `folder/name`, by the argument that names other ones instead or, if
            false, none: what the constant `RULES` of its file says.
    """

    name: str
    kind: str
    summary: str
    signals: dict[str, str]
    meanings: dict[str, str]
    parameters: dict[str, Parameter]
    tables: dict[str, str]
    needs: frozenset[str]
    path: Path
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names_keepers(self) -> bool:
        """Tell whether the step says which row stays for another."""
        return "keeper" in self.signals


def names() -> list[str]:
    """Return all step names, sorted."""
    return sorted(path.stem for path in STEPS.glob("*.py") if not path.stem.startswith("_"))


def is_code(name: str) -> bool:
    """Tell whether a step is a Python function of the user's, written `module:function`."""
    return ":" in name


def known(name: str) -> bool:
    """Tell whether there is a step of this name."""
    try:
        return bool(load(name))
    except UserError:
        return False


def load(name: str) -> ModuleType:
    """Import the file of a step.

    A function of the user's is found beside the recipe or wherever Python looks. Whether it may run at all is decided
    before, by `curate.check`.

    Raises:
        UserError: when there is no such step.
    """
    if is_code(name):
        return _own(name)
    if name not in names():
        raise UserError(f"step '{name}'", "unknown step", suggest(name, names()))
    return importlib.import_module(f"curate.steps.{name}")


def _own(name: str) -> ModuleType:
    """Import the module of the user's that a step names."""
    module, _, function = name.partition(":")
    try:
        found = importlib.import_module(module)
    except (ImportError, SyntaxError, ValueError) as error:
        what = f"the module '{module}' cannot be loaded: {error}"
        raise UserError(f"step '{name}'", what, "put it beside the recipe, as a file or a package") from None
    if not callable(getattr(found, function, None)) or not getattr(found, "__file__", None):
        functions = [one for one, value in vars(found).items() if inspect.isfunction(value)]
        raise UserError(f"step '{name}'", f"'{module}' has no function '{function}'", suggest(function, functions))
    return found


def function(step: str, name: str) -> Callable[..., Any]:
    """Return a function of a step by its name: `state`, `decide`, or the step's own."""
    found: Callable[..., Any] = getattr(load(step), name.rpartition(":")[2])
    return found


def describe(name: str) -> StepInfo:
    """Return what a step measures, with which parameters.

    Raises:
        UserError: when there is no such step.
    """
    module = load(name)
    own = getattr(module, name.rpartition(":")[2], None)
    functions: list[Callable[..., Any]] = [own] if callable(own) else [module.state, module.decide]
    documented = functions[-1].__doc__ or ""
    blocks = _blocks(documented)
    meanings = _entries(blocks.get("Args", ""))
    for function in functions:
        meanings |= _entries(_blocks(function.__doc__ or "").get("Args", ""))
    parameters, needs = _parameters(functions, {key: text for key, (_, text) in meanings.items()})
    signals = _entries(blocks.get("Signals", ""))
    source = own.__doc__ if callable(own) else module.__doc__
    return StepInfo(
        name=name,
        kind="row-wise" if callable(own) else "corpus",
        summary=inspect.cleandoc(source or "").split("\n")[0],
        signals={key: kind or "any" for key, (kind, _) in signals.items()},
        meanings={key: text for key, (_, text) in signals.items()},
        parameters=parameters,
        tables={key: text for key, (_, text) in _entries(blocks.get("Tables", "")).items()},
        needs=frozenset(needs),
        path=Path(module.__file__ or ""),
        rules={} if is_code(name) else getattr(module, "RULES", {}),
    )


def _parameters(functions: list[Callable[..., Any]], texts: Mapping[str, str]) -> tuple[dict[str, Parameter], set[str]]:
    """Split the keyword arguments of the functions into what a recipe sets and what the engine supplies."""
    parameters: dict[str, Parameter] = {}
    needs: set[str] = set()
    for function in functions:
        hints = typing.get_type_hints(function)
        for argument in inspect.signature(function).parameters.values():
            if argument.kind is not inspect.Parameter.KEYWORD_ONLY:
                continue
            if argument.name in SUPPLIED:
                needs.add(argument.name)
                continue
            required = argument.default is inspect.Parameter.empty
            parameters[argument.name] = Parameter(
                annotation=hints[argument.name],
                default=None if required else argument.default,
                required=required,
                text=texts.get(argument.name, ""),
            )
    return parameters, needs


def _blocks(docstring: str) -> dict[str, str]:
    """Return the indented blocks of a docstring by their head (`Args`, `Signals`, `Tables`, …)."""
    found: dict[str, str] = {}
    head = ""
    for line in inspect.cleandoc(docstring).split("\n"):
        if re.fullmatch(r"[A-Z]\w+:", line):
            head = line[:-1]
            found[head] = ""
        elif head and (line.startswith("    ") or not line.strip()):
            found[head] += line[4:] + "\n"
        else:
            head = ""
    return found


def _entries(block: str) -> dict[str, tuple[str | None, str]]:
    """Return type and text by name from lines `name (type): text`; further-indented lines continue the text."""
    entries: dict[str, tuple[str | None, str]] = {}
    current = ""
    for line in block.split("\n"):
        if match := _ENTRY.match(line):
            current = match[1]
            entries[current] = (match[2], match[3])
        elif current and line.strip():
            kind, text = entries[current]
            entries[current] = (kind, f"{text} {line.strip()}")
    return entries


def mixes(name: str) -> bool:
    """Tell whether a step says how often rows stand in the mix."""
    return name in names() and "copies" in describe(name).signals


def resolved(info: StepInfo, arguments: Mapping[str, Any], *, resolve: Callable[[str], Path]) -> dict[str, Any]:
    """Return the arguments of a recipe with those that are files as paths."""
    paths = {name for name, parameter in info.parameters.items() if "Path" in str(parameter.annotation)}
    return {name: resolve(value) if name in paths else value for name, value in arguments.items()}


def reads(name: str, path: Path) -> list[Path]:
    """Return the files that a step reads when a recipe names a path: what its own `reads` says, else that file alone.

    Raises:
        UserError: when such a step finds none there.
    """
    found: Callable[[Path], list[Path]] | None = getattr(load(name), "reads", None)
    return found(path) if found else [path]


def doubt(name: str, arguments: Mapping[str, Any]) -> Doubt | None:
    """Return what a step itself says against its signals dropping rows: its own `doubt`, None where it has none.

    Args:
        name: of the step.
        arguments: as `resolved` gives them.
    """
    found: Callable[[Mapping[str, Any]], Doubt | None] | None = getattr(load(name), "doubt", None)
    return found(arguments) if found else None


def identity(name: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a manifest says of the model behind a step: its own `identity`, None where it has none.

    Args:
        name: of the step.
        arguments: as `resolved` gives them.
    """
    found: Callable[[Mapping[str, Any]], dict[str, Any]] | None = getattr(load(name), "identity", None)
    return found(arguments) if found else None


def needed(info: StepInfo, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return what the engine must supply for these arguments: all that a step names but what its own `spares` says.

    A step that scores with another one needs the encoder where that one does.
    """
    spared: Callable[[Mapping[str, Any]], frozenset[str]] | None = getattr(load(info.name), "spares", None)
    own = info.needs - spared(arguments) if spared else info.needs
    others = (needed(describe(name), {}) for name in scorers(info, arguments))
    return own | {"vectors"} if any("vectors" in one for one in others) else own


def scorers(info: StepInfo, arguments: Mapping[str, Any]) -> list[str]:
    """Return the steps that a step scores with: those that its arguments name."""
    if "rescore" not in info.needs:
        return []
    chosen = {name: one.default for name, one in info.parameters.items()} | dict(arguments)
    return sorted({value for value in chosen.values() if isinstance(value, str)} & set(names()) - {info.name})


def accepts(name: str, function: str) -> set[str]:
    """Return the keyword arguments of one function of a step."""
    found = inspect.signature(getattr(load(name), function.rpartition(":")[2])).parameters.values()
    return {one.name for one in found if one.kind is inspect.Parameter.KEYWORD_ONLY}


def rescore(step: str, rows: pl.DataFrame, *, column: str, vectors: Callable[..., Any] | None = None) -> pl.DataFrame:
    """Return the signals of a row-wise step for rows that another step made, with its defaults but for `column`.

    Raises:
        UserError: when the step is not there, is not row-wise, or needs more than rows and vectors.
    """
    if step not in names():
        raise UserError(f"step '{step}'", "is not there", suggest(step, names()))
    info = describe(step)
    lacking = info.needs - {"vectors"} | {name for name, parameter in info.parameters.items() if parameter.required}
    if info.kind != "row-wise" or lacking:
        what = f"needs {', '.join(sorted(lacking))}" if info.kind == "row-wise" else "sees all rows at once"
        raise UserError(f"step '{step}'", f"cannot score single texts: it {what}", "name one such as toxicity")
    taken: dict[str, Any] = {"column": column} if "column" in info.parameters else {}
    taken |= {"vectors": vectors} if "vectors" in info.needs else {}
    result: pl.DataFrame | Measured = getattr(load(step), step)(rows, **taken)
    return result.signals if isinstance(result, Measured) else result
