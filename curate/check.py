"""Check a recipe whole before any data is read; all mistakes at once."""

from __future__ import annotations

import types
import typing
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate import catalog, clusters, cut, formats, gates, needs, read, render, rulebook, templates, trial, verdict
from curate.errors import UserError, several, suggest
from curate.ingest import own_templates
from curate.recipe import Keep, Recipe, Source, Stage, Use, as_tuple
from curate.schema import GROUPS, TEXT_COLUMNS


def require(recipe: Recipe) -> None:
    """Refuse a recipe with mistakes.

    Raises:
        UserError: with all of them; a missing file or extra keeps its own exit status when it is the only one.
    """
    mistakes = list(problems(recipe))
    if len(mistakes) == 1 and isinstance(mistakes[0], UserError):
        raise mistakes[0]
    if mistakes:
        raise several(recipe.file, [str(mistake) for mistake in mistakes])


def problems(recipe: Recipe) -> Iterator[str | UserError]:
    """Yield every mistake that can be found without reading the data."""
    foreign = sorted({use.step for stage in recipe.stages for use in stage.steps if catalog.is_code(use.step)})
    if foreign and not recipe.code:  # said alone: to look at such a step any further is to run it
        what = f"its steps are Python code: {', '.join(foreign)}"
        yield UserError(recipe.file, what, "read that code; if you trust it, add --allow-code")
        return
    yield from needs.leave(recipe)
    families = None
    try:
        families = _families(recipe)
    except UserError as error:
        yield error
    for source in recipe.sources:
        yield from _source(source, recipe, families)
    if not any(source.split == "train" for source in recipe.sources):
        yield "every source is held out: nothing can enter the mix"
    seen: dict[str, str] = {}
    signals: dict[str, str] = {}
    for stage in recipe.stages:
        place = f"stage '{stage.name}'"
        for use in stage.steps:
            if use.name in seen:
                yield f"{place}: signals '{use.name}' exist already (stage '{seen[use.name]}'); name one with `as`"
            seen[use.name] = stage.name
            yield from _use(use, place, signals, recipe)
        yield from _keepers(stage, place)
        yield from _mixing(stage, place, recipe)
        ids = Counter(rule.rule_id(stage.name) for rule in stage.keep)
        yield from (f"{place}: the rule '{name}' is there more than once" for name, count in ids.items() if count > 1)
        for rule in stage.keep:
            yield from _rule(rule, place, signals)
    yield from gates.problems(recipe, signals)
    yield from clusters.problems(recipe.heldout, recipe.sources)
    yield from needs.extras(recipe)


def _families(recipe: Recipe) -> Mapping[str, rulebook.Family]:
    """Return the task families; the user's own templates are compiled once to find their mistakes."""
    families = rulebook.families(own_templates(recipe))
    for family in families.values() if recipe.templates.path else ():
        templates.check(family)
    return families


def _source(
    source: Source, recipe: Recipe, families: Mapping[str, rulebook.Family] | None
) -> Iterator[str | UserError]:
    place = f"source '{source.name}'"
    try:
        read.expand(source.path, base=recipe.base)
    except UserError as error:
        yield UserError(f"{recipe.file}, {place}", f"{error.where}: {error.what}", error.fix, code=error.code)
    yield from _cut(source, place, recipe)
    if source.format is not None:
        names = formats.FIELDS.get(source.format) or {name for fields in formats.FIELDS.values() for name in fields}
        for name in source.fields:
            if name not in names:
                yield f"{place}: format '{source.format}' has no field '{name}'; {suggest(name, names)}"
    if source.task is None or families is None:
        return
    if source.task not in families:
        yield f"{place}: unknown task '{source.task}'; {suggest(source.task, families)}"
        return
    family = families[source.task]
    known = [*family.slots, *family.optional]
    for slot in (*source.fields, *source.constants):
        if slot not in known:
            yield f"{place}: task '{source.task}' has no slot '{slot}'; {suggest(slot, known)}"
    yield from (f"{place}: {text}" for text in _templates(source, recipe, family))


