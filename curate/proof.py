"""Whether what a step says may decide over rows: it is proven, or rules on it only flag.

Anybody can write a word list; whether it finds what it says is known once somebody has looked. A file is proven when it
names an owner and a version, tells at least one measurement, and each of its entries has an example that it must find
and one that it must not, and both hold. A step that rests on a model instead of such a file says itself what it lacks
(`doubt`). What is unproven may flag, never drop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from os.path import relpath
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from curate import catalog, concepts, personal, rulebook, rundir, terms
from curate.doubts import Doubt
from curate.recipe import Keep, Recipe, Stage, Use
from curate.rulefile import RULES, Header, load, rule_file, stamp
from curate.task import strings

# Said after every reason: where the way out is written down.
FIX = "see rules/README.md"
# Arguments that only choose which of two copies stays: the copy is no less a copy.
_HARMLESS = frozenset({"prefer"})
# More files than any recipe names.
_CACHED_FILES = 256
# Characters of an example in a reason.
_SHOWN = 40


def files(use: Use, recipe: Recipe) -> list[tuple[str, Path]]:
    """Return folder and path of the rule files that a step reads: bundled ones, or those that its arguments name."""
    info = catalog.describe(use.step)
    arguments = catalog.resolved(info, use.arguments, resolve=recipe.resolve)
    found: list[tuple[str, Path]] = []
    for argument, names in info.rules.items():
        value = arguments.get(argument)
        folders = [name.partition("/")[::2] for name in names]
        if isinstance(value, Path):
            found.append((folders[0][0], value))
        elif value is not False:
            found += [(folder, rule_file(folder, name)) for folder, name in folders]
    return found


def lacks(folder: str, path: Path) -> tuple[str, ...]:
    """Return what a file lacks of being proven, nothing when it is.

    Raises:
        UserError: when the file breaks its format; the error names file and key.
    """
    return _lacks(folder, path, stamp(path))


@lru_cache(maxsize=_CACHED_FILES)
def _lacks(folder: str, path: Path, at: tuple[int, int]) -> tuple[str, ...]:
    model, examples = _KINDS[folder]
    file = load(path, model)
    wanted = {"no owner": file.owner, "no version": file.version, "no measured precision": file.measured}
    return (*(text for text, given in wanted.items() if not given), *_counted(list(examples(file))))


def _counted(found: list[tuple[str, str]]) -> Iterator[str]:
    """Yield each kind of fault once, with the first entry that has it."""
    for fault in dict.fromkeys(fault for fault, _ in found):
        names = [name for kind, name in found if kind == fault]
        yield f"{fault} of {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _entries(file: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the examples of a word list, and of which entry."""
    finders = {one: terms.built(file, one) for one in {entry.category for entry in file.entries} - {terms.PART}}
    for place, entry in enumerate(file.entries):
        if entry.category == terms.PART:
            continue

        def found(text: str, entry: rulebook.Entry = entry) -> bool:
            folded = str(terms.fold(pl.Series([text]))[0])
            finder = finders[entry.category]
            return any(hit.entry is entry for hit in finder.find(folded))

        yield from _examples(entry, entry.id or f"entry {place + 1} ({entry.category})", found)


def _patterns(file: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the examples of patterns, and of which one."""
    for pattern in file.patterns:

        def found(text: str, pattern: rulebook.Pattern = pattern) -> bool:
            return bool(personal.find(text, [pattern])) if pattern.validator else bool(pattern.regex.search(text))

        yield from _examples(pattern, pattern.id, found)


def _examples(one: Any, name: str, found: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    for key, wanted in (("hits", True), ("misses", False)):
        texts: tuple[str, ...] = getattr(one, key)
        if not texts:
            yield f"no `{key}`", name
        if wrong := [text for text in texts if found(text) is not wanted]:
            short = wrong[0] if len(wrong[0]) <= _SHOWN else f"{wrong[0][:_SHOWN]}…"
            yield f"`{key}` that do not hold ({short!r})", name


def _concepts(file: Any) -> Iterator[tuple[str, str]]:
    """Yield which examples a file of concepts lacks; whether they hold takes the encoder: tests see to it."""
    for kind in ("hits", "misses"):
        if not any(getattr(concept, kind) for concept in file.concepts):
            yield f"no {kind}", str(file.category)


# Folder of `rules/` to the form of its files and what finds the faults of their examples.
_KINDS: Mapping[str, tuple[type[Header], Callable[[Any], Iterator[tuple[str, str]]]]] = MappingProxyType(
    {
        "lexicons": (rulebook.Lexicon, _entries),
        "patterns": (rulebook.PatternFile, _patterns),
        "concepts": (concepts.ConceptFile, _concepts),
    }
)


def unproven(recipe: Recipe) -> dict[str, Doubt]:
    """Return why signals may not decide, by the name before their dot; also of steps that read such signals."""
    found: dict[str, Doubt] = {}
    for use in (use for stage in recipe.stages for use in stage.steps):
        lacking = [(path.name, lacks(folder, path)) for folder, path in files(use, recipe)]
        reasons = [f"{name} is unproven: {', '.join(texts)}" for name, texts in lacking if texts]
        given = {key: value for key, value in use.arguments.items() if key not in _HARMLESS}
        reasons += [found[name.split(".")[0]].text for name in strings(given) if _names_one_of(name, found)]
        own = catalog.doubt(use.step, catalog.resolved(catalog.describe(use.step), given, resolve=recipe.resolve))
        if reasons:
            found[use.name] = Doubt("; ".join(dict.fromkeys([*reasons, *([own.text] if own else [])])))
        elif own:
            found[use.name] = own
    return found


def _names_one_of(name: str, found: Mapping[str, Doubt]) -> bool:
    return "." in name and name.split(".")[0] in found


def reason(rule: Keep, found: Mapping[str, Doubt]) -> str | None:
    """Return why a rule that would drop only flags, None where it may drop or flags anyway.

    Args:
        rule: the rule.
        found: of `unproven`.
    """
    names = [name for name in rule.where if _names_one_of(name, found)]
    step, _, signal = rule.signal.partition(".")
    if step in found and not found[step].spares(signal, least=rule.min, most=rule.max):
        names.insert(0, rule.signal)
    return found[names[0].split(".")[0]].text if names and not rule.flag else None


def guarded(stage: Stage, found: Mapping[str, Doubt]) -> Stage:
    """Return a stage in which the rules that have a `reason` only flag."""
    keep = tuple(rule.model_copy(update={"flag": True}) if reason(rule, found) else rule for rule in stage.keep)
    return stage.model_copy(update={"keep": keep})


def stated(recipe: Recipe) -> list[dict[str, Any]]:
    """Return every rule file that a recipe's steps read, as the manifest tells it, JSON-able.

    Returns:
        Per file: file (seen from `rules/`, a user's own from the recipe), steps, sha256, owner, version, measured and
        lacks.
    """
    entries: dict[Path, dict[str, Any]] = {}
    for use in (use for stage in recipe.stages for use in stage.steps):
        for folder, path in files(use, recipe):
            if path not in entries:
                header = load(path, _KINDS[folder][0])
                facts = header.model_dump(mode="json", include={"owner", "version", "measured"})
                own = path.relative_to(RULES) if path.is_relative_to(RULES) else relpath(path, recipe.base.resolve())
                entries[path] = {"file": str(own), "steps": [], "sha256": rundir.file_digest(path), **facts}
                entries[path]["lacks"] = list(lacks(folder, path))
            entries[path]["steps"].append(use.name)
    return list(entries.values())