def _templates(source: Source, recipe: Recipe, family: rulebook.Family) -> Iterator[str]:
    """Check that the family of a source has a template that its rows may be drawn from."""
    asked = recipe.templates.kinds if source.split == "train" else render.ANSWERED
    kinds = render.template_kinds(asked)
    fitting = [template for template in family.templates if template.kind in kinds]
    if not fitting:
        yield f"family '{source.task}' has no template of kind {', '.join(asked)}"
    elif source.split == "train" and all(template.unseen for template in fitting):
        yield f"family '{source.task}': all templates of kind {', '.join(asked)} are `unseen`, kept from training"


def _cut(source: Source, place: str, recipe: Recipe) -> Iterator[str | UserError]:
    """Check that what is to be cut out of a source is a table of places in whole contents."""
    if source.cut is not None and source.infers_template:
        yield (
            f"{place}: `cut` counts places in whole contents: set infer_template = false here, and in the run that "
            f"found the spans"
        )
    if source.cut is not None:
        try:
            cut.require(recipe.resolve(source.cut.spans))
        except UserError as error:
            yield UserError(f"{recipe.file}, {place}", f"{error.where}: {error.what}", error.fix, code=error.code)


def _use(use: Use, place: str, signals: dict[str, str], recipe: Recipe) -> Iterator[str | UserError]:
    """Check one step and add its signals to those known."""
    try:
        info = catalog.describe(use.step)
    except UserError as error:
        yield f"{place}: {error}" if catalog.is_code(use.step) else f"{place}: unknown {error.where}; {error.fix}"
        signals[f"{use.name}.*"] = "any"  # its rules are not blamed too
        return
    mistakes = [text for name in use.arguments for text in _argument(name, use.arguments[name], info, signals, recipe)]
    missing = [name for name, one in info.parameters.items() if one.required and name not in use.arguments]
    mistakes += [f"argument `{name}` is required" for name in missing]
    yield from (f"{place}, step '{use.step}': {text}" for text in mistakes)
    found = info.signals
    if use.arguments and not mistakes:
        try:
            found = trial.signals(use, recipe=recipe, known=signals)
        except UserError as error:
            yield UserError(
                f"{recipe.file}, {place}, step '{use.step}'", f"{error.where}: {error.what}", error.fix, code=error.code
            )
    signals |= {f"{use.name}.{signal}": kind for signal, kind in found.items()}


def _argument(
    name: str, value: Any, info: catalog.StepInfo, signals: Mapping[str, str], recipe: Recipe
) -> Iterator[str]:
    """Check one argument of a step."""
    parameter = info.parameters.get(name)
    if parameter is None:
        yield f"unknown argument '{name}'; {suggest(name, info.parameters)}"
    elif not _fits(value, parameter.annotation):
        yield f"{name} = {value!r} does not fit {parameter.type_name}"
    elif name in ("column", "on"):
        known = [*TEXT_COLUMNS, *(key for key, kind in signals.items() if kind == "str")]
        for column in [value] if isinstance(value, str) else value:
            if column not in known:
                yield f"unknown column '{column}'; {suggest(column, known)}"
    elif name == "prefer":
        known = [source.name for source in recipe.sources]
        for wanted in [value] if isinstance(value, str) else value:
            source = wanted.removeprefix("-").removeprefix("source=")
            if wanted.removeprefix("-").startswith("source=") and source not in known:
                yield f"prefer = '{wanted}': no source '{source}'; {suggest(source, known)}"
    elif "Path" in str(parameter.annotation):
        yield from _path(recipe.resolve(value), info.name)


def _path(path: Path, step: str) -> Iterator[str]:
    """Check that a path leads to a file, or to a folder in which the step finds its files."""
    if not path.exists():
        yield f"{path} does not exist"
    elif not path.is_file() and not hasattr(catalog.load(step), "reads"):
        yield f"{path} is no file"


def _keepers(stage: Stage, place: str) -> Iterator[str]:
    """A step that names keepers has its stage alone: another rule could drop the keeper."""
    naming = [u.name for u in stage.steps if u.step in catalog.names() and catalog.describe(u.step).names_keepers]
    if naming and len(stage.steps) > 1:
        yield f"{place}: step '{naming[0]}' names keepers and needs a stage of its own"
    elif naming:
        for rule in stage.keep:
            foreign = not rule.signal.startswith(f"{naming[0]}.")
            if (foreign or (rule.signal.endswith(".rank") and (rule.min or 0) > 0)) and not rule.flag:
                yield f"{place}: the rule on '{rule.signal}' could drop keepers of '{naming[0]}'; give it another stage"


def _mixing(stage: Stage, place: str, recipe: Recipe) -> Iterator[str]:
    """A step that says how often rows stand in the mix is the only one, and rows without a copy leave by a rule."""
    mixing = [use for stage in recipe.stages for use in stage.steps if catalog.mixes(use.step)]
    for use in (use for use in stage.steps if catalog.mixes(use.step)):
        if use is not mixing[0]:
            yield f"{place}: step '{mixing[0].name}' mixes already: a row has one number of copies"
        rule = f"{use.name}.copies"
        if not any((one.signal, one.form, one.where, one.flag) == (rule, "min 1", {}, False) for one in stage.keep):
            yield f'{place}: rows without a copy stay: add the rule {{ signal = "{rule}", min = 1, why = "…" }}'
        yield from (f"{place}: weights: {text}" for text in _weights(use, recipe))


def _weights(use: Use, recipe: Recipe) -> Iterator[str]:
    """Check that a mix by source, task or cluster has a weight for each that is trained on, and for no other."""
    weights, by = use.arguments.get("weights"), use.arguments.get("by", "source")
    if not isinstance(weights, dict) or by not in ("source", "task", "cluster"):
        return
    trained = [source for source in recipe.sources if source.split == "train"]
    groups = {clusters.cluster(one) if by == "cluster" else one.task if by == "task" else one.name for one in trained}
    names = sorted(name for name in groups if name is not None)
    yield from (f"no {by} '{one}'; {suggest(one, names)}" for one in weights if one not in names)
    yield from (f"none for {by} '{one}'" for one in names if one not in weights)


def _rule(rule: Keep, place: str, signals: dict[str, str]) -> Iterator[str]:
    """Check that a rule names a signal measured so far, and that its form fits the signal's type."""
    kind = signals.get(rule.signal) or signals.get(f"{rule.signal.split('.')[0]}.*")
    if kind is None:
        known = [name for name in signals if not name.endswith(".*")]
        yield f"{place}: no signal '{rule.signal}' is measured up to this stage; {suggest(rule.signal, known)}"
    elif kind != "any":
        yield from (f"{place}: {text}" for text in verdict.misfits(rule, kind))
    for column, value in rule.where.items():
        if column not in GROUPS and column not in signals:
            yield f"{place}: `where` knows no column '{column}'; {suggest(column, [*GROUPS, *signals])}"
        elif signals.get(column, "").startswith("list"):
            yield f"{place}: `where`: '{column}' is a list; it takes columns of single values"
        else:
            found = verdict.strangers(as_tuple(value), signals.get(column, "str"))
            yield from (f"{place}: `where`: '{column}' is {text}" for text in found)


def _fits(value: Any, annotation: Any) -> bool:
    """Tell whether a TOML value fits the annotation of a step's parameter."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, member) for member in typing.get_args(annotation))
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if origin is dict:
        key, member = typing.get_args(annotation)
        return isinstance(value, dict) and all(_fits(k, key) and _fits(v, member) for k, v in value.items())
    if origin is not None:
        members = [member for member in typing.get_args(annotation) if member is not Ellipsis]
        return isinstance(value, list) and all(any(_fits(item, m) for m in members) for item in value)
    if annotation is Path:
        return isinstance(value, str)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return annotation is Any or (isinstance(annotation, type) and isinstance(value, annotation))
